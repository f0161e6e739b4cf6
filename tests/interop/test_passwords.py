"""Hashes made by one Python, by hashlib, by Django and by others are right for the others."""
import asyncio
import functools
import hashlib
import sys
import threading

import argon2
import bcrypt
import passlib.hash
import pytest
from django.conf import settings as django_settings
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.security import generate_password_hash

from dotlatch import hashers, passwords, portable, strength
from tools import blocklist

if not django_settings.configured:
    django_settings.configure()
from django.contrib.auth import hashers as django_hashers
from django.contrib.auth.hashers import PBKDF2PasswordHasher, check_password

PASSWORDS = ['correct horse battery staple', ' ', 'p\xe4ssw\xf6rd-\u2603', '\U0001f511\U0001f4a9key', 'a\0b',
             'pa$$word', 'x' * 63, 'x' * 64, 'x' * 65, 'x' * 4096]


@given(st.binary(max_size=150), st.binary(max_size=80), st.integers(1, 60), st.integers(1, 100))
@settings(max_examples=300)
def test_pbkdf2_is_that_of_hashlib(python, password, salt, iterations, size):
    assert python('pbkdf2', password, salt, iterations, size) == hashlib.pbkdf2_hmac('sha256', password, salt,
                                                                                     iterations, size)


@pytest.mark.parametrize('password', PASSWORDS, ids=range(len(PASSWORDS)))
def test_django_checks_our_hashes(python, password):
    hashed = python('hash_password', password, 500).decode()
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


# --- hashes that others made ----------------------------------------------------------------------------

class CheapArgon2(django_hashers.Argon2PasswordHasher):
    time_cost, memory_cost, parallelism = 1, 64, 2


class CheapBcryptSHA256(django_hashers.BCryptSHA256PasswordHasher):
    rounds = 4


class CheapBcrypt(django_hashers.BCryptPasswordHasher):
    rounds = 4


class CheapScrypt(django_hashers.ScryptPasswordHasher):
    work_factor = 64


def by_django(hasher):
    return lambda password: hasher.encode(password, hasher.salt())


def by_django_sha1(password):
    hasher = django_hashers.PBKDF2SHA1PasswordHasher()
    return hasher.encode(password, hasher.salt(), 500)


ON_BOTH = {
    'werkzeug': lambda password: generate_password_hash(password, 'pbkdf2:sha256:500'),
    'passlib': passlib.hash.pbkdf2_sha256.using(rounds=500).hash,
}
ON_CPYTHON = {
    'django argon2': by_django(CheapArgon2()),
    'django bcrypt_sha256': by_django(CheapBcryptSHA256()),
    'django bcrypt': by_django(CheapBcrypt()),
    'django scrypt': by_django(CheapScrypt()),
    'django sha1': by_django_sha1,
    'werkzeug scrypt': lambda password: generate_password_hash(password, 'scrypt:1024:8:1'),
    'werkzeug sha1': lambda password: generate_password_hash(password, 'pbkdf2:sha1:500'),
    'werkzeug sha512': lambda password: generate_password_hash(password, 'pbkdf2:sha512:500'),
    'passlib sha1': passlib.hash.pbkdf2_sha1.using(rounds=500).hash,
    'passlib sha512': passlib.hash.pbkdf2_sha512.using(rounds=500).hash,
    'argon2-cffi': argon2.PasswordHasher(1, 64, 1).hash,
    'argon2-cffi, argon2i': argon2.PasswordHasher(1, 64, 1, type=argon2.Type.I).hash,
    'bcrypt': lambda password: bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode(),
    'bcrypt 2a': lambda password: bcrypt.hashpw(password.encode(), bcrypt.gensalt(4, b'2a')).decode(),
}
SHORT = [password for password in PASSWORDS if password and len(password.encode()) <= 72 and '\0' not in password]


@pytest.mark.parametrize('maker', ON_BOTH)
def test_P3_hashes_of_others_are_right_on_both_pythons(python, maker):
    for password in SHORT + ['x' * 1000]:
        hashed = ON_BOTH[maker](password)
        assert python('verify_password', password, hashed) == b'yes', hashed
        assert python('verify_password', password + 'x', hashed) == b'no', hashed


