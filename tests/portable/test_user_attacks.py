"""Users attacked: files by a stranger's hand, changes that overtake each other, a disk that refuses."""
import asyncio
import os

from cheap import Cheap
from disk import Disk, held, put

from dotlatch import events, files, formlogin, passwords
from dotlatch import users as module
from dotlatch.digest import DigestAuth
from dotlatch.portable import MICROPYTHON
from dotlatch.strictjson import dumps, loads
from dotlatch.users import FileUsers, MemoryUsers

PASSWORD = 'correct horse battery staple'
ANOTHER = 'another horse battery staple'


class Meanwhile:
    """Has something happen after each hash was computed, before anybody gets to see it."""
    def __init__(self, happen):
        self.happen = happen

    def __enter__(self):
        self._kept = kept = passwords.pbkdf2_hmac_sha256

        async def derive(*args):
            derived = await kept(*args)
            self.happen()
            return derived

        passwords.pbkdf2_hmac_sha256 = derive

    def __exit__(self, *error):
        passwords.pbkdf2_hmac_sha256 = self._kept


class Rounds:
    """How many rounds were done, of all hashes."""
    def __enter__(self):
        self.all = 0
        self._kept = kept = passwords.pbkdf2_hmac_sha256

        async def counting(secret, salt, iterations, dklen=32):
            self.all += iterations
            return await kept(secret, salt, iterations, dklen)

        passwords.pbkdf2_hmac_sha256 = counting
        return self

    def __exit__(self, *error):
        passwords.pbkdf2_hmac_sha256 = self._kept


def fresh():
    for name in os.listdir('.'):
        os.remove(name)


def both(**options):
    """The two kinds of users, both empty; the file's in a folder of its own."""
    fresh()
    return [('memory', MemoryUsers(**options)), ('file', FileUsers('users.json', **options))]


def error_of(f, *args):
    try:
        f(*args)
    except Exception as error:
        return error
    return None


async def as_by_hand(change):
    """A file with one user, without its check, changed by ``change(fields)``, and no copy."""
    fresh()
    users = FileUsers('users.json')
    await users.create('anna', PASSWORD)
    content = loads(held('users.json'))
    del content['check']
    change(content['users'][0])
    os.remove('users.json.copy')
    put('users.json', dumps(content))


# --- S11: files ---------------------------------------------------------------------------------------

async def test_S11_a_user_without_an_id_is_not_everybody():
    with Cheap():
        await as_by_hand(lambda fields: fields.update({'id': ''}))
        users = FileUsers('users.json')
        for name in ('nobody', '', 'x', None, 5):
            assert users.get_by_name(name) is None, name
            assert await users.authenticate(name, PASSWORD) is None, name
        assert await users.authenticate('anna', PASSWORD) is not None


def test_S11_what_looks_empty_and_is_no_list_is_no_device_without_accounts():
    fresh()
    for content in ({'format': 1, 'users': {}}, {'format': 1, 'users': ''}, {'format': 1, 'users': None},
                    {'format': 1, 'users': 0}, {'format': 1, 'users': False}, {'format': 1}, {'users': []}, {}, [], ''):
        put('users.json', dumps(content))
        assert isinstance(error_of(FileUsers, 'users.json'), ValueError), content
    put('users.json', dumps({'format': 1, 'users': []}))
    assert len(FileUsers('users.json')) == 0


async def test_S11_fields_of_another_type_are_damage():
    with Cheap():
        for name, values in (('id', (None, True, 1.5, [], {})), ('name', (None, 5, ['anna'])),
                             ('is_active', (1, 'no', None)), ('session_version', (True, '1', 1.5, None)),
                             ('scopes', ('admin', {'a': 1}, None, [5], [None])), ('password_hash', (5, [], False)),
                             ('digest_ha1', (5, [], False))):
            for value in values:
                await as_by_hand(lambda fields, name=name, value=value: fields.update({name: value}))
                assert isinstance(error_of(FileUsers, 'users.json'), ValueError), (name, value)


