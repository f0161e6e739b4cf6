"""A second factor on accounts: each code is taken once, whoever is quicker and whatever the disk does."""
import asyncio
import os

from cheap import Cheap
from clock import EPOCH_2000, START, UNSET, FakeClock
from disk import Disk, held, put
from household import Client, Household

from dotlatch import identity, totp
from dotlatch.events import Events
from dotlatch.second import SecondFactor
from dotlatch.strictjson import loads
from dotlatch.totp import ClockNotSet
from dotlatch.users import FileUsers, MemoryUsers

PASSWORD = 'correct horse battery staple'


class OwnUsers:
    """Users of somebody's own: dictionaries, async methods, as a database would have them; and a stale copy of each."""
    def __init__(self, **options):
        self.kept = {}

    async def create(self, name, password):
        self.kept[name] = {'id': name, 'name': name, 'totp': None, 'totp_step': 0, 'recovery': None, 'version': 0}
        return self.get_by_name(name)

    def get_by_name(self, name):
        return self.kept[name].copy()

    async def set_second_factor(self, user, totp, step, recovery):
        await asyncio.sleep(0)
        row = self.kept[user['id']]
        if (row['totp'] is None) is (totp is None):
            return False
        row.update({'totp': totp, 'totp_step': step, 'recovery': recovery, 'version': row['version'] + 1})
        return True

    async def use_totp_step(self, user, step):
        await asyncio.sleep(0)
        row = self.kept[user['id']]
        if row['totp'] != user['totp'] or step <= row['totp_step']:
            return False
        row['totp_step'] = step
        return True

    async def swap_recovery(self, user, before, after):
        await asyncio.sleep(0)
        row = self.kept[user['id']]
        if row['recovery'] != before:
            return False
        row['recovery'] = after
        return True


class WithoutSteps:
    """Users that have no place for the last step."""
    def __init__(self, users):
        self.set_second_factor = users.set_second_factor
        self.swap_recovery = users.swap_recovery


def fresh():
    for name in os.listdir('.'):
        os.remove(name)


def kinds(**options):
    fresh()
    return [('memory', MemoryUsers(**options)), ('file', FileUsers('users.json', **options)), ('own', OwnUsers())]


class Account:
    """An account with a second factor; ``user()`` is who a request would get."""

    @staticmethod
    async def build(users, **options):
        account = Account()
        account.users = users
        with Cheap():
            await users.create('anna', PASSWORD)
        account.second = SecondFactor(users, **options)
        await account.enrol()
        return account

    async def enrol(self):
        self.totp = self.second.begin(self.user())
        self.codes = await self.second.confirm(self.user(), self.totp.stored(), self.code())

    def user(self):
        return self.users.get_by_name('anna')

    def code(self, steps=0):
        return self.totp.code_at(totp.current_step() + steps)

    async def verify(self, code):
        return await self.second.verify(self.user(), code)

    async def verify_each(self, *codes):
        answers = []
        for code in codes:
            answers.append(await self.verify(code))
        return answers


async def error_of(awaitable):
    try:
        await awaitable
    except Exception as error:
        return error
    return None


# --- setting it up --------------------------------------------------------------------------------

async def test_a_user_has_it_once_a_code_has_shown_that_the_app_has_the_secret():
    for kind, users in kinds():
        with FakeClock(), Cheap():
            await users.create('anna', PASSWORD)
            second = SecondFactor(users, issuer='Greenhouse')
            anna = users.get_by_name('anna')
            app = second.begin(anna)
            uri = app.uri('anna', second.issuer)
            assert uri.startswith('otpauth://totp/Greenhouse:anna?secret=' + app.secret), kind
            assert await second.confirm(anna, app.stored(), '000000') is None, kind
            assert not second.is_on(users.get_by_name('anna')) and second.codes_left(anna) == 0, kind
            codes = await second.confirm(anna, app.stored(), app.code_at(totp.current_step()))
            anna = users.get_by_name('anna')
            assert len(set(codes)) == 10 and second.codes_left(anna) == 10 and second.is_on(anna), kind
            assert identity.has_second_factor(anna), kind


async def test_each_secret_is_another_one():
    with FakeClock():
        account = await Account.build(MemoryUsers())
        assert len({account.second.begin(account.user()).secret for _ in range(20)}) == 20


