"""URLs that lead, or pretend not to lead, to this machine and what is near it. None of them may be asked.

`{port}` stands for the port of the canary, which listens on this machine. A name below `.test` leads where `NAMES`
says; every other name is looked up as it always is.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

# Who is asked for in the end; the clouds' secrets, routers, and this machine by all its numbers.
VICTIMS = (
    "127.0.0.1", "127.0.0.2", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1",
    "100.100.100.200", "168.63.129.16", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.17.0.1",
    "172.31.255.255",
    "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.1.254", "198.18.0.1", "198.51.100.7",
    "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
)  # fmt: skip

IPV6 = (
    "::1", "::", "0:0:0:0:0:0:0:1", "0000:0000:0000:0000:0000:0000:0000:0001", "::2", "fe80::1", "febf::1", "fec0::1",
    "fc00::1", "fd00::1", "fd00:ec2::254", "ff02::1", "ff05::2", "100::1", "2001::1", "2001:2::1", "2001:10::1",
    "2001:20::1", "2001:db8::1", "3fff::1", "5f00::1", "4000::1", "8000::1", "64:ff9b:1::7f00:1", "64:ff9b:1:7f00:1::",
    "2620:4f:8000::1",
)  # fmt: skip

# What a name leads to: all of its addresses.
NAMES: dict[str, tuple[str, ...]] = {
    "loopback.test": ("127.0.0.1",),
    "loopback6.test": ("::1",),
    "any.test": ("0.0.0.0",),
    "private.test": ("10.0.0.8",),
    "metadata.test": ("169.254.169.254",),
    "metadata6.test": ("fd00:ec2::254",),
    "link-local.test": ("fe80::1%eth0",),
    "mapped.test": ("::ffff:127.0.0.1",),
    "nat64.test": ("64:ff9b::7f00:1",),
    "sixtofour.test": ("2002:7f00:1::",),
    "public-then-private.test": ("93.184.215.14", "127.0.0.1"),
    "private-then-public.test": ("127.0.0.1", "93.184.215.14"),
    "public-and-loopback6.test": ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::1"),
    "many.test": ("93.184.215.14",) * 20 + ("192.168.0.1",),
    "xn--loopback-4ya.test": ("127.0.0.1",),
    "127.0.0.1.test": ("127.0.0.1",),
    "under_score.test": ("127.0.0.1",),
    "a" * 63 + ".test": ("127.0.0.1",),
}


def urls() -> list[str]:
    """All of them, each once."""
    return list(dict.fromkeys([*_plain(), *_other_forms(), *_translated(), *_named(), *_tricks(), *_schemes()]))


def _plain() -> Iterator[str]:
    for victim in VICTIMS:
        yield f"http://{victim}:{{port}}/"
    for address in IPV6:
        yield f"http://[{address}]:{{port}}/"
    for victim in ("127.0.0.1", "169.254.169.254", "10.0.0.1", "[::1]", "[fd00:ec2::254]", "localhost"):
        yield f"http://{victim}/latest/meta-data/iam/security-credentials/"
        yield f"https://{victim}/"
        yield f"https://{victim}:{{port}}/"


def _other_forms() -> Iterator[str]:
    """IPv4 as others write it: one number, octal, hexadecimal, parts left out, zeros in front."""
    for victim in ("127.0.0.1", "169.254.169.254", "10.0.0.1", "192.168.0.1", "0.0.0.0"):
        number = int(IPv4Address(victim))
        a, b, c, d = victim.split(".")
        for host in (
            str(number), hex(number), f"0X{number:X}", f"0{number:o}", f"00{number:o}", f"0x00000000{number:x}",
            ".".join(hex(int(part)) for part in (a, b, c, d)), ".".join(f"0{int(part):o}" for part in (a, b, c, d)),
            ".".join(f"{int(part):04o}" for part in (a, b, c, d)), f"{hex(int(a))}.{b}.{c}.{d}",
            f"0{int(a):o}.{b}.{c}.{d}",
            f"{a}.{b}.{int(c) * 256 + int(d)}", f"{a}.{int(b) * 65536 + int(c) * 256 + int(d)}", f"{victim}.",
            f"{a}.{b}.{c}.0x{int(d):x}", f"00{a}.{b}.{c}.{d}", f"{number}.", f"{a}.{b}.{c}.{d}..", f".{victim}",
        ):  # fmt: skip
            yield f"http://{host}:{{port}}/"
    yield from ("http://127.1:{port}/", "http://0:{port}/", "http://0x7f.1:{port}/", "http://017700000001:{port}/")
    yield from ("http://127.0.0.1%00:{port}/", "http://383.0.0.1:{port}/", "http://127.0.0.1.:{port}/")


def _translated() -> Iterator[str]:
    """IPv4 within IPv6: mapped, compatible, translated, NAT64, 6to4, Teredo and ISATAP."""
    for victim in ("127.0.0.1", "169.254.169.254", "10.0.0.1", "192.168.0.1", "172.16.0.1"):
        number = int(IPv4Address(victim))
        high, low = number >> 16, number & 0xFFFF
        flipped = number ^ 0xFFFF_FFFF
        for address in (
            f"::ffff:{victim}", f"::ffff:{high:x}:{low:x}", f"0:0:0:0:0:ffff:{high:x}:{low:x}", f"::{victim}",
            f"::{high:x}:{low:x}", f"::ffff:0:{victim}", f"64:ff9b::{victim}", f"64:ff9b::{high:x}:{low:x}",
            f"64:ff9b:1::{victim}", f"2002:{high:x}:{low:x}::", f"2002:{high:x}:{low:x}::1",
            f"2001:0:{high:x}:{low:x}::", f"2001::{flipped >> 16:x}:{flipped & 0xFFFF:x}",
            f"2606:2800::5efe:{victim}", f"2606:2800::200:5efe:{victim}", f"fe80::5efe:{victim}",
        ):  # fmt: skip
            assert IPv6Address(address)
            yield f"http://[{address}]:{{port}}/"


def _named() -> Iterator[str]:
    for name in NAMES:
        yield f"http://{name}:{{port}}/"
        yield f"https://{name}/"
    for host in ("localhost", "LOCALHOST", "LocalHost", "localhost.", "localhost.localdomain", "ip6-localhost"):
        yield f"http://{host}:{{port}}/"
    for wide in ("ｌｏｃａｌｈｏｓｔ", "LOOPBACK.TEST", "loopback.test.", "ⓛocalhost", "localhoſt"):
        yield f"http://{wide}:{{port}}/"


def _tricks() -> Iterator[str]:
    """What one parser reads as one host and the next as another."""
    here = "127.0.0.1:{port}"
    yield from (
        f"http://public.example@{here}/", f"http://public.example:80@{here}/", f"http://user:pass@{here}/",
        f"http://{here}@127.0.0.1:{{port}}/", f"http://@{here}/", f"http://public.example%40{here}/",
        f"http://public.example\\@{here}/", f"http://{here}\\@public.example/", f"http://public.example#@{here}/\n",
        f"http://{here}\t/", f"http://\t{here}/", f" http://{here}/", f"http://{here}/ ", f"http://{here}/\r\nHost: a",
        f"http://{here}/%0d%0aX: y", f"http://{here}/\x00", f"\thttp://{here}/", f"http://{here} .public.example/",
        f"http:////{here}/", f"http:/{here}/", f"http:{here}/", f"http:\\\\{here}/", f"http:///{here}/", f"//{here}/",
        f"///{here}/", f"{here}/", f"http://{here}?public.example", f"http://{here}#public.example",
        f"http://{here};public.example/", f"http://{here}&@public.example/", "http://127.0.0.1,public.example:{port}/",
        "http://[127.0.0.1]:{port}/", "http://[::1%25lo]:{port}/", "http://[fe80::1%25eth0]:{port}/",
        "http://[::1]public.example:{port}/", "http://[::ffff:7f00:1]:{port}", "http://[0:0:0:0:0:ffff:127.0.0.1]:{port}/",
        "http://127。0。0。1:{port}/", "http://127．0．0．1:{port}/", "http://127｡0｡0｡1:{port}/", "http://１２７.０.０.１:{port}/",
        "http://①②⑦.⓪.⓪.①:{port}/", "http://127%2e0%2e0%2e1:{port}/", "http://%31%32%37.0.0.1:{port}/",
        "http://%6c%6f%63%61%6c%68%6f%73%74:{port}/", "http://127.0.0.1\u200b:{port}/", "http://\u00ad127.0.0.1:{port}/",
        "http://127.0.0.1\u3002:{port}/", "http://[::1]:{port}:80/", "http://127.0.0.1:{port}:80/",
        "http://127.0.0.1:0{port}/", "http://127.0.0.1:+{port}/", "http://127.0.0.1:{port}%20/", "http://127.0.0.1:99999/",
        "http://127.0.0.1:0/", "http://:{port}/", "http://", "http://:@:{port}/", "http://.:{port}/", "http://..:{port}/",
        "http://a..b:{port}/", "http://-:{port}/", "http://*:{port}/", "http://~:{port}/", "http://$HOME:{port}/",
        "http://" + "a" * 300 + ":{port}/", "http://127.0.0.1:{port}/" + "a" * 5_000, "",
    )  # fmt: skip


def _schemes() -> Iterator[str]:
    for scheme in (
        "file", "ftp", "gopher", "dict", "ldap", "tftp", "sftp", "ssh", "telnet", "ws", "wss", "unix", "data", "jar",
        "netdoc", "javascript", "view-source", "blob", "about", "smb", "imap", "pop3", "rtsp", "phar", "http+unix",
    ):  # fmt: skip
        yield f"{scheme}://127.0.0.1:{{port}}/"
    yield from (
        "file:///etc/passwd", "file://localhost/etc/passwd", "file:/etc/passwd", "/etc/passwd", "data:text/plain,hello",
        "unix:/var/run/docker.sock", "http+unix://%2Fvar%2Frun%2Fdocker.sock/info", "HTTP+UNIX://x/", "httpx://127.0.0.1/",
        "gopher://127.0.0.1:{port}/_GET%20/", "javascript:fetch('http://127.0.0.1:{port}/')",
    )  # fmt: skip
