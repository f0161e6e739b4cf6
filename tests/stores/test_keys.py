"""What API keys promise, whether they are kept in memory, in a file, or in a database that several processes share."""

import asyncio

import pytest
from client import Client
from clock import START, UNSET, FakeClock
from microdot import Microdot

from dotlatch import keyauth
from dotlatch.auth import APIKeyAuth
from dotlatch.portable import call
from tests.stores.keys import ALL, DATABASES, SHARED, make_keys, open_keys

every_kind = pytest.mark.parametrize("stores", ALL, indirect=True)
shared = pytest.mark.parametrize("stores", SHARED, indirect=True)
databases = pytest.mark.parametrize("stores", DATABASES, indirect=True)
HOUR = 3600


class Told:
    """Stands in for Events: what keys have told of."""

    def __init__(self):
        self.events = []

    def emit(self, event, **fields):
        self.events.append((event, fields["user"], fields["name"]))


def guarded(keys, **options):
    """A site that lets in who shows a key; `anna` may read, everybody else nothing special."""
    app, auth = Microdot(), APIKeyAuth(keys, **options)

    @auth.user_loader
    async def load_user(user_id):
        return {"id": user_id, "scopes": ["read"] if user_id == "anna" else []}

    @app.get("/")
    @auth
    async def index(request):
        return repr(request.g.current_user["id"])

    @app.get("/read")
    @auth.requires("read")
    async def read(request):
        return "read"

    return app


async def statuses(app, *texts, url="/"):
    """What each of these keys gets."""
    return [(await Client(app).get(url, {"X-API-Key": text})).status_code for text in texts]


async def error_of(f, *args, **named):
    try:
        await call(f, *args, **named)
    except Exception as error:
        return error
    return None


def id_of(text):
    return text.split("_")[1]


async def kept(keys, text):
    return await keys.find(id_of(text))


# --- who is let in ------------------------------------------------------------------------------------

@every_kind
async def test_R5_a_key_opens_for_its_user_until_it_is_revoked(stores):
    keys = await make_keys(stores, prefix="greenhouse")
    text = await call(keys.create, {"id": "anna"}, "pump", ["read"])
    number = await call(keys.create, 7, "pump")
    app = guarded(keys)
    assert text.startswith("greenhouse_")
    assert [(await Client(app).get("/", {"X-API-Key": one})).text for one in (text, number)] == ["'anna'", "7"]
    assert await statuses(app, text, number, url="/read") == [200, 403]
    for other in ("bert", "7", {"id": 8}):
        assert await call(keys.revoke, id_of(number), other) is False
    assert await call(keys.revoke, id_of(number), 7) is True and await call(keys.revoke, id_of(number)) is False
    assert await call(keys.revoke, id_of(text)) is True
    assert await statuses(app, text, number) == [401, 401]


@every_kind
async def test_R5_nothing_but_the_whole_key_opens_and_nothing_is_an_error(stores):
    keys = await make_keys(stores)
    text = await call(keys.create, "anna", "pump")
    prefix, key_id, secret = text.split("_")
    odd = ["", "_", prefix, key_id, secret, text[:-1], text + "A", text.swapcase(), f"{prefix}_{'A' * 12}_{secret}",
           f"{prefix}_{key_id}_{'A' * 32}", f"{prefix}_{key_id.swapcase()}_{secret}", f"{prefix}_' OR 1=1 --_{secret}",
           f"{prefix}_{key_id[:-1]}%_{secret}", f"{prefix}_{'%' * 12}_{secret}", f"{prefix}_{key_id[:-1]}\0_{secret}",
           f"{prefix}_{key_id[:-1]}\u00e9_{secret}", f"{prefix}_{key_id[:-1]}\ud800_{secret}"]
    app = guarded(keys, query="key", header=None)

    async def status(given):
        request = "/?key=" + "".join([f"%{byte:02x}" for byte in given.encode("utf-8", "surrogatepass")])
        return (await Client(app).get(request)).status_code

    assert {await status(given) for given in odd} <= {400, 401} and await status(text) == 200
    for given in (*odd, "x" * 10000):
        assert given == key_id or (await keys.find(given) is None and await call(keys.revoke, given) is False), given


