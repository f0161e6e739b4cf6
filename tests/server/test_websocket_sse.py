"""WebSockets and event streams: refused before they open, and open for who has proven a name."""

import base64
import time
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright
from websockets.exceptions import InvalidMessage, InvalidStatus
from websockets.sync.client import connect

from tests.server.apps.realtime import PASSWORD, TOKEN
from tests.server.chromium import FLAGS, MILLISECONDS, evil_site
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
    return with_origin(server, "session=" + cookies_of_a_login(server)["session"])


def with_origin(server, cookie):
    """What a browser sends for a page of the server's own."""
    return {"Cookie": cookie, "Origin": server.url}


def websocket(server, guard, headers=()):
    return connect(server.url.replace("http", "ws") + "/ws/" + guard, proxy=None, open_timeout=10,
                   close_timeout=5, additional_headers=dict(headers), compression=None)


def handshake(server, target, headers, version="13", key="dGhlIHNhbXBsZSBub25jZQ=="):
    """What a server says to a handshake, for clients that read HTTP/1.0 too."""
    lines = [f"{name}: {value}" for name, value in dict(headers).items()]
    raw = request(target, headers=[*lines, "Upgrade: websocket", "Sec-WebSocket-Version: " + version,
                                   "Sec-WebSocket-Key: " + key])
    raw = raw.replace(b"Connection: close", b"Connection: Upgrade").replace(
        b"Host: 127.0.0.1", b"Host: " + server.url.split("://")[1].encode())
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
        "fresh": [with_origin(realtime, "_remember=" + cookies_of_a_login(realtime)["_remember"])],
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
    assert_talks(realtime, "login", with_origin(realtime, remember))
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


# --- pages of other sites -------------------------------------------------------------------------

def origins_of_others(server):
    port = int(server.port)
    return ["http://evil.lan", f"http://127.0.0.1:{port + 1}", "http://127.0.0.1", f"http://localhost:{port}",
            f"https://127.0.0.1:{port}", f"http://127.0.0.1:{port}/", f"http://127.0.0.1:{port}.evil.lan", "null",
            "junk", "http://", "http://[::1", f"http://127.0.0.1:{port}, http://evil.lan"]


def test_X5_a_page_of_another_origin_opens_no_websocket(realtime):
    cookie = {"Cookie": "session=" + cookies_of_a_login(realtime)["session"]}
    for guard, given in (("login", cookie), ("fresh", cookie), ("basic", credentials(realtime, "basic"))):
        for origin in origins_of_others(realtime):
            assert handshake(realtime, "/ws/" + guard, {**given, "Origin": origin}).status == 403, (guard, origin)
        assert_talks(realtime, guard, {**given, "Origin": realtime.url})
    for guard in ("login", "fresh"):
        assert handshake(realtime, "/ws/" + guard, cookie).status == 403
    assert_talks(realtime, "token", {**credentials(realtime, "token"), "Origin": "http://evil.lan"})
    assert_still_fine(realtime)


def test_X5_a_refused_handshake_is_an_answer_that_websocket_clients_know(serve):
    server = serve(APP, "uvicorn")
    given = {**credentials(server, "login"), "Origin": "http://evil.lan"}
    with pytest.raises(InvalidStatus) as refused:
        websocket(server, "login", given).close()
    assert refused.value.response.status_code == 403


def test_X5_a_handshake_is_of_version_13_and_has_a_key_of_16_bytes(realtime):
    given = credentials(realtime, "login")
    for version in ("8", "14", "x"):
        answer = handshake(realtime, "/ws/login", given, version)
        assert answer.status in (400, 426), version
        assert realtime.kind == "uvicorn" or (answer.status, answer.get("sec-websocket-version")) == (426, "13")
    for key in ("x", "dGhlIHNhbXBsZQ==", "dGhlIHNhbXBsZSBub25jZSEh", "dGhlIHNhbXBsZSBub25jZQ"):
        assert handshake(realtime, "/ws/login", given, key=key).status == 400, key


OPEN = """url => new Promise(resolve => {
  const ws = new WebSocket(url)
  ws.onopen = () => ws.send('hijack')
  ws.onmessage = event => resolve(event.data)
  ws.onclose = event => resolve('closed ' + event.code)
})"""


@pytest.mark.parametrize("kind", ["uvicorn", "builtin-micropython"])
def test_X5_flaw_H1_in_chromium_a_page_on_another_port_reads_nothing(realtime):
    """To a browser it is the same site, so the cookie comes with it, SameSite or not."""
    home = f"http://device.lan:{realtime.port}"
    url = f"ws://device.lan:{realtime.port}/ws/login"
    with sync_playwright() as playwright, evil_site("<h1>evil</h1>") as port:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        page = chromium.new_context().new_page()
        page.set_default_timeout(MILLISECONDS)
        page.goto(home + "/page")
        page.evaluate("fetch('/login', {method: 'POST'}).then(answer => answer.text())")
        assert page.evaluate(OPEN, url) == "anna says hijack"
        sent = []
        page.on("websocket", lambda ws: sent.append(ws.url))
        for elsewhere in (f"http://device.lan:{port}/", f"http://evil.lan:{port}/"):
            page.goto(elsewhere)
            assert page.evaluate(OPEN, url) == "closed 1006"
        page.goto(home + "/page")
        assert page.evaluate(OPEN, url) == "anna says hijack"
        assert len(sent) == 3
        chromium.close()


