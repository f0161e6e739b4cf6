"""Password hashes: PBKDF2 as others compute it, false for everything odd, and a server that goes on answering."""
import asyncio
import sys

from clock import FakeClock

from dotlatch import passwords
from dotlatch.passwords import hash_password, needs_rehash, pbkdf2_hmac_sha256, verify_login, verify_password
from dotlatch.portable import hmac_sha256
from dotlatch.users import MemoryUsers

RIGHT = 'correct horse battery staple'
LOW = 3  # iterations: what is tested here does not depend on them
MICROPYTHON = sys.implementation.name == 'micropython'


async def outcome(awaitable):
    """What was returned, or the class of the exception."""
    try:
        return await awaitable
    except Exception as error:
        return type(error)


class Counted:
    """Counts the hashes that are computed, and what each of them costs."""
    def __enter__(self):
        self.costs = []
        self._kept = kept = passwords.pbkdf2_hmac_sha256

        async def counting(password, salt, iterations, dklen=32):
            self.costs.append(iterations)
            return await kept(password, salt, min(iterations, 2), dklen)

        passwords.pbkdf2_hmac_sha256 = counting
        return self

    def __exit__(self, *error):
        passwords.pbkdf2_hmac_sha256 = self._kept


class Default:
    """Another default cost, as the owner of a board sets it."""
    def __init__(self, iterations):
        self.iterations = iterations

    def __enter__(self):
        self._kept = passwords.ITERATIONS
        passwords.ITERATIONS = self.iterations

    def __exit__(self, *error):
        passwords.ITERATIONS = self._kept


# --- P3: the hash ---------------------------------------------------------------------------------

async def test_P3_a_password_verifies_against_its_hash_and_no_other_does():
    hashed = await hash_password(RIGHT, LOW)
    assert await verify_password(RIGHT, hashed) is True
    for wrong in ('', RIGHT[:-1], RIGHT + ' ', ' ' + RIGHT, RIGHT.upper(), '\0' + RIGHT, RIGHT + 'x', RIGHT * 2,
                  hashed):
        assert await verify_password(wrong, hashed) is False, wrong


async def test_P1_the_whole_password_counts_as_it_was_typed():
    for password in (' ', '  two  ', '\0a', 'a\0b', 'x' * 63, 'x' * 64, 'x' * 65, 'x' * 200, 'x' * 4096, '\xe9',
                     'e\u0301', '\u2603\U0001f511', '$', 'pbkdf2_sha256$1$a$b', '\n', '\t\r\n'):
        hashed = await hash_password(password, LOW)
        assert await verify_password(password, hashed) is True, password[:20]
        # Not a NUL at its end: HMAC fills short keys up with them (RFC 2104), so that one is no difference.
        for other in (password + ' ', '\0!' + password, password[:-1], password.strip() + '!',
                      'y' + password[1:]):
            if not other == password:
                assert await verify_password(other, hashed) is False, (password[:20], other[:20])


async def test_P1_no_account_gets_an_empty_password():
    users = MemoryUsers()
    assert await outcome(hash_password('')) is await outcome(users.create('anna', '')) is ValueError
    assert len(users) == 0
    anna = await users.create('anna', RIGHT)
    assert await outcome(users.set_password(anna, '')) is ValueError
    assert await users.authenticate('anna', '') is None and await users.authenticate('anna', RIGHT) is anna


async def test_P3_the_same_password_twice_gives_two_hashes():
    hashes = []
    for _ in range(20):
        hashes.append(await hash_password(RIGHT, LOW))
    assert len(set(hashes)) == 20
    salts = [hashed.split('$')[2] for hashed in hashes]
    assert len(set(salts)) == 20


async def test_P3_a_hash_has_djangos_form_with_a_salt_of_128_bits():
    algorithm, cost, salt, digest = (await hash_password(RIGHT, LOW)).split('$')
    assert (algorithm, cost) == ('pbkdf2_sha256', '3')
    assert len(salt) >= 22 and len(digest) == 44 and digest.endswith('=')


async def test_P3_the_default_cost_is_a_servers_or_a_boards():
    assert passwords.ITERATIONS >= (2500 if MICROPYTHON else 600000)
    with Counted() as counted:
        hashed = await hash_password(RIGHT)
    assert counted.costs == [passwords.ITERATIONS] and hashed.split('$')[1] == str(passwords.ITERATIONS)


