"""Attacks on the throttle: restarts between guesses, verdicts of another kind, and what a flash memory has to take."""
from client import Client, basic, make_app
from clock import FakeClock
from disk import remove
from microdot import Microdot, abort
from test_throttle import DAY, HOME, PATH, Writes, fail, log_in, restarted

from dotlatch.auth import BasicAuth
from dotlatch.login import Login
from dotlatch.throttle import Throttle
from dotlatch.users import MemoryUsers


async def guesses(account, source, restarts, each):
    """How many guesses are let through when the device starts anew after every few."""
    let = 0
    for _ in range(restarts):
        with FakeClock():
            throttle = restarted()
            for _ in range(each):
                let += await throttle.attempt(account, source) == 0
    return let


# --- restarts ----------------------------------------------------------------------------------------

async def test_L5_one_guess_before_each_restart_is_counted():
    for each in (1, 2, 3):
        remove(PATH)
        with FakeClock():
            await fail(Throttle(path=PATH), 'anna', 'far', 2)
        assert await guesses('anna', 'far', 50, each) <= 10, each


async def test_L5_restarts_before_there_is_a_file_give_no_more_guesses():
    for each in (1, 2):
        remove(PATH)
        assert await guesses('anna', 'far', 50, each) <= 10, each


async def test_L5_restarts_give_few_more_guesses_at_an_address_that_is_known():
    for each in (2, 5, 11):
        remove(PATH)
        with FakeClock():
            await log_in(Throttle(path=PATH), 'anna', HOME)
        assert await guesses('anna', HOME, 60, each) <= 60, each


# --- writes ------------------------------------------------------------------------------------------

async def test_H4_requests_that_are_right_at_the_same_time_are_written_once_an_hour_at_most():
    remove(PATH)
    with FakeClock() as clock, Writes() as writes:
        throttle = Throttle(path=PATH)
        await log_in(throttle, 'anna', HOME)
        for _ in range(DAY // 15):
            clock.advance(15)
            for _ in range(3):  # a page that asks for three things, with Basic
                assert await throttle.attempt('anna', HOME) == 0
            for _ in range(3):
                await throttle.succeeded('anna', HOME)
        assert writes.count <= 28, writes.count


async def test_H4_guesses_at_many_names_after_a_restart_are_written_once_a_minute():
    remove(PATH)
    with FakeClock() as clock:
        throttle = Throttle(path=PATH)
        await fail(throttle, 'anna', 'far', 2)
    with FakeClock() as clock, Writes() as writes:
        throttle = restarted(overall_free=60000)
        clock.advance(3600)
        for number in range(1000):
            clock.advance(6)
            await throttle.attempt('name %d' % number, 'far %d' % number)
        assert 1 <= writes.count <= 60 + 60 + 108, writes.count


# --- what counts -------------------------------------------------------------------------------------

async def test_L4_a_callback_that_ends_a_wrong_password_in_an_error_is_no_way_round():
    async def aborts(request, *given):
        if given[-1] != 'right':
            abort(401)
        return 'anna'

    async def raises(request, *given):  # as argon2 does
        if given[-1] != 'right':
            raise ValueError('not verified')
        return 'anna'

    for check, status in ((aborts, 401), (raises, 500)):
        app = Microdot()
        auth = BasicAuth(allow_http=True, throttle=Throttle(free=3))
        auth.authenticate(check)
        app.get('/')(auth(index))
        for i in range(4):
            assert (await Client(app).get('/', basic('anna', 'guess %d' % i))).status_code == status
        assert (await Client(app).get('/', basic('anna', 'guess'))).status_code == 429


async def test_L4_users_that_raise_for_a_wrong_password_are_no_way_round():
    class Users(MemoryUsers):
        async def authenticate(self, name, password):
            raise ValueError('not verified')

    app = make_app()
    login = Login(users=Users(), throttle=Throttle(free=3))

    @app.post('/login')
    async def log_in(request):
        await login.login(request, 'anna', 'guess')

    for status in (500, 500, 500, 500, 429):
        assert (await Client(app).post('/login')).status_code == status


async def test_L1_an_owner_who_is_answered_with_a_503_has_not_failed():
    async def check(request, *given):
        abort(503)

    app = Microdot()
    auth = BasicAuth(allow_http=True, throttle=Throttle(free=3))
    auth.authenticate(check)
    app.get('/')(auth(index))
    for _ in range(10):
        assert (await Client(app).get('/', basic('anna', 'right'))).status_code == 503


async def index(request):
    return 'in'
