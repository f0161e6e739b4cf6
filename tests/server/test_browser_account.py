"""Second factors, the list of logins, and acting for others in the console, in Chromium over plain HTTP."""

import re

import pytest
from playwright.sync_api import expect

from tests.server.chromium import (
    HERS,
    NEW,
    TWO_KINDS,
    TWO_NAMES,
    add_person,
    change_password,
    enter,
    enter_code,
    fill_in,
    home,
    is_in,
    sees_the_login_form,
    switch_second_factor_on,
)


@pytest.fixture
def with_factor(later, page):
    """A page of one who has just set up a second factor, its key and its recovery codes."""
    enter(page, later, path="/account")
    return page, *switch_second_factor_on(page, later)


def log_out(page, console):
    page.goto(home(console) + "/account")
    page.get_by_role("button", name="Log out", exact=True).click()
    sees_the_login_form(page, console)


def sees_the_code_form(page):
    expect(page.get_by_role("heading", name="The code from your phone")).to_be_visible()


# --- the second factor ----------------------------------------------------------------------------

@TWO_KINDS
@TWO_NAMES
def test_O2_a_login_takes_password_and_code_once_a_second_factor_is_on(later, page, host):
    enter(page, later, host, path="/account")
    secret, _ = switch_second_factor_on(page, later)
    expect(page.get_by_text("Second factor: on")).to_be_visible()
    page.get_by_role("button", name="Log out", exact=True).click()
    page.goto(home(later, host) + "/keys")
    fill_in(page, later.password)
    sees_the_code_form(page)
    page.goto(home(later, host) + "/")  # the password alone opens nothing
    sees_the_code_form(page)
    later.wait(60)
    right = later.code(secret)
    page.goto(home(later, host) + "/login/code?next=/keys")
    enter_code(page, "%06d" % ((int(right) + 1) % 1000000))
    expect(page.get_by_role("alert")).to_have_text("That is not the code.")
    enter_code(page, right[:3] + " " + right[3:])  # as apps show it
    expect(page.get_by_role("heading", name="API keys")).to_be_visible()
    assert page.url == home(later, host) + "/keys"

    log_out_here = page.context.cookies()
    page.goto(home(later, host) + "/")
    page.get_by_role("button", name="Log out").click()
    fill_in(page, later.password)
    enter_code(page, right)  # it was used
    expect(page.get_by_role("alert")).to_have_text("That is not the code.")
    page.context.add_cookies(log_out_here)
    page.goto(home(later, host) + "/")
    sees_the_login_form(page, later, host)


@TWO_KINDS
def test_a_key_that_no_app_has_switches_nothing_on(later, page):
    enter(page, later, path="/account/second")
    secret = page.locator("code").inner_text()
    page.get_by_label("Code that the app shows").fill("000000")
    page.get_by_role("button", name="Switch it on").click()
    expect(page.get_by_role("alert")).to_have_text("That is not the code that belongs to this key.")
    assert page.locator("code").inner_text() == secret
    page.goto(home(later) + "/account")
    expect(page.get_by_text("Second factor: off")).to_be_visible()


@TWO_KINDS
def test_the_picture_of_the_key_is_drawn_where_there_is_what_draws_it(later, page, kind):
    enter(page, later, path="/account/second")
    picture = page.get_by_role("img")
    if kind == "builtin-micropython":
        expect(picture).to_have_count(0)
    else:
        assert picture.evaluate("e => e.complete && e.naturalWidth") > 100
    secret = page.locator("code").inner_text().replace(" ", "")
    assert f"secret={secret}&" in page.get_by_role("link", name="Open it in the app").get_attribute("href") + "&"


@TWO_KINDS
def test_O6_a_recovery_code_opens_once(later, with_factor):
    page, _, codes = with_factor
    for code, opens in ((codes[3].lower(), True), (codes[3], False), (codes[4], True)):
        log_out(page, later)
        fill_in(page, later.password)
        enter_code(page, recovery=code)
        if opens:
            is_in(page)
        else:
            expect(page.get_by_role("alert")).to_have_text("That is not the code.")
            enter_code(page, recovery=codes[0])
            is_in(page)
    page.goto(home(later) + "/account/second")
    expect(page.get_by_text("Recovery codes that are left: 7")).to_be_visible()