async def test_P3_a_hash_below_the_cost_of_today_is_to_be_made_anew():
    for cost in (LOW, passwords.ITERATIONS - 1):
        assert needs_rehash('pbkdf2_sha256$%d$salt$%s' % (cost, 'A' * 43 + '=')) is True, cost
    for cost in (passwords.ITERATIONS, passwords.ITERATIONS + 1):
        assert needs_rehash('pbkdf2_sha256$%d$salt$%s' % (cost, 'A' * 43 + '=')) is False, cost
    assert needs_rehash('pbkdf2_sha256$5$salt$%s' % ('A' * 43 + '='), 5) is False
    assert needs_rehash('pbkdf2_sha256$5$salt$%s' % ('A' * 43 + '='), 6) is True
    for odd in ('', '!', 'x$y', None, 5, 'pbkdf2_sha256$1$\ud800$' + 'A' * 43 + '='):
        assert needs_rehash(odd) is True, odd


async def test_P3_pbkdf2_gives_as_many_bytes_as_are_asked_for():
    long = await pbkdf2_hmac_sha256(b'password', b'salt', 2, 100)
    assert len(long) == 100
    for size in (1, 16, 31, 32, 33, 63, 64, 65, 99):
        assert await pbkdf2_hmac_sha256(b'password', b'salt', 2, size) == long[:size], size
    assert await pbkdf2_hmac_sha256(b'k', b's', 1, 32) == hmac_sha256(b'k', b's\0\0\0\1')
    assert await pbkdf2_hmac_sha256(b'', b'', 1) is not None


async def test_P3_pbkdf2_is_right_for_every_count_where_a_slice_may_end():
    """By its definition: each iteration is the HMAC of the one before, all of them combined."""
    last = hmac_sha256(b'k', b's\0\0\0\1')
    total = int.from_bytes(last, 'big')
    for count in range(2, 200):
        last = hmac_sha256(b'k', last)
        total ^= int.from_bytes(last, 'big')
        if count in (2, 15, 16, 17, 18, 31, 32, 33, 34, 48, 49, 50, 65, 112, 113, 199):
            assert await pbkdf2_hmac_sha256(b'k', b's', count) == total.to_bytes(32, 'big'), count


async def test_P4_impossible_costs_and_lengths_are_a_value_error():
    for iterations, size in ((0, 32), (-1, 32), (1, 0), (1, -1)):
        assert await outcome(pbkdf2_hmac_sha256(b'k', b's', iterations, size)) is ValueError, (iterations, size)
    for iterations in (0, -1, passwords.MAX_ITERATIONS + 1, 1 << 62):
        assert await outcome(hash_password(RIGHT, iterations)) is ValueError, iterations


# --- P4: odd input is false, at once -----------------------------------------------------------------

async def test_P4_odd_hashes_are_false_without_hashing_or_an_exception():
    good = await hash_password(RIGHT, LOW)
    algorithm, _, salt, digest = good.split('$')
    tail = '$' + salt + '$' + digest
    rows = ['', '$', '$$$', '$$$$', '!', 'None', RIGHT, good[:-1], good[:-2], good + '=', good + '$', good + '$x',
            '$' + good, good + '\n', ' ' + good, good + ' ', good.upper(), good.replace('_', '-'),
            good.replace('pbkdf2', 'PBKDF2'), 'pbkdf2_sha1$3' + tail, 'pbkdf2_sha512$3' + tail,
            'argon2$3' + tail, algorithm + tail, algorithm + '$' + salt + '$3$' + digest, algorithm + '$3$' + digest,
            algorithm + '$3$$' + digest, algorithm + '$3$' + salt + '$', algorithm + '$3$' + salt + '$' + digest[:-1],
            algorithm + '$3$' + salt + '$=' + digest, algorithm + '$3$' + salt + '$ ' + digest,
            algorithm + '$3$' + salt + '$' + digest[:20] + '\n' + digest[20:],
            algorithm + '$3$' + salt + '$' + digest[:-4] + '====', algorithm + '$3$' + salt + '$' + 'A' * 40,
            algorithm + '$3$' + salt + '$' + 'A' * 64, algorithm + '$3$' + salt + '$' + '-' * 43 + '=',
            algorithm + '$3$' + salt + '$' + '\xe9' * 44, algorithm + '$3$' + 's' * 10000 + '$' + digest,
            algorithm + '$3$' + salt + '$\ud800' + digest[1:], algorithm + '\ud800$3' + tail,
            algorithm + '$\ud8003' + tail]
    rows += [algorithm + '$' + odd + tail for odd in ('', '0', '00', '-1', '+3', ' 3', '3 ', '3\n', '3.0', '1e3', '0x3',
                                                      '3_0', '\u0663', '\xb3', 'three', '3' * 20, '99999999',
                                                      '1099511627776', str(passwords.MAX_ITERATIONS + 1), '9' * 400,
                                                      'None', 'inf', 'true')]
    with Counted() as counted:
        for row in rows:
            got = await outcome(verify_password(RIGHT, row))
            assert got is False, (row[:80], got)
    assert counted.costs == []
    assert await outcome(verify_password(RIGHT, algorithm + '$3$\ud800abcdef$' + digest)) is False


