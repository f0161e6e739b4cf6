"""Several processes with one file: what one of them writes the others see, and nobody writes over it unseen."""
import json
import multiprocessing
import os
import stat
import subprocess
import sys
import threading

import pytest

from dotlatch import files, passwords
from dotlatch.apikeys import FileKeys
from dotlatch.claimreset import reset
from dotlatch.revokedfile import RevokedFile
from dotlatch.throttle import Throttle
from dotlatch.users import FileUsers
from tests.harness.interpreters import PLAIN, SOURCE

PROGRAM = '''\
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from dotlatch import passwords
from dotlatch.users import FileUsers
passwords.ITERATIONS = 2
users = FileUsers(sys.argv[2])
'''
PASSWORD, ANOTHER = 'correct horse battery staple', 'another horse battery staple'


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(passwords, 'ITERATIONS', 2)
    return str(tmp_path / 'users.json')


def in_another_process(path, code):
    """Run a few lines with `users` in a Python of their own."""
    subprocess.run([sys.executable, '-c', PROGRAM + code, str(SOURCE), path], check=True, timeout=60)


async def test_a_user_made_by_another_process_is_there_at_once(path):
    users = FileUsers(path)
    in_another_process(path, f'asyncio.run(users.create("anna", {PASSWORD!r}))')
    assert len(users) == 1 and await users.authenticate('anna', PASSWORD) is users.get_by_name('anna')


async def test_a_password_changed_by_another_process_counts_at_once_for_who_holds_the_user(path):
    users = FileUsers(path)
    anna = await users.create('anna', PASSWORD)
    old = anna.password_hash
    in_another_process(path, f'asyncio.run(users.set_password(users.get_by_name("anna"), {ANOTHER!r}))')
    assert await users.authenticate('anna', PASSWORD) is None
    assert await users.authenticate('anna', ANOTHER) is anna and anna.password_hash != old


async def test_a_user_removed_or_disabled_by_another_process_is_out_at_once(path):
    users = FileUsers(path)
    anna = await users.create('anna', PASSWORD)
    await users.create('bert', PASSWORD)
    in_another_process(path, 'users.remove(users.get_by_name("anna"))\n'
                             'users.get_by_name("bert").is_active = False\n'
                             'users.end_sessions(users.get_by_name("bert"))')
    assert users.get_by_id(anna.id) is None and await users.authenticate('anna', PASSWORD) is None
    assert users.get_by_name('bert').is_active is False and await users.authenticate('bert', PASSWORD) is None


ACTIONS = {
    'set_password': lambda users, anna: users.set_password(anna, ANOTHER),
    'change_password': lambda users, anna: users.change_password(anna, PASSWORD, ANOTHER),
    'rename': lambda users, anna: async_(users.rename, anna, 'annette'),
    'set_scopes': lambda users, anna: async_(users.set_scopes, anna, ['admin']),
    'disable': lambda users, anna: async_(users.disable, anna),
    'enable': lambda users, anna: async_(users.enable, anna),
    'end_sessions': lambda users, anna: async_(users.end_sessions, anna),
    'create': lambda users, anna: users.create('carl', PASSWORD),
    'remove': lambda users, anna: async_(users.remove, anna),
}


async def async_(f, *args):
    f(*args)


@pytest.mark.parametrize('action', ACTIONS)
async def test_H4_writing_does_not_undo_what_another_process_wrote_before(path, action):
    users, other = FileUsers(path), FileUsers(path)
    anna = await users.create('anna', PASSWORD)
    await other.create('bert', PASSWORD)
    await ACTIONS[action](users, anna)
    assert FileUsers(path).get_by_name('bert') is not None, 'bert is lost'


