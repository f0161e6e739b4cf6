"""A short list of what happened: it holds no secret, cannot be flooded, and nobody who is told can break a request."""
import asyncio
import gc

from clock import START, UNSET, FakeClock

from dotlatch import events as module
from dotlatch import portable
from dotlatch.events import FIELDS, MAX_TASKS, MAX_TEXT, Events

LONG = 'x' * 5000


class Warnings:
    """What is warned of."""
    def __enter__(self):
        self._kept = portable.warn, portable._warned
        self.texts = []
        portable.warn = self.texts.append
        portable._warned = []
        return self.texts

    def __exit__(self, *error):
        portable.warn, portable._warned = self._kept


async def turns(count=30):
    for _ in range(count):
        await asyncio.sleep(0.001)


def names(events):
    return [event['event'] for event in events.recent()]


# --- the list ---------------------------------------------------------------------------------------

def test_events_are_listed_with_the_newest_first():
    events = Events()
    with FakeClock() as clock:
        clock.ticks = 5000
        events.emit('login', user='7', source='10.0.0.1')
        clock.advance(60)
        events.emit('logout', user='7')
        assert events.recent() == [
            {'event': 'logout', 'time': START + 60, 'uptime': 65, 'user': '7'},
            {'event': 'login', 'time': START, 'uptime': 5, 'user': '7', 'source': '10.0.0.1'}]
        assert [event['event'] for event in events.recent(1)] == ['logout'] and events.recent(0) == []


def test_H1_an_event_before_the_clock_is_set_has_its_uptime_alone():
    events = Events()
    with FakeClock(UNSET, ticks=12000):
        events.emit('login')
    assert events.recent() == [{'event': 'login', 'time': None, 'uptime': 12}]


def test_what_is_listed_is_a_copy():
    events = Events()
    events.emit('login', user='7')
    events.recent()[0]['user'] = '8'
    events.recent().pop()
    assert events.recent()[0]['user'] == '7'


def test_the_list_has_a_size():
    for size in (1, 2, 64):
        events = Events(size)
        for number in range(200):
            events.emit('login', count=number)
        assert [event['count'] for event in events.recent()] == list(range(199, 199 - size, -1))


def test_of_events_that_are_equally_many_the_oldest_goes():
    events = Events(3)
    for name in ('a', 'b', 'c', 'd', 'e', 'e', 'f'):
        events.emit(name)
    assert names(events) == ['f', 'e', 'd'], names(events)


def test_a_list_without_room_is_refused():
    for size in (0, -1):
        try:
            Events(size)
            raise AssertionError(size)
        except ValueError:
            pass


def test_L2_a_flood_of_one_event_pushes_out_none_of_the_others():
    events = Events(16)
    for name in ('login', 'password_changed', 'users_restored'):
        events.emit(name)
    for number in range(500):
        events.emit('login_failed', source=str(number))
        events.emit('throttled', source=str(number))
    events.emit('logout')
    kept = names(events)
    for name in ('login', 'password_changed', 'users_restored', 'logout', 'login_failed', 'throttled'):
        assert name in kept, (name, kept)
    assert len(kept) == 16
    assert events.recent()[1]['source'] == '499'


# --- no secrets, no tricks --------------------------------------------------------------------------

def test_H3_what_is_not_on_the_list_of_fields_is_left_out():
    events = Events()
    with Warnings() as texts:
        events.emit('login_failed', user='7', password='hunter2', token='hunter2', secret='hunter2', cookie='hunter2')
        events.emit('login_failed', hunter2='hunter2')
    assert events.recent()[1] == {'event': 'login_failed', 'time': events.recent()[1]['time'],
                                  'uptime': events.recent()[1]['uptime'], 'user': '7'}
    assert 'hunter2' not in repr(events.recent()) and len(texts) == 1 and 'hunter2' not in texts[0], texts


def test_an_owner_may_add_fields():
    events = Events(fields=FIELDS + ('door',))
    events.emit('opened', door=3, user='7')
    assert events.recent()[0]['door'] == 3 and events.recent()[0]['user'] == '7'


class Loud:
    def __repr__(self):
        raise AssertionError('it was looked at')
    __str__ = __repr__


class Text(str):
    pass


def test_H3_only_the_type_is_kept_of_what_is_no_text_or_number():
    events = Events()
    for value, kept in ((None, None), (True, True), (False, False), (0, 0), (-5, -5), (1 << 61, 1 << 61), ('', ''),
                        ('anna', 'anna'), (b'hunter2', '<bytes>'), (bytearray(b'hunter2'), '<bytearray>'),
                        (['hunter2'], '<list>'), (('hunter2',), '<tuple>'), ({'a': 'hunter2'}, '<dict>'),
                        (Loud(), '<Loud>'), (Text('hunter2'), '<Text>'), (ValueError('hunter2'), '<ValueError>'),
                        (1 << 5000, '<int>'), (-1 << 5000, '<int>'), (1.5, '<float>')):
        events.emit('login', user=value)
        got = events.recent(1)[0]['user']
        assert got == kept and type(got) is type(kept), (kept, got)