@pytest.mark.parametrize('maker', ON_CPYTHON)
async def test_P3_hashes_that_need_a_library_are_right_on_cpython(maker):
    for password in SHORT:
        hashed = ON_CPYTHON[maker](password)
        assert await passwords.verify_password(password, hashed) is True, hashed
        for wrong in (password + 'x', 'y' + password[1:], password + ' ', password.swapcase() + '!', hashed):
            assert await passwords.verify_password(wrong, hashed) is False, (hashed, wrong)
        for at in range(len(hashed) - 20, len(hashed) - 1, 6):
            changed = hashed[:at] + ('1' if hashed[at] != '1' else '2') + hashed[at + 1:]
            assert await passwords.verify_password(password, changed) is False, changed
        assert passwords.needs_rehash(hashed) is True


@pytest.mark.parametrize('maker', ON_CPYTHON)
def test_P4_what_a_board_cannot_compute_is_false_there(pythons, maker):
    hashed = ON_CPYTHON[maker]('correct horse battery staple')
    assert pythons['micropython']('verify_password', 'correct horse battery staple', hashed) == b'no'


@pytest.mark.parametrize('maker', ['django bcrypt', 'bcrypt'])
async def test_P1_bcrypts_limits_make_no_two_passwords_equal(maker):
    """It looks at 72 bytes, and takes a password for itself and a NUL after it, over and over."""
    hashed = ON_CPYTHON[maker]('x' * 72)
    assert await passwords.verify_password('x' * 72, hashed) is True
    for longer in ('x' * 73, 'x' * 72 + 'anything', 'x' * 4096):
        assert await passwords.verify_password(longer, hashed) is False
    hashed = ON_CPYTHON[maker]('abc')
    for repeated in ('abc\0abc', 'abc\0abc\0abc', 'abc\0', 'abc\0x'):
        assert await passwords.verify_password(repeated, hashed) is False, repeated
    long = ON_CPYTHON['django bcrypt_sha256']('x' * 100)
    assert await passwords.verify_password('x' * 100, long) is True
    assert await passwords.verify_password('x' * 101, long) is False


@pytest.mark.parametrize(('maker', 'library'), [('django argon2', 'argon2'), ('argon2-cffi', 'argon2'),
                                                ('django bcrypt', 'bcrypt'), ('django bcrypt_sha256', 'bcrypt')])
async def test_P4_a_library_that_is_not_there_is_false_and_said_once(monkeypatch, maker, library):
    hashed = ON_CPYTHON[maker]('correct horse battery staple')
    given = []
    monkeypatch.setattr(portable, 'warn', given.append)
    monkeypatch.setattr(portable, '_warned', [])
    monkeypatch.setitem(sys.modules, library, None)
    for _ in range(3):
        assert await passwords.verify_password('correct horse battery staple', hashed) is False
    assert len(given) == 1 and library in given[0] and hashed not in given[0], given


async def test_P4_scrypt_that_is_not_there_is_false(monkeypatch):
    hashed = ON_CPYTHON['django scrypt']('x')
    monkeypatch.delattr(hashlib, 'scrypt')
    monkeypatch.setattr(portable, 'warn', lambda message: None)
    assert await passwords.verify_password('x', hashed) is False


@pytest.mark.parametrize('maker', ['django argon2', 'django bcrypt', 'django scrypt', 'django sha1'])
async def test_P4_every_kind_of_hash_is_computed_in_one_of_two_threads(monkeypatch, maker):
    names = set()

    def noting(real, *args):
        names.add(threading.current_thread().name)
        return real(*args)

    for name in ('_derive_argon2', '_derive_bcrypt', '_derive_scrypt', '_derive_pbkdf2'):
        monkeypatch.setattr(hashers, name, functools.partial(noting, getattr(hashers, name)))
    hashed = ON_CPYTHON[maker]('x')
    assert await asyncio.gather(*[passwords.verify_password('x', hashed) for _ in range(8)]) == [True] * 8
    assert 1 <= len(names) <= 2 and all(name.startswith('dotlatch') for name in names), names