# --- tickets --------------------------------------------------------------------------------------

def new_ticket(server, kind):
    with browser(server) as client:
        answer = client.post("/ticket/" + kind, headers=credentials(server, "token"))
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        return "ticket?ticket=" + answer.text


def test_a_ticket_opens_one_websocket_or_one_event_stream(realtime):
    from_a_page = {"Origin": realtime.url}
    guard = new_ticket(realtime, "ws")
    assert_talks_once(realtime, guard, from_a_page)
    assert handshake(realtime, "/ws/" + guard, from_a_page).status == 401
    guard = new_ticket(realtime, "sse")
    with browser(realtime) as client:
        for expected in (200, 401):
            answer = client.get("/sse/" + guard, headers={"Accept": "text/event-stream"})
            assert answer.status_code == expected
    for guard in ("ticket", "ticket?ticket=junk", new_ticket(realtime, "sse")):
        assert handshake(realtime, "/ws/" + guard, from_a_page).status == 401
    assert_still_fine(realtime)


def assert_talks_once(server, guard, headers):
    with websocket(server, guard, headers) as ws:
        ws.send("one")
        assert ws.recv(timeout=10) == "anna says one"


# --- the end of a login ---------------------------------------------------------------------------

@pytest.fixture
def live(serve, kind):
    # More than one at a time.
    return serve(APP, kind, arguments=("--threads", "4") if kind == "gunicorn" else ())


def post(server, path, headers=()):
    with browser(server) as client:
        assert client.post(path, headers=dict(headers)).status_code == 200


def closed_with(ws):
    """The code of the close frame that comes within 5 seconds; when the connection ends is the server's affair."""
    deadline = time.monotonic() + 5
    while ws.protocol.close_rcvd is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert ws.protocol.close_rcvd is not None, "it is still open"
    return ws.protocol.close_rcvd.code


def assert_open_and_talking(ws):
    ws.send("still")
    assert ws.recv(timeout=10) == "anna says still"


def assert_nothing_is_open(server):
    with browser(server) as client:
        assert client.get("/open").text == "0"


def test_a_logout_closes_the_websockets_of_the_session(live):
    given, other = credentials(live, "login"), credentials(live, "login")
    with websocket(live, "live/login", given) as ws, websocket(live, "live/login", other) as theirs:
        for one in (ws, theirs):
            assert_open_and_talking(one)
        post(live, "/logout", given)
        assert closed_with(ws) == 4401
        assert_open_and_talking(theirs)
        post(live, "/logout", other)
        assert closed_with(theirs) == 4401
    assert handshake(live, "/ws/live/login", given).status == 401
    assert_nothing_is_open(live)
    assert_still_fine(live)


def test_a_token_or_a_user_that_is_no_more_closes_what_it_opened(live):
    with websocket(live, "live/token", credentials(live, "token")) as by_token:
        assert_open_and_talking(by_token)
        guard = new_ticket(live, "ws").replace("ticket?", "live/ticket?")
        assert handshake(live, "/ws/" + guard, ()).status == 401  # for another path
        post(live, "/revoke/" + TOKEN)
        assert closed_with(by_token) == 4401
    given = credentials(live, "login")
    with websocket(live, "live/login", given) as by_login:
        assert_open_and_talking(by_login)
        post(live, "/revoke/anna")
        assert closed_with(by_login) == 4401
    assert_nothing_is_open(live)
    assert_still_fine(live)


def test_a_logout_ends_the_event_streams_of_the_session(live):
    given = credentials(live, "login")
    with browser(live) as client:
        headers = {"Accept": "text/event-stream", **given}
        with client.stream("GET", "/sse/live/login", headers=headers) as answer:
            lines = answer.iter_lines()
            assert next(lines) == "data: hello anna"
            post(live, "/logout", given)
            assert [line for line in lines if line] == []  # or the client's own time-out
        assert client.get("/sse/live/login", headers=headers).status_code == 401
    assert_nothing_is_open(live)
    assert_still_fine(live)


def test_a_websocket_that_is_closed_by_its_client_is_forgotten(live):
    with websocket(live, "live/login", credentials(live, "login")) as ws:
        assert_open_and_talking(ws)
        with browser(live) as client:
            assert client.get("/open").text == "1"
    assert_nothing_is_open(live)
    assert_still_fine(live)
