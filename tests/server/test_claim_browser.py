"""A console without an owner in Chromium, at names and addresses of a LAN over plain HTTP."""

import re

from playwright.sync_api import expect

from tests.server.chromium import NEW, TWO_KINDS, TWO_NAMES, home


def type_in(page, code, name, password, again=None):
    page.get_by_label("Code").fill(code)
    page.get_by_label("Your name").fill(name)
    page.get_by_label("A new password").fill(password)
    page.get_by_label("And once more").fill(password if again is None else again)
    page.get_by_role("button", name="Make it mine").click()
    page.wait_for_load_state()


@TWO_KINDS
@TWO_NAMES
def test_V1_whoever_has_the_code_becomes_the_owner(start_console, kind, page, host):
    console = start_console(kind, claim=False)
    page.goto(home(console, host) + "/keys")
    assert page.url == home(console, host) + "/claim"
    expect(page.get_by_role("heading")).to_have_text("Make this device yours")
    type_in(page, "aaaaa-aaaaa", "anna", NEW)
    expect(page.get_by_role("alert")).to_have_text("That is not the code.")
    expect(page.get_by_label("Your name")).to_have_value("anna")
    expect(page.get_by_label("A new password")).to_have_value("")
    type_in(page, console.code, "anna", NEW, NEW + "!")
    expect(page.get_by_role("alert")).to_have_text("The two passwords differ.")
    type_in(page, console.code.upper(), "anna", NEW)
    assert page.url == home(console, host) + "/"
    expect(page.locator("main")).to_contain_text(re.compile("Logged in as anna"))
    page.goto(home(console, host) + "/claim")
    expect(page.get_by_role("heading")).to_have_text("Not here")


def test_V1_the_page_is_readable_and_loads_nothing_from_elsewhere(start_console, page):
    console = start_console("builtin-cpython", claim=False)
    asked, problems = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: problems.append(message.text))
    page.goto(console.url + "/")
    expect(page.get_by_label("Code")).to_be_focused()
    assert {url.removeprefix(console.url) for url in asked if not url.startswith("data:")} == {
        "/", "/claim", "/login/style.css"}
    assert problems == []
    assert page.evaluate("getComputedStyle(document.querySelector('button')).cursor") == "pointer"
