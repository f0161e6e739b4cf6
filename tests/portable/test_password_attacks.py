"""Passwords attacked: hashes by a stranger's hand, texts that fill a board's memory, a queue that is full."""
import gc
import sys

from client import FORM, Client, basic, make_app
from clock import FakeClock
from microdot import Microdot

from dotlatch import calibrate, passwords
from dotlatch.auth import BasicAuth
from dotlatch.passwords import hash_password, needs_rehash, verify_password
from dotlatch.strength import WeakPassword, check_strength
from dotlatch.users import MemoryUsers

MICROPYTHON = sys.implementation.name == 'micropython'
GOOD = 'tulip harbour nine lantern'


async def outcome(awaitable):
    """What was returned, or the class of the exception."""
    try:
        return await awaitable
    except Exception as error:
        return type(error)


class Counted:
    """Which PBKDF2 is computed; it comes to nothing, or to an error."""
    def __init__(self, error=None):
        self.error = error
        self.costs = []

    async def derive(self, password, salt, iterations, dklen=32):
        self.costs.append(iterations)
        if self.error is not None:
            raise self.error
        return bytes(dklen)

    def __enter__(self):
        self._kept = passwords.pbkdf2_hmac_sha256
        passwords.pbkdf2_hmac_sha256 = self.derive
        return self

    def __exit__(self, *error):
        passwords.pbkdf2_hmac_sha256 = self._kept


# --- P4: hashes --------------------------------------------------------------------------------------

NO_DIGEST = ('pbkdf2:md5:1000$salt$', 'pbkdf2:foo:1000$salt$', 'pbkdf2::1000$salt$', 'pbkdf2:shake_128:1000$salt$',
             'pbkdf2:sha256:1000$salt$', '$pbkdf2-md5$1000$c2FsdA$', '$pbkdf2-sha256$1000$c2FsdA$', '$pbkdf2$1$c2FsdA$',
             '$pbkdf2-$1000$c2FsdA$', '$pbkdf2x$1000$c2FsdA$', 'pbkdf2-hmac-sha256:30313233:1000:',
             'pbkdf2_sha1$1000$salt$', 'pbkdf2_sha256$1000$salt$', 'scrypt:1024:8:1$salt$', 'scrypt$1024$salt$8$1$')


async def test_P4_a_hash_without_a_digest_is_false_whatever_it_says_of_its_kind():
    with Counted() as counted:
        for hashed in NO_DIGEST:
            for password in ('', 'x', GOOD):
                assert await outcome(verify_password(password, hashed)) is False, hashed
            assert needs_rehash(hashed) is True, hashed
    assert counted.costs == []


async def test_P4_scrypt_that_no_library_computes_is_false_and_no_exception():
    zeros = '0' * 128
    for costs in ('65536:1:1', '2097152:1:1', '131072:1:16', '2:1048576:1', '2:1048576:2', '2:65536:16'):
        assert await outcome(verify_password('x', 'scrypt:' + costs + '$salt$' + zeros)) is False, costs


async def test_P4_the_longest_hashes_of_separators_alone_are_false():
    with Counted() as counted:
        for start in ('', 'pbkdf2_sha256', 'pbkdf2:', '$pbkdf2', 'pbkdf2-hmac-sha256:', 'pbkdf2_sha1$', 'scrypt',
                      'scrypt$', 'argon2$argon2i', '$argon2i', 'bcrypt$$2', 'bcrypt_sha256$$2', '$2'):
            for filling in ('$', ':', '$:', ',', '=', '1', '\0', '\u0661', '\ud800', '\xff', '$1', '%s', '{}'):
                for length in (1, 3, 4, 5, 6, 500, 100000):
                    hashed = start + (filling * length)[:length]
                    assert await outcome(verify_password(GOOD, hashed)) is False, hashed[:60]
                    assert needs_rehash(hashed) is True, hashed[:60]
    assert counted.costs == []


# --- P4: passwords -----------------------------------------------------------------------------------

def memory_of(f):
    """What a call leaves for the collector, in bytes; on CPython the most it holds at one time."""
    gc.collect()
    if not MICROPYTHON:
        import tracemalloc
        tracemalloc.start()
        f()
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most
    gc.disable()
    before = gc.mem_alloc()
    f()
    used = gc.mem_alloc() - before
    gc.enable()
    return used