async def test_P4_a_hash_that_is_no_text_is_false():
    for odd in (5, True, False, b'pbkdf2_sha256$3$a$b', [], {}, ('pbkdf2_sha256', '3'), object(), 1.5):
        assert await outcome(verify_password(RIGHT, odd)) is False, odd


async def test_P4_a_password_that_is_no_text_is_false():
    hashed = await hash_password('None', LOW)
    with Counted() as counted:
        for odd in (None, 5, True, b'None', bytearray(b'None'), [], {}, ['None'], object()):
            assert await outcome(verify_password(odd, hashed)) is False, odd
    assert counted.costs == []
    for odd in (None, 5, b'x', []):
        assert await outcome(hash_password(odd, LOW)) is TypeError, odd


async def test_P4_a_password_above_4_kilobytes_is_refused_before_hashing():
    hashed = await hash_password('x' * 4096, LOW)
    assert await verify_password('x' * 4096, hashed) is True
    with Counted() as counted:
        for size in (4097, 20000, 500000):
            assert await verify_password('x' * size, hashed) is False, size
            assert await outcome(hash_password('x' * size, LOW)) is ValueError, size
        assert await verify_password('\u2603' * 1366, hashed) is False, 'the limit is in bytes'
        assert await outcome(hash_password('\u2603' * 1366, LOW)) is ValueError
    assert counted.costs == []


async def test_P4_text_that_is_no_unicode_is_never_a_password():
    hashed = await hash_password('x', LOW)
    for odd in ('\ud800', 'x\udfff', 'hunter22\udc80'):
        assert await outcome(verify_password(odd, hashed)) is False, repr(odd)
        made = await outcome(hash_password(odd, LOW))
        assert isinstance(made, type) and issubclass(made, ValueError), (repr(odd), made)


# --- B5: nobody learns who has an account ---------------------------------------------------------------

async def test_B5_an_unknown_user_costs_as_much_as_a_wrong_password():
    hashed = await hash_password(RIGHT, 5)
    for default in (2, 5, 40):
        with Default(default):
            with Counted() as counted:
                assert await verify_password(RIGHT, None) is False
                made = await hash_password(RIGHT)
                assert await verify_password('wrong', made) is False
            assert counted.costs == [default] * 3, (default, counted.costs)
    with Counted() as counted:
        assert await verify_password('wrong', hashed) is False
    assert counted.costs == [5]


async def test_B5_no_password_opens_an_account_that_is_not_there():
    with Default(LOW):
        for password in ('', 'None', RIGHT, '\0', '!', '*'):
            for _ in range(2):
                assert await verify_password(password, None) is False, password


async def test_B5_a_no_of_a_login_costs_as_much_whatever_is_kept_and_a_yes_no_more_than_its_hash():
    with Default(9):
        for hashed in (None, '', 'junk', 5, b'x', 'pbkdf2_sha256$99999999$salt$x', await hash_password(RIGHT, LOW),
                       await hash_password(RIGHT, 9)):
            with Counted() as counted:
                assert await verify_login('wrong', hashed) is False, hashed
            assert sum(counted.costs) == 9, (hashed, counted.costs)
            with Counted() as counted:
                for odd in (None, 5, b'x', 'x' * 5000, 'x\0', '\ud800'):
                    assert await outcome(verify_login(odd, hashed)) is False, (hashed, repr(odd)[:20])
            assert counted.costs == [], hashed
        assert await verify_login(RIGHT, await hash_password(RIGHT, LOW)) is True


