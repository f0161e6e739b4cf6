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


def test_S11_many_processes_that_start_at_once_have_one_key(tmp_path):
    context = multiprocessing.get_context('spawn')
    with context.Pool(8) as pool:
        for number in range(6):
            keys = set(pool.map(files.load_or_create, [str(tmp_path / f'key{number}')] * 32, chunksize=1))
            assert len(keys) == 1, keys
