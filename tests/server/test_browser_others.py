"""What pages of others make a browser do to the console: nothing. In Chromium, over plain HTTP on a LAN."""

from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.server.chromium import (
    HERS,
    NEW,
    SENDS_WHAT_IT_IS_TOLD,
    TWO_KINDS,
    TWO_NAMES,
    add_person,
    enter,
    evil_site,
    fill_in,
    home,
    is_in,
    make_key,
    others,
    sees_the_login_form,
    told,
)

READ = """async url => {
  try {
    const answer = await fetch(url, {credentials: 'include', headers: {Accept: 'application/json'}})
    return await answer.text()
  } catch (error) {
    return 'nothing'
  }
}"""


@pytest.fixture
def evil():
    """The port of a site of somebody else's."""
    with evil_site(SENDS_WHAT_IT_IS_TOLD) as port:
        yield port


def sent_from(place, page, url, **fields):
    """The status that a form of another page gets for what it sends."""
    with page.expect_response(url) as answer:
        page.goto(told(place, url, **fields))
    expect(page.get_by_role("heading", name="Not possible")).to_be_visible()
    return answer.value.status


@TWO_KINDS
@TWO_NAMES
def test_X1_no_form_of_another_site_port_or_sub_domain_is_taken(console, page, evil, host):
    enter(page, console, host, remember=True, path="/keys")
    make_key(page, "Weather display", "May read the figures")
    key = page.locator("code").inner_text().split("_")[1]
    page.goto(home(console, host) + "/people")
    add_person(page, "anna", HERS, "May read the figures")
    anna = page.get_by_role("button", name="Act for").get_attribute("value")
    sent = [("/light", {"light": "on"}), ("/logout", {}),
            ("/login", {"username": "anna", "password": HERS}),
            ("/keys", {"name": "theirs", "read": "on", "days": ""}), ("/keys/revoke", {"id": key}),
            ("/account/password", {"current": console.password, "new": NEW, "again": NEW}),
            ("/account/second", {"code": "000000"}), ("/account/end", {"end": "others"}),
            ("/account/recovery", {}), ("/account/remove", {}), ("/login/code", {"code": "000000"}),
            ("/people", {"name": "theirs", "password": NEW}), ("/people/switch", {"id": anna}),
            ("/people/act", {"id": anna}), ("/people/stop", {})]
    cookies = page.context.cookies()
    for place in others(host, evil):
        for path, fields in sent:
            assert sent_from(place, page, home(console, host) + path, **fields) == 403, (place, path)
    assert page.context.cookies() == cookies
    page.goto(home(console, host) + "/")
    is_in(page)
    expect(page.locator("#light")).to_have_text("off")
    page.goto(home(console, host) + "/keys")
    expect(page.locator("b")).to_have_text(["Weather display"])
    page.goto(home(console, host) + "/people")
    expect(page.locator("b")).to_have_text(["admin", "anna"])
    expect(page.get_by_text("not active")).to_have_count(0)


@TWO_KINDS
@TWO_NAMES
def test_X1_nobody_is_logged_in_by_a_page_of_another_site(console, page, evil, host):
    for place in others(host, evil):
        status = sent_from(place, page, home(console, host) + "/login", username="admin", password=console.password)
        assert status == 403, place
    assert page.context.cookies() == []
    page.goto(home(console, host) + "/")
    sees_the_login_form(page, console, host)


@TWO_KINDS
@TWO_NAMES
def test_no_page_of_another_site_port_or_sub_domain_reads_the_figures(console, page, host):
    enter(page, console, host)
    assert "temperature" in page.evaluate(READ, home(console, host) + "/figures")
    with evil_site("<h1>other</h1>") as port:
        for place in others(host, port):
            page.goto(place)
            assert page.evaluate(READ, home(console, host) + "/figures") == "nothing", place


@TWO_KINDS
def test_the_console_cannot_be_framed(console, page):
    enter(page, console)
    with evil_site(f"<iframe src='{home(console)}/' name=f></iframe>") as port:
        for place in others("device.lan", port):
            page.goto(place)
            assert "Device" not in page.frames[-1].content(), place


@TWO_KINDS
def test_X6_a_login_ends_on_this_site_whatever_next_says(console, open_page, evil):
    for target in ("//evil.lan", "/\\evil.lan", "/\t/evil.lan", "\\\\evil.lan", "http:evil.lan", "/%09/evil.lan",
                   "http://evil.lan", "http://device.lan@evil.lan", "///evil.lan"):
        page = open_page()
        page.goto(f"{home(console)}/login?next={quote(target)}:{evil}/")
        fill_in(page, console.password)
        page.wait_for_load_state()
        assert page.url.startswith(home(console) + "/"), target
        assert "login" not in page.url, target


@TWO_KINDS
def test_X6_who_types_the_password_again_stays_on_this_site_whatever_next_says(console, page, evil):
    enter(page, console)
    for target in ("//evil.lan", "/\\evil.lan", "http://evil.lan"):
        page.goto(f"{home(console)}/login?again=1&next={quote(target)}:{evil}/")
        page.get_by_label("Password").fill(console.password)
        page.get_by_role("button", name="Go on").click()
        page.wait_for_load_state()
        assert page.url == home(console) + "/", target
