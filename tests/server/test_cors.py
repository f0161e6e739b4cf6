"""Pages of another origin read what they are refused with: on every server, and in Chromium."""

import base64
from pathlib import Path

import pytest

from tests.server.apps.cross import TOKEN
from tests.server.client import Answer, request

APP = Path(__file__).with_name("apps") / "cross.py"
PAGE = "http://page.lan:8000"
WRONG = {"Authorization": "Bearer wrong"}
RIGHT = {"Authorization": "Bearer " + TOKEN}
PAIR = {"Authorization": "xBasic " + base64.b64encode(b"anna:right").decode()}

REFUSALS = (
    ("/basic", {}, 401), ("/token", {}, 401), ("/token", WRONG, 401), ("/token", {"Authorization": 'Bearer "'}, 400),
    ("/scopes", RIGHT, 403), ("/down", RIGHT, 503), ("/login", {"Accept": "application/json"}, 401),
    ("/login", {}, 302), ("/any", WRONG, 401), ("/nowhere", {}, 404), ("/token", RIGHT, 200), ("/any", PAIR, 200))


def ask(server, path, headers, origin, method="GET"):
    lines = [f"{name}: {value}" for name, value in {"Origin": origin, **headers}.items()]
    return Answer(server.exchange(request(path, method, headers=lines)))


def is_readable(answer):
    """To the page that sent the request with its credentials."""
    return (answer.all("access-control-allow-origin") == [PAGE] and "origin" in answer.get("vary").lower()
            and answer.all("access-control-allow-credentials") == ["true"])


def test_what_is_refused_is_readable_to_the_page_and_to_no_other(serve, kind):
    server = serve(APP, kind, PAGE=PAGE)
    for path, headers, status in REFUSALS:
        answer = ask(server, path, headers, PAGE)
        assert answer.status == status and is_readable(answer), (path, headers, answer.headers)
        if status == 401:
            assert answer.all("www-authenticate"), path
        answer = ask(server, path, headers, "http://evil.lan")
        assert answer.status == status and answer.get("access-control-allow-origin") is None, path
    seen = {}
    for _ in range(40):
        answer = ask(server, "/busy", WRONG, PAGE)
        seen[answer.status] = is_readable(answer)
    assert seen == {401: True, 429: True}
    assert len(ask(server, "/any", WRONG, PAGE).all("www-authenticate")) == 3


def test_a_preflight_passes_what_is_locked(serve, kind):
    server = serve(APP, kind, PAGE=PAGE)
    asked = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization"}
    for path in ("/basic", "/token", "/login", "/any"):
        answer = ask(server, path, asked, PAGE, "OPTIONS")
        assert answer.status in (200, 204) and is_readable(answer), path
        assert answer.get("access-control-allow-methods") == "PUT"
        assert answer.get("access-control-allow-headers") == "authorization"


FETCH = """async ([url, options]) => {
    try {
        const answer = await fetch(url, {credentials: 'include', ...options});
        return [answer.status, await answer.text(), answer.headers.get('WWW-Authenticate')];
    } catch (error) {
        return [0, String(error), null];
    }
}"""


@pytest.mark.parametrize("kind", ["builtin-micropython", "uvicorn"])
def test_a_page_in_chromium_reads_a_401_of_another_origin(serve, kind, page):
    shop = serve(APP, "builtin-cpython", PAGE="nobody")
    device = serve(APP, kind, PAGE=f"http://device.lan:{shop.port}")

    def fetch(path, **options):
        return page.evaluate(FETCH, [f"http://device.lan:{device.port}{path}", options])

    page.goto(f"http://device.lan:{shop.port}/page")
    assert fetch("/token")[::2] == [401, 'Bearer realm="Please login"']
    status, body, challenge = fetch("/basic")
    assert (status, challenge) == (401, 'xBasic realm="Please login", charset="UTF-8"') and "who are you?" in body
    status, _, challenge = fetch("/token", headers=WRONG)  # which a preflight goes before
    assert status == 401 and challenge.endswith('error="invalid_token"')
    status, _, challenge = fetch("/scopes", headers=RIGHT)
    assert status == 403 and 'error="insufficient_scope"' in challenge
    status, body, _ = fetch("/token", headers=RIGHT)
    assert status == 200 and "anna" in body
    assert fetch("/down", headers=RIGHT)[0] == 503
    assert fetch("/token", method="PUT", headers=RIGHT)[0] == 200
    login = {"headers": {"Accept": "application/json"}}
    assert fetch("/login", **login)[0] == 401

    page.goto(f"http://device.lan:{device.port}/enter")  # cookies know no ports
    page.goto(f"http://device.lan:{shop.port}/page")
    status, body, _ = fetch("/login", **login)
    assert status == 200 and "anna" in body

    page.goto(f"http://evil.lan:{shop.port}/page")
    for path in ("/token", "/login", "/scopes"):
        status, body, _ = fetch(path, **login)
        assert status == 0 and "anna" not in body, path