async def test_who_has_one_already_gets_no_other_before_it_is_taken_away():
    for kind, users in kinds():
        with FakeClock() as clock:
            account = await Account.build(users)
            clock.advance(60)
            app = account.second.begin(account.user())
            code = app.code_at(totp.current_step())
            assert await account.second.confirm(account.user(), app.stored(), code) is None, kind
            assert await account.verify(code) is None and await account.verify(account.code()) == 'totp', kind
            assert await account.second.remove(account.user()) is True, kind
            assert await account.second.remove(account.user()) is False, kind
            clock.advance(60)
            code = app.code_at(totp.current_step())
            assert await account.second.confirm(account.user(), app.stored(), code) is not None, kind


async def test_of_two_who_set_it_up_at_once_one_does_and_his_codes_hold():
    for kind, users in kinds():
        with FakeClock(), Cheap():
            await users.create('anna', PASSWORD)
            second = SecondFactor(users)
            apps = [second.begin(users.get_by_name('anna')) for _ in range(4)]
            answers = await asyncio.gather(*[
                second.confirm(users.get_by_name('anna'), app.stored(), app.code_at(totp.current_step()))
                for app in apps])
            won = [codes for codes in answers if codes is not None]
            assert len(won) == 1, kind
            assert await second.verify(users.get_by_name('anna'), won[0][3]) == 'recovery', kind


async def test_what_begin_has_not_made_is_an_error_that_does_not_show_it():
    with FakeClock():
        account = await Account.build(MemoryUsers())
        await account.second.remove(account.user())
        for stored in (None, 5, '', 'x', 'SHA1$6$x', 'SHA1$6$', 'MD5$6$' + 'A' * 32, {}, b'SHA1$6$' + b'A' * 32):
            error = await error_of(account.second.confirm(account.user(), stored, '123456'))
            assert isinstance(error, ValueError) and 'AAAA' not in str(error), stored
        assert not account.second.is_on(account.user())


async def test_users_without_a_place_for_it_are_refused_at_the_start():
    class NoPlace:
        pass

    try:
        SecondFactor(NoPlace())
        raise RuntimeError('taken')
    except AttributeError:
        pass


async def test_the_window_may_be_none():
    for window, answer in ((1, 'totp'), (0, None)):
        with FakeClock() as clock:
            account = await Account.build(MemoryUsers(), window=window)
            clock.advance(90)
            assert await account.verify(account.code(-1)) == answer
            assert await account.verify(account.code()) == 'totp'
    for window in (2, -1, True, None, '1'):
        try:
            SecondFactor(MemoryUsers(), window=window)
            raise RuntimeError('taken')
        except ValueError:
            pass


# --- O2: once -------------------------------------------------------------------------------------

async def test_O2_a_code_is_taken_once_and_no_older_one_after_it():
    for kind, users in kinds():
        with FakeClock() as clock:
            account = await Account.build(users)
            assert await account.verify(account.code()) is None, kind       # it has confirmed, and opens nothing
            clock.advance(60)
            before, code, ahead = account.code(-1), account.code(), account.code(1)
            assert await account.verify(code) == 'totp', kind
            assert await account.verify_each(code, before) == [None, None], kind
            assert await account.verify(ahead) == 'totp' and await account.verify(code) is None, kind


async def test_O2_of_many_parallel_submissions_one_wins():
    for kind, users in kinds():
        with FakeClock() as clock:
            account = await Account.build(users)
            for _ in range(5):
                clock.advance(60)
                code = account.code()
                answers = await asyncio.gather(*[account.verify(code) for _ in range(6)])
                assert answers.count('totp') == 1 and answers.count(None) == 5, (kind, answers)


async def test_O2_a_used_code_is_used_after_a_restart():
    with FakeClock() as clock:
        fresh()
        account = await Account.build(FileUsers('users.json'))
        code = account.code()
        for _ in range(2):                                                  # that which has confirmed it, and one more
            users = FileUsers('users.json')
            assert await SecondFactor(users).verify(users.get_by_name('anna'), code) is None
            clock.advance(60)
            code = account.code()
            assert await account.verify(code) == 'totp'
        users = FileUsers('users.json')
        assert await SecondFactor(users).verify(users.get_by_name('anna'), code) is None


async def test_O2_without_a_place_for_the_step_no_code_is_taken_twice_nor_after_a_restart():
    for kind, users in kinds():
        with FakeClock() as clock:
            with Cheap():
                await users.create('anna', PASSWORD)
            account = Account()
            account.users = users
            account.second = SecondFactor(WithoutSteps(users))
            clock.advance(120)
            await account.enrol()
            assert await account.verify(account.code()) is None, kind       # it has confirmed
            clock.advance(60)
            code = account.code()
            answers = await asyncio.gather(account.verify(code), account.verify(code))
            assert sorted(answers, key=str) == [None, 'totp'], kind
            again = SecondFactor(WithoutSteps(users))
            assert await again.verify(account.user(), code) is None, kind
            clock.advance(90)
            assert await again.verify(account.user(), account.code()) == 'totp', kind