async def test_B5_a_login_of_hashes_of_another_cost_costs_what_their_decoy_does():
    decoy = await hash_password('nobodys', 20)
    with Default(9):
        for hashed, cost in ((None, 20), ('junk', 20), (await hash_password(RIGHT, LOW), 20),
                             (await hash_password(RIGHT, 20), 20), (await hash_password(RIGHT, 30), 30)):
            with Counted() as counted:
                assert await verify_login('wrong', hashed, decoy) is False, hashed
            assert sum(counted.costs) == cost, (hashed, counted.costs)
        for hashed in (None, 'junk'):
            assert await verify_login('nobodys', hashed, decoy) is False, 'it opened the decoy'


# --- what was right a moment ago --------------------------------------------------------------------------

async def test_what_was_right_a_moment_ago_does_not_make_another_hash_right():
    hashed = await hash_password(RIGHT, LOW)
    algorithm, cost, salt, digest = hashed.split('$')
    for _ in range(2):
        assert await verify_password(RIGHT, hashed) is True
        for changed in ('$'.join([algorithm, cost, salt[:-1] + 'x', digest]),
                        '$'.join([algorithm, cost, salt + 'x', digest]), '$'.join([algorithm, cost, 'x', digest]),
                        '$'.join([algorithm, '4', salt, digest]), '$'.join([algorithm, '30', salt, digest]),
                        await hash_password('another', LOW)):
            assert await verify_password(RIGHT, changed) is False, changed


async def test_what_was_wrong_stays_wrong_however_often_it_is_tried():
    hashed = await hash_password(RIGHT, LOW)
    with Counted() as counted:
        for _ in range(5):
            assert await verify_password('wrong', hashed) is False
    assert counted.costs == [LOW] * 5


async def test_what_was_right_is_known_again_for_five_minutes_only():
    with FakeClock() as clock:
        hashed = await hash_password(RIGHT, 2)
        with Counted() as counted:
            for _ in range(3):
                assert await verify_password(RIGHT, hashed) is True
            assert len(counted.costs) == 1
            clock.advance(301)
            assert await verify_password(RIGHT, hashed) is True
            assert len(counted.costs) == 2


async def test_what_was_right_is_not_known_again_where_that_is_not_wanted():
    kept = passwords.RECENT_SECONDS
    passwords.RECENT_SECONDS = 0
    try:
        hashed = await hash_password(RIGHT, 2)
        with Counted() as counted:
            for _ in range(3):
                assert await verify_password(RIGHT, hashed) is True
        assert len(counted.costs) == 3
    finally:
        passwords.RECENT_SECONDS = kept


async def test_what_was_right_is_kept_for_few():
    hashes = []
    for i in range(30):
        hashes.append(await hash_password('p%d' % i, 2))
        assert await verify_password('p%d' % i, hashes[i]) is True
    with Counted() as counted:
        for i in range(30):
            assert await verify_password('p%d' % i, hashes[i]) is True
    assert len(counted.costs) >= 14, 'a table without a bound'


async def test_H3_no_password_is_left_in_memory():
    for secret in ('hunter22' * 3, 'hunter22'):
        hashed = await hash_password(secret, LOW)
        assert await verify_password(secret, hashed) is True
        assert await verify_password(secret + '!', hashed) is False
        assert await verify_password(secret, hashed) is True
        found = [name for name in dir(passwords) if holds(getattr(passwords, name), secret.encode())]
        assert found == [], found


def holds(value, secret, depth=4):
    """Whether a value, or what it refers to, contains these bytes."""
    if isinstance(value, str):
        return secret.decode() in value
    if isinstance(value, (bytes, bytearray)):
        return secret in bytes(value)
    if not depth:
        return False
    if isinstance(value, dict):
        return holds(list(value.keys()), secret, depth - 1) or holds(list(value.values()), secret, depth - 1)
    if isinstance(value, (list, tuple, set)):
        return any(holds(item, secret, depth - 1) for item in value)
    if isinstance(value, type) or type(value) is type(sys):
        return False
    return holds(getattr(value, '__dict__', None) or {}, secret, depth - 1)