def test_P4_a_password_that_is_too_long_is_not_even_copied():
    for long in ('x' * 200000, '\u2603' * 100000, '\U0001f511' * 50000):
        assert memory_of(lambda long=long: passwords.is_password(long)) < 20000, long[:1]
        assert passwords.is_password(long) is False


async def test_P1_the_limit_is_4096_bytes_however_they_are_made_up():
    for longest in ('x' * 4096, '\xe9' * 2048, '\u2603' * 1365 + 'x', '\U0001f511' * 1024, 'x' * 4095 + ' '):
        hashed = await hash_password(longest, 1)
        assert await verify_password(longest, hashed) is True
        for other in (longest + 'x', longest[1:], longest[:-1]):
            assert await verify_password(other, hashed) is False
        assert await outcome(hash_password(longest + 'x', 1)) is ValueError


# --- P2: strength --------------------------------------------------------------------------------------

async def test_P2_odd_words_of_context_neither_fail_nor_refuse_a_good_password():
    for context in ((), [], ('',), ('a',), ('', 'a', 'b', ' '), ('\0',), ('\0\0\0',), ('\U0001f511',),
                    ('%s', '{}', '\\'), ('\ud800',), (5, 1.5), 'x', '', ('x' * 100000,), (' ' * 1000,),
                    iter(('a', 'b'))):
        assert await outcome(check_strength(GOOD, context)) is None, context


async def test_P2_a_password_that_is_a_word_of_the_context_is_refused_however_it_is_given():
    for context in ((GOOD,), [GOOD], GOOD, {GOOD: 1}, (GOOD.upper(),), (' ' + GOOD + ' ',), ('x', GOOD, ''),
                    iter((GOOD,))):
        assert await outcome(check_strength(GOOD, context)) is WeakPassword, context


async def test_P2_the_longest_text_is_judged_by_a_bounded_part_of_it():
    for text in ('x' * 1000000, 'ab' * 500000, GOOD * 40000, '\U0001f511' * 250000, '\ud800' * 20):
        assert await outcome(check_strength(text)) is WeakPassword, text[:20]


# --- P3: the count ---------------------------------------------------------------------------------------

async def test_P3_a_clock_that_stands_or_leaps_gives_a_count_within_the_bounds():
    for leap in (0, 1, 1000, 86400000, 1 << 40):
        with FakeClock() as clock:
            async def derive(password, salt, iterations, dklen=32, clock=clock, leap=leap):
                clock.ticks += leap
                return bytes(dklen)

            kept, passwords.pbkdf2_hmac_sha256 = passwords.pbkdf2_hmac_sha256, derive
            try:
                for ms in (1, 3, 4, 1000, 60000):
                    count = await calibrate.calibrate(ms)
                    assert calibrate.FLOOR <= count <= passwords.MAX_ITERATIONS, (leap, ms, count)
            finally:
                passwords.pbkdf2_hmac_sha256 = kept


# --- P4: what a client hears when the queue is full -----------------------------------------------------------

def app_with_logins():
    """Logins by form and by Basic, in the app itself and in a mounted one."""
    users = MemoryUsers()
    auth = BasicAuth(allow_http=True)
    app, sub = make_app(), Microdot()

    @auth.authenticate
    async def check(request, username, password):
        return await users.authenticate(username, password)

    for place in (app, sub):
        @place.post('/login')
        async def log_in(request):
            user = await users.authenticate(request.form['username'], request.form['password'])
            return 'in' if user else ('out', 401)

        @place.get('/basic')
        @auth
        async def page(request):
            return 'in'

    app.mount(sub, '/sub')
    return app


async def test_P4_who_comes_while_the_queue_is_full_hears_503_and_when_to_come_again():
    client = Client(app_with_logins())
    for prefix in ('', '/sub'):
        with Counted(passwords.Busy('full')) as counted:
            form = await client.request('POST', prefix + '/login', {'Content-Type': FORM}, b'username=a&password=b')
            header = await client.request('GET', prefix + '/basic', basic('a', 'b'))
        for res in (form, header):
            assert (res.status_code, res.headers.get('Retry-After')) == (503, '2'), (prefix, res.status_code)
            assert 'WWW-Authenticate' not in res.headers
        assert len(counted.costs) == 2
        with Counted():
            assert (await client.request('GET', prefix + '/basic', basic('a', 'b'))).status_code == 401
