"""Users in memory and in a file: found by name and id, kept whole, and nothing is lost when a disk fails."""
import asyncio
import os
from binascii import hexlify
from hashlib import sha256

from cheap import Cheap
from disk import Disk, held, put

from dotlatch import passwords
from dotlatch.digest import DigestAuth
from dotlatch.passwords import needs_rehash
from dotlatch.users import FileUsers, MemoryUsers, User

PASSWORD = 'correct horse battery staple'
ANOTHER = 'another horse battery staple'
FACTOR = 'SHA1$6$' + 'A' * 32


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


def fresh():
    for name in os.listdir('.'):
        os.remove(name)


def both():
    """The two kinds of users, both empty; the file's in a folder of its own."""
    fresh()
    return [('memory', MemoryUsers()), ('file', FileUsers('users.json'))]


async def error_of(awaitable):
    try:
        await awaitable
    except Exception as error:
        return error
    return None


def error_of_call(f, *args):
    try:
        f(*args)
    except Exception as error:
        return error
    return None


class Told:
    """Stands in for Events: what users have told of."""
    def __init__(self):
        self.events = []

    def emit(self, event, **fields):
        self.events.append((event, fields))


async def test_a_user_is_found_by_name_and_id():
    with Cheap():
        for kind, users in both():
            anna = await users.create('Anna', PASSWORD, ['admin'])
            await users.create('Bert', PASSWORD)
            assert users.get_by_id(anna.id) is anna and users.get_by_name('Anna') is anna, kind
            assert anna.scopes == ['admin'] and anna.is_active and anna.name == 'Anna', kind
            assert len(users) == 2, kind


async def test_what_is_no_name_or_id_finds_nobody():
    with Cheap():
        for kind, users in both():
            await users.create('anna', PASSWORD)
            for odd in ('', 'ann', 'anna ', ' anna', 'anna\0', None, 0, 5, True, b'anna', ['anna'], {}, (), object(),
                        '\ud800', 1.5, 'x' * 10000):
                assert users.get_by_name(odd) is None, (kind, odd)
                assert users.get_by_id(odd) is None, (kind, odd)
            assert users.get_by_id('anna') is None, kind


async def test_names_differ_by_more_than_the_case_of_ascii_letters():
    with Cheap():
        for kind, users in both():
            anna = await users.create('Anna', PASSWORD)
            assert users.get_by_name('ANNA') is anna and users.get_by_name('anna') is anna, kind
            assert isinstance(await error_of(users.create('aNNA', PASSWORD)), ValueError), kind
            umlaut = await users.create('\xc4nna', PASSWORD)
            assert users.get_by_name('\xc4NNA') is umlaut and users.get_by_name('\xe4nna') is None, kind
            assert users.get_by_name('\u0391nna') is None, kind
            kelvin = await users.create('\u212aarl', PASSWORD)
            assert users.get_by_name('karl') is None and users.get_by_name('\u212aARL') is kelvin, kind


async def test_names_that_nobody_should_have_are_refused():
    for kind, users in both():
        for name in ('', ' ', 'a ', ' a', '\n', 'a\nb', 'a\0', '\x7f', 'a\x1bb', 'x' * 65, None, 5, b'anna', ['a'],
                     'a\x85b', 'a\u2028b', 'a\u202eb', 'a\u2066b', 'a\ud800'):
            assert isinstance(await error_of(users.create(name, PASSWORD)), ValueError), (kind, name)
        assert len(users) == 0 and os.listdir('.') == [], kind


async def test_names_that_people_have_are_taken():
    with Cheap():
        for kind, users in both():
            for name in ('a', 'x' * 64, "O'Neill", 'anna@example.com', '\u7530\u4e2d', 'a b', '\U0001f511', '<b>', '"',
                         '\\', '{}', ':,'):
                user = await users.create(name, PASSWORD)
                assert users.get_by_name(name) is user, (kind, name)


async def test_the_password_opens_the_account_and_nothing_else_does():
    with Cheap():
        for kind, users in both():
            anna = await users.create('anna', PASSWORD)
            assert await users.authenticate('anna', PASSWORD) is anna, kind
            assert await users.authenticate('ANNA', PASSWORD) is anna, kind
            for name, password in (('anna', ''), ('anna', PASSWORD + ' '), ('anna', PASSWORD.upper()),
                                   ('anna', anna.password_hash), ('bert', PASSWORD), ('', PASSWORD), ('', ''),
                                   (None, None), ('anna', None), (None, PASSWORD), (5, 5), ('anna', b'x'),
                                   (b'anna', PASSWORD), (['anna'], [PASSWORD])):
                assert await users.authenticate(name, password) is None, (kind, name, password)


async def test_B5_every_refusal_costs_one_hash():
    with Cheap():
        for kind, users in both():
            await users.create('anna', PASSWORD)
            (await users.create('gone', PASSWORD)).is_active = False
            for name in ('anna', 'gone', 'nobody', '', 'x' * 5000, '\0'):
                with Counted() as counted:
                    assert await users.authenticate(name, 'wrong') is None
                assert counted.count == 1, (kind, name[:10], counted.count)


async def test_a_disabled_account_and_one_without_a_password_stay_closed():
    with Cheap():
        for kind, users in both():
            anna = await users.create('anna', PASSWORD)
            anna.is_active = False
            assert await users.authenticate('anna', PASSWORD) is None, kind
            anna.is_active = True
            for nothing in (None, '', '!', '*', PASSWORD):
                anna.password_hash = nothing
                for password in (PASSWORD, '', '!', '*', 'None'):
                    assert await users.authenticate('anna', password) is None, (kind, nothing, password)


