"""Requests that never come: they are ended, and nobody else is."""
import asyncio

from clock import FakeClock
from microdot import Microdot

from dotlatch.patience import Patience

GOOD = b'GET / HTTP/1.1\r\nHost: pico.lan\r\n\r\n'
HALF_A_HEAD = b'GET / HTTP/1.1\r\nHost: pi'
HALF_A_BODY = b'POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhello'


class Visitor:
    """A connection on which `data` comes, and then nothing; it takes the answer, or does not."""

    def __init__(self, data=b'', takes=True):
        self.data = data
        self.takes = takes
        self.answer = b''
        self.closed = False

    def get_extra_info(self, name):
        return ('192.168.1.20', 50000)

    async def readline(self):
        line, found, rest = self.data.partition(b'\n')
        if not found:
            await asyncio.sleep(3600)
        self.data = rest
        return line + found

    async def readexactly(self, n):
        if len(self.data) < n:
            await asyncio.sleep(3600)
        return self.data[:n]

    async def awrite(self, data):
        if not self.takes:
            await asyncio.sleep(3600)
        self.answer += data

    async def aclose(self):
        self.closed = True

    def served(self):
        return self.closed and self.answer.startswith(b'HTTP/1.0 200')


class Pieces:
    sent = False

    def __aiter__(self):
        return self

    async def __anext__(self):
        if self.sent:
            await asyncio.sleep(3600)
        self.sent = True
        return 'one'


def make_app(**options):
    app = Microdot()
    patience = Patience(app, **options)

    @app.route('/', methods=['GET', 'POST'])
    async def index(request):
        return 'hello'

    @app.get('/slow')
    async def slow(request):
        await asyncio.sleep(3600)

    @app.get('/pieces')
    async def pieces(request):
        return Pieces()

    return app, patience


async def connect(app, *visitors):
    tasks = [asyncio.create_task(app.handle_request(visitor, visitor)) for visitor in visitors]
    await settle()
    return tasks


async def settle():
    for _ in range(20):
        await asyncio.sleep(0)


async def end(tasks):
    for task in tasks:
        task.cancel()
    await settle()


async def test_a_request_is_answered_as_it_is_without():
    app, _ = make_app()
    visitor = Visitor(GOOD)
    await connect(app, visitor)
    assert visitor.served()


async def test_a_request_that_does_not_come_is_ended_after_its_seconds():
    app, patience = make_app(seconds=10)
    visitors = [Visitor(data) for data in (b'', HALF_A_HEAD, HALF_A_BODY)]
    with FakeClock() as clock:
        await connect(app, *visitors)
        clock.advance(9)
        patience.check()
        await settle()
        assert [visitor.closed for visitor in visitors] == [False] * 3
        clock.advance(1)
        patience.check()
        await settle()
    assert [visitor.closed for visitor in visitors] == [True] * 3
    assert [visitor.answer for visitor in visitors] == [b''] * 3


async def test_letters_one_by_one_do_not_buy_time():
    app, patience = make_app(seconds=10)
    visitor = Visitor(b'GET / HTTP/1.1\r\n')
    with FakeClock() as clock:
        await connect(app, visitor)
        for _ in range(10):
            clock.advance(1)
            visitor.data += b'A'
            patience.check()
            await settle()
    assert visitor.closed and not visitor.answer


async def test_others_are_answered_however_many_say_nothing():
    app, _ = make_app(most=4)
    silent = [Visitor() for _ in range(20)]
    tasks = await connect(app, *silent)
    visitor = Visitor(GOOD)
    await connect(app, visitor)
    assert visitor.served()
    assert sum(1 for other in silent if not other.closed) == 3
    await end(tasks)


async def test_the_oldest_goes_first():
    app, _ = make_app(most=2)
    silent = [Visitor() for _ in range(3)]
    tasks = await connect(app, *silent)
    assert [visitor.closed for visitor in silent] == [True, False, False]
    await end(tasks)


async def test_an_answer_that_nobody_takes_is_ended():
    app, patience = make_app(seconds=10)
    visitor = Visitor(GOOD, takes=False)
    with FakeClock() as clock:
        await connect(app, visitor)
        assert not visitor.closed
        clock.advance(10)
        patience.check()
        await settle()
    assert visitor.closed


async def test_a_handler_and_an_answer_in_pieces_take_as_long_as_they_like():
    app, patience = make_app(seconds=10)
    visitors = [Visitor(GOOD.replace(b'/ ', path)) for path in (b'/slow ', b'/pieces ')]
    with FakeClock() as clock:
        tasks = await connect(app, *visitors)
        clock.advance(3600)
        patience.check()
        await settle()
        assert not visitors[0].closed and not visitors[1].closed
        assert visitors[1].answer.endswith(b'one')
        await end(tasks)


async def test_it_looks_by_itself():
    app, _ = make_app(seconds=1)
    visitor = Visitor(HALF_A_HEAD)
    with FakeClock() as clock:
        await connect(app, visitor)
        clock.advance(1)
        await asyncio.sleep(1)
        await settle()
        assert visitor.closed


async def test_who_stops_the_server_stops_what_is_on_its_way():
    app, _ = make_app()
    visitor = Visitor()
    tasks = await connect(app, visitor)
    tasks[0].cancel()
    try:
        await tasks[0]
        ended = False
    except asyncio.CancelledError:
        ended = True
    assert ended


async def test_numbers_that_are_none_are_refused():
    for options in ({'seconds': 0}, {'most': 0}, {'seconds': -1}):
        try:
            make_app(**options)
            refused = False
        except ValueError:
            refused = True
        assert refused, options


def test_an_event_loop_that_is_begun_anew_is_watched_as_well():
    app, _ = make_app(seconds=1)
    with FakeClock() as clock:
        async def fail():
            await connect(app, Visitor(HALF_A_HEAD))
            raise ValueError()

        async def go_on():
            visitor = Visitor(HALF_A_HEAD)
            tasks = await connect(app, visitor)
            clock.advance(10)
            await asyncio.sleep(1.5)
            await settle()
            closed = visitor.closed
            await end(tasks)
            return closed

        try:
            asyncio.run(fail())
        except ValueError:
            asyncio.new_event_loop().close()  # as MicroPython's documentation has it, after an error
        clock.advance(10)
        assert asyncio.run(go_on())
