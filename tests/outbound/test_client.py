"""The guarded client: what it sends and to whom, how far it reads, and where it goes when an answer leads elsewhere."""

import asyncio
import datetime
import gzip
import ipaddress
import ssl
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.errors import Invalid
from services.outbound import Guard, Outbound, Refused, TooLarge, Unanswered
from services.outbound.addresses import not_public
from services.outbound.allowed import allowed, patterns
from services.outbound.guard import is_of_this_machine
from tests.outbound.canary import listening, local_addresses
from tests.outbound.site import Site, answered, site


@asynccontextmanager
async def reaching(*sites: Site, names: dict[str, list[str]] | None = None, **given: Any) -> AsyncIterator[Outbound]:
    """A client to which the sites are public: `first.test`, `second.test` … on their ports."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        return (names or {}).get(host, ["127.0.0.1"])

    hosts = [f"{name}.test:{it.port}" for name, it in zip(("first", "second", "third"), sites, strict=False)]
    made = Outbound(Guard(allowed([*hosts, *given.pop("allow", [])]), resolve=resolve, **given))
    yield made
    await made.close()


async def test_an_answer_is_given_back_whole() -> None:
    async with (
        site({"/tea?a=b": answered(201, b"hot", content_type="text/plain")}) as first,
        reaching(first) as outbound,
    ):
        response = await outbound.request(
            "POST", f"http://first.test:{first.port}/tea?a=b", {"X-Kind": "green"}, b"x=1"
        )

    assert (response.status, response.reason, response.body) == (201, "Said", b"hot")
    assert response.headers == {"content-length": "3", "content-type": "text/plain"}
    (sent,) = first.sent
    assert (sent.method, sent.path, sent.body) == ("POST", "/tea?a=b", b"x=1")
    assert sent.headers["host"] == f"first.test:{first.port}"
    assert sent.headers["x-kind"] == "green"
    assert sent.headers["user-agent"].startswith("rolecall/")


async def test_neither_cookies_nor_a_proxy_nor_a_password_of_this_machine_takes_part(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine first.test login me password secret")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with site({"/": answered(set_cookie="id=1; Path=/")}) as first, reaching(first) as outbound:
        for _ in range(2):
            await outbound.request("GET", f"http://first.test:{first.port}/")

    assert [{"cookie", "authorization"} & set(sent.headers) for sent in first.sent] == [set(), set()]


async def test_connections_are_kept_for_the_next_request_to_the_same_origin() -> None:
    looked_up: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        looked_up.append(host)
        return ["127.0.0.1"]

    async with site({"/": answered()}) as first:
        outbound = Outbound(Guard(allowed(["127.0.0.0/8"]), resolve=resolve))
        for host in ("a.test", "a.test", "b.test"):
            await outbound.request("GET", f"http://{host}:{first.port}/")
        await outbound.close()

    assert looked_up == ["a.test", "b.test"]


async def test_a_name_that_leads_elsewhere_the_second_time_is_looked_up_once_for_each_connection() -> None:
    """Rebinding: checked as the one address, connected to as the other."""
    answers = [["127.0.0.2"], ["127.0.0.1"]]

    async def resolve(host: str, port: int) -> Sequence[str]:
        return answers.pop(0)

    async with (
        listening() as canary,
        site({"/": answered(200, b"fine", connection="close")}, host="127.0.0.2") as public,
    ):
        outbound = Outbound(Guard(allowed(["127.0.0.2/32"]), resolve=resolve))
        first = await outbound.request("GET", f"http://rebinding.test:{public.port}/")
        with pytest.raises(Refused, match=r"rebinding.test leads to this machine"):
            await outbound.request("GET", f"http://rebinding.test:{canary.port}/")
        await outbound.close()

    assert (first.body, answers, canary.visits) == (b"fine", [], [])


async def test_the_first_address_that_answers_is_taken() -> None:
    async with site({"/": answered(200, b"here")}) as first:
        nobody = ["127.0.0.9", "127.0.0.8", "127.0.0.1"]
        async with reaching(first, names={"first.test": nobody}) as outbound:
            response = await outbound.request("GET", f"http://first.test:{first.port}/")

    assert response.body == b"here"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "b\r\nX-C: d"), ("X-A", "b\nX-C: d"), ("X-A\r\nX-C", "d"), ("X-A", "b\0"), ("X A", "b"), ("", "b"),
        ("X-Ä", "b"), ("X-A", "☕"), ("X-A:", "b"), ("Host", "localhost"), ("host", "a"), ("Content-Length", "0"),
        ("Transfer-Encoding", "chunked"), ("Connection", "upgrade"), ("Upgrade", "websocket"),
        ("Expect", "100-continue"),
        ("Proxy-Authorization", "x"), ("X-Forwarded-For", "127.0.0.1"), ("X-Original-URL", "/admin"),
        ("TE", "trailers"),
        ("X-HTTP-Method-Override", "DELETE"), ("Accept-Encoding", "br"), ("X-A", "b" * 9_000),
    ],
)  # fmt: skip
async def test_headers_that_would_say_more_than_one_thing_are_refused(name: str, value: str) -> None:
    async with site({"/": answered()}) as first, reaching(first) as outbound:
        with pytest.raises(Refused, match="header"):
            await outbound.request("GET", f"http://first.test:{first.port}/", {name: value})

    assert first.sent == []


async def test_redirects_are_gone_after_as_far_as_wanted() -> None:
    pages = {"/a": answered(302, location="/b"), "/b": answered(301, location="c?d=e"), "/c?d=e": answered(200, b"c")}
    async with site(pages) as first, reaching(first) as outbound:
        start = f"http://first.test:{first.port}/a"
        unfollowed = await outbound.request("GET", start)
        followed = await outbound.request("GET", start, follow=2)
        with pytest.raises(Refused, match="more than 1 redirects"):
            await outbound.request("GET", start, follow=1)

    assert (unfollowed.status, unfollowed.headers["location"]) == (302, "/b")
    assert (followed.body, followed.url) == (b"c", f"http://first.test:{first.port}/c?d=e")


async def test_redirects_in_a_circle_come_to_an_end() -> None:
    async with site({"/": answered(302, location="/")}) as first, reaching(first) as outbound:
        with pytest.raises(Refused, match="more than 5 redirects"):
            await outbound.request("GET", f"http://first.test:{first.port}/", follow=5)

    assert len(first.sent) == 6


async def test_another_origin_is_told_no_secret() -> None:
    secrets = {"Authorization": "Bearer x", "Cookie": "id=1", "X-Api-Key": "k", "Anything": "y", "Accept": "text/css"}
    async with site({"/": answered(200, b"there")}) as second:
        onward = answered(302, location=f"http://second.test:{second.port}/")
        async with site({"/": onward}) as first, reaching(first, second) as outbound:
            response = await outbound.request("GET", f"http://first.test:{first.port}/", secrets, follow=1)

    assert response.body == b"there"
    assert first.sent[0].headers["authorization"] == "Bearer x"
    told = set(second.sent[0].headers)
    assert told == {"host", "accept", "accept-encoding", "user-agent"}
    assert second.sent[0].headers["accept"] == "text/css"


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [(301, "POST", "GET"), (302, "POST", "GET"), (303, "POST", "GET"), (303, "DELETE", "GET"),
     (302, "DELETE", "DELETE"),
     (307, "POST", "POST"), (308, "PUT", "PUT"), (307, "GET", "GET"), (303, "HEAD", "HEAD")],
)  # fmt: skip
async def test_what_is_made_again_at_the_same_origin(status: int, method: Any, then: str) -> None:
    pages = {"/": answered(status, location="/next"), "/next": answered()}
    async with site(pages) as first, reaching(first) as outbound:
        await outbound.request(method, f"http://first.test:{first.port}/", {"content-type": "a/b"}, b"body", follow=1)

    _, onward = first.sent
    assert onward.method == then
    assert (onward.body, "content-type" in onward.headers) == ((b"", False) if method != then else (b"body", True))


async def test_a_body_goes_to_no_other_origin() -> None:
    async with site({"/": answered()}) as second:
        onward = answered(307, location=f"http://second.test:{second.port}/")
        async with site({"/": onward}) as first, reaching(first, second) as outbound:
            with pytest.raises(Refused, match=r"would have the POST made again at second\.test; ask there"):
                await outbound.request("POST", f"http://first.test:{first.port}/", {}, b"secret", follow=3)

    assert second.sent == []


def chunked(*chunks: bytes, **headers: str) -> bytes:
    body = b"".join(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n" for chunk in (*chunks, b""))
    told = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n{told}\r\n".encode() + body


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
async def test_what_is_packed_is_unpacked(pack: Callable[[bytes], bytes]) -> None:
    encoding = "gzip" if pack is gzip.compress else "deflate"
    packed = pack(b"tea " * 1000)
    async with site({"/": answered(200, packed, content_encoding=encoding)}) as first, reaching(first) as outbound:
        response = await outbound.request("GET", f"http://first.test:{first.port}/", max_bytes=4000)
        with pytest.raises(TooLarge, match="more than 3,999 bytes"):
            await outbound.request("GET", f"http://first.test:{first.port}/", max_bytes=3999)

    assert response.body == b"tea " * 1000


async def test_a_bomb_is_not_unpacked_further_than_its_limit() -> None:
    import tracemalloc

    bomb = gzip.compress(b"\0" * 200_000_000)
    async with site({"/": answered(200, bomb, content_encoding="gzip")}) as first, reaching(first) as outbound:
        tracemalloc.start()
        with pytest.raises(TooLarge):
            await outbound.request("GET", f"http://first.test:{first.port}/", max_bytes=1_000_000)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert peak < 5_000_000


@pytest.mark.parametrize(
    "answer",
    [
        answered(200, b"x" * 1001),
        chunked(b"x" * 600, b"x" * 600),
        b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n" + b"x" * 2000,
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + b"x" * 2000,
    ],
)
async def test_an_answer_that_is_too_large_is_read_no_further(answer: bytes) -> None:
    async with site({"/": answer}) as first, reaching(first) as outbound:
        with pytest.raises(TooLarge, match="more than 1,000 bytes"):
            await outbound.request("GET", f"http://first.test:{first.port}/", max_bytes=1000, timeout_seconds=5)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 two hundred OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: " + b"b" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\nconnection: close\r\n\r\nshort",
        answered(200, b"no gzip", content_encoding="gzip"),
        answered(200, gzip.compress(b"tea" * 1000)[:-20], content_encoding="gzip"),
        answered(200, b"x", content_encoding="br"),
        answered(200, b"x", content_encoding="gzip, gzip"),
    ],
)
async def test_what_is_no_whole_answer_in_http_is_none(answer: bytes) -> None:
    async with site({"/": answer}) as first, reaching(first) as outbound:
        with pytest.raises(Unanswered):
            await outbound.request("GET", f"http://first.test:{first.port}/", timeout_seconds=5)


async def test_who_stays_silent_is_waited_for_as_long_as_said() -> None:
    async with site({"/": None}) as first, reaching(first) as outbound:
        with pytest.raises(Unanswered, match=r"no whole answer within 0.2 seconds"):
            await outbound.request("GET", f"http://first.test:{first.port}/", timeout_seconds=0.2)


async def test_a_name_that_nobody_knows_and_a_host_that_nobody_answers_at() -> None:
    async def unknown(host: str, port: int) -> Sequence[str]:
        raise OSError

    async with site({}) as gone:
        pass
    outbound = Outbound(Guard(resolve=unknown))
    with pytest.raises(Unanswered, match=r"there is no host nobody\.test"):
        await outbound.request("GET", "http://nobody.test/")
    await outbound.close()
    async with reaching(gone) as outbound:
        with pytest.raises(Unanswered, match=r"first\.test cannot be connected to"):
            await outbound.request("GET", f"http://first.test:{gone.port}/")


async def test_a_certificate_has_to_be_for_the_name_and_not_for_the_address(tmp_path: Path) -> None:
    server, client = certificates(tmp_path, "first.test")
    async with site({"/": answered(200, b"safe")}, tls=server) as first:
        guard = Guard(allowed(["127.0.0.0/8"]), resolve=to_this_machine)
        outbound = Outbound(guard, tls=client)
        response = await outbound.request("GET", f"https://first.test:{first.port}/")
        for other in (f"https://second.test:{first.port}/", f"https://127.0.0.1:{first.port}/"):
            with pytest.raises(Unanswered, match="certificate that is not trusted"):
                await outbound.request("GET", other)
        await outbound.close()
        distrusting = Outbound(guard)
        with pytest.raises(Unanswered, match="certificate that is not trusted"):
            await distrusting.request("GET", f"https://first.test:{first.port}/")
        await distrusting.close()

    assert response.body == b"safe"
    assert first.names[:2] == ["first.test", "second.test"]
    assert [sent.headers["host"] for sent in first.sent] == [f"first.test:{first.port}"]


async def test_nothing_leads_from_https_to_http(tmp_path: Path) -> None:
    server, client = certificates(tmp_path, "first.test")
    async with site({"/": answered()}) as plain:
        onward = {"/": answered(302, location=f"http://first.test:{plain.port}/")}
        async with site(onward, tls=server) as first:
            outbound = Outbound(Guard(allowed(["127.0.0.0/8"]), resolve=to_this_machine), tls=client)
            with pytest.raises(Refused, match="from https to http"):
                await outbound.request("GET", f"https://first.test:{first.port}/", follow=3)
            await outbound.close()

    assert plain.sent == []


async def test_a_cancelled_request_leaves_no_connection_behind() -> None:
    async with site({"/": None, "/fine": answered(200, b"fine")}) as first, reaching(first) as outbound:
        asking = asyncio.create_task(outbound.request("GET", f"http://first.test:{first.port}/"))
        await first.was_asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        response = await outbound.request("GET", f"http://first.test:{first.port}/fine")

    assert response.body == b"fine"


@pytest.mark.parametrize(
    ("allow", "url"),
    [
        ("localhost", "http://localhost:{port}/"),
        ("LOCALHOST:{port}", "http://LocalHost.:{port}/"),
        ("127.0.0.1", "http://127.0.0.1:{port}/"),
        ("127.0.0.1:{port}", "http://127.0.0.1:{port}/"),
        ("127.0.0.0/8", "http://inner.test:{port}/"),
        ("127.0.0.1/32", "http://[::ffff:127.0.0.1]:{port}/"),
        ("inner.test", "http://inner.test:{port}/"),
    ],
)
async def test_what_the_operator_allows_is_asked(allow: str, url: str) -> None:
    async with site({"/": answered(200, b"inside")}) as first:
        allowing = allowed([allow.replace("{port}", str(first.port))])
        outbound = Outbound(Guard(allowing, resolve=to_this_machine))
        response = await outbound.request("GET", url.replace("{port}", str(first.port)))
        await outbound.close()

    assert response.body == b"inside"


@pytest.mark.parametrize(
    "allow", ["localhost:1", "inner.test:1", "10.0.0.0/8", "127.0.0.2/32", "other.test", "::1/128"]
)
async def test_what_is_allowed_is_no_more_than_was_said(allow: str) -> None:
    async with site({"/": answered()}) as first:
        outbound = Outbound(Guard(allowed([allow]), resolve=to_this_machine))
        for host in ("localhost", "inner.test", "127.0.0.1"):
            with pytest.raises(Refused, match="not to the public internet"):
                await outbound.request("GET", f"http://{host}:{first.port}/")
        await outbound.close()

    assert first.sent == []


async def test_where_names_are_listed_no_other_is_asked_also_after_a_redirect() -> None:
    async with site({}) as second:
        onward = {"/": answered(302, location=f"http://second.test:{second.port}/"), "/fine": answered(200, b"fine")}
        async with (
            site(onward) as first,
            reaching(first, second, hosts=patterns(["first.test", "*.b.test"])) as outbound,
        ):
            fine = await outbound.request("GET", f"http://first.test:{first.port}/fine")
            for url in (
                f"http://first.test:{first.port}/",
                "http://b.test/",
                "http://xb.test/",
                "http://93.184.215.14/",
            ):
                with pytest.raises(Refused, match="is not among the hosts that may be asked"):
                    await outbound.request("GET", url, follow=1)

    assert (fine.body, second.sent) == (b"fine", [])


async def test_a_port_of_another_protocol_is_asked_only_where_it_is_allowed() -> None:
    outbound = Outbound(Guard(resolve=to_this_machine))
    for port in (22, 25, 53, 6667):
        with pytest.raises(Refused, match=f"port {port} is known for another protocol"):
            await outbound.request("GET", f"http://first.test:{port}/")
    await outbound.close()


@pytest.mark.parametrize("entry", ["", "http://a", "a/b", "a:b", "a b", "*", "10.0.0.0/33", "a:99999999", "[::1", "a:"])
def test_an_entry_that_allows_nothing_is_refused(entry: str) -> None:
    with pytest.raises(Invalid, match="ROLECALL_OUTBOUND_ALLOW"):
        allowed([entry])


@pytest.mark.parametrize("entry", ["", "http://a", "a/b", "a:80", "*", "a.*", "*a", "a b", "[::1"])
def test_a_pattern_that_names_no_host_is_refused(entry: str) -> None:
    with pytest.raises(Invalid, match="ROLECALL_OUTBOUND_HOSTS"):
        patterns([entry])


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "93.184.215.14", "172.32.0.1", "172.15.255.255", "100.63.255.255", "100.128.0.1", "11.0.0.1",
     "9.255.255.255", "169.253.255.255", "192.167.255.255", "198.17.255.255", "198.20.0.0", "223.255.255.255",
     "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "2a00:1450:4001:81b::200e", "2001:4860:4860::8888", "2003::1",
     "::ffff:8.8.8.8", "64:ff9b::808:808"],
)  # fmt: skip
def test_public_addresses_are_public(address: str) -> None:
    assert not_public(ipaddress.ip_address(address)) is None


def test_the_addresses_of_this_machine_are_known_whatever_they_are() -> None:
    others = [address for address in local_addresses() if address != "127.0.0.2"]  # which 127.0.0.1 talks to
    assert all(is_of_this_machine(ipaddress.ip_address(address)) for address in others)
    assert not is_of_this_machine(ipaddress.ip_address("93.184.215.14"))


async def to_this_machine(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


def certificates(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server of that name shows, and how a client judges that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file = folder / "site.pem"
    file.write_bytes(key.private_bytes(pem, *plain) + certificate.public_bytes(pem))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cadata=certificate.public_bytes(pem).decode())