async def test_a_new_password_takes_the_place_of_the_old_one():
    with Cheap():
        for kind, users in both():
            anna = await users.create('anna', PASSWORD)
            assert await users.authenticate('anna', PASSWORD) is anna, kind
            await users.set_password(anna, ANOTHER)
            assert await users.authenticate('anna', PASSWORD) is None, kind
            assert await users.authenticate('anna', ANOTHER) is anna, kind


async def test_S6_a_login_that_is_under_way_when_the_account_changes_is_refused():
    async def change(users, anna):
        await users.set_password(anna, ANOTHER)

    async def disable(users, anna):
        anna.is_active = False

    async def remove(users, anna):
        users.remove(anna)

    real = passwords.verify_password
    with Cheap():
        for event in (change, disable, remove):
            for kind, users in both():
                anna = await users.create('anna', PASSWORD)

                async def meanwhile(password, hashed, event=event, users=users, anna=anna):
                    right = await real(password, hashed)
                    await event(users, anna)
                    return right

                passwords.verify_password = meanwhile
                try:
                    got = await users.authenticate('anna', PASSWORD)
                finally:
                    passwords.verify_password = real
                assert got is None, (kind, event)


async def test_a_user_who_is_gone_gets_no_password():
    with Cheap():
        for kind, users in both():
            anna = await users.create('anna', PASSWORD)
            users.remove(anna)
            assert await error_of(users.set_password(anna, ANOTHER)) is not None, kind
            assert users.get_by_name('anna') is None, kind


async def test_S6_ending_sessions_counts_a_version_up_and_keeps_the_password():
    with Cheap():
        for kind, users in both():
            anna = await users.create('anna', PASSWORD)
            before, hashed = anna.session_version, anna.password_hash
            users.end_sessions(anna)
            users.end_sessions(anna)
            assert anna.session_version == before + 2 and anna.password_hash == hashed, kind


async def test_a_removed_user_is_gone_and_the_name_is_free_with_another_id():
    with Cheap():
        for kind, users in both():
            anna = await users.create('anna', PASSWORD)
            users.remove(anna)
            assert users.get_by_id(anna.id) is None and users.get_by_name('anna') is None and len(users) == 0, kind
            assert await users.authenticate('anna', PASSWORD) is None, kind
            again = await users.create('anna', PASSWORD)
            assert not again.id == anna.id, kind


async def test_a_name_is_given_once_even_when_two_ask_at_the_same_moment():
    with Cheap(50):
        for kind, users in both():
            results = await asyncio.gather(*[error_of(users.create(name, PASSWORD)) for name in ('anna', 'ANNA', 'anna',
                                                                                                 'bert')])
            assert len([error for error in results if error is None]) == 2, (kind, results)
            assert len(users) == 2, kind


async def test_the_number_of_users_has_a_bound():
    fresh()
    with Cheap():
        for users in (MemoryUsers(max_users=2), FileUsers('users.json', max_users=2)):
            await users.create('a', PASSWORD)
            await users.create('b', PASSWORD)
            assert isinstance(await error_of(users.create('c', PASSWORD)), ValueError)
            assert len(users) == 2 and users.get_by_name('c') is None


async def test_P3_a_hash_below_todays_cost_is_made_anew_when_the_password_is_at_hand():
    for kind, users in both():
        with Cheap(2):
            anna = await users.create('anna', PASSWORD)
            old = anna.password_hash
        with Cheap(30):
            assert await users.authenticate('anna', 'wrong') is None and anna.password_hash == old, kind
            assert await users.authenticate('anna', PASSWORD) is anna, kind
            assert not anna.password_hash == old and not needs_rehash(anna.password_hash), kind
            new = anna.password_hash
            assert await users.authenticate('anna', PASSWORD) is anna and anna.password_hash == new, kind
            if kind == 'file':
                assert FileUsers('users.json').get_by_name('anna').password_hash == new


async def test_P3_who_cannot_keep_a_better_hash_is_let_in_all_the_same():
    fresh()
    with Cheap(2):
        users = FileUsers('users.json')
        anna = await users.create('anna', PASSWORD)
    before = held('users.json')
    with Cheap(30):
        with Disk(fail_at=1):  # the flash is full, or read-only
            assert await users.authenticate('anna', PASSWORD) is anna
    assert held('users.json') == before
    assert FileUsers('users.json').get_by_name('anna').password_hash == anna.password_hash


async def test_P3_two_logins_at_once_write_a_better_hash_once_and_both_are_let_in():
    for kind, users in both():
        with Cheap(2):
            anna = await users.create('anna', PASSWORD)
        written = []
        changed = users._changed

        def counted(written=written, changed=changed):
            written.append(1)
            changed()

        users._changed = counted
        with Cheap(30):
            got = await asyncio.gather(*[users.authenticate('anna', PASSWORD) for _ in range(4)],
                                       users.authenticate('anna', ANOTHER))
            assert got == [anna] * 4 + [None], (kind, got)
            assert len(written) == 1 and not needs_rehash(anna.password_hash), (kind, written)


