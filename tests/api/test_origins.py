"""Where requests come from: whatever a header says, only our own pages and allowed ones count as own."""

import pytest

from api.origins import source_of

EVIL = "https://evil.example"


@pytest.mark.parametrize("host", ["", "[", "[::1", "a:b:c", "localhost:x", "[::1]:80", "LOCALHOST", "evil.example:1"])
def test_no_host_makes_another_origin_ours(host: str) -> None:
    assert source_of({"host": host, "origin": EVIL}, ()) == "foreign"


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("rolecall.example", "https://rolecall.example"),
        ("rolecall.example:8443", "https://rolecall.example:8443"),
        ("localhost:8787", "http://localhost:8787"),
        ("[::1]:8787", "http://[::1]:8787"),
    ],
)
def test_an_origin_is_ours_when_it_is_what_the_request_was_sent_to(host: str, origin: str) -> None:
    assert source_of({"host": host, "origin": origin}, ()) == "own"


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("rolecall.example", "http://rolecall.example"),  # anybody on the way may have written that page
        ("rolecall.example", "https://rolecall.example:8443"),
        ("rolecall.example", "https://rolecall.example.evil.example"),
        ("rolecall.example", "https://rolecall.example, https://rolecall.example"),
        ("localhost:8787", "http://localhost:5173"),
    ],
)
def test_an_origin_that_differs_in_anything_is_foreign(host: str, origin: str) -> None:
    assert source_of({"host": host, "origin": origin}, ()) == "foreign"


def test_an_allowed_origin_counts_as_own_also_when_the_browser_calls_it_foreign() -> None:
    headers = {"host": "rolecall.example", "origin": EVIL, "sec-fetch-site": "cross-site"}

    assert (source_of(headers, ()), source_of(headers, (EVIL,))) == ("foreign", "own")