async def test_P3_the_largest_costs_of_common_settings_are_taken():
    """Those of OWASP's cheat sheet, of RFC 9106's second choice, and the libraries' own."""
    names = []
    for hashed in ('scrypt:131072:8:1$salt$' + '0' * 128, 'scrypt:32768:8:3$salt$' + '0' * 128,
                   'scrypt$16384$salt$8$5$' + 'A' * 86 + '==', '$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$' + 'A' * 43,
                   'argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdHNhbHQ$' + 'A' * 43,
                   '$argon2id$v=19$m=262144,t=4,p=1$c2FsdHNhbHQ$' + 'A' * 43, '$2b$14$' + 'a' * 53,
                   'pbkdf2_sha1$1300000$salt$' + 'A' * 27 + '=', 'pbkdf2:sha256:1000000$salt$' + '0' * 64):
        check = hashers.check_of(hashed)
        assert check is not None, hashed
        names.append(check[0].__name__)
    assert names.count('_run') == 8 and names.count('pbkdf2_hmac_sha256') == 1, names


# Strings that are nearly right: pieces of every format, and formats with some characters changed.
EXAMPLES = sorted([make('x') for make in [*ON_BOTH.values(), *ON_CPYTHON.values()]] + [
    'pbkdf2-hmac-sha256:30313233:1000:' + '0' * 64, 'pbkdf2_sha256$500$salt$' + 'A' * 43 + '='])
PIECES = st.sampled_from(['$', ':', 'pbkdf2', 'pbkdf2_sha256', 'pbkdf2_sha1', '$pbkdf2-sha256', 'pbkdf2-hmac-sha256',
                          'scrypt', 'argon2', '$argon2id', 'argon2id', 'bcrypt$', 'bcrypt_sha256', '$2b$04', 'v=19',
                          'm=64,t=1,p=1', 'm=', '64', '8', '1', '0', '-1', '99999999', 'salt', 'c2FsdHNhbHQ', '0' * 64,
                          '0' * 128, 'A' * 43, 'A' * 43 + '=', 'A' * 86 + '==', 'a' * 53, '\xb2', '\u0661', '\ud800',
                          '\0', '\n', ',', '='])


@st.composite
def nearly(draw):
    if draw(st.booleans()):
        return ''.join(draw(st.lists(PIECES, max_size=12)))
    text = draw(st.sampled_from(EXAMPLES))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.one_of(PIECES, st.characters(), st.just(''))) + text[at + draw(st.integers(0, 3)):]
    return text


@given(nearly())
def test_P4_no_string_makes_an_exception_or_work_without_a_bound(hashed):
    check = passwords.check_of(hashed)
    assert passwords.needs_rehash(hashed) in (True, False)
    if check is not None:
        _, arguments, digest = check
        assert type(digest) is bytes and 16 <= len(digest) <= 64
        costs = [value for value in arguments if type(value) is int]
        assert all(0 < cost <= passwords.MAX_ITERATIONS for cost in costs), check


@given(nearly())
@settings(max_examples=400)
def test_P4_no_string_is_an_error_on_either_python(python, hashed):
    try:
        hashed.encode()
    except UnicodeEncodeError:
        return
    too_long = 'x' * 4097  # the string is read, and nothing is hashed
    assert python('verify_password', too_long, hashed) == b'no'


# --- the blocklist ----------------------------------------------------------------------------------------

def test_P2_the_blocklist_holds_the_words_that_its_generator_names():
    words = blocklist.words()
    assert len(words) == blocklist.COUNT
    assert [word for word in words if not strength.is_common(word)] == []
    assert (blocklist.TARGET).read_text() == blocklist.source(words)


async def test_P2_what_leaked_most_often_is_refused():
    """Of Django's 20,000, by what is left of them at 8 and at 15 characters."""
    async def is_refused(password, min_length):
        try:
            await strength.check_strength(password, min_length=min_length)
        except strength.WeakPassword:
            return True
        return False

    leaked = [password for password in blocklist.django_list() if len(password) >= 8]
    first = [await is_refused(password, 8) for password in leaked[:500]]
    every = [await is_refused(password, 8) for password in leaked]
    long = [await is_refused(password, 15) for password in leaked]
    assert sum(first) >= 490, sum(first)
    assert sum(every) >= len(every) // 2, sum(every)
    assert len(long) - sum(long) <= 20, len(long) - sum(long)


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
