"""Passwords attacked where only CPython can: threads, processes that fork, and Django's own word on its formats."""
import asyncio
import hashlib
import subprocess
import sys
import threading

import pytest
from django.conf import settings as django_settings
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.security import check_password_hash, generate_password_hash

from dotlatch import passwords
from dotlatch.events import Events
from dotlatch.passwords import hash_password, verify_password
from dotlatch.users import MemoryUsers
from tests.harness.interpreters import SOURCE

if not django_settings.configured:
    django_settings.configure()
from django.contrib.auth import hashers as django_hashers

PASSWORD = 'correct horse battery staple'
ANOTHER = 'another horse battery staple'


# --- Django's and Werkzeug's word ------------------------------------------------------------------------

DJANGO = {'pbkdf2_sha256': django_hashers.PBKDF2PasswordHasher(),
          'pbkdf2_sha1': django_hashers.PBKDF2SHA1PasswordHasher(), 'scrypt': django_hashers.ScryptPasswordHasher()}
HASHES = [DJANGO['pbkdf2_sha256'].encode('x', 'salt', 7), DJANGO['pbkdf2_sha1'].encode('x', 'salt', 7),
          DJANGO['scrypt'].encode('x', 'salt', 16, 8, 1), generate_password_hash('x', 'pbkdf2:sha256:7'),
          generate_password_hash('x', 'pbkdf2:sha512:7'), generate_password_hash('x', 'scrypt:1024:8:1')]


def is_right_to_its_maker(password, hashed):
    """What Django or Werkzeug says; a string that either cannot read opens nothing there."""
    try:
        name = hashed.split('$')[0]
        return DJANGO[name].verify(password, hashed) if name in DJANGO else check_password_hash(hashed, password)
    except Exception:
        return False


@st.composite
def nearly(draw):
    text = draw(st.sampled_from(HASHES))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(text)))
        piece = draw(st.one_of(st.sampled_from(['$', ':', '0', '7', '=', 'A', '+', ' ', '\u0667', '\0']), st.just('')))
        text = text[:at] + piece + text[at + draw(st.integers(0, 2)):]
    return text


@given(nearly(), st.sampled_from(['x', 'y', '']))
@settings(max_examples=1500)
def test_P3_nothing_is_right_that_its_maker_calls_wrong(hashed, password):
    if any(len(part) > 5 for part in hashed.replace(':', '$').split('$') if part.isdecimal()):
        return  # a cost that takes a while
    if asyncio.run(verify_password(password, hashed)):
        assert is_right_to_its_maker(password, hashed), hashed


def test_P3_what_was_not_changed_is_right_to_both():
    for hashed in HASHES:
        assert is_right_to_its_maker('x', hashed)
        assert asyncio.run(verify_password('x', hashed)) is True, hashed


@pytest.mark.parametrize('error', [ValueError('memory limit exceeded'), MemoryError()])
async def test_P4_scrypt_without_memory_is_false_as_argon2_is(monkeypatch, error):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(hashlib, 'scrypt', fail)
    assert await verify_password('x', 'scrypt:16:8:1$salt$' + '0' * 128) is False


# --- threads and processes ------------------------------------------------------------------------------------

FORK = """
import asyncio, os, signal, sys, time
from dotlatch.events import Events
from dotlatch.passwords import hash_password, verify_password

hashed = asyncio.run(hash_password('x', 1000))
time.sleep(0.3)  # until the thread waits for more
child = os.fork()
if not child:
    signal.alarm(20)
    right = [asyncio.run(verify_password('x', asyncio.run(hash_password('x', 10)))) for _ in range(3)]
    os._exit(0 if right == [True] * 3 else 1)
assert asyncio.run(verify_password('x', hashed))
sys.exit(os.waitpid(child, 0)[1])
"""


def test_P4_a_process_that_was_forked_after_a_hash_hashes_too():
    """What ``gunicorn --preload`` does to a module that makes an account when it is imported."""
    assert subprocess.run([sys.executable, '-c', FORK], env={'PYTHONPATH': str(SOURCE)}, timeout=60).returncode == 0


@pytest.fixture
def eager():
    """Threads that take turns all the time."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def in_threads(*functions):
    """Run these at the same time; the first error that one of them ends with is raised."""
    errors = []

    def guarded(f):
        try:
            f()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(f,)) for f in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_what_was_right_a_moment_ago_is_kept_for_few_by_many_threads(eager, monkeypatch):
    monkeypatch.setattr(passwords, '_recent', {})

    def remember(prefix):
        for i in range(5000):
            passwords._remember_recent(b'%d %d' % (prefix, i))

    in_threads(*[lambda prefix=prefix: remember(prefix) for prefix in range(4)])
    passwords._remember_recent(b'last')
    assert len(passwords._recent) <= passwords._RECENT and b'last' in passwords._recent


async def test_S6_a_login_in_one_thread_takes_no_password_back_that_another_has_set(monkeypatch):
    """The better hash of the old password is about to be kept when the new password comes."""
    users = MemoryUsers()
    monkeypatch.setattr(passwords, 'ITERATIONS', 2)
    anna = await users.create('anna', PASSWORD)
    monkeypatch.setattr(passwords, 'ITERATIONS', 3)
    real, at_it, is_set = users._apply, threading.Event(), threading.Event()

    def slowly(user, fields):
        if not at_it.is_set():
            at_it.set()
            is_set.wait(0.5)
        real(user, fields)

    monkeypatch.setattr(users, '_apply', slowly)

    def set_password():
        at_it.wait(10)
        asyncio.run(users.set_password(anna, ANOTHER))
        is_set.set()

    in_threads(lambda: asyncio.run(users.authenticate('anna', PASSWORD)), set_password)
    assert await users.authenticate('anna', PASSWORD) is None
    assert await users.authenticate('anna', ANOTHER) is anna


def test_L2_the_list_of_events_keeps_its_size_in_many_threads(eager):
    for size in (1, 16):
        events = Events(size)
        in_threads(*[lambda events=events: [events.emit(f'{i % 7}', count=i) for i in range(2000)]] * 6)
        events.emit('last')
        assert len(events.recent()) == size and events.recent(1)[0]['event'] == 'last'


async def test_S11_a_function_in_a_thread_that_tells_of_what_it_is_told_of_comes_to_an_end():
    events, calls = Events(), []

    @events.on
    def again(event):
        calls.append(event)
        events.emit('again')

    await asyncio.get_running_loop().run_in_executor(None, events.emit, 'first')
    assert 1 <= len(calls) <= 8


def test_P4_event_loops_in_several_threads_hash_side_by_side_and_one_after_another():
    hashed = asyncio.run(hash_password(PASSWORD, 1000))
    verdicts = []

    def visit():
        for password in (PASSWORD, ANOTHER):
            verdicts.append(asyncio.run(verify_password(password, hashed)))

    for _ in range(3):
        in_threads(*[visit] * 6)
    assert sorted(verdicts) == [False] * 18 + [True] * 18


def test_P4_a_loop_that_is_left_with_passwords_under_way_keeps_no_place():
    slow = f'pbkdf2_sha256$300000$salt${"A" * 43}='

    async def leave():
        tasks = [asyncio.create_task(verify_password(f'wrong {i}', slow)) for i in range(40)]
        await asyncio.sleep(0)
        assert not any(task.done() for task in tasks)

    for _ in range(4):
        asyncio.run(leave())
    assert asyncio.run(asyncio.wait_for(verify_password('x', asyncio.run(hash_password('x', 10))), 30)) is True