@every_kind
async def test_R5_what_is_kept_and_told_holds_no_secret(stores):
    told = Told()
    keys = await make_keys(stores, events=told)
    text = await call(keys.create, "anna", "pump", ["read"])
    shown = repr(vars(await kept(keys, text))) + repr(await kept(keys, text)) + repr(told.events)
    assert text.split("_")[2] not in shown and id_of(text) in shown
    await call(keys.revoke, id_of(text))
    await call(keys.create, 7, "display")
    await call(keys.create, 7, "lamp")
    assert await call(keys.revoke_user, 7) == 2 and await call(keys.revoke_user, 7) == 0
    assert told.events[:3] == [("key_created", "anna", "pump"), ("key_revoked", "anna", "pump"),
                               ("key_created", 7, "display")]
    assert sorted(told.events[4:]) == [("key_revoked", 7, "display"), ("key_revoked", 7, "lamp")]


@every_kind
async def test_R5_a_key_ends_at_its_time_on_the_dot_and_while_no_clock_is_set(stores):
    keys = await make_keys(stores)
    with FakeClock() as clock:
        text = await call(keys.create, "anna", "pump", expires=START + 60)
        endless = await call(keys.create, "anna", "display")
        app = guarded(keys)
        seen = []
        for time in (START, START + 59, START + 60, UNSET):
            clock.set(time)
            seen.append(await statuses(app, text, endless))
    assert seen == [[200, 200], [200, 200], [401, 200], [401, 200]]


# --- which there are ----------------------------------------------------------------------------------

@every_kind
async def test_a_key_is_kept_as_it_was_made(stores):
    keys = await make_keys(stores)
    with FakeClock() as clock:
        text = await call(keys.create, "anna", "O'Neill's \u7530 \"pump\"; --", ['"quoted", \u7530', "a b"], START + 60)
        found = await kept(keys, text)
        assert vars(found) == {
            "id": id_of(text), "user_id": "anna", "name": "O'Neill's \u7530 \"pump\"; --",
            "scopes": ['"quoted", \u7530', "a b"], "secret_hash": found.secret_hash, "created": START,
            "expires": START + 60, "last_used": None}
        clock.set(UNSET)
        assert (await kept(keys, await call(keys.create, "anna", "x"))).created is None


@every_kind
async def test_the_keys_of_a_user_are_listed_by_name_and_are_no_other_users(stores):
    keys = await make_keys(stores)
    for name in ("c", "a", "B"):
        await call(keys.create, 1, name)
    await call(keys.create, "1", "x")
    assert [key.name for key in await call(keys.of_user, 1)] == ["B", "a", "c"]
    assert [key.name for key in await call(keys.of_user, {"id": "1"})] == ["x"]
    for nobody in ("", "2", 0, "' OR ''='", "\0", "x" * 5000, "%"):
        assert await call(keys.of_user, nobody) == [] and await call(keys.revoke_user, nobody) == 0, nobody


@every_kind
async def test_keys_that_cannot_be_are_refused(stores):
    keys = await make_keys(stores)
    for name in ("", " ", "x" * 65, "a\0", "a\nb", None, 5, "\ud800"):
        assert isinstance(await error_of(keys.create, "anna", name), ValueError), name
    for scopes in ("read", [1], [""], ["x" * 65], ["x"] * 33):
        assert isinstance(await error_of(keys.create, "anna", "pump", scopes), ValueError), scopes
    for nobody in (None, True, 1.5, {}, {"id": None}, object()):
        assert isinstance(await error_of(keys.create, nobody, "pump"), TypeError), nobody
    assert await call(keys.of_user, "anna") == []