@pytest.mark.parametrize('cost', ['same', 'higher'])
async def test_H4_logging_in_does_not_undo_what_another_process_wrote_meanwhile(path, monkeypatch, cost):
    users, other = FileUsers(path), FileUsers(path)
    await users.create('anna', PASSWORD)
    await users.create('carl', PASSWORD)
    if cost == 'higher':
        monkeypatch.setattr(passwords, 'ITERATIONS', 30)
    real = passwords.hash_password

    async def slow(*args):
        result = await real(*args)
        monkeypatch.setattr(passwords, 'hash_password', real)
        await other.create('bert', PASSWORD)  # while anna's hash is made anew
        await other.set_password(other.get_by_name('carl'), ANOTHER)
        return result

    monkeypatch.setattr(passwords, 'hash_password', slow)
    assert await users.authenticate('anna', PASSWORD) is not None
    if cost == 'same':
        await slow('x')
    after = FileUsers(path)
    assert after.get_by_name('bert') is not None, 'bert is lost'
    assert await after.authenticate('carl', ANOTHER) is not None, "carl's new password is lost"


async def test_S6_a_password_changed_meanwhile_is_not_replaced_by_a_better_hash_of_the_old_one(path, monkeypatch):
    users, other = FileUsers(path), FileUsers(path)
    await users.create('anna', PASSWORD)
    monkeypatch.setattr(passwords, 'ITERATIONS', 30)
    real = passwords.hash_password

    async def slow(*args):
        result = await real(*args)
        monkeypatch.setattr(passwords, 'hash_password', real)
        await other.set_password(other.get_by_name('anna'), ANOTHER)
        return result

    monkeypatch.setattr(passwords, 'hash_password', slow)
    await users.authenticate('anna', PASSWORD)
    assert await FileUsers(path).authenticate('anna', PASSWORD) is None
    assert await FileUsers(path).authenticate('anna', ANOTHER) is not None


async def test_P3_two_processes_write_a_better_hash_once_and_both_let_in(path, monkeypatch):
    users, other = FileUsers(path), FileUsers(path)
    anna = await users.create('anna', PASSWORD)
    monkeypatch.setattr(passwords, 'ITERATIONS', 30)
    real = passwords.hash_password

    async def slow(*args):
        monkeypatch.setattr(passwords, 'hash_password', real)
        assert await other.authenticate('anna', PASSWORD) is not None  # is quicker
        return await real(*args)

    monkeypatch.setattr(passwords, 'hash_password', slow)
    assert await users.authenticate('anna', PASSWORD) is anna
    kept = FileUsers(path).get_by_name('anna').password_hash
    assert anna.password_hash == kept == other.get_by_name('anna').password_hash


async def test_S6_sessions_ended_by_two_processes_are_counted_twice(path):
    users, other = FileUsers(path), FileUsers(path)
    anna = await users.create('anna', PASSWORD)
    other.end_sessions(other.get_by_name('anna'))
    users.end_sessions(anna)
    assert FileUsers(path).get_by_name('anna').session_version == 2


async def test_a_name_is_given_once_by_two_processes(path):
    users, other = FileUsers(path), FileUsers(path)
    anna = await users.create('anna', PASSWORD)
    bert = await other.create('bert', PASSWORD)
    with pytest.raises(ValueError, match='taken'):
        users.rename(anna, 'Bert')
    users.rename(anna, 'carl')
    with pytest.raises(ValueError, match='taken'):
        other.rename(bert, 'Carl')
    with pytest.raises(ValueError, match='taken'):
        await other.create('CARL', PASSWORD)
    assert [user.name for user in FileUsers(path)] == ['bert', 'carl']


def test_H4_many_processes_that_write_at_once_lose_no_user(path):
    code = f"""
async def main():
    for i in range(12):
        user = await users.create(sys.argv[3] + str(i), {PASSWORD!r})
        users.set_scopes(user, [sys.argv[3]])
        if i % 3 == 0:
            users.remove(user)
asyncio.run(main())
"""
    processes = [subprocess.Popen([sys.executable, '-c', PROGRAM + code, str(SOURCE), path, name]) for name in 'abcd']
    users = FileUsers(path)
    seen = 0
    while any(process.poll() is None for process in processes):  # who only looks sees whole files
        assert len(users) >= seen - 4
        seen = max(seen, len(users))
    assert [process.wait(60) for process in processes] == [0] * 4
    kept = {user.name: user.scopes for user in FileUsers(path)}
    assert kept == {name + str(i): [name] for name in 'abcd' for i in range(12) if i % 3}
    with open(path, 'rb') as file, open(path + '.copy', 'rb') as copy:
        assert file.read() == copy.read()