async def test_O1_a_code_is_exactly_six_digits():
    with FakeClock() as clock:
        account = await Account.build(MemoryUsers())
        clock.advance(60)
        code = account.code()
        for wrong in (None, '', code[:5], code + '0', ' ' + code, code + '\n', code[:3] + ' ' + code[3:], int(code),
                      code.encode(), [code], '+' + code[1:], '\u0661' * 6, code * 3, code + '-' * 20):
            assert await account.verify(wrong) is None, wrong
        assert await account.verify(code) == 'totp'


async def test_O2_whoever_changes_the_account_meanwhile_is_heard():
    """Between the look at a code and the change that spends it."""
    async def removed(account):
        account.users.remove(account.user())

    async def disabled(account):
        account.users.disable(account.user())

    async def off(account):
        await account.second.remove(account.user())

    async def another(account):
        await account.second.remove(account.user())
        with FakeClock(START + 30):                     # as a phone that is late would have it
            app = account.second.begin(account.user())
            assert await account.second.confirm(account.user(), app.stored(), app.code_at(totp.current_step()))

    for meanwhile in (removed, disabled, off, another):
        for kind, users in kinds()[:2]:
            for index in (0, 1):
                with FakeClock() as clock:
                    account = await Account.build(users)
                    clock.advance(90)
                    anna, before = account.user(), account.user().recovery
                    real = account.second._swap if index else account.second._use

                    async def slow(*args, real=real, meanwhile=meanwhile, account=account):
                        second = account.second
                        second._use, second._swap = account.users.use_totp_step, account.users.swap_recovery
                        await meanwhile(account)
                        return real(*args)

                    account.second._swap = account.second._use = slow
                    given = account.codes[0] if index else account.code()
                    assert await account.second.verify(anna, given) is None, (kind, meanwhile, index)
                    assert anna.recovery != before or meanwhile in (removed, disabled), (kind, meanwhile)
                    if users.get_by_name('anna'):
                        users.remove(anna)


async def test_a_disabled_or_removed_account_spends_nothing():
    for kind, users in kinds()[:2]:
        with FakeClock() as clock:
            account = await Account.build(users)
            clock.advance(60)
            anna, kept = account.user(), account.user().recovery
            users.disable(anna)
            for given in (account.code(), account.codes[0]):
                assert await account.second.verify(anna, given) is None, kind
            assert isinstance(await error_of(account.second.new_recovery(anna)), ValueError), kind
            assert anna.recovery == kept, kind
            users.enable(anna)
            assert await account.second.verify(anna, account.code()) == 'totp', kind
            users.remove(anna)
            clock.advance(60)
            for given in (account.code(), account.codes[0]):
                assert await account.second.verify(anna, given) is None, kind
            assert await account.second.remove(anna) is False, kind


async def test_an_admin_can_take_it_away_from_an_account_that_is_disabled():
    for kind, users in kinds()[:2]:
        with FakeClock():
            account = await Account.build(users)
            users.disable(account.user())
            assert await account.second.remove(account.user()) is True, kind
            assert not account.second.is_on(account.user()), kind


async def test_who_has_none_has_no_code_that_is_right():
    for kind, users in kinds():
        with FakeClock(), Cheap():
            await users.create('anna', PASSWORD)
            second = SecondFactor(users)
            for code in ('123456', '000000', '0000-0000-0000-0000', '', None):
                assert await second.verify(users.get_by_name('anna'), code) is None, kind
            assert isinstance(await error_of(second.new_recovery(users.get_by_name('anna'))), ValueError), kind


# --- O3: no clock ---------------------------------------------------------------------------------