async def test_S6_a_password_set_while_the_better_hash_is_made_is_the_one_that_counts():
    real = passwords.hash_password
    for kind, users in both():
        with Cheap(2):
            anna = await users.create('anna', PASSWORD)

        async def meanwhile(password, users=users, anna=anna):
            passwords.hash_password = real
            stronger = await real(password)
            await users.set_password(anna, ANOTHER)
            return stronger

        with Cheap(30):
            passwords.hash_password = meanwhile
            try:
                got = await users.authenticate('anna', PASSWORD)
            finally:
                passwords.hash_password = real
            assert got is None, kind
            assert await users.authenticate('anna', PASSWORD) is None, kind
            assert await users.authenticate('anna', ANOTHER) is anna, kind


# --- who judges passwords, and who may change them --------------------------------------------------

def refuses(password, context):
    if len(password) < 15 or password in context:
        raise ValueError('too short, or a name')


async def refuses_later(password, context):
    await asyncio.sleep(0)
    refuses(password, context)


async def test_P1_a_password_is_judged_wherever_one_is_set():
    fresh()
    with Cheap():
        for check in (refuses, refuses_later):
            fresh()
            for users in (MemoryUsers(check_password=check), FileUsers('users.json', check_password=check)):
                for name, password in (('anna', 'short'), ('anna anna anna anna', 'anna anna anna anna')):
                    error = await error_of(users.create(name, password))
                    assert isinstance(error, ValueError) and 'too short' in str(error)
                assert len(users) == 0 and os.listdir('.') == []
                anna = await users.create('anna', PASSWORD)
                before = anna.password_hash
                assert isinstance(await error_of(users.set_password(anna, 'short')), ValueError)
                assert isinstance(await error_of(users.change_password(anna, PASSWORD, 'short')), ValueError)
                assert anna.password_hash == before
                await users.set_password(anna, ANOTHER)
                assert await users.authenticate('anna', ANOTHER) is anna


async def test_P2_the_judge_gets_the_password_and_the_words_that_it_should_not_be_made_of():
    seen = []
    with Cheap():
        users = MemoryUsers(check_password=lambda password, context: seen.append((password, context)))
        anna = await users.create('Anna', 'anything')
        await users.set_password(anna, ' \0\U0001f511x')
        users.rename(anna, 'Annette')
        assert await users.change_password(anna, ' \0\U0001f511x', 'more')
        assert await users.authenticate('annette', 'more') is anna
    assert seen == [('anything', ('Anna',)), (' \0\U0001f511x', ('Anna',)), ('more', ('Annette',))], seen


async def test_P1_a_judge_that_says_no_instead_of_raising_is_heard():
    with Cheap():
        users = MemoryUsers(check_password=lambda password, context: len(password) >= 15)
        assert isinstance(await error_of(users.create('anna', 'short')), ValueError) and len(users) == 0
        assert await users.create('anna', PASSWORD) is not None


async def test_P1_without_a_judge_any_password_is_taken():
    with Cheap():
        for kind, users in both():
            await users.create('anna', 'x')
            assert await users.authenticate('anna', 'x') is not None, kind


async def test_P6_a_password_is_changed_by_who_knows_the_current_one():
    with Cheap():
        for kind, users in both():
            anna = await users.create('anna', PASSWORD)
            before = anna.password_hash
            for wrong in ('', 'wrong', PASSWORD + ' ', PASSWORD.upper(), before, None, 5, b'x'):
                assert await users.change_password(anna, wrong, ANOTHER) is False, (kind, wrong)
            assert anna.password_hash == before, kind
            assert await users.change_password(anna, PASSWORD, ANOTHER) is True, kind
            assert not anna.password_hash == before, kind  # what every session of anna's is bound to
            assert await users.authenticate('anna', ANOTHER) is anna, kind
            assert await users.authenticate('anna', PASSWORD) is None, kind


async def test_P6_a_disabled_removed_or_locked_account_changes_no_password():
    with Cheap():
        for kind, users in both():
            anna = await users.create('anna', PASSWORD)
            users.disable(anna)
            before = anna.password_hash
            assert await users.change_password(anna, PASSWORD, ANOTHER) is False, kind
            assert anna.password_hash == before, kind
            users.enable(anna)
            anna.password_hash = None
            assert await users.change_password(anna, PASSWORD, ANOTHER) is False, kind
            anna.password_hash = before
            users.remove(anna)
            assert await users.change_password(anna, PASSWORD, ANOTHER) is False and len(users) == 0, kind


async def test_P6_of_two_changes_at_once_one_holds():
    with Cheap():
        for kind, users in both():
            anna = await users.create('anna', PASSWORD)
            new = ['new password number %d' % number for number in range(4)]
            done = await asyncio.gather(*[users.change_password(anna, PASSWORD, password) for password in new])
            assert done.count(True) == 1, (kind, done)
            assert await users.authenticate('anna', new[done.index(True)]) is anna, kind


# --- changes ------------------------------------------------------------------------------------------

async def test_a_renamed_user_is_found_under_the_new_name_alone():
    with Cheap():
        for kind, users in both():
            anna = await users.create('anna', PASSWORD)
            bert = await users.create('bert', PASSWORD)
            before = anna.id, anna.password_hash, anna.session_version
            users.rename(anna, 'Annette')
            assert users.get_by_name('anna') is None and users.get_by_name('annette') is anna, kind
            assert (anna.id, anna.password_hash, anna.session_version) == before and anna.name == 'Annette', kind
            for name in ('bert', 'BERT', '', ' x', 'a\nb', None, 5):
                assert isinstance(error_of_call(users.rename, anna, name), ValueError), (kind, name)
            assert anna.name == 'Annette' and users.get_by_name('bert') is bert, kind
            users.rename(anna, 'ANNETTE')  # its own name, in other letters
            assert anna.name == 'ANNETTE' and users.get_by_name('annette') is anna and len(users) == 2, kind
            users.rename(bert, 'anna')
            assert users.get_by_name('anna') is bert and users.get_by_name('bert') is None, kind


