"""The console in Chromium, at names and addresses of a LAN over plain HTTP, as its owner sees it."""

import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright

from tests.server.client import browser, log_in
from tests.server.conftest import HOST

HOSTS = ("device.lan", "evil.lan", "192.168.1.50")
# Without these it talks to its maker's hosts, and as root it does not start with its sandbox.
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-proxy-server",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=" + ",".join(f"MAP {host} {HOST}" for host in HOSTS)]
MILLISECONDS = 15000
NEW = "tulip harbour nine lantern"

PHONE, NARROW, DESKTOP = (360, 740), (320, 568), (1280, 800)
TWO_KINDS = pytest.mark.parametrize("kind", ["uvicorn", "builtin-micropython"])


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def open_page(chromium):
    """`open_page(...)`: a page of a browser with a profile of its own."""
    contexts = []

    def open_page(**options):
        context = chromium.new_context(**options)
        context.set_default_timeout(MILLISECONDS)
        contexts.append(context)
        return context.new_page()
    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def page(open_page):
    return open_page()


def home(console, host="device.lan"):
    return f"http://{host}:{console.port}"


def fill_in(page, password, remember=False):
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(password)
    if remember:
        page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Log in").click()


def enter(page, console, host="device.lan", remember=False):
    page.goto(home(console, host) + "/")
    fill_in(page, console.password, remember)
    expect(page.get_by_role("heading", name="Device")).to_be_visible()


def change_password(page, current, new, again):
    page.get_by_label("Current password").fill(current)
    page.get_by_label("New password", exact=True).fill(new)
    page.get_by_label("New password again").fill(again)
    page.get_by_role("button", name="Change password").click()


def sees_the_login_form(page, console, host="device.lan"):
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    assert page.url.startswith(home(console, host) + "/login")


# --- the story ------------------------------------------------------------------------------------

@pytest.mark.parametrize("host", ["device.lan", "192.168.1.50"])
def test_log_in_look_switch_change_the_password_log_out(console, page, host):
    page.goto(home(console, host) + "/")
    sees_the_login_form(page, console, host)
    fill_in(page, console.password)
    assert page.url == home(console, host) + "/"
    expect(page.locator("#temperature")).to_have_text(re.compile(r"^2\d\.\d °C$"))

    page.get_by_role("button", name="Switch the light on").click()
    expect(page.locator("#light")).to_have_text("on")
    page.get_by_role("button", name="Switch the light off").click()
    expect(page.locator("#light")).to_have_text("off")

    page.get_by_role("link", name="Change password").click()
    change_password(page, console.password, NEW, NEW)
    assert page.url == home(console, host) + "/"
    cookies = page.context.cookies()
    page.get_by_role("button", name="Log out").click()
    sees_the_login_form(page, console, host)
    assert page.context.cookies() == []

    page.context.add_cookies(cookies)
    page.goto(home(console, host) + "/")
    sees_the_login_form(page, console, host)
    fill_in(page, console.password)
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    fill_in(page, NEW)
    expect(page.locator("#light")).to_have_text("off")


@TWO_KINDS
def test_the_figures_move_without_a_reload(console, open_page, page):
    page.clock.install()
    enter(page, console)
    with browser(console) as other:
        log_in(other, console.password)
        other.post("/light", data={"light": "on"})
    expect(page.locator("#light")).to_have_text("off")
    page.clock.run_for(6000)
    expect(page.locator("#light")).to_have_text("on")
    expect(page.get_by_role("button", name="Switch the light off")).to_be_visible()


@TWO_KINDS
def test_a_page_that_is_left_open_asks_for_a_login_when_its_session_has_ended(console, page):
    page.clock.install()
    enter(page, console)
    page.context.clear_cookies()
    page.clock.run_for(6000)
    sees_the_login_form(page, console)


@TWO_KINDS
def test_a_wrong_password_says_so_and_lets_in_afterwards(console, page):
    page.goto(home(console) + "/password")
    fill_in(page, "not the password")
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    assert page.context.cookies() == []
    assert page.get_by_label("Password").input_value() == ""
    fill_in(page, console.password)
    assert page.url == home(console) + "/password"


@TWO_KINDS
def test_a_password_that_will_not_do_is_explained(console, page):
    enter(page, console)
    page.get_by_role("link", name="Change password").click()
    change_password(page, "not the password", NEW, NEW)
    expect(page.get_by_role("alert")).to_have_text("The current password is wrong.")
    change_password(page, console.password, NEW, NEW + "!")
    expect(page.get_by_role("alert")).to_have_text("The two new passwords differ.")
    common = "correct horse battery staple"
    change_password(page, console.password, common, common)
    expect(page.get_by_role("alert")).to_contain_text("one of the first that anybody would try")
    change_password(page, console.password, NEW, NEW)
    expect(page.get_by_role("heading", name="Device")).to_be_visible()


def make_key(page, name, *ticks, ends="never"):
    page.get_by_label("Name").fill(name)
    for tick in ("May read the figures", "May switch the light"):
        page.get_by_label(tick).set_checked(tick in ticks)
    page.get_by_label("Ends").select_option(ends)
    page.get_by_role("button", name="Make a key").click()


