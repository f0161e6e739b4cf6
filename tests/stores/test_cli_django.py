"""`dotlatch user` and `sessions` on what a real Django keeps."""

import asyncio

import pytest

from tests.server import commands
from tests.stores.django_project import KEY, Browser, new_name
from tests.stores.users import DATABASES

PASSWORD = "seven green bottles"
OTHER_PASSWORD = "nine loud kettles boil"
both = pytest.mark.parametrize("stores", DATABASES, indirect=True)
sqlite = pytest.mark.parametrize("stores", ["sqlite"], indirect=True)


@pytest.fixture
def told(project):
    """What a command says that is given in this process, about the project."""
    address = {"DOTLATCH_USERS": project.stores.address, "DJANGO_SECRET_KEY": KEY}

    async def tell(*arguments, **more):
        return await asyncio.to_thread(commands.run_here, *arguments, "--django", **{**address, **more})
    return tell


@pytest.fixture
def browser(project):
    return Browser(project.site(), project)


@both
async def test_an_account_that_is_made_here_logs_in_at_django_and_each_change_counts_there(told, browser):
    anna = new_name()
    added = await told("user", "add", anna, "--scopes", "staff", "--json", given=PASSWORD)
    assert added.code == 0 and added.json["scopes"] == ["staff"], added.err
    assert browser.django_logs_in(anna, PASSWORD) == 302 and browser.django_knows() == anna
    assert (await told("user", "passwd", anna, given=OTHER_PASSWORD)).out == f"{anna} has a new password\n"
    assert browser.django_knows() is None
    assert browser.django_logs_in(anna, OTHER_PASSWORD) == 302 and browser.django_knows() == anna
    assert (await told("user", "disable", anna)).code == 0 and browser.django_knows() is None
    (listed,) = [one for one in (await told("user", "list", "--json")).json["users"] if one["name"] == anna]
    assert listed == {**added.json, "scopes": listed["scopes"], "is_active": False}
    assert (await told("user", "enable", anna)).code == 0 and browser.django_knows() == anna


@both
async def test_the_sessions_of_a_user_are_listed_and_ended_in_django_too(told, browser, project):
    anna, bert = project.add(PASSWORD), project.add(PASSWORD)
    here, there, his = browser, browser.copy(), browser.copy()
    await here.log_in(anna, PASSWORD)
    there.django_logs_in(anna, PASSWORD)
    his.django_logs_in(bert, PASSWORD)
    listed = await told("sessions", "list", anna, "--json")
    assert len(listed.json["sessions"]) == 2 and here.key not in listed.out and there.key not in listed.out
    last = listed.json["sessions"][0]["id"]
    refused = await told("sessions", "end", bert, "--session", last)
    assert refused.code == 1 and "that user has no session of that id" in refused.err
    assert (await told("sessions", "end", anna, "--session", last)).out == "1 ended\n"
    assert len((await told("sessions", "list", anna, "--json")).json["sessions"]) == 1
    assert (await told("sessions", "end", anna)).out == "1 ended\n"
    assert [one.django_knows() for one in (here, there, his)] == [None, None, bert]


@sqlite
async def test_what_django_does_itself_is_left_to_it(told, project):
    anna = project.add(PASSWORD)
    for verb in ("remove", "logout"):
        done = await told("user", verb, anna)
        assert done.code == 2 and f"these accounts have no {verb}" in done.err
    digest = await told("user", "passwd", anna, "--realm", "x", given=OTHER_PASSWORD)
    assert digest.code == 2 and "Django keeps nothing for Digest" in digest.err
    cost = await told("user", "passwd", anna, "--iterations", "1000", given=OTHER_PASSWORD)
    assert cost.code == 2 and "Django has a cost of its own" in cost.err
    create = await told("user", "add", "x", "--create", given=OTHER_PASSWORD)
    assert create.code == 2 and "Django makes its tables itself" in create.err
    no_key = await told("sessions", "list", anna, DJANGO_SECRET_KEY="")
    assert no_key.code == 2 and "put Django's SECRET_KEY into DJANGO_SECRET_KEY" in no_key.err
    folder = await told("sessions", "list", anna, "--store", "sessions")
    assert folder.code == 2 and "give --store its URL" in folder.err


@sqlite
async def test_sessions_under_a_key_of_before_are_found(told, browser, project):
    anna = project.add(PASSWORD)
    browser.django_logs_in(anna, PASSWORD)
    another = "django-insecure-another-one-0123456789abcdefghijklmno"
    assert (await told("sessions", "end", anna, DJANGO_SECRET_KEY=another)).out == "0 ended\n"
    assert (await told("sessions", "end", anna, DJANGO_SECRET_KEY=f"{another}\n{KEY}")).out == "1 ended\n"