async def test_H4_a_thread_that_only_looks_does_not_undo_what_another_one_is_about_to_write(path, monkeypatch):
    users = FileUsers(path)
    anna = await users.create('anna', PASSWORD)
    changed = users._changed

    def write_while_somebody_looks():
        os.utime(path, (1, 1))  # as if another process had written it: who looks reads it anew
        reader.start()
        reader.join(0.3)
        changed()

    reader = threading.Thread(target=users.get_by_id, args=(anna.id,))
    monkeypatch.setattr(users, '_changed', write_while_somebody_looks)
    users.set_scopes(anna, ['admin'])
    reader.join()
    assert anna.scopes == ['admin'] == FileUsers(path).get_by_name('anna').scopes


def spoil(*paths):
    for name in paths:
        with open(name, 'wb') as file:
            file.write(b'{"users": [{')


async def test_S11_a_file_that_became_corrupt_is_restored_for_all_who_use_it(path, caplog):
    users, other = FileUsers(path), FileUsers(path)
    anna = await users.create('anna', PASSWORD)
    assert other.get_by_id(anna.id) is not None
    spoil(path)
    for _ in range(3):
        assert users.get_by_id(anna.id) is anna and len(other) == 1
    assert len([entry for entry in caplog.records if 'damaged' in entry.message]) == 2, 'once for each of the two'
    await other.create('bert', PASSWORD)
    assert len(users) == 2 and users.get_by_id(anna.id) is anna


async def test_S11_a_file_and_copy_that_became_corrupt_are_an_error_every_time_and_never_written_over(path):
    users = FileUsers(path)
    anna = await users.create('anna', PASSWORD)
    spoil(path, path + '.copy')
    for _ in range(3):
        with pytest.raises(OSError):
            users.get_by_id(anna.id)
        with pytest.raises(OSError):
            await users.create('bert', PASSWORD)
        with pytest.raises(OSError):
            await users.set_password(anna, ANOTHER)
        with pytest.raises(OSError):
            users.end_sessions(anna)
        for name in (path, path + '.copy'):
            with open(name, 'rb') as file:
                assert file.read() == b'{"users": [{'


@pytest.mark.parametrize('variant', PLAIN, ids=lambda variant: variant.name)
async def test_a_file_moves_between_the_pythons(path, variant):
    names = ['anna', '\xc4nne \U0001f511', "O'Neill"]
    users = FileUsers(path)
    for name in names:
        await users.create(name, PASSWORD, ['a', '\xe9'])
    program = PROGRAM + f'''
async def main():
    for name in {names!r}:
        assert await users.authenticate(name, {PASSWORD!r}), name
    await users.create("from there \\u2603", {ANOTHER!r}, ["x"])
asyncio.run(main())
'''
    script = path + '.py'
    with open(script, 'w', encoding='utf-8') as file:
        file.write(program)
    subprocess.run([*variant.command(), script, str(SOURCE), path], check=True, timeout=60)
    assert (await users.authenticate('from there \u2603', ANOTHER)).scopes == ['x']
    assert len(json.load(open(path, encoding='utf-8'))['users']) == 4


async def test_V5_keys_and_hashes_are_readable_by_their_owner_only(path, tmp_path):
    await FileUsers(path).create('anna', PASSWORD)
    files.load_or_create(str(tmp_path / 'secret.key'))
    for name in ('users.json', 'users.json.copy', 'secret.key'):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600, name
    (tmp_path / 'loose.new').write_bytes(b'left behind')  # by a version or a program that did not care
    (tmp_path / 'loose.new').chmod(0o644)
    files.replace(str(tmp_path / 'loose'), b'secret')
    assert stat.S_IMODE((tmp_path / 'loose').stat().st_mode) == 0o600


def test_S11_processes_that_start_at_once_have_one_key(tmp_path):
    path = str(tmp_path / 'secret.key')
    made = []

    def make():
        # Another process is quicker: it has read its key, and will go on using it.
        made.append(files.load_or_create(path, lambda: b'of the first'))
        return b'of the second'

    assert files.load_or_create(path, make) == made[0] == files.load_or_create(path)


