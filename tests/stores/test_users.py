"""What users promise, whether they are kept in memory, in a file, or in a database that several processes share."""

import asyncio

import pytest
from cheap import Cheap

from dotlatch import passwords
from dotlatch.digest import DigestAuth
from dotlatch.passwords import needs_rehash
from dotlatch.portable import call
from dotlatch.second import SecondFactor
from dotlatch.totp import current_step
from tests.stores.users import ALL, ANOTHER, FACTOR, PASSWORD, SHARED, make_users

every_kind = pytest.mark.parametrize("stores", ALL, indirect=True)
shared = pytest.mark.parametrize("stores", SHARED, indirect=True)
NAMES = ("anna", "Anna", "ANNA")


@pytest.fixture(autouse=True)
def cheap_hashes():
    with Cheap():
        yield


class Counted:
    """How many hashes are computed."""

    def __enter__(self):
        self.count = 0
        self._kept = kept = passwords.pbkdf2_hmac_sha256

        async def counting(*args):
            self.count += 1
            return await kept(*args)

        passwords.pbkdf2_hmac_sha256 = counting
        return self

    def __exit__(self, *error):
        passwords.pbkdf2_hmac_sha256 = self._kept


class Told:
    """Stands in for Events: what users have told of."""

    def __init__(self):
        self.events = []

    def emit(self, event, **fields):
        self.events.append((event, fields["name"]))


async def named(users, name="anna"):
    return await call(users.get_by_name, name)


async def kept(users, user):
    return await call(users.get_by_id, user.id)


async def error_of(f, *args):
    try:
        await call(f, *args)
    except Exception as error:
        return error
    return None


async def opens(users, password, name="anna"):
    return await users.authenticate(name, password) is not None


# --- who is there -------------------------------------------------------------------------------------

@every_kind
async def test_a_user_is_found_by_name_and_id(stores):
    users = await make_users(stores)
    anna = await users.create("Anna", PASSWORD, ["admin"])
    await users.create("Bert", PASSWORD)
    for found in (await kept(users, anna), await named(users, "aNNa")):
        assert vars(found) == vars(anna)
    assert anna.scopes == ["admin"] and anna.is_active and anna.name == "Anna" and anna.totp is None
    for odd in ("", "ann", "anna ", " anna", "anna\0", None, 0, 5, True, b"anna", ["anna"], {}, (), object(), "\ud800",
                1.5, "x" * 10000, 10 ** 30, "%", "' OR ''='"):
        assert await named(users, odd) is None, odd
        assert await call(users.get_by_id, odd) is None, odd


@every_kind
async def test_names_differ_by_more_than_the_case_of_ascii_letters(stores):
    users = await make_users(stores)
    await users.create("Anna", PASSWORD)
    umlaut = await users.create("\xc4nna", PASSWORD)
    kelvin = await users.create("\u212aarl", PASSWORD)
    for name in ("aNNA", "ANNA"):
        assert isinstance(await error_of(users.create, name, PASSWORD), ValueError)
    assert (await named(users, "\xc4NNA")).id == umlaut.id and await named(users, "\xe4nna") is None
    assert (await named(users, "\u212aARL")).id == kelvin.id and await named(users, "karl") is None


@every_kind
async def test_names_that_people_have_are_taken_and_others_refused(stores):
    users = await make_users(stores)
    for name in ("a", "x" * 64, "O'Neill", "anna@example.com", "\u7530\u4e2d", "a b", "\U0001f511", "<b>", '"', "\\",
                 "%"):
        made = await users.create(name, PASSWORD)
        assert (await named(users, name)).id == made.id and made.name == name
    for name in ("", " ", "b ", "a\nb", "a\0", "x" * 65, None, 5, b"anna", "a\u202eb", "a\ud800"):
        assert isinstance(await error_of(users.create, name, PASSWORD), ValueError), name
    for scopes in ("admin", [1], [None], [""]):
        assert isinstance(await error_of(users.create, "bert", PASSWORD, scopes), ValueError), scopes


@shared
async def test_a_name_is_given_once_whoever_asks(stores):
    first, second = await make_users(stores, 2)
    work = [error_of(users.create, name, PASSWORD) for name in NAMES for users in (first, second)]
    failures = [error for error in await asyncio.gather(*work) if error is not None]
    assert len(failures) == 5 and {str(error) for error in failures} == {"that name is taken"}


# --- passwords ----------------------------------------------------------------------------------------