async def test_S11_junk_for_a_second_factor_is_damage_and_not_an_account_without_one():
    factor = 'SHA1$6$' + 'A' * 32
    with Cheap():
        for name, values in (('totp', ('', 0, 5, False, True, [], {}, [factor], 'x', '$', 'SHA1$6', factor + '$')),
                             ('totp_step', (-1, '5', 1.5, True, None, [])), ('recovery', (5, True, [], {}, ['x']))):
            for value in values:
                def change(fields, name=name, value=value):
                    fields.update({'totp': factor, 'totp_step': 5, 'recovery': 'salt$one'})
                    fields[name] = value
                await as_by_hand(change)
                assert isinstance(error_of(FileUsers, 'users.json'), ValueError), (name, value)
        for fields in ({'totp_step': '5'}, {'totp_step': None}, {'recovery': 5}):
            await as_by_hand(lambda kept, fields=fields: kept.update(fields))
            assert isinstance(error_of(FileUsers, 'users.json'), ValueError), fields
        await as_by_hand(lambda fields: fields.update({'totp': factor, 'totp_step': 5, 'recovery': 'salt$one'}))
        assert FileUsers('users.json').get_by_name('anna').totp == factor


async def test_S11_an_odd_hash_in_the_file_opens_nothing_and_raises_nothing():
    with Cheap():
        for hashed in ('', '!', '*', PASSWORD, 'pbkdf2:foo:1000$salt$', '$pbkdf2-md5$1000$c2FsdA$', '\0', 'x' * 2000):
            await as_by_hand(lambda fields, hashed=hashed: fields.update({'password_hash': hashed}))
            users = FileUsers('users.json', digest=DigestAuth('tests'))
            for password in (PASSWORD, '', '!', hashed):
                assert await users.authenticate('anna', password) is None, hashed[:20]
            assert users.get_by_name('anna').digest_ha1 is None


async def test_H4_a_rename_that_is_refused_leaves_no_file_of_hashes_behind():
    with Cheap():
        fresh()
        users = FileUsers('users.json')
        anna = await users.create('anna', PASSWORD)
        before = sorted(os.listdir('.'))
        for _ in range(3):
            with Disk(no_rename=True, dead=False):
                assert isinstance(error_of(users.rename, anna, 'berta'), OSError)
        assert sorted(os.listdir('.')) == before
        assert FileUsers('users.json').get_by_name('anna') is not None


async def test_H4_a_copy_for_which_there_is_no_memory_makes_no_error_of_a_change_that_holds():
    with Cheap():
        fresh()
        users = FileUsers('users.json')
        anna = await users.create('anna', PASSWORD)
        real = files.replace

        def replace(path, data):
            if path.endswith('.copy'):
                raise MemoryError()
            real(path, data)

        files.replace = replace
        try:
            users.disable(anna)
        finally:
            files.replace = real
        assert not anna.is_active and not FileUsers('users.json').get_by_name('anna').is_active


async def test_H4_a_name_that_nobody_can_have_is_not_looked_at_letter_by_letter():
    seen = []
    real = module.folded
    module.folded = lambda text: [seen.append(len(text)), real(text)][1]
    try:
        for kind, users in both():
            for size in (64, 256, 257, 5000):
                assert users.get_by_name('A' * size) is None, (kind, size)
    finally:
        module.folded = real
    assert seen == [64, 256] * 2


# --- B5: the time that a no takes -----------------------------------------------------------------------

ODD = ('', '!', '*', PASSWORD, 'md5$abc$0123456789abcdef', 'pbkdf2_sha256$99999999$salt$' + 'A' * 43 + '=',
       'pbkdf2_sha256$7$salt$short', 'pbkdf2:sha256:7$salt$', 'x' * 2000)
WERKZEUG = 'pbkdf2:sha256:3$abcdefgh$' + '0' * 64


