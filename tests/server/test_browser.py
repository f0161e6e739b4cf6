"""The console in Chromium, at names and addresses of a LAN over plain HTTP, as its owner sees it."""

import re

import httpx
import pytest
from playwright.sync_api import expect

from tests.server.chromium import (
    FLAGS,
    MILLISECONDS,
    NEW,
    PROGRAM,
    TWO_KINDS,
    TWO_NAMES,
    change_password,
    enter,
    fill_in,
    home,
    is_in,
    make_key,
    sees_the_login_form,
)
from tests.server.client import browser, log_in

# --- the story ------------------------------------------------------------------------------------

@TWO_NAMES
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

    page.get_by_role("link", name="Account").click()
    page.get_by_role("link", name="Change password").click()
    change_password(page, console.password, NEW, NEW)
    assert page.url == home(console, host) + "/account"
    expect(page.get_by_role("status")).to_have_text("Your password is changed. Every other browser is logged out.")
    cookies = page.context.cookies()
    page.get_by_role("link", name="Back").click()
    is_in(page)
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
    page.goto(home(console) + "/account/password")
    fill_in(page, "not the password")
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    assert page.context.cookies() == []
    assert page.get_by_label("Password").input_value() == ""
    fill_in(page, console.password)
    assert page.url == home(console) + "/account/password"


@TWO_KINDS
def test_a_password_that_will_not_do_is_explained(console, page):
    enter(page, console)
    page.goto(home(console) + "/account/password")
    change_password(page, "not the password", NEW, NEW)
    expect(page.get_by_role("alert")).to_have_text("The current password is wrong.")
    change_password(page, console.password, NEW, NEW + "!")
    expect(page.get_by_role("alert")).to_have_text("The two new passwords differ.")
    common = "correct horse battery staple"
    change_password(page, console.password, common, common)
    expect(page.get_by_role("alert")).to_contain_text("one of the first that anybody would try")
    change_password(page, console.password, NEW, NEW)
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()


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
    expect(page.get_by_text("Last used: just now")).to_be_visible()
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("Weather display")).to_have_count(0)
    figures = httpx.get(console.url + "/figures", headers={"X-API-Key": key}, trust_env=False)
    assert figures.status_code == 401


@TWO_KINDS
def test_a_password_change_throws_the_other_browser_out(console, open_page):
    mine, theirs = open_page(), open_page()
    enter(theirs, console, remember=True)
    enter(mine, console)
    mine.goto(home(console) + "/account/password")
    change_password(mine, console.password, NEW, NEW)
    theirs.reload()
    sees_the_login_form(theirs, console)
    mine.goto(home(console) + "/")
    is_in(mine)


@TWO_KINDS
def test_a_click_after_the_session_has_ended_leads_back_to_the_page(console, page):
    enter(page, console)
    page.context.clear_cookies()
    page.get_by_role("button", name="Switch the light on").click()
    sees_the_login_form(page, console)
    fill_in(page, console.password)
    is_in(page)
    expect(page.locator("#light")).to_have_text("off")


# --- remembered -----------------------------------------------------------------------------------

class Profile:
    """A browser whose profile stays on the disk when it is closed."""

    def __init__(self, playwright, folder):
        self._chromium = playwright.chromium
        self._folder = folder
        self._context = None

    def open(self):
        self._context = self._chromium.launch_persistent_context(self._folder, executable_path=PROGRAM, args=FLAGS)
        self._context.set_default_timeout(MILLISECONDS)
        return self._context.pages[0]

    def close(self):
        self._context.close()


@pytest.fixture
def profile(playwright, tmp_path):
    profile = Profile(playwright, tmp_path / "profile")
    yield profile
    profile.close()


@TWO_KINDS
def test_M2_a_browser_that_was_closed_and_started_again_is_remembered_and_not_fresh(console, profile):
    enter(profile.open(), console, remember=True)
    profile.close()
    page = profile.open()
    assert [cookie["name"] for cookie in page.context.cookies()] == ["_remember"]
    page.goto(home(console) + "/")
    is_in(page)
    for path in ("/account", "/account/password", "/keys", "/people"):
        page.goto(home(console) + path)
        expect(page.get_by_role("heading", name="Your password again")).to_be_visible()
    page.goto(home(console) + "/")
    page.get_by_role("button", name="Log out").click()
    profile.close()
    page = profile.open()
    assert page.context.cookies() == []
    page.goto(home(console) + "/")
    sees_the_login_form(page, console)


@TWO_KINDS
def test_a_browser_that_was_closed_without_the_tick_asks_again(console, profile):
    enter(profile.open(), console)
    profile.close()
    page = profile.open()
    page.goto(home(console) + "/")
    sees_the_login_form(page, console)


@TWO_KINDS
def test_scripts_see_no_cookie(console, page):
    enter(page, console, remember=True)
    assert len(page.context.cookies()) == 2
    assert page.evaluate("document.cookie") == ""


@TWO_KINDS
def test_S3_a_log_out_on_another_page_ends_what_was_begun_elsewhere(console, open_page):
    page = open_page()
    page.goto(home(console) + "/login?next=/account/password")
    fill_in(page, console.password, remember=True)
    copies = page.context.cookies()
    assert sorted(cookie["name"] for cookie in copies) == ["_remember", "session"]
    page.goto(home(console) + "/account")
    page.get_by_role("button", name="Log out", exact=True).click()
    sees_the_login_form(page, console)
    assert page.context.cookies() == []
    for copy in copies:
        thief = open_page()
        thief.context.add_cookies([copy])
        thief.goto(home(console) + "/")
        sees_the_login_form(thief, console)


# --- step-up --------------------------------------------------------------------------------------

@TWO_KINDS
def test_S8_who_logged_in_long_ago_types_the_password_again_and_comes_back(later, page):
    enter(page, later)
    page.goto(home(later) + "/keys")
    later.wait(3700)
    page.goto(home(later) + "/")
    is_in(page)
    page.get_by_role("link", name="API keys").click()
    expect(page.get_by_role("heading", name="Your password again")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    page.get_by_label("Password").fill(later.password)
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="API keys")).to_be_visible()
    assert page.url == home(later) + "/keys"


@TWO_KINDS
def test_a_form_that_was_lost_on_the_way_to_the_password_is_said_to_be_lost(later, page):
    enter(page, later, path="/keys")
    later.wait(3700)
    make_key(page, "Weather display", "May read the figures")
    expect(page.get_by_role("heading", name="Your password again")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_text(
        "What you sent was not carried out. Send it again when you are back.")
    page.get_by_label("Password").fill(later.password)
    page.get_by_role("button", name="Go on").click()
    assert page.url == home(later) + "/keys"
    expect(page.get_by_text("Weather display")).to_have_count(0)
    make_key(page, "Weather display", "May read the figures")
    expect(page.get_by_text("Weather display")).to_be_visible()


# --- without a mouse ------------------------------------------------------------------------------

@TWO_KINDS
def test_everything_is_done_from_the_keyboard(console, page):
    page.goto(home(console) + "/login")
    page.get_by_label("Name").focus()
    page.keyboard.type("admin")
    page.keyboard.press("Tab")
    page.keyboard.type(console.password)
    page.keyboard.press("Enter")
    is_in(page)
    for _ in range(10):
        page.keyboard.press("Tab")
        if "Switch the light on" in page.evaluate("document.activeElement.textContent"):
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("#light")).to_have_text("on")