@every_kind
async def test_the_password_opens_the_account_and_nothing_else_does(stores):
    users = await make_users(stores)
    anna = await users.create("anna", PASSWORD)
    assert (await users.authenticate("ANNA", PASSWORD)).id == anna.id
    for name, password in (("anna", ""), ("anna", PASSWORD + " "), ("anna", PASSWORD.upper()), ("bert", PASSWORD),
                           ("anna", anna.password_hash), ("", PASSWORD), (None, None), ("anna", None),
                           (None, PASSWORD), (5, 5), ("anna", b"x"), (["anna"], [PASSWORD])):
        assert await users.authenticate(name, password) is None, (name, password)


@every_kind
async def test_B5_every_refusal_costs_one_hash(stores):
    users = await make_users(stores)
    await users.create("anna", PASSWORD)
    await call(users.disable, await users.create("gone", PASSWORD))
    for name in ("anna", "gone", "nobody", "", "x" * 5000, "\0", "\ud800"):
        with Counted() as counted:
            assert await users.authenticate(name, "wrong") is None
        assert counted.count == 1, name[:10]


@every_kind
@pytest.mark.parametrize("event", ["set_password", "disable", "remove"])
async def test_S6_a_login_that_is_under_way_when_the_account_changes_is_refused(stores, monkeypatch, event):
    users = await make_users(stores)
    anna = await users.create("anna", PASSWORD)
    real = passwords.verify_password

    async def meanwhile(password, hashed):
        right = await real(password, hashed)
        monkeypatch.undo()
        await call(getattr(users, event), anna, *([ANOTHER] if event == "set_password" else []))
        return right

    monkeypatch.setattr(passwords, "verify_password", meanwhile)
    assert await users.authenticate("anna", PASSWORD) is None


@every_kind
async def test_P3_a_hash_below_todays_cost_is_made_anew_and_all_who_log_in_are_let_in(stores):
    users = await make_users(stores)
    old = (await users.create("anna", PASSWORD)).password_hash
    with Cheap(30):
        assert await users.authenticate("anna", ANOTHER) is None and (await named(users)).password_hash == old
        got = await asyncio.gather(*[users.authenticate("anna", PASSWORD) for _ in range(4)],
                                   users.authenticate("anna", ANOTHER))
        assert [user is not None for user in got] == [True] * 4 + [False]
        better = (await named(users)).password_hash
        assert not needs_rehash(better)
        assert await opens(users, PASSWORD) and (await named(users)).password_hash == better


@every_kind
async def test_S6_a_password_set_while_the_better_hash_is_made_is_the_one_that_counts(stores, monkeypatch):
    users = await make_users(stores)
    anna = await users.create("anna", PASSWORD)
    real = passwords.hash_password

    async def meanwhile(password):
        monkeypatch.undo()
        stronger = await real(password)
        await users.set_password(anna, ANOTHER)
        return stronger

    with Cheap(30):
        monkeypatch.setattr(passwords, "hash_password", meanwhile)
        assert not await opens(users, PASSWORD)
        assert not await opens(users, PASSWORD) and await opens(users, ANOTHER)


@every_kind
async def test_P6_a_password_is_changed_by_who_knows_the_current_one(stores):
    users = await make_users(stores)
    anna = await users.create("anna", PASSWORD)
    assert await users.change_password(anna, "a wrong guess", ANOTHER) is False
    assert await users.change_password(anna, PASSWORD, ANOTHER) is True
    assert not await opens(users, PASSWORD) and await opens(users, ANOTHER)
    assert (await named(users)).password_hash == anna.password_hash  # so that the session at hand can go on
    await call(users.disable, anna)
    assert await users.change_password(anna, ANOTHER, PASSWORD) is False
    await call(users.remove, anna)
    assert await users.change_password(anna, ANOTHER, PASSWORD) is False


@shared
async def test_P6_of_many_changes_at_once_one_holds_and_is_told_so(stores):
    first, second = await make_users(stores, 2)
    await first.create("anna", PASSWORD)
    changes = [(users, await named(users), f"the new one is number {i}") for i in range(3) for users in (first, second)]
    done = await asyncio.gather(*[users.change_password(anna, PASSWORD, new) for users, anna, new in changes])
    assert sorted(done) == [False] * 5 + [True]
    assert await opens(second, changes[done.index(True)][2])


@every_kind
async def test_P1_a_password_is_judged_wherever_one_is_set(stores):
    def refuses(password, context):
        if len(password) < 15 or password in context:
            raise ValueError("too short, or a name")

    users = await make_users(stores, check_password=refuses)
    assert await error_of(users.create, "anna", "short") and await named(users) is None
    anna = await users.create("anna", PASSWORD)
    assert await error_of(users.set_password, anna, "short")
    assert await error_of(users.change_password, anna, PASSWORD, "short")
    assert await opens(users, PASSWORD)
    users.check_password = lambda password, context: False
    assert isinstance(await error_of(users.set_password, anna, ANOTHER), ValueError)


