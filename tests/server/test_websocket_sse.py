"""WebSockets and event streams: refused before they open, and open for who has proven a name."""

import base64
from pathlib import Path

import pytest
from websockets.exceptions import InvalidMessage, InvalidStatus
from websockets.sync.client import connect

from tests.server.apps.realtime import PASSWORD, TOKEN
from tests.server.client import Answer, browser, request

APP = Path(__file__).with_name("apps") / "realtime.py"
GUARDS = ("login", "fresh", "basic", "token")
UVICORN_SAYS = "ERROR:    ASGI callable returned without completing handshake."
CHALLENGES = {"login": "Cookie ", "fresh": "Cookie ", "basic": "Basic ", "token": "Bearer "}


@pytest.fixture
def realtime(serve, kind):
    return serve(APP, kind)


def cookies_of_a_login(server):
    with browser(server) as client:
        client.post("/login")
        return dict(client.cookies)


def credentials(server, guard):
    """The header that opens what is guarded so."""
    if guard == "basic":
        return {"Authorization": "Basic " + base64.b64encode(b"anna:" + PASSWORD.encode()).decode()}
    if guard == "token":
        return {"Authorization": "Bearer " + TOKEN}
    return {"Cookie": "session=" + cookies_of_a_login(server)["session"]}


def websocket(server, guard, headers=()):
    return connect(server.url.replace("http", "ws") + "/ws/" + guard, proxy=None, open_timeout=10,
                   close_timeout=5, additional_headers=dict(headers), compression=None)


def handshake(server, target, headers):
    """What a server says to a handshake, for clients that read HTTP/1.0 too."""
    lines = [f"{name}: {value}" for name, value in dict(headers).items()]
    raw = request(target, headers=[*lines, "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="])
    raw = raw.replace(b"Connection: close", b"Connection: Upgrade")
    return Answer(server.exchange(raw, timeout=10))


def assert_refused(server, guard, headers=()):
    """401 before the upgrade, and the client library takes it for no open WebSocket."""
    answer = handshake(server, "/ws/" + guard, headers)
    assert answer.status == 401
    assert answer.get("www-authenticate").startswith(CHALLENGES[guard])
    # Microdot's own server speaks HTTP/1.0, which WebSocket clients do not.
    expected = InvalidMessage if server.kind.startswith("builtin") else InvalidStatus
    with pytest.raises(expected) as refused:
        websocket(server, guard, headers).close()
    if expected is InvalidStatus:
        assert refused.value.response.status_code == 401


def assert_talks(server, guard, headers):
    with websocket(server, guard, headers) as ws:
        for message in ("one", "two"):
            ws.send(message)
            assert ws.recv(timeout=10) == "anna says " + message


def assert_still_fine(server):
    with browser(server) as client:
        assert client.get("/").text == "fine"
    if not server.kind.startswith("builtin"):
        # uvicorn 0.54 says so of every refusal with a status of its own (its pull request 3138).
        said = server.output().replace(UVICORN_SAYS, "")
        assert not [word for word in ("Traceback", "500 Internal", "ERROR") if word in said]


def test_a_stranger_opens_no_websocket(realtime):
    for guard in GUARDS:
        assert_refused(realtime, guard)
    assert_still_fine(realtime)


@pytest.mark.parametrize("guard", GUARDS)
def test_a_websocket_opens_with_credentials(realtime, guard):
    headers = credentials(realtime, guard)
    assert_talks(realtime, guard, headers)
    assert_talks(realtime, guard, headers)
    assert_still_fine(realtime)


def test_wrong_credentials_open_no_websocket(realtime):
    wrong = {
        "login": [{"Cookie": "session=junk"}, {"Cookie": "_remember=junk"}, {"Authorization": "Basic x"},
                  credentials(realtime, "token")],
        "fresh": [{"Cookie": "_remember=" + cookies_of_a_login(realtime)["_remember"]}],
        "basic": [{"Authorization": "Basic junk"}, credentials(realtime, "token"),
                  credentials(realtime, "login")],
        "token": [{"Authorization": "Bearer junk"}, credentials(realtime, "basic"),
                  credentials(realtime, "login")],
    }
    for guard in wrong:
        for headers in wrong[guard]:
            assert_refused(realtime, guard, headers)
    assert_still_fine(realtime)


def test_a_remembered_visitor_opens_a_websocket(realtime):
    remember = "_remember=" + cookies_of_a_login(realtime)["_remember"]
    assert_talks(realtime, "login", {"Cookie": remember})
    assert_still_fine(realtime)


def test_a_handshake_that_cannot_be_read_is_refused(realtime):
    for target in ("/ws/login?x=%zz", "/ws/token?x=%ff"):
        assert handshake(realtime, target, ()).status == 400
    assert_still_fine(realtime)


def test_a_stranger_gets_no_event_stream(realtime):
    with browser(realtime) as client:
        for guard in GUARDS:
            answer = client.get("/sse/" + guard, headers={"Accept": "text/event-stream"})
            assert answer.status_code == 401, guard
            assert answer.headers["www-authenticate"].startswith(CHALLENGES[guard])
            assert "hello" not in answer.text
    assert_still_fine(realtime)


def test_an_event_stream_flows_with_credentials(realtime):
    with browser(realtime) as client:
        for guard in GUARDS:
            headers = {"Accept": "text/event-stream", **credentials(realtime, guard)}
            with client.stream("GET", "/sse/" + guard, headers=headers) as answer:
                assert answer.status_code == 200, guard
                assert answer.headers["content-type"].startswith("text/event-stream")
                assert next(answer.iter_lines()) == "data: hello anna"
    assert_still_fine(realtime)