async def test_B5_a_no_costs_as_much_whatever_is_kept_as_the_hash_of_an_account():
    for kind, users in both():
        with Cheap(2):
            anna = await users.create('anna', PASSWORD)
        with Cheap(7):
            for hashed in (None, anna.password_hash, WERKZEUG) + ODD:
                anna.password_hash = hashed
                for work in (users.authenticate('anna', 'wrong'), users.authenticate('nobody', 'wrong'),
                             users.change_password(anna, 'wrong', ANOTHER)):
                    with Rounds() as rounds:
                        assert not await work, (kind, hashed)
                    assert rounds.all == 7, (kind, hashed, rounds.all)


async def test_B5_the_same_for_users_of_a_program_that_have_only_a_name_and_a_hash():
    class Own:
        async def get_by_name(self, name):
            return {'id': 1, 'name': 'anna', 'password_hash': self.hashed} if name == 'anna' else None

    own = Own()
    with Cheap(2):
        weak = await passwords.hash_password(PASSWORD)
    with Cheap(7):
        for hashed in (None, weak, WERKZEUG) + ODD:
            own.hashed = hashed
            for name in ('anna', 'nobody'):
                with Rounds() as rounds:
                    assert await formlogin.authenticate(own, name, 'wrong') is None, hashed
                assert rounds.all == 7, (hashed, name, rounds.all)


# --- D6: what Digest goes by stays in step --------------------------------------------------------------

def is_in_step(users, user, password):
    return user.digest_ha1 in (None, users.digest.make_ha1(user.name, password))


async def test_D6_a_rename_while_a_password_is_set_leaves_no_digest_of_the_old_name():
    with Cheap():
        for ways in ('set', 'change', 'login', 'better hash'):
            for kind, users in both():
                if not ways == 'login':
                    users.digest = DigestAuth('tests')
                anna = await users.create('anna', PASSWORD)
                users.digest = DigestAuth('tests')
                if ways == 'better hash':
                    anna.digest_ha1 = None
                names = ['berta', 'carla', 'dora', 'emma']
                with Cheap(2 if ways == 'set' or ways == 'change' else 3):
                    with Meanwhile(lambda users=users, anna=anna, names=names: users.rename(anna, names.pop())):
                        if ways == 'set':
                            await users.set_password(anna, ANOTHER)
                        elif ways == 'change':
                            assert await users.change_password(anna, PASSWORD, ANOTHER)
                        else:
                            assert await users.authenticate('anna', PASSWORD) is anna
                password = PASSWORD if 'login better hash'.find(ways) >= 0 else ANOTHER
                assert is_in_step(users, anna, password), (kind, ways)
                assert await users.authenticate(anna.name, password) is anna, (kind, ways)
                assert anna.digest_ha1 == users.digest.make_ha1(anna.name, password), (kind, ways)


async def test_D6_a_digest_is_in_step_after_every_change():
    with Cheap():
        for kind, users in both(digest=DigestAuth('tests')):
            anna = await users.create('anna', PASSWORD)
            for change, *given in ((users.disable,), (users.enable,), (users.end_sessions,), (users.set_scopes, ['a']),
                                   (users.rename, 'ANNA'), (users.rename, 'anna')):
                change(anna, *given)
                assert is_in_step(users, anna, PASSWORD), kind
                if kind == 'file':
                    again = FileUsers('users.json', digest=users.digest)
                    assert again.get_by_id(anna.id).digest_ha1 == anna.digest_ha1
            assert await users.authenticate('anna', PASSWORD) is anna
            assert anna.digest_ha1 == users.digest.make_ha1('anna', PASSWORD)
            if kind == 'file':
                put('users.json', b'damaged')
                again = FileUsers('users.json', digest=users.digest)
                assert again.get_by_id(anna.id).digest_ha1 == anna.digest_ha1
                await again.set_password(again.get_by_name('anna'), ANOTHER)
                old = users.digest.make_ha1('anna', PASSWORD).encode()
                assert old not in held('users.json') and old not in held('users.json.copy')