@every_kind
async def test_D6_what_digest_goes_by_follows_the_password_and_the_name(stores):
    digest = DigestAuth("Greenhouse")
    users = await make_users(stores, digest=digest)
    anna = await users.create("anna", PASSWORD)
    assert anna.digest_ha1 == digest.make_ha1("anna", PASSWORD)
    stale = await named(users)
    await call(users.rename, anna, "annette")
    assert (await named(users, "annette")).digest_ha1 is None
    assert await opens(users, ANOTHER, "annette") is False and (await named(users, "annette")).digest_ha1 is None
    assert await opens(users, PASSWORD, "annette")
    assert (await named(users, "annette")).digest_ha1 == digest.make_ha1("annette", PASSWORD)
    await users.set_password(stale, ANOTHER)  # which knows the old name only, where it is an object of its own
    assert (await named(users, "annette")).digest_ha1 == digest.make_ha1("annette", ANOTHER)
    users.digest = None
    await users.set_password(stale, PASSWORD)
    assert (await named(users, "annette")).digest_ha1 is None


# --- changes ------------------------------------------------------------------------------------------

@every_kind
async def test_a_renamed_user_is_found_under_the_new_name_alone(stores):
    users = await make_users(stores)
    anna = await users.create("anna", PASSWORD)
    await users.create("bert", PASSWORD)
    assert str(await error_of(users.rename, anna, "BERT")) == "that name is taken"
    assert await error_of(users.rename, anna, "a\n")
    await call(users.rename, anna, "ANNA")
    await call(users.rename, anna, "annette")
    assert (await named(users, "Annette")).id == anna.id and anna.name == "annette"
    assert await named(users) is None and (await named(users, "bert")).name == "bert"


@every_kind
async def test_S6_what_ends_sessions_counts_a_version_up_and_enabling_does_not_take_it_back(stores):
    users = await make_users(stores)
    anna = await users.create("anna", PASSWORD)
    before = (await kept(users, anna)).session_version
    await call(users.end_sessions, anna)
    await call(users.disable, anna)
    assert not (await kept(users, anna)).is_active and not await opens(users, PASSWORD)
    await call(users.enable, anna)
    assert await opens(users, PASSWORD) and (await kept(users, anna)).session_version == before + 2


@shared
async def test_S6_no_end_of_sessions_is_lost_when_many_ask_for_one(stores):
    first, second = await make_users(stores, 2)
    await first.create("anna", PASSWORD)
    work = [call(users.end_sessions, await named(users)) for users in (first, second) for _ in range(10)]
    await asyncio.gather(*work)
    assert (await named(first)).session_version == (await named(second)).session_version == 20


@every_kind
async def test_scopes_are_a_list_of_strings(stores):
    users = await make_users(stores)
    anna = await users.create("anna", PASSWORD)
    await call(users.set_scopes, anna, ("read", '"quoted", \u7530', "a b"))
    assert (await kept(users, anna)).scopes == anna.scopes == ["read", '"quoted", \u7530', "a b"]
    for scopes in ("read", [1], [""]):
        assert isinstance(await error_of(users.set_scopes, anna, scopes), ValueError)


@every_kind
async def test_a_change_of_who_is_gone_is_an_error(stores):
    users = await make_users(stores)
    anna = await users.create("anna", PASSWORD)
    await call(users.remove, anna)
    assert await kept(users, anna) is await named(users) is None
    for change, *given in ((users.set_password, ANOTHER), (users.rename, "annette"), (users.set_scopes, []),
                           (users.disable,), (users.enable,), (users.end_sessions,)):
        assert str(await error_of(change, anna, *given)) == "that user is not there any more"
    assert isinstance(await error_of(users.remove, anna), KeyError)
    assert (await users.create("anna", PASSWORD)).id != anna.id


