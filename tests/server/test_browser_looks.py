"""Each page of the console in Chromium, on two phones and a desk, light and dark: can it be read and used?"""

import json
import re

import pytest

from tests.server.chromium import (
    HERS,
    NEW,
    SENDS_WHAT_IT_IS_TOLD,
    add_person,
    change_password,
    enter,
    evil_site,
    fill_in,
    home,
    make_key,
    told,
)

PHONE, NARROW, DESKTOP = (360, 740), (320, 568), (1280, 800)

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
  const boxes = [...document.querySelectorAll('form, .card, button, select, input, .problem, .note')]
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


class Look:
    """Goes through pages, keeps a picture of each and what is wrong with it."""

    def __init__(self, page, folder, size, scheme):
        self.page = page
        self.complaints = []
        self._width = size[0]
        self._picture = f"{folder}/{{}}-{size[0]}-{scheme}.png"
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text)
                if message.type == "error" and "Failed to load resource" not in message.text else None)

    def at(self, name, heading):
        self.page.wait_for_load_state()
        self.page.screenshot(path=self._picture.format(name), full_page=True)
        if self.page.locator("h1").all_inner_texts() != [heading]:
            self.complaints.append(f"{name}: its heading is {self.page.locator('h1').all_inner_texts()}")
        self.complaints += [f"{name}: {problem}" for problem in complaints_about(self.page, self._width)]

    def button(self, name, exact=False):
        self.page.get_by_role("button", name=name, exact=exact).first.click()

    def link(self, name):
        self.page.get_by_role("link", name=name).click()


def look_at_the_device_and_keys(look, console):
    page = look.page
    page.goto(home(console) + "/")
    look.at("login", "Log in")
    fill_in(page, "not the password")
    look.at("login-wrong", "Log in")
    fill_in(page, console.password, remember=True)
    look.at("device", "Device")
    look.button("Switch the light on")
    look.at("device-light-on", "Device")
    look.link("API keys")
    look.at("keys-none", "API keys")
    make_key(page, "Weather display in the hall", "May read the figures", ends="in a year")
    look.at("keys-new", "API keys")
    make_key(page, "x" * 64, "May read the figures", "May switch the light")
    make_key(page, " ", "May read the figures")
    look.at("keys-wrong", "API keys")
    page.goto(home(console) + "/nowhere")
    look.at("nowhere", "Not here")


def look_at_the_people(look, console):
    page = look.page
    page.goto(home(console) + "/people")
    add_person(page, "anna", "too common a one, no", "May read the figures")
    add_person(page, "somebody with a name of " + 30 * "x", HERS)
    add_person(page, "anna", HERS)
    look.at("people-wrong", "People")
    look.link("Back")
    look.link("People")
    look.button("Disable")
    look.at("people", "People")
    look.button("Enable")
    look.button("Act for")
    look.at("acting", "Device")
    page.goto(home(console) + "/account")
    look.at("acting-refused", "Not possible")
    page.goto(home(console) + "/nowhere")
    look.at("acting-nowhere", "Not here")
    look.button("Stop")
    look.link("What happened")
    look.at("audit", "What happened")


def look_at_the_account(look, console, other):
    page = look.page
    enter(other, console, remember=True)
    page.goto(home(console) + "/account")
    look.at("account", "Your account")
    look.link("Change password")
    look.at("password", "Change password")
    change_password(page, "not the password", NEW, NEW)
    look.at("password-wrong", "Change password")
    change_password(page, console.password, NEW, NEW)
    look.at("password-changed", "Your account")
    console.wait(3700)
    page.goto(home(console) + "/account/password")
    look.at("confirm", "Your password again")
    page.get_by_label("Password").fill("wrong")
    look.button("Go on")
    look.at("confirm-wrong", "Your password again")
    page.get_by_label("Password").fill(NEW)
    look.button("Go on")
    console.wait(3700)
    change_password(page, NEW, NEW, NEW)
    look.at("confirm-lost", "Your password again")
    page.get_by_label("Password").fill(NEW)
    look.button("Go on")


def look_at_the_second_factor(look, console):
    page = look.page
    page.goto(home(console) + "/account/second")
    look.at("second", "Second factor")
    secret = page.locator("code").inner_text().replace(" ", "")
    page.get_by_label("Code that the app shows").fill("000000")
    look.button("Switch it on")
    look.at("second-wrong", "Second factor")
    page.get_by_label("Code that the app shows").fill(console.code(secret))
    look.button("Switch it on")
    look.at("recovery", "Recovery codes")
    look.link("I have them")
    look.at("account-second", "Your account")
    look.link("Second factor")
    look.at("second-on", "Second factor")
    look.link("Back")
    look.button("Log out", exact=True)
    fill_in(page, NEW)
    look.at("code", "The code from your phone")
    page.get_by_text("Your phone is not at hand?").click()
    page.get_by_label("Recovery code").fill("WRONG")
    look.button("Go on")
    look.at("code-wrong", "The code from your phone")
    page.get_by_text("Your phone is not at hand?").click()
    look.at("code-recovery", "The code from your phone")


def look_at_the_refusals(look, console):
    page = look.page
    with evil_site(SENDS_WHAT_IT_IS_TOLD) as port:
        page.goto(told(f"http://evil.lan:{port}/", home(console) + "/light", light="on"))
        page.wait_for_url(home(console) + "/light")
        look.at("refused-other-site", "Not possible")
    page.goto(home(console) + "/login")
    for _ in range(20):
        fill_in(page, "a wrong guess")
        page.wait_for_load_state()
        if page.get_by_role("heading", name="Not possible").count():
            break
    look.at("refused-too-many", "Not possible")


@pytest.mark.parametrize("kind, size, scheme", [
    ("uvicorn", PHONE, "light"), ("uvicorn", NARROW, "dark"), ("uvicorn", DESKTOP, "light"),
    ("builtin-micropython", PHONE, "dark"), ("builtin-micropython", DESKTOP, "dark"),
], ids=lambda value: str(value[0]) if isinstance(value, tuple) else value)
def test_every_page_fits_the_screen_and_can_be_read(later, open_page, tmp_path, size, scheme):
    page = open_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    elsewhere = []
    page.on("request", lambda request: elsewhere.append(request.url)
            if not request.url.startswith((home(later), "data:", "http://evil.lan")) else None)
    look = Look(page, tmp_path, size, scheme)
    look_at_the_device_and_keys(look, later)
    look_at_the_people(look, later)
    look_at_the_account(look, later, open_page())
    look_at_the_second_factor(look, later)
    look_at_the_refusals(look, later)

    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    red, green, blue = json.loads("[" + re.search(r"\((.*)\)", background).group(1) + "]")
    if (red + green + blue > 600) != (scheme == "light"):
        look.complaints.append(f"it is not {scheme}: {background}")
    assert not look.complaints, "\n".join(look.complaints)
    assert elsewhere == []
