"""The ready-made pages in Chromium, at a name of a LAN over plain HTTP, and what its policy says to them."""

from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from dotlatch.portable import now
from dotlatch.totp import Totp
from tests.server.conftest import HOST

APP = Path(__file__).parent / "apps" / "paged.py"
PASSWORD = "correct horse battery staple"
NEW = "tulip harbour nine lantern"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--no-proxy-server", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", f"--host-resolver-rules=MAP device.lan {HOST}"]
KINDS = pytest.mark.parametrize("kind", ["uvicorn", "gunicorn", "builtin-micropython"])


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def home(serve, kind):
    return f"http://device.lan:{serve(APP, kind).port}"


@pytest.fixture
def visit(chromium, home):
    """`visit()`: a page of a browser without scripts; what its console says is an error of ours."""
    contexts, said = [], []

    def visit():
        context = chromium.new_context(java_script_enabled=False)
        context.set_default_timeout(15000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        return page

    yield visit
    for context in contexts:
        context.close()
    # Chromium says there, too, that a 401 or 429 has come.
    expected = "Failed to load resource: the server responded with a status of 4"
    assert [text for text in said if not text.startswith(expected)] == []


def log_in(page, home, password=PASSWORD, next_page="/"):
    page.goto(home + next_page)
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


@KINDS
def test_a_second_factor_from_the_key_to_the_login(visit, home, kind):
    page, other = visit(), visit()
    log_in(other, home)
    log_in(page, home, next_page="/account")
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    expect(page.get_by_role("button", name="End")).to_have_count(1)

    page.get_by_role("link", name="Second factor").click()
    secret = page.locator("code").inner_text().replace(" ", "")
    assert page.get_by_role("link", name="Open it in the app").get_attribute("href").startswith("otpauth://totp/")
    picture = page.get_by_role("img")
    expect(picture).to_have_count(0 if kind == "builtin-micropython" else 1)
    if kind != "builtin-micropython":
        assert picture.bounding_box()["width"] > 100  # it was drawn: a broken one shows its text
    page.get_by_label("Code that the app shows").fill(Totp(secret).code_at(now() // 30 - 1))
    page.get_by_role("button", name="Switch it on").click()
    codes = page.locator("li code").all_inner_texts()
    assert len(codes) == 10
    other.goto(home + "/")
    expect(other.get_by_role("button", name="Log in")).to_be_visible()

    log_in(other, home)
    expect(other.get_by_role("heading", name="The code from your phone")).to_be_visible()
    other.get_by_label("Code", exact=True).fill("000000")
    other.get_by_role("button", name="Go on").click()
    expect(other.get_by_role("alert")).to_have_text("That is not the code.")
    other.get_by_text("Your phone is not at hand?").click()
    other.get_by_label("Recovery code").fill(codes[0].lower())
    other.get_by_role("button", name="Go on").click()
    assert other.url == home + "/"
    expect(other.get_by_text("Hello, admin")).to_be_visible()


@KINDS
def test_a_new_password_and_the_end_of_another_session(visit, home):
    page, other = visit(), visit()
    log_in(other, home)
    log_in(page, home, next_page="/account")
    page.get_by_role("button", name="End").click()
    expect(page.get_by_role("status")).to_have_text("That login has ended.")
    other.goto(home + "/")
    expect(other.get_by_role("button", name="Log in")).to_be_visible()

    page.get_by_role("link", name="Change password").click()
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("New password", exact=True).fill(NEW)
    page.get_by_label("New password again").fill(NEW)
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_role("status")).to_contain_text("Your password is changed.")
    page.get_by_role("button", name="Log out", exact=True).click()
    log_in(page, home)
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    log_in(page, home, NEW)
    expect(page.get_by_text("Hello, admin")).to_be_visible()


@KINDS
def test_who_guesses_is_told_when_to_come_back(visit, home):
    page = visit()
    for _ in range(10):
        log_in(page, home, "a wrong guess")
        if page.get_by_role("heading", name="Not possible").count():
            break
    expect(page.get_by_text("Try again in")).to_be_visible()


@KINDS
def test_the_pages_are_dressed_light_and_dark(visit, home):
    page = visit()
    page.goto(home + "/login")
    button = page.get_by_role("button", name="Log in")
    expect(button).to_have_css("background-color", "rgb(11, 107, 87)")
    page.emulate_media(color_scheme="dark")
    expect(button).to_have_css("background-color", "rgb(76, 195, 165)")