def test_S11_processes_have_one_key_where_a_file_system_has_no_hard_links(tmp_path, monkeypatch):
    def refuse(old, new):
        raise PermissionError(1, 'Operation not permitted')

    monkeypatch.setattr(os, 'link', refuse)
    test_S11_processes_that_start_at_once_have_one_key(tmp_path)
    key = files.load_or_create(str(tmp_path / 'another.key'))
    assert key == files.load_or_create(str(tmp_path / 'another.key')) and len(key) > 40
    assert sorted(name for name in os.listdir(tmp_path) if not name.endswith('.lock')) == ['another.key', 'secret.key']


def test_S11_many_processes_that_start_at_once_have_one_key(tmp_path):
    context = multiprocessing.get_context('spawn')
    with context.Pool(8) as pool:
        for number in range(6):
            keys = set(pool.map(files.load_or_create, [str(tmp_path / f'key{number}')] * 32, chunksize=1))
            assert len(keys) == 1, keys


# --- links --------------------------------------------------------------------------------------------

@pytest.fixture
def link(path, tmp_path):
    """A link in one folder to the users in another."""
    (tmp_path / 'app').mkdir()
    os.symlink('../users.json', tmp_path / 'app' / 'users.json')
    return str(tmp_path / 'app' / 'users.json')


async def test_H4_who_comes_by_a_link_and_who_names_the_file_have_one_file_one_copy_and_one_lock(path, link, tmp_path):
    by_link, by_name = FileUsers(link), FileUsers(path)
    anna = await by_link.create('anna', PASSWORD)
    by_name.set_scopes(by_name.get_by_name('anna'), ['read'])
    await by_link.create('bert', PASSWORD)
    assert os.readlink(link) == '../users.json' and os.listdir(tmp_path / 'app') == ['users.json']
    assert sorted(os.listdir(tmp_path)) == ['app', 'users.json', 'users.json.copy', 'users.json.lock']
    assert anna.scopes == ['read'] and [user.name for user in by_name] == ['anna', 'bert']
    spoil(path)
    assert len(FileUsers(link)) == len(by_link) == 2, 'the copy is that of the file'


def test_H4_processes_that_come_by_a_link_and_by_the_name_lose_no_user(path, link):
    code = f"""
async def main():
    for i in range(10):
        await users.create(sys.argv[3] + str(i), {PASSWORD!r})
asyncio.run(main())
"""
    started = [subprocess.Popen([sys.executable, '-c', PROGRAM + code, str(SOURCE), where, name])
               for name, where in (('a', link), ('b', path), ('c', link))]
    assert [process.wait(60) for process in started] == [0] * 3
    assert len(FileUsers(path)) == 30 and os.path.islink(link)


async def test_H4_a_link_that_leads_elsewhere_from_now_on_is_seen_and_nothing_is_written_over(path, link, tmp_path):
    other = str(tmp_path / 'other.json')
    users = FileUsers(link)
    anna = await users.create('anna', PASSWORD)
    await FileUsers(other).create('olga', PASSWORD)

    def turn(to):
        os.symlink(to, link + '.turned')
        os.replace(link + '.turned', link)

    turn('../other.json')
    assert [user.name for user in users] == ['olga'] and users.get_by_id(anna.id) is None
    turn('../users.json')
    changed = users._changed
    users._changed = lambda: [turn('../other.json'), changed()]  # between reading and writing
    users.set_scopes(users.get_by_name('anna'), ['read'])
    users._changed = changed
    assert [user.name for user in users] == [user.name for user in FileUsers(other)] == ['olga']
    assert FileUsers(path).get_by_name('anna').scopes == ['read']


async def test_a_link_to_a_file_that_is_not_there_yet_is_followed_when_it_is_made(link, tmp_path):
    users = FileUsers(link)
    assert len(users) == 0
    await users.create('anna', PASSWORD)
    assert os.path.islink(link) and len(FileUsers(str(tmp_path / 'users.json'))) == 1
    for name in ('key', 'plain'):
        os.symlink('real-' + name, tmp_path / name)
    key = files.load_or_create(str(tmp_path / 'key'))
    files.replace(str(tmp_path / 'plain'), b'x')
    assert key == (tmp_path / 'real-key').read_bytes() == files.load_or_create(str(tmp_path / 'key')) and len(key) > 40
    assert (tmp_path / 'real-plain').read_bytes() == b'x'
    assert os.path.islink(tmp_path / 'key') and os.path.islink(tmp_path / 'plain')