@every_kind
async def test_changes_are_told_of_once_they_hold(stores):
    told = Told()
    users = await make_users(stores, events=told)
    anna = await users.create("anna", PASSWORD)
    await error_of(users.create, "Anna", PASSWORD)
    await users.set_password(anna, ANOTHER)
    await users.change_password(anna, PASSWORD, PASSWORD)
    for change, *given in ((users.rename, "bert"), (users.set_scopes, []), (users.disable,), (users.enable,),
                           (users.end_sessions,), (users.set_second_factor, FACTOR), (users.set_second_factor, FACTOR),
                           (users.set_second_factor, None), (users.remove,), (users.remove,)):
        await error_of(change, anna, *given)
    assert told.events == [("user_created", "anna"), ("password_changed", "anna"), ("user_renamed", "bert"),
                           ("scopes_changed", "bert"), ("user_disabled", "bert"), ("user_enabled", "bert"),
                           ("sessions_ended", "bert"), ("second_factor_set", "bert"),
                           ("second_factor_removed", "bert"), ("user_removed", "bert")]


# --- a second factor ----------------------------------------------------------------------------------

@every_kind
async def test_S6_a_second_factor_is_set_and_taken_away_once_and_each_ends_the_sessions(stores):
    users = await make_users(stores)
    anna = await users.create("anna", PASSWORD)
    done = []
    for totp in (None, FACTOR, FACTOR, None, None):
        done.append(await call(users.set_second_factor, anna, totp, 5, "salt$code"))
    assert done == [False, True, False, True, False]
    found = await kept(users, anna)
    assert (found.totp, found.totp_step, found.recovery, found.session_version) == (None, 0, None, 2)
    for nothing in ((5,), ("secret",), ("",), (FACTOR, -1), (FACTOR, None), (FACTOR, 1, 5)):
        assert isinstance(await error_of(users.set_second_factor, anna, *nothing), ValueError), nothing


@every_kind
async def test_O2_a_step_is_kept_once_and_none_that_is_older(stores):
    users = await make_users(stores)
    anna = await users.create("anna", PASSWORD)
    assert await call(users.use_totp_step, anna, 5) is False
    await call(users.set_second_factor, anna, FACTOR, 5, None)
    steps = [await call(users.use_totp_step, anna, step) for step in (4, 5, 6, 6, 5, 9)]
    assert steps == [False, False, True, False, False, True] and (await kept(users, anna)).totp_step == 9
    await call(users.disable, anna)
    assert await call(users.use_totp_step, anna, 10) is False


@every_kind
async def test_O6_recovery_codes_are_swapped_for_those_that_are_kept_and_no_others(stores):
    users = await make_users(stores)
    anna = await users.create("anna", PASSWORD)
    assert await call(users.swap_recovery, anna, None, "a") is False
    await call(users.set_second_factor, anna, FACTOR, 5, None)
    done = [await call(users.swap_recovery, anna, before, after) for before, after in (
        ("x", "a"), (None, "a"), (None, "b"), ("A", "b"), ("a", "b"), ("b", ""), ("", "c"))]
    assert done == [False, True, False, False, True, True, True] and (await kept(users, anna)).recovery == "c"


async def two_of_an_account(stores):
    """The same account with a second factor, in two programs; its app and its recovery codes."""
    both = [(users, SecondFactor(users)) for users in await make_users(stores, 2)]
    users, second = both[0]
    totp = second.begin(await users.create("anna", PASSWORD))
    codes = await second.confirm(await named(users), totp.stored(), totp.code_at(current_step() - 1))
    assert len(codes) > 1
    return both, totp, codes


@shared
async def test_O2_of_many_parallel_submissions_of_one_code_one_wins(stores):
    both, totp, _ = await two_of_an_account(stores)
    code = totp.code_at(current_step())
    done = await asyncio.gather(*[second.verify(await named(users), code) for users, second in both * 5])
    assert sorted(done, key=str) == [None] * 9 + ["totp"]


@shared
async def test_O6_of_many_parallel_submissions_of_one_recovery_code_one_wins(stores):
    both, _, codes = await two_of_an_account(stores)
    done = await asyncio.gather(*[second.verify(await named(users), codes[0]) for users, second in both * 5])
    assert sorted(done, key=str) == [None] * 9 + ["recovery"]
    assert both[0][1].codes_left(await named(both[0][0])) == len(codes) - 1


@shared
async def test_O6_two_recovery_codes_at_once_are_both_taken_and_both_spent(stores):
    both, _, codes = await two_of_an_account(stores)
    for expected in ("recovery", None):
        done = await asyncio.gather(*[second.verify(await named(users), code)
                                      for (users, second), code in zip(both, codes)])
        assert done == [expected] * 2


@shared
async def test_O2_a_code_of_a_secret_that_was_replaced_meanwhile_opens_nothing(stores):
    (mine, theirs), totp, _ = await two_of_an_account(stores)
    stale = await named(mine[0])
    await theirs[1].remove(await named(theirs[0]))
    assert await mine[1].verify(stale, totp.code_at(current_step())) is None
