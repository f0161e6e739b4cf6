"""Second factors of accounts that several processes share: a code is taken by one of them, whatever the others know."""
import asyncio
import subprocess
import sys
import threading
import time

import pytest

from dotlatch import passwords, totp
from dotlatch.second import SecondFactor
from dotlatch.users import FileUsers
from tests.harness.interpreters import SOURCE

PASSWORD = 'correct horse battery staple'
VERIFY = '''\
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from dotlatch.second import SecondFactor
from dotlatch.users import FileUsers
users = FileUsers(sys.argv[2])
second = SecondFactor(users)
print('ready', flush=True)
sys.stdin.readline()
print([asyncio.run(second.verify(users.get_by_name('anna'), code)) for code in sys.argv[3:]])
'''


class Process:
    """Someone with a table of their own in memory, over the one file."""
    def __init__(self, path):
        self.users = FileUsers(path)
        self.second = SecondFactor(self.users)

    @property
    def anna(self):
        return self.users.get_by_name('anna')

    async def verify(self, code):
        return await self.second.verify(self.anna, code)


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(passwords, 'ITERATIONS', 2)
    return str(tmp_path / 'users.json')


async def enrolled(path):
    """Two with the same file, the app, and the recovery codes; the code that confirmed it is of a step long ago."""
    one = Process(path)
    await one.users.create('anna', PASSWORD)
    app = one.second.begin(one.anna)
    codes = await one.second.confirm(one.anna, app.stored(), app.code_at(totp.current_step()))
    one.users._set(one.anna, {'totp_step': totp.current_step() - 100})
    return one, Process(path), app, codes


async def test_O2_a_code_used_in_one_process_is_used_in_the_other(path):
    one, other, app, _ = await enrolled(path)
    anna = other.anna                                       # whom a request has looked up before
    code = app.code_at(totp.current_step())
    assert await one.verify(code) == 'totp'
    assert await other.second.verify(anna, code) is None
    assert await other.verify(code) is None


async def test_O2_of_many_submissions_to_two_processes_one_wins(path):
    one, other, app, _ = await enrolled(path)
    code = app.code_at(totp.current_step())
    answers = await asyncio.gather(*[who.verify(code) for who in (one, other) * 6])
    assert sorted(answers, key=str) == [None] * 11 + ['totp']


async def test_O6_of_many_submissions_of_a_recovery_code_to_two_processes_one_wins(path):
    one, other, _, codes = await enrolled(path)
    answers = await asyncio.gather(*[who.verify(codes[0]) for who in (one, other) * 6])
    assert sorted(answers, key=str) == [None] * 11 + ['recovery']
    assert one.second.codes_left(one.anna) == other.second.codes_left(other.anna) == 9


async def test_O6_two_recovery_codes_in_two_processes_are_both_spent(path):
    one, other, _, codes = await enrolled(path)
    assert await asyncio.gather(one.verify(codes[0]), other.verify(codes[1])) == ['recovery'] * 2
    for who in (one, other, Process(path)):
        assert [await who.verify(code) for code in codes[:2]] == [None] * 2
        assert who.second.codes_left(who.anna) == 8


async def test_a_second_factor_of_another_process_counts_at_once_for_who_holds_the_user(path):
    one, other, app, _ = await enrolled(path)
    anna = other.anna
    await one.second.remove(one.anna)
    assert await other.second.verify(anna, app.code_at(totp.current_step())) is None
    assert not other.second.is_on(other.anna) and other.anna is anna
    app = one.second.begin(one.anna)
    await one.second.confirm(one.anna, app.stored(), app.code_at(totp.current_step()))
    assert other.second.is_on(other.anna) and other.anna.session_version == 3


async def test_H4_a_step_or_a_list_of_codes_does_not_undo_what_another_process_wrote(path):
    one, other, app, codes = await enrolled(path)
    await other.users.create('bert', PASSWORD)
    assert await one.verify(app.code_at(totp.current_step())) == 'totp'
    await other.users.create('carl', PASSWORD)
    assert await one.verify(codes[0]) == 'recovery'
    assert [user.name for user in FileUsers(path)] == ['anna', 'bert', 'carl']


async def test_O2_and_O6_of_real_processes_that_start_together_one_wins(path):
    one, _, app, codes = await enrolled(path)
    while time.time() % totp.PERIOD > 20:                    # all of them have to know the same step
        await asyncio.sleep(0.5)
    given = [app.code_at(totp.current_step()), codes[0]]
    processes = [subprocess.Popen([sys.executable, '-c', VERIFY, str(SOURCE), path, *given], text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(4)]
    for process in processes:
        assert process.stdout.readline() == 'ready\n'
    for process in processes:
        process.stdin.write('\n')
        process.stdin.flush()
    answers = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert ''.join(answers).count('totp') == 1 and ''.join(answers).count('recovery') == 1, answers
    assert one.second.codes_left(one.anna) == 9


def test_O2_of_threads_with_event_loops_of_their_own_one_wins(path):
    one, _, app, codes = asyncio.run(enrolled(path))
    code, answers = app.code_at(totp.current_step()), []
    gate = threading.Barrier(6)

    def visit():
        gate.wait()
        answers.append((asyncio.run(one.verify(code)), asyncio.run(one.verify(codes[1]))))

    threads = [threading.Thread(target=visit) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted([answer[0] for answer in answers], key=str) == [None] * 5 + ['totp']
    assert sorted([answer[1] for answer in answers], key=str) == [None] * 5 + ['recovery']