async def test_S11_links_that_lead_nowhere_are_an_error_and_no_empty_table(path, tmp_path):
    os.symlink('users.json', path)
    with pytest.raises(OSError):
        FileUsers(path)
    with pytest.raises(OSError):
        files.load_or_create(path)
    with pytest.raises(OSError):
        files.replace(path, b'x')
    gone = str(tmp_path / 'gone.json')
    os.symlink('not-mounted/users.json', gone)
    users = FileUsers(gone)
    with pytest.raises(OSError):
        await users.create('anna', PASSWORD)
    assert len(users) == 0 and sorted(os.listdir(tmp_path)) == ['gone.json', 'users.json']


async def test_H4_keys_revoked_sessions_and_a_throttle_keep_their_links(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('keys.json', 'revoked.json', 'throttle.bin'):
        os.symlink('real-' + name, name)
    FileKeys('keys.json').create('7', 'pump')
    RevokedFile('revoked.json', {}, [0]).add(lambda token_id, end, is_old: None, 'x', 5)
    throttle = Throttle(free=1, path='throttle.bin')
    for _ in range(3):
        await throttle.attempt('anna', '')
    assert all(os.path.islink(name) and os.path.isfile(name) for name in ('keys.json', 'revoked.json', 'throttle.bin'))
    assert len(FileKeys('real-keys.json')) == 1


async def test_V2_a_reset_forgets_the_accounts_that_a_link_leads_to(path, link):
    await FileUsers(link).create('anna', PASSWORD)
    reset(link)
    assert not os.path.exists(path) and not os.path.exists(path + '.copy') and len(FileUsers(link)) == 0
    await FileUsers(link).create('bert', PASSWORD)
    assert os.path.islink(link) and len(FileUsers(path)) == 1


# --- versions and locks -------------------------------------------------------------------------------

async def test_H4_each_version_of_a_file_is_newer_than_the_one_before_whatever_the_clock_says(path):
    users = FileUsers(path)
    anna = await users.create('anna', PASSWORD)
    for _ in range(3):  # the next one may have its number, and its size: the time alone tells that it is another one
        os.utime(path, (4000000000, 4000000000))
        before = os.stat(path).st_mtime_ns
        users.set_scopes(anna, ['read'])
        assert os.stat(path).st_mtime_ns > before


def test_H4_a_process_that_was_forked_meanwhile_holds_no_lock(path):
    code = """
import os, time
from dotlatch.portable import FileLock
lock = FileLock(sys.argv[2])
with lock:
    child = os.fork()
    if not child:
        time.sleep(60)
        os._exit(0)
with FileLock(sys.argv[2]):
    os.kill(child, 9)
"""
    in_another_process(path, code)


async def test_V5_what_a_process_left_that_was_killed_is_removed_in_time_and_nothing_else(path, tmp_path):
    left = ['users.json.0123456789ab.new', 'users.json.copy.ba9876543210.new']
    others = ['users.json.000000000000.new', 'users.json.mine.new', 'users.json.0123456789ab',
              'keys.json.0123456789ab.new']
    for name in left + others:
        (tmp_path / name).write_bytes(b'hashes')
        if name != others[0]:  # of somebody who is about to give it its name
            os.utime(tmp_path / name, (1, 1))
    users = FileUsers(path)
    assert sorted(os.listdir(tmp_path)) == sorted(left + others), 'who only looks removes nothing'
    await users.create('anna', PASSWORD)
    kept = ['users.json', 'users.json.copy', 'users.json.lock', *others]
    assert sorted(os.listdir(tmp_path)) == sorted(kept)


def test_H4_what_could_not_be_written_leaves_nothing_beside_the_file(path, monkeypatch):
    def no_memory(*args):
        raise MemoryError()

    monkeypatch.setattr(files, 'sync', no_memory)
    with pytest.raises(MemoryError):
        files.replace(path, b'secrets')
    assert os.listdir(os.path.dirname(path)) == []
