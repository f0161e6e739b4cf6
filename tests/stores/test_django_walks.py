"""Three browsers that do whatever comes to mind at Django and here: after each step both know the same visitor."""

import random
from urllib.parse import urlencode

import pytest

from dotlatch.passwords import hash_password
from tests.stores.django_project import KEY, Browser
from tests.stores.users import PASSWORD

KEYS = [KEY, *[f"django-insecure-key-number-{n}-0123456789abcdefghijklmnop" for n in range(2)]]
STEPS = 45


class Walk:
    def __init__(self, project, seed):
        self.project = project
        self.random = random.Random(seed)
        self.passwords = {project.add(): PASSWORD for _ in range(2)}
        self.keys = KEYS[:1]
        self.browsers = [Browser(self.site(), project) for _ in range(3)]
        self.steps = []

    def site(self):
        return self.project.site(self.project.sessions(key=self.keys))

    @property
    def settings(self):
        return {"SECRET_KEY": self.keys[0], "SECRET_KEY_FALLBACKS": self.keys[1:]}

    async def step(self):
        browser, name = self.random.choice(self.browsers), self.random.choice(list(self.passwords))
        act = self.random.choice([act for act in dir(self) if act.startswith("do_")])
        self.steps.append((act, self.browsers.index(browser), name))
        done = getattr(self, act)(browser, name)
        if done is not None:
            await done
        for one in self.browsers:
            await self.compare(one, self.random.random() < 0.5)

    async def compare(self, browser, is_django_first):
        theirs = browser.django_knows(**self.settings) if is_django_first else None
        ours = (await browser.get("/who")).text
        theirs = theirs or browser.django_knows(**self.settings) or "nobody"
        assert ours == theirs, self.steps
        if ours != "nobody":
            cart = (await browser.get("/cart")).text.replace(",", ", ") or "nothing"
            assert f"In the cart: {cart}." in browser.django("/", **self.settings), self.steps

    def do_login_here(self, browser, name):
        return browser.log_in(name, self.passwords[name])

    def do_login_there(self, browser, name):
        browser.django_logs_in(name, self.passwords[name], **self.settings)

    def do_wrong_password(self, browser, name):
        return browser.log_in(name, "wrong")

    def do_logout_here(self, browser, name):
        return browser.post("/logout")

    def do_logout_there(self, browser, name):
        browser.django_posts("/accounts/logout/", {}, **self.settings)

    def do_add_here(self, browser, name):
        return browser.get(f"/add?item=m{len(self.steps)}")

    def do_add_there(self, browser, name):
        browser.django_posts("/cart", {"item": f"t{len(self.steps)}"}, **self.settings)

    def do_steal(self, browser, name):
        self.random.choice(self.browsers).jar = browser.jar.copy()

    def do_shut(self, browser, name):
        self.project.ask("change_user", name, {"is_active": False})

    def do_open(self, browser, name):
        self.project.ask("change_user", name, {"is_active": True})

    async def do_weaken(self, browser, name):
        self.project.ask("change_user", name, {"password": await hash_password(self.passwords[name], 10)})

    def do_rotate(self, browser, name):
        self.keys = self.keys[:1] if len(self.keys) > 1 else [
            self.random.choice([key for key in KEYS if key not in self.keys]), *self.keys]
        site = self.site()
        for one in self.browsers:
            one.app = site

    async def do_password_here(self, browser, name):
        who, new = (await browser.get("/who")).text, f"horse number {len(self.steps)} battery"
        answer = await browser.post("/account/password", form=urlencode({
            "current": self.passwords.get(who, ""), "new": new, "again": new}))
        if answer.status_code == 303:
            self.passwords[who] = new

    def do_password_there(self, browser, name):
        who, new = browser.django_knows(**self.settings), f"horse number {len(self.steps)} battery"
        if who and browser.django_posts("/accounts/password_change/", {
                "old_password": self.passwords[who], "new_password1": new, "new_password2": new},
                **self.settings) == 302:
            self.passwords[who] = new


@pytest.mark.parametrize("stores", ["sqlite"], indirect=True)
@pytest.mark.parametrize("seed", [1, 2])
async def test_both_know_the_same_visitor_whatever_is_done_on_either_side(project, seed):
    walk = Walk(project, seed)
    for _ in range(STEPS):
        await walk.step()
    assert len({act for act, _, _ in walk.steps}) > 10
