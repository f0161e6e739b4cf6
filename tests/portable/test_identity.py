"""A verdict is a user or a no; whatever only looks like a yes is an error, never a login."""
import asyncio

from client import KEY, OTHER_KEY, raises
from microdot import Response
from microdot.microdot import HTTPException

from dotlatch.identity import as_user, get, has_second_factor, is_active, stamp, user_id
from dotlatch.portable import Key


class Person:
    def __init__(self, **properties):
        for name in properties:
            setattr(self, name, properties[name])

    def method(self):
        pass


class Falsy(Person):
    def __bool__(self):
        return False


class Sized(Person):
    def __len__(self):
        return 0


async def coroutine_function():
    pass


def function():
    pass


def closure():
    x = []

    def inner():
        return x
    return inner


def generator():
    yield 1


def test_a_user_is_itself():
    person = Person(id=1)
    for user in (person, {'id': 1}, {'id': 0, 'name': ''}, 'anna', 5, 0, -1, 2 ** 70, '0', 'None', Person()):
        verdict = as_user(user)
        assert verdict is user or verdict == user, user


def test_an_object_that_is_false_or_empty_in_itself_is_still_a_user():
    for user in (Falsy(id=1), Sized(id=1)):
        assert as_user(user) is user


def test_a_no_is_nobody():
    for no in (None, False, ''):
        assert as_user(no) is None, no


def test_an_empty_record_is_nobody():
    assert as_user({}) is None


async def test_flaw_A2_what_only_looks_like_a_yes_is_an_error():
    coroutine = coroutine_function()
    task = asyncio.create_task(coroutine_function())
    table = [
        True, ('anna', True), (None, 'bad password'), ('Forbidden', 403), (), [], ['anna'], {'anna'}, set(), 1.5, 0.0,
        b'anna', b'', bytearray(b'x'), Response('Forbidden', 403), Response('ok'), ValueError('wrong'), Exception(),
        HTTPException(401), KeyError, Person, dict, str, coroutine, task, generator(), function, lambda: None,
        closure(), coroutine_function, generator, Person().method, len, 'x'.upper,
    ]
    for verdict in table:
        raises(TypeError, as_user, verdict)
    await coroutine
    await task


def test_the_error_does_not_tell_what_was_returned():
    exc = raises(TypeError, as_user, ('secret-token', 'password'))
    assert 'secret-token' not in str(exc) and 'tuple' in str(exc)


def test_get_reads_objects_and_dictionaries():
    for user in (Person(name='anna'), {'name': 'anna'}):
        assert get(user, 'name') == 'anna'
        assert get(user, 'scopes') is None
        assert get(user, 'scopes', ()) == ()
    assert get('anna', 'name', 'x') == 'x'
    assert get(5, 'id') is None


def test_the_id_is_the_users_or_the_bare_name_itself():
    table = [(Person(id=1), 1), (Person(id=0), 0), (Person(id='x'), 'x'), ({'id': 7}, 7), ({'id': 0}, 0),
             ('anna', 'anna'),
             (5, 5), (0, 0), (Person(id=2 ** 70), 2 ** 70), (Person(id=-3), -3)]
    for user, expected in table:
        found = user_id(user)
        assert found == expected and type(found) is type(expected), expected


def test_an_id_that_no_token_gives_back_unchanged_is_an_error():
    for user in (Person(id=None), Person(), {}, {'name': 'x'}, Person(id=1.5), Person(id=b'x'), Person(id=True), True,
                 False, None, Person(id=(1, 2)), Person(id=[1]), Person(id=Person()), 1.5, b'x', [1]):
        raises(TypeError, user_id, user)


def test_users_are_active_unless_they_say_otherwise():
    for user in (Person(), {}, 'anna', 5, Person(is_active=True), {'is_active': True}, {'is_active': 1}):
        assert is_active(user) is True, user
    for user in (Person(is_active=False), {'is_active': False}, {'is_active': 0}, {'is_active': None}):
        assert is_active(user) is False, user


def test_O5_who_has_something_in_totp_has_a_second_factor():
    for user in (Person(totp='SHA1$6$A'), {'totp': 'SHA1$6$A'}, Person(totp=lambda: None), {'totp': True}):
        assert has_second_factor(user) is True, user
    for user in (Person(), {}, 'anna', 5, Person(totp=None), {'totp': None}, {'totp': ''}):
        assert has_second_factor(user) is False, user


def test_S6_the_stamp_changes_with_password_and_version_and_key():
    users = [{'id': 1, 'password_hash': 'a'}, {'id': 1, 'password_hash': 'b'},
             {'id': 1, 'password_hash': 'a', 'session_version': 1}, {'id': 1, 'password_hash': 'a',
                                                                     'session_version': 2},
             {'id': 1, 'session_version': 1}, {'id': 1, 'session_version': 0}, {'id': 1, 'password_hash': ''},
             {'id': 1, 'password_hash': '1\na'}, {'id': 1, 'password_hash': 'a', 'session_version': '1\n1'}]
    stamps = [stamp(user, Key(key)) for user in users for key in (KEY, OTHER_KEY)]
    assert len(set(stamps)) == 2 * len(users)
    assert '' not in stamps


def test_S6_the_stamp_stays_while_nothing_changes():
    key = Key(KEY)
    a = stamp({'id': 1, 'name': 'x', 'password_hash': 'a'}, key)
    assert a == stamp({'id': 1, 'name': 'y', 'password_hash': 'a', 'scopes': ['z']}, key)
    assert a == stamp(Person(password_hash='a'), Key(KEY))


def test_the_stamp_tells_nothing_of_the_hash():
    password_hash = 'pbkdf2_sha256$1$salt$0123456789abcdef'
    mark = stamp({'password_hash': password_hash}, Key(KEY))
    assert len(mark) >= 16  # 96 bits
    for i in range(len(password_hash) - 5):
        assert password_hash[i:i + 6] not in mark


def test_users_with_nothing_to_stamp_have_none():
    for user in ('anna', 5, {}, {'id': 1}, Person(id=1), {'password_hash': None}):
        assert stamp(user, Key(KEY)) == '', user