async def test_S6_a_disabled_account_is_shut_and_its_sessions_do_not_come_back():
    with Cheap():
        for kind, users in both():
            anna = await users.create('anna', PASSWORD)
            version = anna.session_version
            users.disable(anna)
            assert anna.is_active is False and await users.authenticate('anna', PASSWORD) is None, kind
            users.enable(anna)
            assert await users.authenticate('anna', PASSWORD) is anna and anna.session_version > version, kind


async def test_scopes_are_a_list_of_strings():
    with Cheap():
        for kind, users in both():
            anna = await users.create('anna', PASSWORD, ('read',))
            users.set_scopes(anna, iter(['read', 'write']))
            assert anna.scopes == ['read', 'write'], kind
            for odd in ('admin', b'admin', 5, None, [5], [None], [''], [b'x'], [['x']]):
                assert error_of_call(users.set_scopes, anna, odd) is not None, (kind, odd)
                assert await error_of(users.create('bert', PASSWORD, odd)) is not None, (kind, odd)
            assert anna.scopes == ['read', 'write'] and len(users) == 1, kind


async def test_a_change_of_who_is_gone_is_an_error():
    with Cheap():
        for kind, users in both():
            anna = await users.create('anna', PASSWORD)
            users.remove(anna)
            for change in ((users.rename, anna, 'x'), (users.set_scopes, anna, ['x']), (users.disable, anna),
                           (users.enable, anna), (users.end_sessions, anna)):
                assert isinstance(error_of_call(*change), ValueError), (kind, change)
            assert error_of_call(users.remove, anna) is not None and len(users) == 0, kind


async def test_O2_a_step_is_kept_once_and_none_that_is_older():
    with Cheap():
        for kind, users in both():
            anna = await users.create('anna', PASSWORD)
            assert users.use_totp_step(anna, 7) is False, kind             # without a second factor
            users.set_second_factor(anna, FACTOR, 5, 'salt$one$two')
            assert [users.use_totp_step(anna, step) for step in (5, 4, 6, 6, 9, 8)] == [
                False, False, True, False, True, False], kind
            assert anna.totp_step == 9, kind


async def test_O6_recovery_codes_are_swapped_for_those_that_are_kept_and_no_others():
    with Cheap():
        for kind, users in both():
            anna = await users.create('anna', PASSWORD)
            users.set_second_factor(anna, FACTOR, 5, 'salt$one$two')
            for before in ('salt$one', 'salt$two$one', '', None):
                assert users.swap_recovery(anna, before, 'salt$mine') is False, (kind, before)
            assert users.swap_recovery(anna, 'salt$one$two', 'salt$two') is True, kind
            assert users.swap_recovery(anna, 'salt$one$two', 'salt$one') is False, kind
            assert anna.recovery == 'salt$two', kind


async def test_S6_a_second_factor_is_set_and_taken_away_once_and_each_ends_the_sessions():
    with Cheap():
        for kind, users in both():
            users.events = told = Told()
            anna = await users.create('anna', PASSWORD)
            assert users.set_second_factor(anna, None) is False, kind
            assert users.set_second_factor(anna, FACTOR, 5, 'salt$one') is True, kind
            assert users.set_second_factor(anna, FACTOR[:-1] + 'B', 9, 'salt$two') is False, kind
            assert (anna.totp, anna.totp_step, anna.recovery, anna.session_version) == (FACTOR, 5, 'salt$one', 1), kind
            assert users.set_second_factor(anna, None) is True, kind
            assert (anna.totp, anna.totp_step, anna.recovery, anna.session_version) == (None, 0, None, 2), kind
            assert [event for event, _ in told.events] == ['user_created', 'second_factor_set',
                                                           'second_factor_removed'], kind
            for _, fields in told.events:
                assert fields == {'user': anna.id, 'name': 'anna'}, kind
            users.remove(anna)
            assert users.set_second_factor(anna, FACTOR, 5) is False, kind
            assert users.use_totp_step(anna, 9) is False, kind


async def test_what_no_file_gives_back_is_no_second_factor():
    with Cheap():
        for kind, users in both():
            anna = await users.create('anna', PASSWORD)
            for row in (('', 5, None), (5, 5, None), (True, 5, None), ('SHA1', 5, None), (FACTOR, '5', None),
                        (FACTOR, -1, None), (FACTOR, True, None), (FACTOR, 5.0, None), (FACTOR, None, None),
                        (FACTOR, 5, ['salt']), (FACTOR, 5, b'salt$one'), (FACTOR.encode(), 5, None)):
                assert isinstance(error_of_call(users.set_second_factor, anna, *row), ValueError), (kind, row)
            users.set_second_factor(anna, FACTOR, 5, 'salt$one')
            for step in ('6', 6.0, None, True):
                assert isinstance(error_of_call(users.use_totp_step, anna, step), ValueError), (kind, step)
            assert isinstance(error_of_call(users.swap_recovery, anna, 'salt$one', 5), ValueError), kind
            assert (anna.totp, anna.totp_step, anna.recovery) == (FACTOR, 5, 'salt$one'), kind
        FileUsers('users.json')