async def test_D6_a_disabled_account_gets_no_digest_by_a_login():
    with Cheap():
        for kind, users in both():
            anna = await users.create('anna', PASSWORD)
            users.digest = DigestAuth('tests')
            users.disable(anna)
            assert await users.authenticate('anna', PASSWORD) is None
            assert anna.digest_ha1 is None, kind


# --- P6, S6: what happens between two steps -----------------------------------------------------------------

async def test_P6_an_account_that_is_disabled_meanwhile_gets_no_other_password():
    with Cheap():
        for kind, users in both():
            anna = await users.create('anna', PASSWORD)
            before = anna.password_hash
            with Meanwhile(lambda users=users, anna=anna: users.disable(anna)):
                assert await users.change_password(anna, PASSWORD, ANOTHER) is False, kind
            assert anna.password_hash == before, kind
            users.enable(anna)
            assert await users.authenticate('anna', ANOTHER) is None, kind


async def test_S6_whatever_happens_between_two_steps_of_a_login_is_heard():
    async def replaced(users, anna):
        users.remove(anna)
        await users.create('anna', ANOTHER)

    async def disabled(users, anna):
        users.disable(anna)

    async def removed(users, anna):
        users.remove(anna)

    async def set_anew(users, anna):
        await users.set_password(anna, ANOTHER)

    real = passwords.hash_password
    for event in (replaced, disabled, removed, set_anew):
        for kind, users in both(digest=DigestAuth('tests')):
            with Cheap(2):
                anna = await users.create('anna', PASSWORD)

            async def meanwhile(password, event=event, users=users, anna=anna):
                passwords.hash_password = real
                stronger = await real(password)
                await event(users, anna)
                return stronger

            with Cheap(3):
                passwords.hash_password = meanwhile
                try:
                    got = await users.authenticate('anna', PASSWORD)
                finally:
                    passwords.hash_password = real
                assert got is None, (kind, event)
                assert await users.authenticate('anna', PASSWORD) is None or event is disabled, (kind, event)


async def test_P4_a_full_queue_changes_nothing_and_is_told():
    async def full(*args):
        raise passwords.Busy('full')

    for kind, users in both(digest=DigestAuth('tests')):
        with Cheap(2):
            anna = await users.create('anna', PASSWORD)
        before = held('users.json')
        kept, passwords.pbkdf2_hmac_sha256 = passwords.pbkdf2_hmac_sha256, full
        try:
            for work in (users.authenticate('anna', PASSWORD), users.set_password(anna, ANOTHER),
                         users.change_password(anna, PASSWORD, ANOTHER), users.create('bert', PASSWORD),
                         users.authenticate('nobody', PASSWORD)):
                try:
                    raise AssertionError(await work)
                except passwords.Busy:
                    pass
        finally:
            passwords.pbkdf2_hmac_sha256 = kept
        assert len(users) == 1 and held('users.json') == before, kind
        with Cheap(2):
            assert await users.authenticate('anna', PASSWORD) is anna, kind


# --- events -----------------------------------------------------------------------------------------------

async def test_S11_functions_that_tell_of_what_they_are_told_of_come_to_an_end():
    told = events.Events(16)

    @told.on
    async def again(event):
        told.emit('again')

    @told.on
    def plainly(event):
        told.emit('again')

    told.emit('first')
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(told.recent()) <= 16
    told._listeners[:] = []
    await asyncio.sleep(0.1)


def test_S11_the_same_before_there_is_an_event_loop():
    if MICROPYTHON:  # where they wait for the loop
        asyncio.new_event_loop()
    told = events.Events(64)
    calls = []

    @told.on
    def again(event):
        calls.append(1)
        if len(calls) < 100:
            told.emit('again')

    told.emit('first')
    assert len(calls) <= events.MAX_TASKS, len(calls)
    assert 1 <= len(told.recent()) <= 1 + events.MAX_TASKS