@TWO_KINDS
def test_a_trusted_browser_is_asked_for_no_code_and_another_one_is(later, with_factor, open_page):
    page, secret, _ = with_factor
    later.wait(60)
    log_out(page, later)
    fill_in(page, later.password)
    enter_code(page, later.code(secret), trust=True)
    is_in(page)
    log_out(page, later)
    fill_in(page, later.password)
    is_in(page)
    other = open_page()
    other.goto(home(later) + "/")
    fill_in(other, later.password)
    sees_the_code_form(other)
    other.goto(home(later) + "/")
    sees_the_code_form(other)


@TWO_KINDS
def test_a_trusted_browser_types_a_code_before_the_second_factor_goes(later, with_factor):
    page, secret, _ = with_factor
    later.wait(60)
    log_out(page, later)
    fill_in(page, later.password)
    enter_code(page, later.code(secret), trust=True)
    log_out(page, later)
    fill_in(page, later.password)
    page.goto(home(later) + "/account/second")
    page.get_by_role("button", name="Switch it off").click()
    sees_the_code_form(page)
    expect(page.get_by_role("alert")).to_contain_text("What you sent was not carried out.")
    later.wait(60)
    enter_code(page, later.code(secret))
    assert page.url == home(later) + "/account/second"
    page.get_by_role("button", name="Switch it off").click()
    expect(page.get_by_role("status")).to_have_text("The second factor is off. Every other browser is logged out.")
    log_out(page, later)
    fill_in(page, later.password)
    is_in(page)


@TWO_KINDS
def test_a_remembered_browser_is_let_in_and_proves_both_for_more(later, with_factor):
    page, secret, _ = with_factor
    later.wait(60)
    log_out(page, later)
    fill_in(page, later.password, remember=True)
    enter_code(page, later.code(secret))
    page.context.clear_cookies(name="session")
    page.goto(home(later) + "/")
    is_in(page)
    page.goto(home(later) + "/account/second")
    expect(page.get_by_role("heading", name="Your password again")).to_be_visible()
    page.get_by_label("Password").fill(later.password)
    page.get_by_role("button", name="Go on").click()
    sees_the_code_form(page)
    later.wait(60)
    enter_code(page, later.code(secret))
    assert page.url == home(later) + "/account/second"


# --- where one is logged in -----------------------------------------------------------------------

def logins(page):
    """The rows of the account's list: `('Chrome, Linux...', 'End')`, in the order of the page."""
    page.wait_for_load_state()
    rows = []
    for row in page.locator(".list .row").all():
        rows.append((row.locator("p").inner_text(), "".join(row.get_by_role("button").all_inner_texts())))
    return rows


def is_only_here(page):
    """Whether the list has nothing but the browser that it is shown in."""
    (text, action), = logins(page)
    return "This browser" in text and not action


PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1"


@TWO_KINDS
def test_the_account_lists_logins_with_when_where_and_client_and_ends_one(later, page, open_page):
    phone, third = open_page(user_agent=PHONE), open_page()
    enter(phone, later)
    later.wait(7300)
    enter(third, later)
    later.wait(5)
    enter(page, later, path="/account")
    rows = logins(page)
    assert [action for _, action in rows] == ["", "End", "End"]
    assert rows[0][0] == "Chrome, Linux. This browser\nFrom 127.0.0.1. Began just now, used just now."
    assert rows[2][0] == "Safari, iPhone\nFrom 127.0.0.1. Began 2 hours ago, used 2 hours ago."

    page.locator(".row", has_text="iPhone").get_by_role("button", name="End").click()
    expect(page.get_by_role("status")).to_have_text("That login has ended.")
    assert [action for _, action in logins(page)] == ["", "End"]
    phone.reload()
    sees_the_login_form(phone, later)
    third.reload()
    is_in(third)


@TWO_KINDS
def test_S6_the_account_ends_all_other_logins_at_once(later, page, open_page):
    others = [open_page(), open_page(user_agent=PHONE)]
    for other in others:
        enter(other, later, remember=True)
    enter(page, later, path="/account")
    assert len(logins(page)) == 5
    page.get_by_role("button", name="Log out everywhere else").click()
    expect(page.get_by_role("status")).to_have_text("You are logged out everywhere else.")
    assert is_only_here(page)
    for other in others:
        other.reload()
        sees_the_login_form(other, later)
    page.goto(home(later) + "/")
    is_in(page)