async def test_users_are_listed_by_name():
    with Cheap():
        for kind, users in both():
            for name in ('carl', 'Anna', 'bert'):
                await users.create(name, PASSWORD)
            assert [user.name for user in users] == ['Anna', 'bert', 'carl'], kind
            for user in users:  # and they may go meanwhile
                users.remove(user)
            assert list(users) == [], kind


async def test_H4_many_changes_at_once_lose_none():
    with Cheap(5):
        for kind, users in both():
            anna = await users.create('anna', PASSWORD)
            bert = await users.create('bert', PASSWORD)
            gone = await users.create('gone', PASSWORD)

            async def rest(users=users, anna=anna, bert=bert, gone=gone):
                for step in (lambda: users.rename(bert, 'Bertram'), lambda: users.set_scopes(anna, ['admin']),
                             lambda: users.remove(gone), lambda: users.end_sessions(anna)):
                    await asyncio.sleep(0)
                    step()

            await asyncio.gather(users.set_password(anna, ANOTHER), rest(),
                                 *[users.create('user %d' % number, PASSWORD) for number in range(6)])
            for table in [users] + ([FileUsers('users.json')] if kind == 'file' else []):
                names = [user.name for user in table]
                assert names == ['anna', 'Bertram'] + ['user %d' % number for number in range(6)], (kind, names)
                same = table.get_by_id(anna.id)
                assert same.scopes == ['admin'] and same.session_version == 1, kind
                assert await table.authenticate('anna', ANOTHER) is same, kind


async def test_changes_are_told_of_once_they_hold():
    with Cheap():
        for kind, users in both():
            users.events = told = Told()
            anna = await users.create('anna', PASSWORD)
            await users.set_password(anna, ANOTHER)
            await users.change_password(anna, 'wrong', PASSWORD)
            await users.change_password(anna, ANOTHER, PASSWORD)
            users.set_scopes(anna, ['x'])
            users.rename(anna, 'Annette')
            users.end_sessions(anna)
            users.disable(anna)
            users.enable(anna)
            await error_of(users.create('annette', PASSWORD))
            users.remove(anna)
            assert [event for event, _ in told.events] == [
                'user_created', 'password_changed', 'password_changed', 'scopes_changed', 'user_renamed',
                'sessions_ended', 'user_disabled', 'user_enabled', 'user_removed'], (kind, told.events)
            assert [fields['name'] for _, fields in told.events] == ['anna'] * 4 + ['Annette'] * 5, kind
            for _, fields in told.events:
                assert fields == {'user': anna.id, 'name': fields['name']}, fields


async def test_what_could_not_be_kept_is_not_told_of():
    fresh()
    with Cheap():
        users = FileUsers('users.json')
        anna = await users.create('anna', PASSWORD)
        users.events = told = Told()
        with Disk(fail_at=1):
            for action in (users.create('bert', PASSWORD), users.set_password(anna, ANOTHER)):
                assert isinstance(await error_of(action), OSError)
            for change in (lambda: users.rename(anna, 'x'), lambda: users.disable(anna), lambda: users.remove(anna)):
                assert isinstance(error_of_call(change), OSError)
        assert told.events == [] and users.get_by_name('x') is None and users.get_by_name('anna') is anna
        assert anna.is_active and anna.session_version == 0


async def test_who_is_told_may_ask_for_users():
    for kind, users in both():
        seen = []

        class Curious:
            def emit(self, event, user=None, name=None, users=users, seen=seen):
                seen.append((event, users.get_by_id(user) is not None))
                if event == 'user_created':
                    users.set_scopes(users.get_by_id(user), ['told'])

        users.events = Curious()
        with Cheap():
            users.remove(await users.create('anna', PASSWORD))
        assert seen == [('user_created', True), ('scopes_changed', True), ('user_removed', False)], (kind, seen)


def test_ids_are_random_and_long():
    ids = set()
    for _ in range(30):
        with Cheap():
            ids.add(asyncio.run(MemoryUsers().create('anna', PASSWORD)).id)
    assert len(ids) == 30
    for id in ids:
        assert isinstance(id, str) and len(id) >= 12


# --- the file ---------------------------------------------------------------------------------------

async def test_users_are_there_again_after_a_restart():
    fresh()
    with Cheap():
        users = FileUsers('users.json')
        anna = await users.create('Anna \xe9\U0001f511', PASSWORD, ['admin', '\xe9'])
        bert = await users.create('bert', PASSWORD)
        users.end_sessions(bert)
        again = FileUsers('users.json')
        for user in (anna, bert):
            same = again.get_by_id(user.id)
            assert (same.id, same.name, same.password_hash, same.scopes, same.is_active, same.session_version) == (
                user.id, user.name, user.password_hash, user.scopes, user.is_active, user.session_version)
        assert (await again.authenticate('anna \xe9\U0001f511', PASSWORD)).id == anna.id
        again.remove(again.get_by_id(bert.id))
        assert FileUsers('users.json').get_by_name('bert') is None


def test_no_file_is_made_before_there_is_a_user():
    fresh()
    users = FileUsers('users.json')
    assert len(users) == 0 and users.get_by_name('anna') is None and os.listdir('.') == []