# --- P4: the server goes on answering ------------------------------------------------------------------------

class Turns:
    """Counts how often another task gets its turn meanwhile."""
    async def __aenter__(self):
        self.count = 0
        self._task = asyncio.create_task(self._run())
        await asyncio.sleep(0)
        return self

    async def _run(self):
        while True:
            self.count += 1
            await asyncio.sleep(0)

    async def __aexit__(self, *error):
        self._task.cancel()
        await asyncio.sleep(0)


async def test_P4_other_tasks_get_turns_while_a_password_is_verified():
    cost = 20000 if MICROPYTHON else 600000
    hashed = 'pbkdf2_sha256$%d$salt$%s' % (cost, 'A' * 43 + '=')
    async with Turns() as turns:
        before = turns.count
        assert await verify_password('wrong', hashed) is False
        got = turns.count - before
    assert got >= 8, got


async def test_P4_other_tasks_get_turns_while_a_password_is_hashed_and_for_unknown_users():
    cost = 20000 if MICROPYTHON else 600000
    with Default(cost):
        async with Turns() as turns:
            before = turns.count
            await hash_password(RIGHT)
            got = turns.count - before
            before = turns.count
            await verify_password(RIGHT, None)
            unknown = turns.count - before
    assert got >= 8 and unknown >= 8, (got, unknown)


async def test_P4_many_at_once_are_all_answered_right():
    hashes = []
    for i in range(4):
        hashes.append(await hash_password('p%d' % i, 300))
    for first in (0, 8, 16):  # as many as may wait on a board
        numbers = range(first, first + 8)
        results = await asyncio.gather(*[verify_password('p%d' % (i % 5), hashes[i % 4]) for i in numbers])
        assert results == [i % 5 == i % 4 for i in numbers]


async def test_P4_more_than_may_wait_are_told_so_and_who_goes_away_frees_the_place():
    places = 9 if MICROPYTHON else 64
    slow = 'pbkdf2_sha256$1000000$salt$' + 'A' * 43 + '='
    for _ in range(2):
        waiting = [asyncio.create_task(verify_password('wrong', slow)) for _ in range(places)]
        await asyncio.sleep(0)
        for hashed in (slow, None, 'pbkdf2:sha256:1000$salt$' + 'a' * 64):
            assert await outcome(verify_password('wrong', hashed)) is passwords.Busy
        assert await outcome(hash_password(RIGHT, LOW)) is passwords.Busy
        assert issubclass(passwords.Busy, OSError)
        for task in waiting:
            task.cancel()
        for task in waiting:
            try:
                await task
                assert False, 'it cannot be that quick'
            except asyncio.CancelledError:
                pass
    good = await asyncio.wait_for(hash_password(RIGHT, LOW), 20)
    assert await asyncio.wait_for(verify_password(RIGHT, good), 20) is True


async def test_P4_one_that_is_cancelled_does_not_stop_the_next():
    cost = 20000 if MICROPYTHON else 300000
    hashed = 'pbkdf2_sha256$%d$salt$%s' % (cost, 'A' * 43 + '=')
    for _ in range(2):
        first = asyncio.create_task(verify_password('wrong', hashed))
        waiting = asyncio.create_task(verify_password('wrong', hashed))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        first.cancel()
        waiting.cancel()
        for task in (first, waiting):
            try:
                await task
            except asyncio.CancelledError:
                pass
    good = await asyncio.wait_for(hash_password(RIGHT, LOW), 20)
    assert await asyncio.wait_for(verify_password(RIGHT, good), 20) is True


async def test_H3_errors_do_not_quote_the_password():
    for password, iterations in (('hunter22' * 1000, LOW), ('hunter22\ud800', LOW), ('hunter22', 0),
                                 (b'hunter22', LOW)):
        try:
            await hash_password(password, iterations)
        except Exception as error:
            assert 'hunter22' not in str(error) + repr(error), repr(error)[:100]