def test_what_is_kept_of_a_text_is_one_short_line():
    events = Events()
    for text, kept in (('a\nb', 'a\\u000ab'), ('\r\n', '\\u000d\\u000a'), ('\x1b[2J', '\\u001b[2J'), ('\0', '\\u0000'),
                       ('\x7f\x85\x9f', '\\u007f\\u0085\\u009f'), ('\u202eanna', '\\u202eanna'),
                       ('\u2066a\u2069', '\\u2066a\\u2069'), ('a\u2028b', 'a\\u2028b'), ('\\u000a', '\\u005cu000a'),
                       ('\xe4\u7530\U0001f511', '\xe4\u7530\U0001f511'), ('a\ud800b', 'a?b'), ('<b>', '<b>'),
                       ('y' * MAX_TEXT, 'y' * MAX_TEXT), ('\U0001f511' * 16, '\U0001f511' * 16)):
        events.emit(text, name=text)
        assert events.recent(1)[0]['name'] == kept and events.recent(1)[0]['event'] == kept, (kept, events.recent(1))
    for text in ('y' * (MAX_TEXT + 1), LONG, '\n' * MAX_TEXT, '\\' * 5000, 'yy' + '\u202e' * 40, '\U0001f511' * 70):
        events.emit('login', name=text)
        kept = events.recent(1)[0]['name']
        assert MAX_TEXT - 7 < len(kept.encode()) <= MAX_TEXT and kept.endswith('...') and '\n' not in kept, kept


def test_the_name_of_an_event_is_kept_like_any_text():
    events = Events()
    for name in (None, 5, b'login', LONG, 'a\nb'):
        events.emit(name)
    assert names(events)[0] == 'a\\u000ab' and len(names(events)[1]) == MAX_TEXT
    assert names(events)[2:] == ['<bytes>', '<int>', '<NoneType>']


def test_the_worst_that_can_be_said_takes_memory_with_a_bound():
    if not hasattr(gc, 'mem_alloc'):
        worst = Events(64)
        for _ in range(200):
            worst.emit(LONG, **dict.fromkeys(FIELDS, LONG))
        assert sum([len(repr(event)) for event in worst.recent()]) < 64 * 1024
        return
    usual, worst = Events(64), Events(64)
    sizes = []
    for events, event, fields in ((usual, 'login_failed', ('user', 'source')), (worst, LONG, FIELDS)):
        gc.collect()
        before = gc.mem_alloc()
        for number in range(200):
            text = '192.168.1.%d' % number if events is usual else str(number) + LONG
            events.emit(event, **dict.fromkeys(fields, text))
        text = fields = None
        gc.collect()
        sizes.append((gc.mem_alloc() - before) // 64)
    assert sizes[0] < 400 and sizes[1] < 2048, sizes  # twice what they are on a board, whose words are half as long


# --- who is told ------------------------------------------------------------------------------------

async def test_plain_and_async_functions_are_told_of_each_event():
    events = Events()
    told = []

    @events.on
    def plain(event):
        told.append(('plain', event['event'], event['user']))

    @events.on
    async def later(event):
        await asyncio.sleep(0)
        told.append(('later', event['event'], event['user']))

    events.on(lambda event: later(event))
    for number in range(2):
        events.emit('login', user=number)
    await turns()
    expected = [(who, 'login', number) for who in ('later', 'later', 'plain') for number in range(2)]
    assert sorted(told) == sorted(expected), told
    assert plain is not None and later is not None  # the decorator gives back what it was given


async def test_nobody_is_told_before_what_happened_goes_on():
    events = Events()
    told = []
    events.on(lambda event: told.append(event))
    events.emit('login')
    assert told == []
    await turns()
    assert len(told) == 1


async def test_S11_what_a_function_raises_harms_nobody():
    events = Events()
    told = []

    @events.on
    def plain(event):
        raise ValueError('hunter2')

    @events.on
    async def later(event):
        raise OSError('hunter2')

    events.on(None)
    events.on(lambda: None)
    events.on(lambda event: told.append(event['event']))
    with Warnings() as texts:
        events.emit('login')
        await turns()
        events.emit('logout')
        await turns()
    assert told == ['login', 'logout'], told
    assert texts and 'hunter2' not in repr(texts), texts


async def test_each_function_has_an_event_of_its_own():
    events = Events()
    told = []

    @events.on
    def spoils(event):
        event['event'] = 'spoiled'
        del event['time']

    events.on(lambda event: told.append(event['event']))
    events.emit('login')
    await turns()
    assert told == ['login'] and names(events) == ['login']


async def test_functions_that_come_to_no_end_are_few_and_given_up():
    kept = module.PATIENCE
    module.PATIENCE = 0.05
    try:
        events = Events()
        started = []

        @events.on
        async def hangs(event):
            started.append(event['count'])
            await asyncio.sleep(3600)

        with Warnings() as texts:
            for number in range(50):
                events.emit('login_failed', count=number)
            await turns(5)
            assert started == list(range(MAX_TASKS)), started
            assert len(events.recent()) == 50 and len(texts) == 1, texts
            while len(texts) == 1:  # until the first of them is given up
                await turns(5)
            await turns(50)
            events.emit('login', count=99)
            await turns(5)
        assert started[-1] == 99, started
    finally:
        module.PATIENCE = kept


async def test_a_loop_that_is_gone_takes_nobodys_place_for_good():
    class Stuck:
        def done(self):
            return False

    events = Events()
    told = []
    events.on(lambda event: told.append(event['event']))
    with FakeClock() as clock:
        events._tasks = [(Stuck(), portable.uptime_ms())] * MAX_TASKS
        with Warnings() as texts:
            events.emit('lost')
            assert len(texts) == 1
        clock.advance(120)
        events.emit('login')
    await turns()
    assert told == ['login']


def test_at_the_start_of_a_program_an_event_is_told_too():
    events = Events()
    told = []

    @events.on
    async def later(event):
        await asyncio.sleep(0)
        told.append(event['event'])

    events.on(lambda event: told.append(event['event']))
    events.emit('users_restored', path='users.json')
    asyncio.run(turns())
    assert told == ['users_restored'] * 2


async def test_who_is_told_may_tell_of_something_else():
    events = Events()

    @events.on
    async def chain(event):
        if event['event'] == 'login':
            events.emit('greeted')

    events.emit('login')
    await turns()
    assert names(events) == ['greeted', 'login']