@TWO_KINDS
def test_a_key_is_made_shown_once_used_and_revoked(console, page):
    enter(page, console)
    page.get_by_role("link", name="API keys").click()
    make_key(page, "Weather display", "May read the figures", ends="in 30 days")
    key = page.locator("code").text_content()
    figures = httpx.get(console.url + "/figures", headers={"X-API-Key": key}, trust_env=False)
    assert figures.status_code == 200 and "temperature" in figures.json()
    page.goto(home(console) + "/keys")
    expect(page.locator("code")).to_have_count(0)
    expect(page.get_by_text("Last used: in the last hour")).to_be_visible()
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("Weather display")).to_have_count(0)
    figures = httpx.get(console.url + "/figures", headers={"X-API-Key": key}, trust_env=False)
    assert figures.status_code == 401


@TWO_KINDS
def test_a_password_change_throws_the_other_browser_out(console, open_page):
    mine, theirs = open_page(), open_page()
    enter(theirs, console, remember=True)
    enter(mine, console)
    mine.goto(home(console) + "/password")
    change_password(mine, console.password, NEW, NEW)
    theirs.reload()
    sees_the_login_form(theirs, console)
    mine.reload()
    expect(mine.get_by_role("heading", name="Device")).to_be_visible()


@TWO_KINDS
def test_a_click_after_the_session_has_ended_leads_back_to_the_page(console, page):
    enter(page, console)
    page.context.clear_cookies()
    page.get_by_role("button", name="Switch the light on").click()
    sees_the_login_form(page, console)
    fill_in(page, console.password)
    expect(page.get_by_role("heading", name="Device")).to_be_visible()
    expect(page.locator("#light")).to_have_text("off")


# --- remembered -----------------------------------------------------------------------------------

@TWO_KINDS
def test_a_browser_that_was_closed_is_remembered(console, page):
    enter(page, console, remember=True)
    page.context.clear_cookies(name="session")
    page.goto(home(console) + "/")
    expect(page.get_by_role("heading", name="Device")).to_be_visible()
    page.get_by_role("link", name="Change password").click()
    sees_the_login_form(page, console)
    page.goto(home(console) + "/")
    page.get_by_role("button", name="Log out").click()
    assert page.context.cookies() == []
    page.goto(home(console) + "/")
    sees_the_login_form(page, console)


@TWO_KINDS
def test_scripts_see_no_cookie(console, page):
    enter(page, console, remember=True)
    assert len(page.context.cookies()) == 2
    assert page.evaluate("document.cookie") == ""


# --- other sites ----------------------------------------------------------------------------------

@contextmanager
def evil_site(html):
    """A site of somebody else's; gives its port."""
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def auto_form(action, **fields):
    inputs = "".join(f"<input name={name} value='{value}'>" for name, value in fields.items())
    return (f"<form method=post action='{action}'>{inputs}</form>"
            "<script>document.forms[0].submit()</script>")


@TWO_KINDS
def test_a_form_of_another_site_switches_nothing(console, page):
    enter(page, console, remember=True)
    with evil_site(auto_form(home(console) + "/light", light="on")) as port:
        page.goto(f"http://evil.lan:{port}/")
        sees_the_login_form(page, console)
    page.goto(home(console) + "/")
    expect(page.locator("#light")).to_have_text("off")


@TWO_KINDS
def test_a_form_of_another_site_logs_nobody_out_for_good(console, page):
    """What it posts comes without cookies, so there is no session for it to end."""
    enter(page, console, remember=True)
    with evil_site(auto_form(home(console) + "/logout")) as port:
        page.goto(f"http://evil.lan:{port}/")
        sees_the_login_form(page, console)
    assert page.context.cookies()
    page.goto(home(console) + "/")
    expect(page.get_by_role("heading", name="Device")).to_be_visible()


@TWO_KINDS
def test_the_console_cannot_be_framed(console, page):
    enter(page, console)
    with evil_site(f"<iframe src='{home(console)}/' name=f></iframe>") as port:
        page.goto(f"http://evil.lan:{port}/")
        assert "Device" not in page.frames[-1].content()


@TWO_KINDS
def test_a_login_ends_on_this_site_whatever_next_says(console, open_page):
    with evil_site("<h1>evil</h1>") as port:
        for target in ("//evil.lan", "/\\evil.lan", "/\t/evil.lan", "\\\\evil.lan", "http:evil.lan",
                       "/%09/evil.lan"):
            page = open_page()
            page.goto(f"{home(console)}/login?next={quote(target)}:{port}/")
            fill_in(page, console.password)
            page.wait_for_load_state()
            assert page.url.startswith(home(console) + "/"), target
            assert "login" not in page.url, target


# --- the looks ------------------------------------------------------------------------------------