@TWO_KINDS
def test_the_account_lists_browsers_that_are_remembered_and_forgets_one(later, page, open_page):
    phone = open_page(user_agent=PHONE)
    enter(phone, later, remember=True)
    phone.context.clear_cookies(name="session")  # it was closed
    later.wait(5)
    enter(page, later, remember=True, path="/account")
    assert [text.split("\n")[0] for text, action in logins(page) if action == "Forget"] == [
        "Chrome, Linux, remembered here", "Safari, iPhone, remembered"]
    page.locator(".row", has_text="iPhone").get_by_role("button", name="Forget").click()
    phone.reload()
    sees_the_login_form(phone, later)
    assert not [text for text, _ in logins(page) if "iPhone" in text]


@TWO_KINDS
def test_S6_logins_that_a_new_password_has_ended_are_not_listed(later, page, open_page):
    enter(open_page(user_agent=PHONE), later, remember=True)
    enter(page, later, path="/account/password")
    change_password(page, later.password, NEW, NEW)
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    assert is_only_here(page)


# --- for others -----------------------------------------------------------------------------------

BANNER = "You act for anna, and are admin."
POST = "async path => (await fetch(path, {method: 'POST', headers: {Accept: 'text/html'}})).status"


@pytest.fixture
def acting(later, page):
    """A page of `admin`, who acts for `anna`."""
    enter(page, later, path="/people")
    add_person(page, "anna", HERS, "May read the figures")
    page.get_by_role("button", name="Act for").click()
    expect(page.get_by_text(BANNER)).to_be_visible()
    return page


@TWO_KINDS
def test_who_acts_for_somebody_sees_so_on_every_page_and_may_not_do_all(acting, later):
    page = acting
    is_in(page, "anna")
    expect(page.get_by_role("button", name="Switch the light")).to_have_count(0)  # she may not
    expect(page.get_by_role("link", name="People")).to_have_count(0)
    for path, heading in (("/", "Device"), ("/account", "Not possible"), ("/account/password", "Not possible"),
                          ("/account/second", "Not possible"), ("/keys", "Not possible"), ("/people", "Not possible"),
                          ("/audit", "Not possible"), ("/nowhere", "Not here")):
        page.goto(home(later) + path)
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
        expect(page.get_by_text(BANNER)).to_be_visible()
    for path in ("/light", "/account/password", "/account/second", "/account/end", "/account/remove",
                 "/account/recovery", "/keys", "/keys/revoke", "/people", "/people/switch", "/people/act"):
        assert page.evaluate(POST, path) == 403, path
    page.goto(home(later) + "/")
    page.get_by_role("button", name="Stop").click()
    is_in(page)
    expect(page.get_by_text("You act for")).to_have_count(0)


@TWO_KINDS
def test_what_happened_has_both_names(acting, later, open_page):
    acting.get_by_role("button", name="Stop").click()
    acting.get_by_role("link", name="What happened").click()
    for what, times in (("impersonation started anna by admin", 1), ("impersonation ended anna by admin", 1),
                        ("user created anna", 1), ("claimed admin", 1), ("login admin", 2)):  # the claim logs in, too
        expect(acting.locator(".card p").filter(has_text=re.compile(r"^\s*" + what))).to_have_count(times)


@TWO_KINDS
def test_a_log_out_while_acting_logs_both_out(acting, later):
    acting.get_by_role("button", name="Log out").click()
    sees_the_login_form(acting, later)
    assert acting.context.cookies() == []


@TWO_KINDS
def test_who_is_acted_for_notices_nothing_and_stays_what_she_is(acting, later, open_page):
    hers = open_page()
    hers.goto(home(later) + "/")
    fill_in(hers, HERS, name="anna")
    is_in(hers, "anna")
    hers.goto(home(later) + "/account")
    assert is_only_here(hers)
    hers.goto(home(later) + "/people")
    expect(hers.get_by_role("heading", name="Not possible")).to_be_visible()


@TWO_KINDS
def test_somebody_who_is_switched_off_is_out_at_once_and_back_when_switched_on(later, page, open_page):
    enter(page, later, path="/people")
    add_person(page, "anna", HERS, "May read the figures", "May switch the light")
    hers = open_page()
    hers.goto(home(later) + "/")
    fill_in(hers, HERS, name="anna")
    hers.get_by_role("button", name="Switch the light on").click()
    expect(hers.locator("#light")).to_have_text("on")
    page.get_by_role("button", name="Disable").click()
    expect(page.get_by_text("anna, not active")).to_be_visible()
    hers.reload()
    sees_the_login_form(hers, later)
    fill_in(hers, HERS, name="anna")
    expect(hers.get_by_role("alert")).to_have_text("Name or password is wrong.")
    page.get_by_role("button", name="Enable").click()
    fill_in(hers, HERS, name="anna")
    is_in(hers, "anna")