async def test_H3_the_file_holds_no_password():
    fresh()
    with Cheap():
        users = FileUsers('users.json')
        anna = await users.create('anna', PASSWORD)
        await users.set_password(anna, ANOTHER)
        assert PASSWORD.encode() not in held('users.json') and ANOTHER.encode() not in held('users.json')
        assert b'pbkdf2_sha256$' in held('users.json')


CORRUPT = [b'', b' ', b'{', b'[]', b'{}', b'null', b'5', b'"users"', b'users', b'\xff\xfe', b'\0' * 100, b'{"users":5}',
           b'{"users":null}', b'{"users":"x"}', b'{"users":{}x}', b'{"users":[5]}', b'{"users":[null]}',
           b'{"users":["anna"]}', b'{"users":[[]]}', b'{"users":[{}]}',
           b'{"users":[{"id":"1"}]}', b'{"users":[{"id":"1","name":"a"}]}', b'{"users":[],"users":[]}',
           b'{"format":1,"users":[],}', b"{'users':[]}", b'{"users":[]', b'{"users":[]}}', b'{"users":[{]}']
FIELDS = '{"format":1,"users":[{"id":%s,"name":%s,"password_hash":%s,"scopes":%s,"is_active":%s,"session_version":%s}]}'
WRONG_TYPES = [('{}', '"a"', 'null', '[]', 'true', '0'), ('[]', '"a"', 'null', '[]', 'true', '0'),
               ('null', '"a"', 'null', '[]', 'true', '0'), ('"1"', '5', 'null', '[]', 'true', '0'),
               ('"1"', 'null', 'null', '[]', 'true', '0'), ('"1"', '["a"]', 'null', '[]', 'true', '0'),
               ('"1"', '{}', 'null', '[]', 'true', '0'),
               ('"1"', '"a"', 'null', '5', 'true', '0'), ('"1"', '"a"', 'null', 'null', 'true', '0')]


WHOLE = (FIELDS % ('"1"', '"a"', 'null', '["x"]', 'true', '0')).encode()  # as the first version wrote it


def corrupt_rows():
    rows = CORRUPT + [(FIELDS % row).encode() for row in WRONG_TYPES]
    return rows + [WHOLE[:size] for size in range(1, len(WHOLE), 7)]


def test_S11_a_corrupt_file_is_a_value_error_and_is_left_as_it_is():
    fresh()
    wrong = []
    for row in corrupt_rows():
        put('users.json', row)
        try:
            wrong.append((row, len(FileUsers('users.json'))))
        except ValueError as error:
            if 'users.json' not in str(error):
                wrong.append((row, str(error)))
        except Exception as error:
            wrong.append((row, repr(error)))
        assert held('users.json') == row and os.listdir('.') == ['users.json'], row
    assert wrong == [], wrong


def test_S11_a_file_and_a_copy_that_are_both_corrupt_are_no_empty_table():
    fresh()
    rows = corrupt_rows()
    for i in range(len(rows)):
        for name, row in (('users.json', rows[i]), ('users.json.copy', rows[i - 1])):
            put(name, row)
        error = error_of_call(FileUsers, 'users.json')
        assert isinstance(error, ValueError), rows[i]
        assert str(error).startswith('neither users.json nor users.json.copy is a file of users'), error
        assert held('users.json') == rows[i] and held('users.json.copy') == rows[i - 1]
    os.remove('users.json')
    assert isinstance(error_of_call(FileUsers, 'users.json'), ValueError)


async def two_states():
    """A file with anna and bert, whose copy is the one before: anna alone. As a power cut between the two leaves it."""
    fresh()
    users = FileUsers('users.json')
    await users.create('anna', PASSWORD)
    before = held('users.json.copy')
    await users.create('bert', PASSWORD)
    put('users.json.copy', before)
    return held('users.json')


def restored(events=None):
    return [user.name for user in FileUsers('users.json', events=events)]


async def test_S11_a_damaged_byte_is_found_wherever_it_is_and_the_copy_used():
    with Cheap():
        whole = await two_states()
    assert restored() == ['anna', 'bert']
    told = Told()
    for i in range(len(whole)):
        for flip in (1, 0x20, 0x80):
            put('users.json', whole[:i] + bytes([whole[i] ^ flip]) + whole[i + 1:])
            assert restored(told) == ['anna'], (i, flip)
            assert told.events == [('users_restored', {'path': 'users.json'})], (i, flip)
            told.events = []
    for row in corrupt_rows() + [whole[:size] for size in range(len(whole))] + [whole + b' x', whole * 2]:
        put('users.json', row)
        assert restored(told) == ['anna'] and len(told.events) == 1, row
        told.events = []
    put('users.json', whole)
    assert restored(told) == ['anna', 'bert'] and told.events == []


async def test_S11_a_file_that_is_lost_comes_back_from_its_copy():
    with Cheap():
        await two_states()
    os.remove('users.json')
    told = Told()
    assert restored(told) == ['anna'] and told.events == [('users_restored', {'path': 'users.json'})]


async def test_S11_what_came_from_the_copy_is_told_once_and_written_with_the_next_change():
    with Cheap():
        await two_states()
        put('users.json', b'damaged')
        told = Told()
        users = FileUsers('users.json', events=told)
        for _ in range(3):
            assert users.get_by_name('anna') is not None and len(users) == 1
        assert held('users.json') == b'damaged'  # until there is something to write
        await users.create('carl', PASSWORD)
        assert [event for event, _ in told.events] == ['users_restored', 'user_created']
        assert held('users.json') == held('users.json.copy')
        assert restored(told) == ['anna', 'carl'] and len(told.events) == 2


