"""Hashes made by one Python, by hashlib and by Django are right for the others."""
import asyncio
import hashlib
import threading

import pytest
from django.conf import settings as django_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from dotlatch import passwords

if not django_settings.configured:
    django_settings.configure()
from django.contrib.auth.hashers import PBKDF2PasswordHasher, check_password

PASSWORDS = ['correct horse battery staple', '', ' ', 'p\xe4ssw\xf6rd-\u2603', '\U0001f511\U0001f4a9key', 'a\0b',
             'pa$$word', 'x' * 63, 'x' * 64, 'x' * 65, 'x' * 4096]


@given(st.binary(max_size=150), st.binary(max_size=80), st.integers(1, 60), st.integers(1, 100))
@settings(max_examples=300)
def test_pbkdf2_is_that_of_hashlib(python, password, salt, iterations, size):
    assert python('pbkdf2', password, salt, iterations, size) == hashlib.pbkdf2_hmac('sha256', password, salt,
                                                                                     iterations, size)


@pytest.mark.parametrize('password', PASSWORDS, ids=range(len(PASSWORDS)))
def test_django_checks_our_hashes(python, password):
    hashed = python('hash_password', password, 500).decode()
    if password:
        assert check_password(password, hashed)
    assert PBKDF2PasswordHasher().verify(password, hashed)
    assert not PBKDF2PasswordHasher().verify(password + 'x', hashed)
    assert not PBKDF2PasswordHasher().must_update(hashed.replace('$500$', '$1000000$'))


@pytest.mark.parametrize('password', PASSWORDS, ids=range(len(PASSWORDS)))
def test_ours_checks_djangos_hashes(python, password):
    hasher = PBKDF2PasswordHasher()
    for salt in (hasher.salt(), 'abc', 's\xe4lt'):
        hashed = hasher.encode(password, salt, 500)
        assert python('verify_password', password, hashed) == b'yes'
        assert python('verify_password', password + 'x', hashed) == b'no'


def test_hashes_move_between_the_pythons(pythons):
    for maker in pythons.values():
        for password in PASSWORDS:
            hashed = maker('hash_password', password, 3)
            for reader in pythons.values():
                assert reader('verify_password', password, hashed) == b'yes', (maker.name, reader.name, password[:20])


def test_djangos_unusable_password_opens_nothing(python):
    from django.contrib.auth.hashers import make_password
    for password in ('', '!', 'x', 'None'):
        assert python('verify_password', password, make_password(None)) == b'no'


async def test_P4_a_flood_of_logins_hashes_few_at_a_time_and_leaves_the_threads_of_others_free(monkeypatch):
    lock, running, most = threading.Lock(), 0, 0
    real = hashlib.pbkdf2_hmac

    def counting(*args):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        try:
            return real(*args)
        finally:
            with lock:
                running -= 1

    monkeypatch.setattr(hashlib, 'pbkdf2_hmac', counting)
    hashed = f'pbkdf2_sha256$50000$salt${"A" * 43}='
    flood = [asyncio.create_task(passwords.verify_password(f'wrong {i}', hashed)) for i in range(24)]
    await asyncio.sleep(0)
    assert await asyncio.get_running_loop().run_in_executor(None, lambda: 'served') == 'served'
    assert sum(task.done() for task in flood) < 24
    assert await asyncio.gather(*flood) == [False] * 24
    assert 1 <= most <= 4, most
