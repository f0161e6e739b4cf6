"""Remember-me on every store: programs that share one agree on each secret, and on what was stolen."""

import asyncio
import time

import pytest
from microdot import Microdot

from dotlatch.events import Events
from dotlatch.login import Login
from dotlatch.session import Session
from tests.stores.kinds import BETWEEN_PROCESSES, ON_CPYTHON

KEY = "0123456789abcdef0123456789abcdef"
NEW_KEY = "a third key that has thirty-two bytes and more"


class Site:
    """A program with logins over a store, which others share."""

    def __init__(self, store, key=KEY):
        self.app = Microdot()
        self.events = Events()
        self.meanwhile = None  # what happens while a slow page is made
        Session(self.app, secret_key=key, store=store)
        login = Login(events=self.events)

        @login.user_loader
        async def load(user_id):
            return {"id": user_id, "password_hash": "x"}

        @self.app.post("/login")
        async def log_in(request):
            return await login.login_user(request, {"id": "anna", "password_hash": "x"}, remember=True)

        @self.app.post("/logout")
        async def log_out(request):
            await login.logout_user(request)
            return "bye"

        @self.app.get("/who")
        async def who(request):
            user = await login.get_current_user(request)
            return user["id"] if user else "nobody"

        @self.app.get("/slow")
        @login
        async def slow(request):
            await self.meanwhile()
            return "slow"

    def stolen(self):
        return [one for one in self.events.recent() if one["event"] == "remember_stolen"]


def browser(site):
    from client import Client  # of tests/portable: conftest.py puts that folder on the path
    return Client(site.app)


async def who(client):
    return (await client.get("/who")).text


async def remembered(site):
    client = browser(site)
    await client.post("/login")
    client.restart()
    return client


def at_once(client, sites):
    """The same browser's requests to these programs, under way together."""
    return [client.copy(site.app) for site in sites]


async def test_M1_requests_under_way_together_all_pass_and_agree(stores):
    site = Site(stores.one())
    anna = await remembered(site)
    copies = at_once(anna, [site] * 4)
    assert await asyncio.gather(*map(who, copies)) == ["anna"] * 4
    assert len({copy.value("_remember") for copy in copies}) == 1
    copies[3].restart()
    assert await who(copies[3]) == "anna" and site.stolen() == []


@pytest.mark.parametrize("stores", BETWEEN_PROCESSES, indirect=True)
async def test_T9_programs_with_a_new_key_and_an_old_one_agree_on_the_secret(stores):
    store = stores.one()
    old, new = Site(store), Site(stores.open(store.name), [NEW_KEY, KEY])
    copies = at_once(await remembered(old), (old, new))
    assert [await who(copy) for copy in copies] == ["anna", "anna"]
    assert copies[0].value("_remember") == copies[1].value("_remember")
    copies[1].restart()
    assert await who(copies[1]) == "anna"


@pytest.mark.parametrize("stores", ON_CPYTHON, indirect=True)
async def test_a_store_on_a_server_has_the_clock_that_its_machines_share(stores):
    before = int(time.time())
    assert before <= await stores.one().time() <= time.time() + 1  # PostgreSQL rounds


async def test_M1_a_secret_of_two_uses_ago_ends_the_family(stores):
    site = Site(stores.one())
    anna = await remembered(site)
    thief = anna.copy()
    for _ in range(2):
        assert await who(anna) == "anna"
        phone = anna.copy()
        anna.restart()
    assert await who(phone) == "anna"
    assert await who(thief) == "nobody"
    assert [await who(client) for client in (anna, phone)] == ["nobody", "nobody"]
    assert [one["user"] for one in site.stolen()] == ["anna"]


async def test_M1_a_session_that_begins_while_its_series_ends_is_none(stores):
    site = Site(stores.one())
    anna = await remembered(site)
    thief = anna.copy()

    async def log_out():
        await anna.post("/logout")

    site.meanwhile = log_out
    assert (await thief.get("/slow")).text == "slow"
    assert await who(thief) == "nobody"
    assert await stores.opened[0].list_user("anna") == []