async def test_S11_a_removed_or_disabled_user_does_not_come_back_with_the_copy():
    """The copy is of the same state, not of the one before."""
    fresh()
    with Cheap():
        users = FileUsers('users.json')
        anna = await users.create('anna', PASSWORD)
        await users.create('bert', PASSWORD)
        await users.set_password(anna, ANOTHER)
        users.disable(anna)
        users.remove(users.get_by_name('bert'))
        put('users.json', b'damaged')
        again = FileUsers('users.json')
        assert [user.name for user in again] == ['anna']
        same = again.get_by_name('anna')
        assert same.is_active is False and same.password_hash == anna.password_hash


async def test_H4_a_copy_that_cannot_be_written_is_no_error_and_the_old_one_stays():
    with Cheap():
        for step in range(1, 25):
            fresh()
            users = FileUsers('users.json')
            anna = await users.create('anna', PASSWORD)
            before = held('users.json.copy')
            with Disk(fail_at=step) as disk:
                failed = error_of_call(users.set_scopes, anna, ['admin'])
            if failed is None:
                assert held('users.json') != before
                assert held('users.json.copy') in (before, held('users.json'))
                assert FileUsers('users.json').get_by_name('anna').scopes == ['admin']
            else:
                assert held('users.json') == held('users.json.copy') == before
            if disk.steps < step:
                break
        assert disk.steps < step


async def test_a_file_of_the_first_version_is_read_and_written_as_one_with_a_check():
    fresh()
    put('users.json', WHOLE)
    told = Told()
    with Cheap():
        users = FileUsers('users.json', events=told)
        assert users.get_by_id('1').scopes == ['x'] and told.events == [] and held('users.json') == WHOLE
        await users.create('bert', PASSWORD)
    assert held('users.json').startswith(b'{"check":"') and held('users.json') == held('users.json.copy')
    assert restored() == ['a', 'bert']


async def test_a_file_from_before_there_were_second_factors_is_read_and_keeps_none():
    fresh()
    put('users.json', WHOLE)
    users = FileUsers('users.json')
    user = users.get_by_id('1')
    assert (user.totp, user.totp_step, user.recovery) == (None, 0, None)
    assert users.use_totp_step(user, 5) is False and users.swap_recovery(user, None, 'salt$hash') is False
    assert held('users.json') == WHOLE
    assert users.set_second_factor(user, FACTOR, 5, 'salt$hash') is True
    same = FileUsers('users.json').get_by_id('1')
    assert (same.totp, same.totp_step, same.recovery, same.session_version) == (FACTOR, 5, 'salt$hash', 1)


async def test_a_name_that_is_the_id_of_somebody_else_is_a_name():
    fresh()
    with Cheap():
        users = FileUsers('users.json')
        anna = await users.create('anna', PASSWORD)
        anna.id = anna.id.lower()
        users._users = {anna.id: anna}
        users._ids = {'anna': anna.id}
        await users.create(anna.id, PASSWORD)
        again = FileUsers('users.json')
        assert len(again) == 2 and again.get_by_id(anna.id).name == 'anna'
        assert not again.get_by_name(anna.id).id == anna.id


async def test_H4_a_failing_disk_loses_no_user_at_any_step():
    """Whatever fails: the program and the file agree, and both hold the old state or the new one."""
    async def create(users):
        await users.create('bert', PASSWORD)

    async def change(users):
        await users.set_password(users.get_by_name('anna'), ANOTHER)

    async def end(users):
        users.end_sessions(users.get_by_name('anna'))

    async def remove(users):
        users.remove(users.get_by_name('anna'))

    with Cheap():
        for action in (create, change, end, remove):
            for fat in (False, True):
                for step in range(1, 25):
                    fresh()
                    users = FileUsers('users.json')
                    await users.create('anna', PASSWORD)
                    before = state(users)
                    with Disk(fail_at=step, dead=False, fat=fat) as disk:
                        failed = await error_of(action(users))
                    after = state(FileUsers('users.json'))
                    assert state(users) == after, (action, fat, step, failed)
                    assert (after == before) is (failed is not None), (action, fat, step, failed)
                    await users.create('carl', PASSWORD)  # and the next one works
                    assert FileUsers('users.json').get_by_name('carl') is not None
                    if disk.steps < step:
                        break
                assert disk.steps < step, 'more steps than were tried'


def state(users):
    return sorted([[user.id, user.name, user.password_hash,
                    user.session_version] for user in [users.get_by_name(name) for name in ('anna', 'bert')] if user])


async def test_H4_a_power_cut_at_any_step_leaves_users_that_can_be_read():
    with Cheap():
        for fat in (False, True):
            for step in range(1, 8):
                fresh()
                users = FileUsers('users.json')
                anna = await users.create('anna', PASSWORD)
                old = anna.password_hash
                with Disk(fail_at=step, fat=fat):
                    await error_of(users.set_password(anna, ANOTHER))
                after = FileUsers('users.json')
                user = after.get_by_id(anna.id)
                assert user is not None, (fat, step)
                password = PASSWORD if user.password_hash == old else ANOTHER
                assert await after.authenticate('anna', password) is user, (fat, step)