CONTRAST = """() => {
  const luminance = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).slice(0, 3).map(v => {
      v /= 255
      return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const behind = element => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor
      if (!/, 0\\)$/.test(colour) && colour != 'transparent') return colour
    }
    return 'rgb(255, 255, 255)'
  }
  const poor = []
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some(n => n.nodeType == 3 && n.textContent.trim())
    if (!own || !element.checkVisibility() || element.tagName == 'SCRIPT') continue
    const [a, b] = [getComputedStyle(element).color, behind(element)].map(luminance)
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
    if (ratio < 4.5) poor.push(element.tagName + ' ' + element.textContent.trim() + ' ' + ratio)
  }
  return poor
}"""
TARGETS = """() => [...document.querySelectorAll('button, select, input:not([type=hidden]):not([hidden])')]
  .map(e => [e.outerHTML, (e.type == 'checkbox' ? e.labels[0] : e).getBoundingClientRect()])
  .filter(([_, r]) => r.height < 24 && r.height > 0)
  .map(([html, r]) => html + ' ' + r.height)"""


TOUCHING = """() => {
  const boxes = [...document.querySelectorAll('form, .card, button, select, input, .problem')]
    .filter(e => e.checkVisibility() && parseFloat(getComputedStyle(e).borderTopWidth) > 0)
    .map(e => [e, e.getBoundingClientRect()])
  const found = []
  for (const [a, above] of boxes) for (const [b, below] of boxes) {
    if (a == b || a.contains(b) || b.contains(a) || above.top > below.top) continue
    if (above.left >= below.right || below.left >= above.right) continue
    const gap = below.top - above.bottom
    if (gap < 6) found.push([a.outerHTML.slice(0, 60), b.outerHTML.slice(0, 60), gap].join(' / '))
  }
  return found
}"""
WRAPPED = """() => [...document.querySelectorAll('dd')]
  .filter(e => e.getBoundingClientRect().height > 2 * parseFloat(getComputedStyle(e).fontSize))
  .map(e => e.textContent)"""


def complaints_about(page, width):
    sizes = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    if sizes[0] > sizes[1] or sizes[1] != width:
        yield f"it scrolls sideways: {sizes}"
    for what, script in (("hard to read", CONTRAST), ("too small for a finger", TARGETS),
                         ("touching", TOUCHING), ("a figure in two lines", WRAPPED)):
        for element in page.evaluate(script):
            yield f"{what}: {element}"
    if page.locator("h1").count() != 1:
        yield "no heading"
    for hidden in page.locator("[hidden]").all():
        if hidden.is_visible():
            yield "shown, though hidden: " + hidden.evaluate("e => e.outerHTML")


@pytest.mark.parametrize("kind, size, scheme", [
    ("uvicorn", PHONE, "light"), ("uvicorn", NARROW, "dark"), ("uvicorn", DESKTOP, "light"),
    ("builtin-micropython", PHONE, "dark"), ("builtin-micropython", DESKTOP, "dark"),
], ids=lambda value: str(value[0]) if isinstance(value, tuple) else value)
def test_every_page_fits_the_screen_and_can_be_read(
        console, open_page, tmp_path, kind, size, scheme):
    page = open_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    complaints, elsewhere = [], []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text)
            if message.type == "error" and "Failed to load resource" not in message.text else None)
    page.on("request", lambda request: elsewhere.append(request.url)
            if not request.url.startswith((home(console), "data:")) else None)

    def look(name):
        page.screenshot(path=tmp_path / f"{name}-{size[0]}-{scheme}.png", full_page=True)
        complaints.extend(f"{name}: {problem}" for problem in complaints_about(page, size[0]))

    page.goto(home(console) + "/")
    look("login")
    fill_in(page, "not the password")
    look("login-wrong")
    fill_in(page, console.password)
    look("device")
    page.get_by_role("button", name="Switch the light on").click()
    look("device-light-on")
    page.get_by_role("link", name="Change password").click()
    look("password")
    change_password(page, "not the password", NEW, NEW)
    look("password-wrong")
    page.goto(home(console) + "/keys")
    look("keys-none")
    make_key(page, "Weather display in the hall", "May read the figures", ends="in a year")
    look("keys-new")
    make_key(page, "x" * 64, "May read the figures", "May switch the light")
    make_key(page, "No" * 40)
    make_key(page, " ", "May read the figures")
    look("keys-wrong")
    page.goto(home(console) + "/nowhere")
    look("nowhere")

    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    red, green, blue = json.loads("[" + re.search(r"\((.*)\)", background).group(1) + "]")
    if (red + green + blue > 600) != (scheme == "light"):
        complaints.append(f"it is not {scheme}: {background}")
    assert not complaints, "\n".join(complaints)
    assert elsewhere == []


@TWO_KINDS
def test_everything_is_done_from_the_keyboard(console, page):
    page.goto(home(console) + "/login")
    page.get_by_label("Name").focus()
    page.keyboard.type("admin")
    page.keyboard.press("Tab")
    page.keyboard.type(console.password)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Device")).to_be_visible()
    for _ in range(10):
        page.keyboard.press("Tab")
        if "Switch the light on" in page.evaluate("document.activeElement.textContent"):
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("#light")).to_have_text("on")
