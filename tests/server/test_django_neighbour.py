"""examples/django_neighbour: a Django project and a Microdot app behind one nginx, with one login, in two browsers."""

import os
import re
import signal
import subprocess
import sys
import time

import httpx
import pytest
from playwright.sync_api import expect

from tests.harness.interpreters import ROOT, SOURCE
from tests.server.conftest import HOST, WATCH, free_port

EXAMPLE = ROOT / "examples" / "django_neighbour"
PASSWORD = "correct horse battery staple"
NEW = "tulip harbour nine lantern"
START_SECONDS = 60
ADD_USERS = f"""
from django.contrib.auth.models import User
for name in ("anna", "bert", "cora"):
    User.objects.create_user(name, password="{PASSWORD}")
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The example's three servers: where they are."""
    data = tmp_path_factory.mktemp("shop")
    ports = [free_port() for _ in range(3)]
    environment = dict(
        os.environ, SHOP_DATA=str(data), PORT=str(ports[0]), SHOP_PORT=str(ports[1]), METER_PORT=str(ports[2]),
        PYTHONPATH=f"{SOURCE}:{WATCH}")
    url = f"http://{HOST}:{ports[0]}"
    with (data / "log").open("wb") as log:
        running = subprocess.Popen([sys.executable, "run.py"], cwd=EXAMPLE, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        for path in ("/", "/meter/login"):
            wait_for(url + path, running, data / "log")
        subprocess.run([sys.executable, "manage.py", "shell", "-c", ADD_USERS], cwd=EXAMPLE, env=environment,
                       check=True, capture_output=True, timeout=60)
        yield url
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            running.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()


def wait_for(url, running, log):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and running.poll() is None:
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    pytest.fail("the example does not answer:\n" + log.read_text(errors="replace")[-3000:])


class Visitor:
    """A browser without a window."""

    def __init__(self, url):
        self.client = httpx.Client(base_url=url, follow_redirects=True, timeout=30, headers={"Origin": url})

    def sees(self):
        """Who is there for Django and for Microdot."""
        found = []
        for path, said in (("/", "Django knows you as"), ("/meter/", "Microdot knows you as")):
            match = re.search(said + r" (\w+)\.", self.client.get(path).text)
            found.append(match and match[1])
        return found

    def fill_in(self, path, target=None, **fields):
        """Send a form, with the token that Django puts into its own."""
        token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', self.client.get(path).text)
        if token:
            fields["csrfmiddlewaretoken"] = token[1]
        answer = self.client.post(target or path, data=fields)
        assert answer.status_code == 200, answer.text
        return answer.text

    def log_in(self, side, name, password=PASSWORD):
        path = {"django": "/accounts/login/", "microdot": "/meter/login?next=/meter/"}[side]
        return self.fill_in(path, username=name, password=password)


@pytest.fixture
def visitor(shop):
    made = []

    def visitor():
        made.append(Visitor(shop))
        return made[-1]

    yield visitor
    for one in made:
        one.client.close()


def test_a_login_on_either_side_is_one_on_both_and_so_is_a_logout(visitor):
    for side in ("django", "microdot"):
        browser = visitor()
        assert browser.sees() == [None, None]
        browser.log_in(side, "anna")
        assert browser.sees() == ["anna", "anna"]
        assert set(browser.client.cookies) == {"csrftoken", "sessionid"}  # the first is for Django's forms
        out = {"django": "/meter/logout", "microdot": "/accounts/logout/"}[side]
        browser.fill_in("/", out)
        assert browser.sees() == [None, None]


def test_both_fill_one_cart(visitor):
    browser = visitor()
    browser.log_in("microdot", "anna")
    browser.fill_in("/", "/cart", item="tea")
    browser.fill_in("/meter/", "/meter/cart")
    assert "In the cart: tea, bulb." in browser.fill_in("/", "/cart", item="milk").replace(", milk", "")
    assert "In the cart: tea, bulb, milk." in browser.client.get("/meter/").text


def test_S6_a_password_that_is_changed_on_either_side_ends_the_others(visitor):
    password, other = PASSWORD, NEW
    forms = {"django": ("/accounts/password_change/", "old_password", "new_password1", "new_password2"),
             "microdot": ("/meter/account/password", "current", "new", "again")}
    for side in forms:
        path, *names = forms[side]
        here, elsewhere = visitor(), visitor()
        here.log_in(side, "bert", password)
        elsewhere.log_in("microdot" if side == "django" else "django", "bert", password)
        assert elsewhere.sees() == ["bert", "bert"]
        here.fill_in(path, **dict(zip(names, (password, other, other))))
        assert [here.sees(), elsewhere.sees()] == [["bert", "bert"], [None, None]]
        for where in ("django", "microdot"):
            stranger = visitor()
            refused = stranger.client.post("/meter/login", data={"username": "bert", "password": password})
            assert refused.status_code == 401
            stranger.log_in(where, "bert", other)
            assert stranger.sees() == ["bert", "bert"]
        password, other = other, password


def test_the_same_in_chromium(shop, open_page):
    page = open_page()
    page.goto(shop + "/meter/")
    page.get_by_label("Name").fill("cora")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("Microdot knows you as cora.")).to_be_visible()
    page.get_by_role("button", name="Add a bulb").click()
    page.get_by_role("link", name="The shop").click()
    expect(page.get_by_text("Django knows you as cora.")).to_be_visible()
    expect(page.get_by_text("In the cart: bulb.")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_text("Django does not know you.")).to_be_visible()
    page.get_by_role("link", name="The meter").click()
    expect(page.get_by_label("Password")).to_be_visible()
    page.goto(shop + "/accounts/login/")
    page.get_by_label("Username").fill("cora")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="The meter").click()
    expect(page.get_by_text("Microdot knows you as cora.")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    page.goto(shop + "/")
    expect(page.get_by_text("Django does not know you.")).to_be_visible()