async def test_H4_a_power_cut_at_the_first_user_leaves_a_board_that_starts():
    with Cheap():
        for step in range(1, 6):
            fresh()
            with Disk(fail_at=step):
                await error_of(FileUsers('users.json').create('anna', PASSWORD))
            users = FileUsers('users.json')
            assert len(users) in (0, 1), step
            if not len(users):
                await users.create('anna', PASSWORD)
            assert FileUsers('users.json').get_by_name('anna') is not None, step


async def test_H4_nothing_is_written_by_looking_or_logging_in():
    fresh()
    with Cheap():
        users = FileUsers('users.json')
        await users.create('anna', PASSWORD)
        with Disk() as disk:
            for _ in range(5):
                users.get_by_name('anna')
                users.get_by_name('nobody')
                await users.authenticate('anna', PASSWORD)
                await users.authenticate('anna', 'wrong')
                await users.authenticate('nobody', 'wrong')
        assert disk.steps == 0


async def test_H3_neither_repr_nor_errors_show_a_password_or_hash():
    with Cheap():
        for kind, users in both():
            anna = await users.create('anna', 'hunter22 hunter22')
            for action in (users.create('anna', 'hunter22'), users.create('a\n', 'hunter22'),
                           users.create('b', 'hunter22' * 1000), users.set_password(anna, 'hunter22' * 1000),
                           users.create('c', b'hunter22')):
                error = await error_of(action)
                assert error is not None and 'hunter22' not in str(error) + repr(error), kind
            for text in (repr(anna), str(anna), repr([anna]), '{}'.format(anna), repr(users)):
                assert 'hunter22' not in text and 'pbkdf2' not in text and anna.password_hash[-20:] not in text, text
    for name in ('users.json', 'users.json.copy'):
        put(name, b'{"users":[{"password_hash":"pbkdf2_sha256$hunter22"}]}')
    error = error_of_call(FileUsers, 'users.json')
    assert isinstance(error, ValueError) and 'hunter22' not in str(error) + repr(error)


def test_a_user_has_its_own_list_of_scopes():
    scopes = ['a']
    first, second = User('1', 'a', scopes=scopes), User('2', 'b', scopes=scopes)
    first.scopes.append('admin')
    assert scopes == ['a'] and second.scopes == ['a'] and User('3', 'c').scopes == []


# --- Digest -------------------------------------------------------------------------------------------

def ha1(name, password, realm='tests'):
    return 'SHA-256$%s$%s' % (realm, hexlify(sha256(('%s:%s:%s' % (name, realm, password)).encode()).digest()).decode())


def kept_in(path):
    with open(path) as file:
        return file.read()


async def test_D6_what_digest_goes_by_is_kept_when_that_is_asked_for_and_changes_with_the_password():
    with Cheap():
        plain, digest = FileUsers('plain.json'), FileUsers('digest.json', digest=DigestAuth('tests'))
        anna = await plain.create('anna', PASSWORD)
        assert anna.digest_ha1 is None and 'digest_ha1' not in kept_in('plain.json')
        anna = await digest.create('anna', PASSWORD)
        assert anna.digest_ha1 == ha1('anna', PASSWORD)
        again = FileUsers('digest.json', digest=DigestAuth('tests'))
        assert again.get_by_name('anna').digest_ha1 == ha1('anna', PASSWORD)
        await digest.set_password(anna, ANOTHER)
        assert anna.digest_ha1 == ha1('anna', ANOTHER)
        again = FileUsers('digest.json')
        assert again.get_by_name('anna').digest_ha1 == ha1('anna', ANOTHER)
        assert await digest.change_password(anna, ANOTHER, PASSWORD)
        assert anna.digest_ha1 == ha1('anna', PASSWORD)
        assert ha1('anna', ANOTHER) not in kept_in('digest.json')


async def test_D6_a_login_by_form_keeps_what_was_missing_and_no_wrong_password_does():
    with Cheap():
        users = FileUsers('later.json')
        await users.create('anna', PASSWORD)
        users = FileUsers('later.json', digest=DigestAuth('tests'))
        assert await users.authenticate('anna', ANOTHER) is None
        assert users.get_by_name('anna').digest_ha1 is None
        assert (await users.authenticate('anna', PASSWORD)).digest_ha1 == ha1('anna', PASSWORD)
        assert FileUsers('later.json').get_by_name('anna').digest_ha1 == ha1('anna', PASSWORD)


async def test_D6_another_name_is_another_digest_and_none_is_left_where_it_is_not_asked_for_any_more():
    with Cheap():
        users = MemoryUsers(digest=DigestAuth('tests'))
        anna = await users.create('anna', PASSWORD)
        users.rename(anna, 'hanna')
        assert anna.digest_ha1 is None
        assert (await users.authenticate('hanna', PASSWORD)).digest_ha1 == ha1('hanna', PASSWORD)
        users.digest = None
        await users.set_password(anna, ANOTHER)
        assert anna.digest_ha1 is None


async def test_D6_a_digest_that_could_not_be_kept_is_not_true():
    with Cheap():
        users = MemoryUsers(digest=DigestAuth('tests'))
        anna = await users.create('anna', PASSWORD)

        def fail():
            raise OSError('full')

        users._changed = fail
        try:
            await users.set_password(anna, ANOTHER)
            raise AssertionError('it was kept')
        except OSError:
            pass
        assert anna.digest_ha1 == ha1('anna', PASSWORD)