@every_kind
async def test_a_user_has_no_more_keys_than_there_may_be_and_those_that_are_over_make_room(stores):
    keys = await make_keys(stores, max_per_user=3)
    with FakeClock() as clock:
        for i in range(3):
            await call(keys.create, "anna", f"key {i}", expires=START + 10 + i)
        assert str(await error_of(keys.create, "anna", "one more")) == "there are 3 keys already: revoke one first"
        await call(keys.create, "bert", "his")
        clock.set(START + 11)  # for the first two
        await call(keys.create, "anna", "one more")
        assert [key.name for key in await call(keys.of_user, "anna")] == ["key 2", "one more"]


@shared
async def test_of_many_keys_that_are_made_at_once_no_more_are_made_than_there_may_be(stores):
    first, second = await make_keys(stores, 2, max_per_user=5)
    failures = await asyncio.gather(*[error_of(keys.create, "anna", f"key {i}") for i in range(6)
                                      for keys in (first, second)])
    refused = [str(error) for error in failures if error is not None]
    assert refused == ["there are 5 keys already: revoke one first"] * 7
    assert len(await call(second.of_user, "anna")) == 5


@shared
async def test_of_many_that_revoke_one_key_one_is_told_so(stores):
    first, second = await make_keys(stores, 2)
    text = await call(first.create, "anna", "pump")
    done = await asyncio.gather(*[call(keys.revoke, id_of(text)) for _ in range(5) for keys in (first, second)])
    assert sorted(done) == [False] * 9 + [True]


# --- when it was used ---------------------------------------------------------------------------------

@every_kind
async def test_a_use_is_written_once_an_hour(stores):
    keys = await make_keys(stores)
    with FakeClock() as clock:
        text = await call(keys.create, "anna", "pump")
        seen = []
        for time in (START, START + HOUR - 1, START + HOUR, START + HOUR + 5, START + 5, UNSET):
            clock.set(time)
            app = guarded(keys)  # a process that has just started and knows of no use
            assert await statuses(app, text) == [200]
            seen.append((await kept(keys, text)).last_used)
    assert seen == [START, START, START + HOUR, START + HOUR, START + 5, START + 5]


@shared
async def test_a_use_does_not_bring_back_a_key_that_is_revoked(stores):
    first, second = await make_keys(stores, 2)
    text = await call(first.create, "anna", "pump")
    key = await kept(second, text)
    await call(first.revoke, key.id)
    await call(second.used, key)
    assert await kept(first, text) is None and await kept(second, text) is None


@databases
async def test_of_many_processes_that_note_a_use_one_writes_it(stores):
    programs = await make_keys(stores, 6)
    text = await programs[0].create("anna", "pump")
    written = []
    for keys in programs:
        real = keys.database.run

        async def run(*statements, real=real):
            result = await real(*statements)
            if statements[0][0].is_update:
                written.append(result)
            return result

        keys.database.run = run
    assert await asyncio.gather(*[statuses(guarded(keys), text, text) for keys in programs]) == [[200, 200]] * 6
    assert sorted(written) == [0] * 5 + [1] and keyauth._HOUR_MS == HOUR * 1000


@every_kind
async def test_a_key_that_could_not_be_noted_opens_all_the_same(stores):
    keys = await make_keys(stores)
    text = await call(keys.create, "anna", "pump")

    async def full(key):
        raise OSError(28, "no space")

    keys.used = full
    assert await statuses(guarded(keys), text) == [200]


@shared
async def test_keys_are_there_for_another_program(stores):
    keys = await make_keys(stores)
    text = await call(keys.create, "anna", "pump", ["read"])
    name = keys.table.name if stores.kind in DATABASES else keys.path.rpartition("/")[2][:-5]
    again = open_keys(stores, name)
    if stores.kind in DATABASES:
        await again.create_all()
    assert vars(await kept(again, text)) == vars(await kept(keys, text))
