"""What every request must pass: the guard alone, without a page behind it."""

from __future__ import annotations

import json

import pytest

from labse_search.ui.access import OpenAccess
from labse_search.ui.bodies import Refused, check_json
from labse_search.ui.guard import Guard, Limits
from labse_search.ui.rates import Rates
from labse_search.ui.routes import OWN_PATHS


async def nothing(*_: object) -> None:
    raise AssertionError("the page was reached")


def refused(guard: Guard, path: str = "/", method: str = "GET", **headers: str) -> int | None:
    pairs = [
        (key.replace("_", "-").encode(), value.encode())
        for key, value in ({"host": "127.0.0.1:7860"} | headers).items()
    ]
    refusal = guard.refusal({"type": "http", "method": method, "path": path, "headers": pairs, "client": ("::1", 1)})
    return refusal[0] if refusal else None


@pytest.fixture
def guard() -> Guard:
    return Guard(nothing, Limits("127.0.0.1", 100 << 20, lambda wanted: wanted <= 300 << 20, OWN_PATHS), OpenAccess())


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost", "LOCALHOST:1", "[::1]:7860"])
def test_the_page_answers_under_its_own_names(guard: Guard, host: str) -> None:
    assert refused(guard, host=host) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.com",
        "evil.com:7860",
        "127.0.0.1.evil.com",
        "192.168.1.2",
        "",
        "[",
        "localhost@evil.com",
        "evil.com@localhost",
        "localhost#x",
        "localhost/x",
        "localhost:1:2",
        "a b",
    ],
)
def test_a_foreign_host_is_refused(guard: Guard, host: str) -> None:
    assert refused(guard, host=host) == 421


@pytest.mark.parametrize(
    "origin",
    ["http://evil.com", "null", "", "http://[", "http://127.0.0.1:9999", "https://127.0.0.1:7860.evil.com"],
)
def test_a_foreign_origin_is_refused(guard: Guard, origin: str) -> None:
    assert refused(guard, "/upload", "POST", origin=origin, content_length="5") == 403


def test_other_pages_may_link_here_but_not_embed(guard: Guard) -> None:
    assert refused(guard, sec_fetch_site="cross-site", sec_fetch_mode="navigate") is None
    assert refused(guard, "/source/a/b/original", sec_fetch_site="cross-site", sec_fetch_mode="no-cors") == 403


def test_bodies_have_limits(guard: Guard) -> None:
    assert refused(guard, "/upload", "POST", content_length=str(100 << 20)) is None
    assert refused(guard, "/upload", "POST", content_length=str(101 << 20)) == 413
    assert refused(guard, "/upload", "POST", content_length="-1") == 411
    assert refused(guard, "/gradio_api/queue/join", "POST", content_length=str(17 << 20)) == 413
    assert refused(guard, "/gradio_api/queue/join", "POST", transfer_encoding="chunked") == 411
    assert refused(guard, "/login", "POST", content_length=str(64 << 10)) is None
    assert refused(guard, "/login", "POST", content_length=str(65 << 10)) == 413
    assert refused(guard, "/gradio_api/queue/join", "DELETE") == 405
    full = Guard(nothing, Limits("127.0.0.1", 1 << 20, lambda wanted: wanted <= 100, OWN_PATHS), OpenAccess())
    assert refused(full, "/upload", "POST", content_length="101") == 413


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/proxy=http://a",
        "/file=x",
        "/monitoring",
        "/gradio_api/runs",
        "/gradio_api/upload",
        "/logout",
        "/gradio_api/component_server",
        "/gradio_api/api/search",
        "/openapi.json",
        "/what-gradio-may-add-one-day",
        "/static/" + "a" * 256,
        "/assets/" + "é" * 128 + "/x.js",
    ],
)
def test_unused_doors_of_gradio_are_shut(guard: Guard, path: str) -> None:
    assert refused(guard, path) == 404


def test_a_flood_is_slowed() -> None:
    now = [0.0]
    rates = Rates(rate=1, burst=3, clock=lambda: now[0])
    assert [rates.allow("a") for _ in range(4)] == [True, True, True, False]
    assert rates.allow("b")
    now[0] = 1.0
    assert rates.allow("a") and not rates.allow("a")


def test_other_addresses_know_figures_but_no_names() -> None:
    guard = Guard(nothing, Limits("0.0.0.0", 1, lambda wanted: True, OWN_PATHS), OpenAccess())
    assert refused(guard, host="192.168.1.2:7860") is None
    assert refused(guard, host="evil.com") == 421


FILE = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"data": [FILE]}),
        json.dumps({"data": [{"a": [[{"b": FILE}]]}]}),
        json.dumps({"data": [], "event_data": {"x": {"path": "/dev/zero"}}}),
        '{"data": [{"path": "/etc/passwd", "meta": {}}], "data": ["harmless"]}',
        '{"data": ["{", {"p\\u0061th": "/etc/passwd"}]}',
        json.dumps({"data": [FILE]}).encode("utf-16").decode("latin-1"),
        "not JSON",
        "[" * 200_000,
        '{"data": ["half a letter: \\uD83D"]}',
        json.dumps({"data": [], "half\udc00": {}}),
        '{"data": ["\xed\xa0\x80"]}',
    ],
)
def test_a_body_that_names_a_file_anywhere_is_refused(body: str) -> None:
    with pytest.raises(Refused) as caught:
        check_json(body.encode("latin-1"))
    assert caught.value.status == 400


def test_what_the_page_sends_is_let_through() -> None:
    check_json(b"")
    check_json(json.dumps({"data": ["a path: /etc/passwd", None, ["de"]], "event_data": {"files": []}}).encode())
    check_json(json.dumps({"data": ["🦊", "a backslash and letters: \\ud83d", "é"]}).encode())
