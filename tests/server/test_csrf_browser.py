"""Chromium at names and addresses of a LAN, over plain HTTP: own pages change something, pages of others nothing."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.server.chromium import TWO_KINDS, TWO_NAMES, auto_form, evil_site, others
from tests.server.client import Answer, request

APP = Path(__file__).with_name("apps") / "forms.py"
REFUSAL = "Forbidden: sent from a page of another site"

FETCH = """async ([url, method, headers]) => {
    try {
        const answer = await fetch(url, {method, headers, credentials: 'include', mode: headers ? 'cors' : 'no-cors'})
        return [answer.status, await answer.text()]
    } catch (error) {
        return [0, String(error)]
    }
}"""
LISTEN = """url => new Promise(tell => {
    const ws = new WebSocket(url)
    ws.onmessage = event => tell(event.data)
    ws.onclose = event => tell('closed with ' + event.code)
})"""


class Device:
    """The server by one of its names, and a browser that is logged in there."""

    def __init__(self, server, host, page):
        self.server = server
        self.home = f"http://{host}:{server.port}"
        self.page = page
        page.goto(self.home + "/form")
        page.evaluate(FETCH, [self.home + "/login", "POST", {"Accept": "application/json"}])
        assert [cookie["name"] for cookie in page.context.cookies()] == ["session"]

    def url(self, path):
        return self.home + path

    def socket(self, path):
        return self.home.replace("http", "ws") + path

    def assert_changed(self, count):
        """What was changed so far."""
        answer = Answer(self.server.exchange(request("/changed")))
        assert answer.body == str(count).encode()


@pytest.fixture
def start(serve, page):
    def start(kind, host):
        return Device(serve(APP, kind), host, page)
    return start


@TWO_KINDS
@TWO_NAMES
def test_X2_pages_of_the_device_send_forms_and_fetch(start, page, kind, host):
    device = start(kind, host)
    page.goto(device.url("/form"))
    page.get_by_role("button", name="Send").click()
    expect(page.locator("body")).to_have_text("changed by anna")
    page.goto(device.url("/form"))
    for method in ("POST", "PUT", "DELETE"):
        status, text = page.evaluate(FETCH, [device.url("/login-only"), method, {"X-Any": "thing"}])
        assert (status, text) == (200, "changed by anna"), method
    device.assert_changed(4)


@TWO_KINDS
@TWO_NAMES
def test_X1_a_form_of_another_site_port_or_sub_domain_is_refused(start, page, kind, host):
    device = start(kind, host)
    for path in ("/maybe", "/login-only", "/logout", "/login"):
        with evil_site(auto_form(device.url(path), light="on")) as port:
            for place in others(host, port):
                with page.expect_response(device.url(path)) as answer:
                    page.goto(place)
                assert answer.value.status == 403, (path, place)
                expect(page.locator("body")).to_have_text(REFUSAL)
    device.assert_changed(0)
    page.goto(device.url("/form"))
    page.get_by_role("button", name="Send").click()
    expect(page.locator("body")).to_have_text("changed by anna")  # still the one who was logged in


@TWO_KINDS
def test_X1_a_form_in_a_sandbox_whose_origin_is_null_is_refused(start, page, kind):
    device = start(kind, "device.lan")
    form = auto_form(device.url("/maybe")).replace('"', "&quot;")
    with evil_site(f'<iframe sandbox="allow-scripts allow-forms" srcdoc="{form}"></iframe>') as port:
        for place in others("device.lan", port):
            page.goto(place)
            expect(page.frame_locator("iframe").locator("body")).to_have_text(REFUSAL)
    device.assert_changed(0)


@TWO_KINDS
@TWO_NAMES
def test_X1_a_fetch_of_another_site_port_or_sub_domain_changes_nothing(start, page, kind, host):
    device = start(kind, host)
    with evil_site("<h1>other</h1>") as port:
        for place in others(host, port):
            page.goto(place)
            for headers in (None, {"X-Any": "thing"}):
                for method in ("POST", "PUT") if headers else ("POST",):
                    status, _ = page.evaluate(FETCH, [device.url("/maybe"), method, headers])
                    assert status == 0, (place, method)
    device.assert_changed(0)


@TWO_KINDS
@TWO_NAMES
def test_X5_a_websocket_opens_for_pages_of_the_device_and_for_no_others(start, page, kind, host):
    device = start(kind, host)
    paths = ("/ws", "/ws/login", "/ws/protected")
    page.goto(device.url("/form"))
    # Microdot's own server says HTTP/1.0, with which browsers open no WebSocket.
    for path in paths if kind == "uvicorn" else ():
        assert page.evaluate(LISTEN, device.socket(path)) == "hello", path
    with evil_site("<h1>other</h1>") as port:
        for place in others(host, port):
            page.goto(place)
            for path in paths:
                assert page.evaluate(LISTEN, device.socket(path)) == "closed with 1006", (place, path)


@TWO_KINDS
def test_X4_a_page_that_sends_no_origin_needs_a_token(start, page, kind):
    device = start(kind, "device.lan")
    page.goto(device.url("/form-without-referrer"))
    with page.expect_response(device.url("/maybe")) as answer:
        page.get_by_role("button", name="Send").click()
    assert answer.value.status == 403
    assert answer.value.request.all_headers()["origin"] == "null"
    page.goto(device.url("/form-with-token"))
    with page.expect_response(device.url("/maybe")) as answer:
        page.get_by_role("button", name="Send").click()
    assert answer.value.status == 200
    assert answer.value.request.all_headers()["origin"] == "null"
    device.assert_changed(1)
