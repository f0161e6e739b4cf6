"""Debian's Chromium and the console in it, at names and addresses of a LAN; other sites; and what to look for."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import expect

from dotlatch.portable import now
from dotlatch.totp import Totp
from tests.server.conftest import HOST

PROGRAM = "/usr/bin/chromium"
HOSTS = ("device.lan", "sub.device.lan", "evil.lan", "192.168.1.50", "192.168.1.51")
# Without these it talks to its maker's hosts, and as root it does not start with its sandbox.
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-proxy-server",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=" + ",".join(f"MAP {host} {HOST}" for host in HOSTS)]
MILLISECONDS = 15000
TWO_KINDS = pytest.mark.parametrize("kind", ["uvicorn", "builtin-micropython"])
TWO_NAMES = pytest.mark.parametrize("host", ["device.lan", "192.168.1.50"])
LATER = Path(__file__).with_name("apps") / "later.py"
NEW = "tulip harbour nine lantern"
HERS = "copper ladder on a green barn"


# --- the console ----------------------------------------------------------------------------------

def home(console, host="device.lan"):
    return f"http://{host}:{console.port}"


def fill_in(page, password, remember=False, name="admin"):
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    if remember:
        page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Log in").click()


def enter(page, console, host="device.lan", remember=False, path="/"):
    page.goto(home(console, host) + path)
    fill_in(page, console.password, remember)
    expect(page.get_by_role("button", name="Log in")).to_have_count(0)
    assert page.url == home(console, host) + path


def is_in(page, name="admin"):
    expect(page.get_by_role("heading", name="Device")).to_be_visible()
    expect(page.get_by_text(f"Logged in as {name}.")).to_be_visible()


def sees_the_login_form(page, console, host="device.lan"):
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    assert page.url.startswith(home(console, host) + "/login")


def change_password(page, current, new, again):
    page.get_by_label("Current password").fill(current)
    page.get_by_label("New password", exact=True).fill(new)
    page.get_by_label("New password again").fill(again)
    page.get_by_role("button", name="Change password").click()


def make_key(page, name, *ticks, ends="never"):
    page.get_by_label("Name").fill(name)
    for tick in ("May read the figures", "May switch the light"):
        page.get_by_label(tick).set_checked(tick in ticks)
    page.get_by_label("Ends").select_option(ends)
    page.get_by_role("button", name="Make a key").click()


def add_person(page, name, password, *ticks):
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    for tick in ("May read the figures", "May switch the light"):
        page.get_by_label(tick).set_checked(tick in ticks)
    page.get_by_role("button", name="Add").click()


class Later:
    """A console whose clock can be put forward."""

    def __init__(self, console):
        self.console = console
        self.passed = 0

    def __getattr__(self, name):
        return getattr(self.console, name)

    def wait(self, seconds):
        assert httpx.get(f"{self.console.url}/later/{seconds}", trust_env=False).status_code == 200
        self.passed += seconds

    def code(self, secret):
        """The code of now; each is taken once."""
        return Totp(secret).code_at((now() + self.passed) // 30)


def switch_second_factor_on(page, console):
    """Set it up as its page says; gives the key and the recovery codes."""
    page.get_by_role("link", name="Second factor").click()
    secret = page.locator("code").inner_text().replace(" ", "")
    page.get_by_label("Code that the app shows").fill(console.code(secret))
    page.get_by_role("button", name="Switch it on").click()
    page.wait_for_load_state()
    codes = page.locator("li code").all_inner_texts()
    assert len(codes) == 10
    page.get_by_role("link", name="I have them").click()
    return secret, codes


def enter_code(page, code="", recovery="", trust=False):
    if recovery:
        page.get_by_text("Your phone is not at hand?").click()
        page.get_by_label("Recovery code").fill(recovery)
    else:
        page.get_by_label("Code", exact=True).fill(code)
    if trust:
        page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Go on").click()


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


# A page that sends the fields of its own address to `to`, which is one of them.
SENDS_WHAT_IT_IS_TOLD = """<form method=post></form><script>
const form = document.forms[0]
for (const [name, value] of new URLSearchParams(location.search)) {
  const input = form.appendChild(document.createElement('input'))
  if (name == 'to') form.action = value
  input.name = name
  input.value = value
}
form.submit()
</script>"""


def told(place, to, **fields):
    return place + "?" + "&".join(f"{name}={quote(value)}" for name, value in {"to": to, **fields}.items())


def others(host, port):
    """Where else a page may come from: another site, another port, and a sub-domain or neighbour of the host."""
    beside = "sub.device.lan" if host == "device.lan" else "192.168.1.51"
    return [f"http://{name}:{port}/" for name in ("evil.lan", host, beside)]
