"""What another site may have sent is a 403, the same on every server, and what is ours passes."""

import base64
from pathlib import Path

import pytest

from tests.server.apps.forms import ALLOWED, PASSWORD, TOKEN
from tests.server.client import Answer, browser, request

APP = Path(__file__).with_name("apps") / "forms.py"
FORM = "application/x-www-form-urlencoded"
OWN = "Origin: http://127.0.0.1"
EVIL = "Origin: http://evil.lan"
SAME, NONE = "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none"
CROSS, SAME_SITE = "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site"
BASIC = "Authorization: Basic " + base64.b64encode(b"anna:" + PASSWORD.encode()).decode()
BEARER = "Authorization: Bearer " + TOKEN
DIGEST = 'Authorization: Digest username="anna"'
HANDSHAKE = ("Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
COOKIE = "the cookie"  # of a real login, put in by the test

# The headers, and the answer of /maybe to a POST.
VERDICTS = (
    ([OWN, COOKIE], 200), ([OWN, SAME, COOKIE], 200), ([SAME, COOKIE], 200), ([NONE, COOKIE], 200), ([OWN], 200),
    ([OWN.replace("http", "HTTP", 1), COOKIE], 200), ([OWN + ":80", COOKIE], 200),
    (["Origin: " + ALLOWED, CROSS, COOKIE], 200),
    ([], 200), ([BASIC], 200), ([BEARER], 200), ([DIGEST], 200), ([COOKIE, BEARER], 200), ([EVIL, BEARER], 200),
    ([COOKIE], 403), (["Cookie: x=y"], 403), ([EVIL], 403), ([EVIL, COOKIE], 403), ([EVIL, BASIC], 403),
    ([EVIL, DIGEST], 403), ([EVIL, COOKIE, BEARER], 403), ([EVIL, SAME, COOKIE], 403), ([EVIL, CROSS, COOKIE], 403),
    ([CROSS, COOKIE], 403), ([SAME_SITE, COOKIE], 403), ([OWN, CROSS, COOKIE], 403), ([OWN, SAME_SITE, COOKIE], 403),
    (["Sec-Fetch-Site: ", COOKIE], 403), (["Sec-Fetch-Site: x", COOKIE], 403),
    (["Origin: null", COOKIE], 403), (["Origin: null"], 403), (["Origin: null", SAME, COOKIE], 403),
    (["Origin: ", COOKIE], 403), (["Origin: 127.0.0.1", COOKIE], 403), (["Origin: //127.0.0.1", COOKIE], 403),
    ([OWN + "/", COOKIE], 403), ([OWN + ":81", COOKIE], 403), ([OWN + ":", COOKIE], 403), ([OWN + ":x", COOKIE], 403),
    (["Origin: https://127.0.0.1", COOKIE], 403), ([OWN + ".evil.lan", COOKIE], 403),
    (["Origin: http://", COOKIE], 403), (["Origin: http://localhost", COOKIE], 403),
    ([OWN + " http://evil.lan", COOKIE], 403), ([OWN, EVIL, COOKIE], 403), (["Origin: " + "x" * 1500, COOKIE], 403),
    (["Origin: http://evil.lan", "X-Forwarded-Host: evil.lan", COOKIE], 403),
    (["Origin: " + ALLOWED + ".evil.lan", COOKIE], 403), (["Origin: http://app.example", COOKIE], 403),
    ([EVIL, "Referer: http://127.0.0.1/", COOKIE], 403),
)
JUNK = (b"", b"csrf_token=%", b"csrf_token=%ff", b"\xff\xfe", b"csrf_token=" + b"A" * 65, b"=&=&", b"{" * 4000)


@pytest.fixture
def forms(serve, kind):
    return serve(APP, kind)


def cookie_of_a_login(server):
    with browser(server) as client:
        assert client.post("/login").status_code == 302
        return "Cookie: session=" + client.cookies["session"]


def ask(server, headers, target="/maybe", method="POST", body=b"", content_type=FORM):
    if method != "GET":
        return Answer(server.exchange(request(target, method, headers, body, content_type, length=str(len(body)))))
    return Answer(server.exchange(request(target, method, headers)))


def changes(server):
    return int(ask(server, [], "/changed", "GET").body)


def assert_no_error(server):
    said = server.output()
    assert not [word for word in ("Traceback", "500 Internal", "ERROR") if word in said], said


def test_X1_one_table_of_verdicts_holds_on_every_server(forms):
    cookie = cookie_of_a_login(forms)
    wrong = []
    for headers, expected in VERDICTS:
        before = changes(forms)
        sent = [cookie if line == COOKIE else line for line in headers]
        status = ask(forms, sent).status
        if status != expected or changes(forms) - before != (expected == 200):
            wrong.append(f"{headers}: {status}, not {expected}")
    assert not wrong, "\n".join(wrong)
    assert_no_error(forms)


def test_X1_every_method_and_every_way_in_is_refused_before_the_handler_runs(forms):
    cookie = cookie_of_a_login(forms)
    for target, credentials in (("/login-only", cookie), ("/basic", BASIC), ("/maybe", cookie), ("/logout", cookie),
                                ("/login", "X-Nothing: x")):
        methods = ("POST",) if target.startswith("/log") and target != "/login-only" else ("POST", "PUT", "DELETE")
        for method in methods:
            for origin in (EVIL, "Origin: null", CROSS):
                answer = ask(forms, [credentials, origin], target, method)
                assert answer.status == 403 and not answer.all("set-cookie"), (target, method, origin)
    assert changes(forms) == 0
    assert ask(forms, [cookie, OWN], "/login-only").status == 200
    assert ask(forms, [BASIC, OWN], "/basic").status == 200
    assert ask(forms, [BEARER, EVIL], "/token").status == 200
    assert_no_error(forms)


def test_X1_no_body_turns_a_refusal_into_an_error(forms):
    cookie = cookie_of_a_login(forms)
    for body in JUNK:
        for content_type in (FORM, "application/json", "multipart/form-data; boundary=x"):
            assert ask(forms, [cookie, EVIL], body=body, content_type=content_type).status == 403, (body, content_type)
            assert ask(forms, [cookie], body=body, content_type=content_type).status == 403, (body, content_type)
    assert changes(forms) == 0
    assert_no_error(forms)


def test_marks_hold_below_a_login(forms):
    cookie = cookie_of_a_login(forms)
    assert ask(forms, [cookie, EVIL], "/exempt").status == 200
    assert ask(forms, [EVIL], "/exempt").status in (302, 401)
    for origin, expected in ((EVIL, 403), (OWN, 200), ("X-Nothing: x", 403)):
        assert ask(forms, [cookie, origin], "/protected", "GET").status == expected
    assert_no_error(forms)


def test_X4_a_token_passes_in_its_session_alone(forms):
    cookie, other = cookie_of_a_login(forms), cookie_of_a_login(forms)
    token = ask(forms, [cookie], "/csrf-token", "GET").body
    field = b"csrf_token=" + token
    header = "X-CSRF-Token: " + token.decode()
    for more in ([], ["Origin: null"], [EVIL]):
        assert ask(forms, [cookie, *more], body=field).status == 200, more
        assert ask(forms, [cookie, header, *more]).status == 200, more
        assert ask(forms, [other, *more], body=field).status == 403, more
        assert ask(forms, [other, header, *more]).status == 403, more
        assert ask(forms, [cookie, *more], "/maybe?" + field.decode()).status == 403, more
    assert ask(forms, [header, EVIL]).status == 403
    assert_no_error(forms)


def test_X5_a_websocket_opens_for_pages_of_ours(forms):
    cookie = cookie_of_a_login(forms)
    for target, headers, expected in (
            ("/ws", [cookie, OWN], 101), ("/ws", [BASIC], 101), ("/ws", [], 101), ("/ws", [BEARER, EVIL], 101),
            ("/ws", [cookie, EVIL], 403), ("/ws", [cookie], 403), ("/ws", [EVIL], 403), ("/ws", [BASIC, EVIL], 403),
            ("/ws", [cookie, "Origin: null"], 403), ("/ws", ["Origin: null"], 403), ("/ws", [cookie, CROSS, OWN], 403),
            ("/ws/login", [cookie, OWN], 101), ("/ws/login", [cookie, EVIL], 403), ("/ws/login", [EVIL], 403),
            ("/ws/login", [OWN], 401), ("/ws/exempt", [cookie, EVIL], 101), ("/ws/exempt", [EVIL], 401),
            ("/ws/protected", [EVIL], 403), ("/ws/protected", [cookie, EVIL], 403), ("/ws/protected", [OWN], 101)):
        raw = request(target, headers=[*HANDSHAKE, *headers]).replace(b"Connection: close", b"Connection: Upgrade")
        assert Answer(shake_hands(forms, raw)).status == expected, (target, headers)


def shake_hands(server, raw):
    """What comes back first: an open WebSocket is not waited for."""
    with server._connect(10) as connection:
        connection.sendall(raw)
        return connection.recv(65536)