async def test_O3_while_the_clock_is_not_set_no_code_is_right_and_none_sets_it_up():
    for kind, users in kinds():
        for time, epoch in ((EPOCH_2000, EPOCH_2000), (0, 0), (UNSET, 0), (UNSET, EPOCH_2000)):
            with FakeClock() as clock:
                account = await Account.build(users)
                kept = held('users.json')
                clock.set(time)
                clock.epoch = epoch
                for code in ('123456', account.totp.code_at(time // 30), account.totp.code_at(START // 30 + 2)):
                    assert isinstance(await error_of(account.verify(code)), ClockNotSet), (kind, time)
                assert held('users.json') == kept, kind
                assert await account.second.remove(account.user()), kind
                pending = account.second.begin(account.user())
                for code in ('123456', pending.code_at(time // 30)):
                    error = await error_of(account.second.confirm(account.user(), pending.stored(), code))
                    assert isinstance(error, ClockNotSet), (kind, time)
                assert not account.second.is_on(account.user()), kind
            if kind == 'own':
                users.kept.clear()
            else:
                users.remove(account.user())


async def test_O3_a_recovery_code_needs_no_clock():
    for kind, users in kinds():
        with FakeClock() as clock:
            account = await Account.build(users)
            clock.set(UNSET)
            assert await account.verify(account.codes[0]) == 'recovery', kind
            assert await account.verify(account.codes[0]) is None, kind


async def test_O3_a_clock_behind_the_last_code_is_told_of():
    for kind, users in kinds():
        with FakeClock() as clock:
            account = await Account.build(users)
            clock.set(START - 86400)
            assert isinstance(await error_of(account.verify(account.code())), ClockNotSet), kind
            assert await account.verify(account.codes[0]) == 'recovery', kind


# --- O6: recovery codes ---------------------------------------------------------------------------

async def test_O6_each_recovery_code_lets_in_once():
    for kind, users in kinds():
        with FakeClock():
            account = await Account.build(users)
            for number in range(10):
                typed = account.codes[number].lower().replace('-', ' ')
                assert await account.verify(typed) == 'recovery', kind
                assert await account.verify(account.codes[number]) is None, kind
                assert account.second.codes_left(account.user()) == 9 - number, kind
            assert account.second.is_on(account.user()), kind


async def test_O6_of_many_parallel_submissions_of_one_recovery_code_one_wins():
    for kind, users in kinds():
        with FakeClock():
            account = await Account.build(users)
            for code in account.codes[:3]:
                answers = await asyncio.gather(*[account.verify(code) for _ in range(6)])
                assert answers.count('recovery') == 1 and answers.count(None) == 5, (kind, answers)
            assert account.second.codes_left(account.user()) == 7, kind


async def test_O6_two_recovery_codes_at_once_are_both_taken_and_both_spent():
    for kind, users in kinds()[:2]:
        with FakeClock():
            account = await Account.build(users)
            answers = await asyncio.gather(account.verify(account.codes[0]), account.verify(account.codes[1]))
            assert answers == ['recovery'] * 2, kind
            assert account.second.codes_left(account.user()) == 8, kind
            assert await account.verify_each(*account.codes[:3]) == [None, None, 'recovery'], kind


async def test_O6_a_spent_recovery_code_is_spent_after_a_restart():
    with FakeClock():
        fresh()
        account = await Account.build(FileUsers('users.json'))
        assert await account.verify(account.codes[0]) == 'recovery'
        account.users = users = FileUsers('users.json')
        account.second = SecondFactor(users)
        assert await account.verify_each(*account.codes[:2]) == [None, 'recovery']


async def test_O6_new_codes_end_the_old_ones():
    for kind, users in kinds():
        with FakeClock():
            account = await Account.build(users)
            await account.verify(account.codes[0])
            new = await account.second.new_recovery(account.user())
            assert len(set(new + account.codes)) == 20 and account.second.codes_left(account.user()) == 10, kind
            assert await account.verify_each(account.codes[1], new[0]) == [None, 'recovery'], kind


async def test_O6_the_file_holds_no_code():
    with FakeClock():
        fresh()
        account = await Account.build(FileUsers('users.json'))
        account.codes += await account.second.new_recovery(account.user())
        for name in ('users.json', 'users.json.copy'):
            written = held(name).decode().upper()
            for code in account.codes:
                assert code not in written and code.replace('-', '') not in written and code[:9] not in written
            assert account.code() not in written


async def test_a_damaged_list_of_codes_lets_nobody_in_and_leaves_the_app_alone():
    with FakeClock() as clock:
        account = await Account.build(MemoryUsers())
        account.user().recovery = None
        clock.advance(60)
        assert await account.verify(account.codes[0]) is None
        assert await account.verify(account.code()) == 'totp'


# --- S6: sessions ---------------------------------------------------------------------------------

async def test_S6_setting_it_up_and_taking_it_away_end_all_sessions():
    with Cheap(), FakeClock() as clock:
        house = await Household.build(('anna', 'bert'))
        second = SecondFactor(house.users)
        browsers = [await house.log_in('anna', remember='on'), await house.log_in('anna', remember='on')]
        bert = await house.log_in('bert')
        app = second.begin(house.user('anna'))
        assert await second.confirm(house.user('anna'), app.stored(), '000000') is None
        for browser in browsers:
            assert await house.who(browser) == 'anna fresh'
        assert await second.confirm(house.user('anna'), app.stored(), app.code_at(totp.current_step()))
        for browser in browsers:
            assert await house.who(browser) == 'None anonymous'
            browser.restart()                            # nor is it remembered
            assert await house.who(browser) == 'None anonymous'

        house.login.second = second
        browser = Client(house.app)
        await house.try_password(browser, 'anna')
        clock.advance(60)
        assert (await house.post(browser, '/login/code', {'code': app.code_at(totp.current_step())})).status_code == 302
        assert await house.who(browser) == 'anna fresh'
        await second.remove(house.user('anna'))
        assert await house.who(browser) == 'None anonymous'
        assert await house.who(bert) == 'bert fresh'


async def test_S6_what_changes_nothing_ends_nothing():
    with FakeClock() as clock:
        account = await Account.build(MemoryUsers())
        version = account.user().session_version
        clock.advance(60)
        app = account.second.begin(account.user())
        await account.second.confirm(account.user(), app.stored(), app.code_at(totp.current_step()))
        await account.verify(account.code())
        await account.verify(account.codes[0])
        await account.second.new_recovery(account.user())
        assert account.user().session_version == version
        await account.second.remove(account.user())
        await account.second.remove(account.user())
        assert account.user().session_version == version + 1


# --- events, and what nothing shows ---------------------------------------------------------------

async def everything(users, **options):
    """Do all there is to do, and return the account."""
    with FakeClock() as clock:
        account = await Account.build(users, **options)
        clock.advance(60)
        for given in ('000000', account.code(), account.code(), account.codes[0], account.codes[0], 'x' * 30):
            await account.verify(given)
        account.codes += await account.second.new_recovery(account.user())
        await account.second.remove(account.user())
        return account


async def test_every_change_is_told_of_once_whoever_is_asked_to_tell():
    for given in ('users', 'second', 'both'):
        log = Events()
        for kind, users in kinds(events=None if given == 'second' else log):
            if kind == 'own' and given == 'users':
                continue
            del log._entries[:]
            await everything(users, events=None if given == 'users' else log)
            told = [one for one in reversed(log.recent()) if one['event'] != 'user_created']
            assert [one['event'] for one in told] == ['second_factor_set', 'recovery_used', 'recovery_renewed',
                                                      'second_factor_removed'], (kind, given)
            assert [one.get('count') for one in told] == [None, 9, 10, None], (kind, given)
            anna = users.get_by_name('anna')
            for one in told:
                assert (one['user'], one['name']) == (identity.user_id(anna), 'anna'), (kind, given)


async def test_H3_no_secret_and_no_code_is_in_an_event_a_repr_or_an_error():
    log = Events()
    for kind, users in kinds(events=log):
        account = await everything(users, events=log)
        with FakeClock() as clock:
            await account.enrol()
            clock.set(UNSET)
            errors = [await error_of(account.verify('123456')),
                      await error_of(account.second.confirm(account.user(), account.totp.stored()[:-1], '123456'))]
        assert None not in errors
        texts = repr(log.recent()) + repr(account.second) + repr(account.totp) + repr(users)
        if kind != 'own':
            texts += repr(account.user()) + str(account.user())
        for error in errors:
            texts += repr(error) + str(error)
        for secret in [account.totp.secret, account.totp.secret[:-1], 'SHA1$'] + account.codes:
            assert secret not in texts, kind


# --- users that answer oddly ----------------------------------------------------------------------

async def test_a_provider_says_true_or_false():
    for answer in (None, 1, 'yes', 0, ()):
        with FakeClock() as clock:
            account = await Account.build(MemoryUsers())
            clock.advance(60)

            async def odd(*args, answer=answer):
                return answer

            account.second._use = account.second._swap = account.second._set = odd
            for awaitable in (account.verify(account.code()), account.verify(account.codes[0]),
                              account.second.new_recovery(account.user()), account.second.remove(account.user())):
                assert isinstance(await error_of(awaitable), TypeError), answer


async def test_who_is_always_too_late_is_let_in_by_no_recovery_code_and_it_comes_to_an_end():
    calls = []

    async def late(*args):
        calls.append(args)
        return False

    with FakeClock():
        account = await Account.build(MemoryUsers())
        account.second._swap = late
        assert await account.verify(account.codes[0]) is None
        assert isinstance(await error_of(account.second.new_recovery(account.user())), ValueError)
        assert 2 <= len(calls) <= 10


# --- H4: the disk ---------------------------------------------------------------------------------

def state(users):
    anna = users.get_by_name('anna')
    return [anna.totp, anna.totp_step, anna.recovery, anna.session_version]


# Each prepares an account for something that writes, and returns that.

async def enrol(account):
    await account.second.remove(account.user())
    app = account.second.begin(account.user())
    return lambda: account.second.confirm(account.user(), app.stored(), app.code_at(totp.current_step()))


async def use(account):
    return lambda: account.verify(account.code())


async def spend(account):
    return lambda: account.verify(account.codes[0])


async def renew(account):
    return lambda: account.second.new_recovery(account.user())


async def take_away(account):
    return lambda: account.second.remove(account.user())


# What of state() each of them changes.
ACTIONS = ((enrol, [0, 1, 2, 3]), (use, [1]), (spend, [2]), (renew, [2]), (take_away, [0, 1, 2, 3]))


def changed(before, after):
    return [i for i in range(4) if before[i] != after[i]]


async def prepared(prepare):
    """An account in a file, what is to be done with it, and the files as they are before."""
    fresh()
    account = await Account.build(FileUsers('users.json'))
    action = await prepare(account)
    return account, action, {name: held(name) for name in os.listdir('.')}


def restore(account, kept):
    fresh()
    for name in kept:
        put(name, kept[name])
    account.users = FileUsers('users.json')
    account.second = SecondFactor(account.users)


async def test_H4_a_failing_disk_leaves_program_and_file_agreed_and_lets_nobody_in():
    for prepare, changes in ACTIONS:
        with FakeClock() as clock:
            account, action, kept = await prepared(prepare)
            before = state(account.users)
            clock.advance(60)
            for fat in (False, True):
                for step in range(1, 25):
                    restore(account, kept)
                    with Disk(fail_at=step, dead=False, fat=fat) as disk:
                        failed = await error_of(action())
                    after = state(FileUsers('users.json'))
                    assert state(account.users) == after, (prepare, fat, step)
                    assert changed(before, after) == ([] if failed else changes), (prepare, fat, step, failed)
                    assert failed is None or isinstance(failed, OSError), (prepare, failed)
                    if failed is not None:
                        assert await action(), (prepare, fat, step)        # and the next time it works
                    if disk.steps < step:
                        break
                assert disk.steps < step, 'more steps than were tried'


async def test_H4_a_power_cut_at_any_step_leaves_the_account_as_it_was_or_as_it_is_to_be():
    seen = set()
    for prepare, changes in ACTIONS:
        with FakeClock() as clock:
            account, action, kept = await prepared(prepare)
            before = state(account.users)
            clock.advance(60)
            for fat in (False, True):
                for step in range(1, 12):
                    restore(account, kept)
                    with Disk(fail_at=step, fat=fat):
                        failed = await error_of(action())
                    after = changed(before, state(FileUsers('users.json')))
                    assert after in ([], changes), (prepare, fat, step, after)
                    assert failed or after, (prepare, fat, step)           # who was let in has spent a code
                    seen.add((failed is None, after == []))
    assert (False, True) in seen and (True, False) in seen, seen


async def test_H4_wrong_codes_write_nothing():
    with FakeClock() as clock:
        fresh()
        account = await Account.build(FileUsers('users.json'))
        clock.advance(60)
        used = account.code()
        await account.verify(used)
        with Disk() as disk:
            for given in ('000000', used, '0000-0000-0000-0000', 'x', None, account.codes[0] + '0'):
                assert await account.verify(given) is None, given
            assert await account.second.confirm(account.user(), account.totp.stored(), '000000') is None
        assert disk.steps == 0


async def test_the_file_has_the_fields_of_a_second_factor_only_where_there_is_one():
    def names():
        return {user['name']: sorted(user) for user in loads(held('users.json'))['users']}

    with FakeClock(), Cheap():
        fresh()
        users = FileUsers('users.json')
        await users.create('bert', PASSWORD)
        without = names()['bert']
        account = await Account.build(users)
        assert names() == {'bert': without, 'anna': sorted(without + ['recovery', 'totp', 'totp_step'])}
        await account.second.remove(account.user())
        assert names() == {'bert': without, 'anna': without}
