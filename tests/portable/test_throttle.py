"""Attempts that came to no verdict, and many threads at once; what guards ask of a throttle is tested with them."""
from client import Client, basic
from clock import START, FakeClock
from microdot import Microdot

from dotlatch.auth import BasicAuth
from dotlatch.portable import Busy
from dotlatch.throttle import Throttle


async def test_L1_an_owner_who_finds_a_full_queue_has_not_failed():
    app = Microdot()
    auth = BasicAuth(allow_http=True, throttle=Throttle(free=3))
    state = {'error': Busy('full')}

    @auth.authenticate
    async def check(request, name, password):
        if state['error']:
            raise state['error']
        return name if password == 'right' else None

    @app.get('/')
    @auth
    async def index(request):
        return 'in'

    browser = Client(app)
    for error in (Busy('full'), OSError('down')):
        state['error'] = error
        for _ in range(10):
            res = await browser.get('/', basic('anna', 'right'))
            assert (res.status_code, res.headers['Retry-After']) == (503, '2')
    state['error'] = None
    assert (await browser.get('/', basic('anna', 'right'))).text == 'in'


async def test_L1_an_attempt_taken_back_leaves_what_was_there_before():
    with FakeClock(START):
        throttle = Throttle(free=2)
        assert throttle.attempt('anna', 'a') == 0
        for _ in range(20):
            assert throttle.attempt('anna', 'a') == 0
            throttle.undecided('anna', 'a')
        assert throttle.attempt('anna', 'a') == 0
        assert throttle.attempt('anna', 'a') == 0  # the first beyond what is free, which sets the wait
        assert throttle.attempt('anna', 'a') == 1


def test_undecided_of_somebody_unknown_is_nothing():
    Throttle().undecided('nobody', 'nowhere')
