"""A WebSocket or event stream that is open ends soon after the login, key or user does by which it was opened."""
import asyncio

from client import KEY, Client, basic, bearer, make_app

from dotlatch import live as live_module
from dotlatch.apikeys import MemoryKeys
from dotlatch.auth import APIKeyAuth, BasicAuth, TokenAuth, any_of
from dotlatch.live import ENDED, TRY_LATER, Live
from dotlatch.login import Login
from dotlatch.session import session_of
from dotlatch.stores import MemoryStore
from dotlatch.throttle import Throttle
from dotlatch.tickets import TicketAuth

HANDSHAKE = [('Connection', 'Upgrade'), ('Upgrade', 'websocket'), ('Sec-WebSocket-Version', '13'),
             ('Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='), ('Origin', 'http://device.lan')]
LOOK = 0.01     # seconds between two looks, here
A_WHILE = 0.08  # many of them
PATIENCE = 400  # times LOOK, for what has to happen


class User:
    def __init__(self, id):
        self.id = id
        self.password_hash = 'a hash'
        self.session_version = 1
        self.is_active = True


class Stream:
    """What an event stream's handler gets."""
    def __init__(self):
        self.event = asyncio.Event()
        self.is_done = False
        self.sent = []

    async def send(self, *args):
        self.sent.append(args)


class Socket(Stream):
    """What a WebSocket's handler gets."""
    closed = False

    async def receive(self):
        await self.event.wait()

    async def close(self):
        assert False, 'it is closed already'

    def code(self):
        """The code in the close frame, once there is one."""
        if not self.sent:
            return None
        assert len(self.sent) == 1 and self.sent[0][1] == 8 and self.closed
        return self.sent[0][0][0] << 8 | self.sent[0][0][1]


class Place:
    """An app with sockets behind every way in, a browser that is logged in, and what opened them."""
    def __init__(self, live=None, socket=Socket, handler=None, **options):
        self.app = make_app(**options)
        self.users = {'anna': User('anna'), 'bert': User('bert')}
        self.keys = {'k1': 'anna', 'k2': 'bert'}
        self.error = None
        self.hashed = 0
        self.opened = []
        self.tasks = []
        self.browser = Client(self.app)
        self.live = live or Live(seconds=LOOK)
        self.login = login = Login()
        self.ticket = ticket = TicketAuth(KEY)
        password = BasicAuth(allow_http=True)
        key = TokenAuth(header='X-API-Key', allow_http=True)

        async def load(user_id):
            if self.error is not None:
                raise self.error
            return self.users.get(user_id)

        self.load = load
        login.user_loader(load)
        ticket.user_loader(load)

        @password.authenticate
        async def check_password(request, username, password):
            self.hashed += 1
            return username  # a name, which says nothing of its user

        @key.authenticate
        async def check_key(request, value):
            return await load(self.keys.get(value))

        @self.app.post('/login')
        async def log_in(request):
            return await login.login_user(request, self.users['anna'], remember='remember' in request.args)

        @self.app.post('/logout')
        async def log_out(request):
            await login.logout_user(request)
            return 'bye'

        @self.app.post('/end-all')
        async def end_all(request):
            return str(await session_of(request).end_sessions('anna'))

        @self.app.post('/ticket')
        @login
        async def new_ticket(request):
            return await ticket.issue(request)

        async def wait(request, socket):
            await socket.event.wait()

        f = self.live(handler or wait)

        async def opens(request):
            opened = socket()
            self.opened.append(opened)
            try:
                await f(request, opened)
            finally:
                opened.is_done = True
            return 'done'

        for path, guard in (('/login', login), ('/fresh', login.fresh), ('/optional', login.optional), ('/key', key),
                            ('/basic', password), ('/any', any_of(login, key)), ('/ticket', ticket)):
            self.app.get(path)(guard(opens))

    async def open(self, path, headers=None):
        """Open a socket and return it, once its handler waits."""
        count = len(self.opened)
        self.tasks.append(asyncio.create_task(self.browser.get(path, HANDSHAKE + list((headers or {}).items()))))
        for _ in range(PATIENCE):
            if len(self.opened) > count:
                return self.opened[-1]
            await asyncio.sleep(LOOK)
        raise AssertionError('it did not open')

    async def end(self):
        """Let every handler come to its end."""
        for socket in self.opened:
            socket.event.set()
        for task in self.tasks:
            assert (await task).status_code == 200
        assert self.live.count() == 0 and not self.live._watches


async def closes(*sockets):
    for socket in sockets:
        for _ in range(PATIENCE):
            if socket.is_done:
                break
            await asyncio.sleep(LOOK)
        assert socket.is_done
    return [socket.code() for socket in sockets]


async def stays(*sockets):
    await asyncio.sleep(A_WHILE)
    return [socket.is_done or bool(socket.sent) for socket in sockets] == [False] * len(sockets)


async def logged_in(url='/login', **options):
    place = Place(**options)
    await place.browser.post(url)
    return place


async def test_a_logout_elsewhere_closes_what_the_session_opened():
    for path in ('/login', '/fresh', '/optional', '/any'):
        place = await logged_in()
        socket = await place.open(path)
        assert await stays(socket)
        await place.browser.copy().post('/logout')
        assert await closes(socket) == [ENDED]
        await place.end()


async def test_a_logout_closes_no_other_session_s():
    place = await logged_in()
    socket = await place.open('/login')
    place.browser = other = Client(place.app)
    await other.post('/login')
    others = await place.open('/login')
    await other.post('/logout')
    assert await closes(others) == [ENDED]
    assert await stays(socket)
    await place.end()


async def test_a_logout_closes_what_remember_me_opened():
    place = await logged_in('/login?remember=1')
    thief = place.browser.copy()
    place.browser.restart()
    assert place.browser.names() == ['_remember']
    socket = await place.open('/login')
    assert await stays(socket)
    await thief.post('/logout')
    assert await closes(socket) == [ENDED]
    await place.end()


async def test_with_a_store_ending_all_sessions_closes_them():
    place = await logged_in(store=MemoryStore())
    sockets = [await place.open('/login'), await place.open('/any')]
    assert await stays(*sockets)
    assert (await place.browser.post('/end-all')).text == '1'
    assert await closes(*sockets) == [ENDED, ENDED]
    await place.end()


async def test_S6_a_new_password_logging_out_everywhere_and_removing_a_user_close_them():
    def change_password(place):
        place.users['anna'].password_hash = 'another hash'

    def end_sessions(place):
        place.users['anna'].session_version += 1

    def disable(place):
        place.users['anna'].is_active = False

    def remove(place):
        del place.users['anna']

    for change in (change_password, end_sessions, disable, remove):
        place = await logged_in()
        sockets = [await place.open('/login'), await place.open('/key', {'X-API-Key': 'k1'}),
                   await place.open('/ticket?ticket=' + (await place.browser.post('/ticket')).text)]
        bert = await place.open('/key', {'X-API-Key': 'k2'})
        assert await stays(bert, *sockets)
        change(place)
        assert await closes(*sockets) == [ENDED] * 3
        assert await stays(bert)
        await place.end()


async def test_a_revoked_key_closes_what_it_opened():
    place = Place()
    sockets = [await place.open('/key', {'X-API-Key': 'k1'}), await place.open('/any', {'X-API-Key': 'k1'})]
    other = await place.open('/key', {'X-API-Key': 'k2'})
    assert await stays(other, *sockets)
    del place.keys['k1']
    assert await closes(*sockets) == [ENDED, ENDED]
    assert await stays(other)
    await place.end()


async def test_an_api_key_that_is_revoked_closes_what_it_opened():
    place = Place()
    keys = MemoryKeys()
    auth = APIKeyAuth(keys, place.load, allow_http=True, throttle=Throttle(source_free=3, overall_free=3))
    sent = {'X-API-Key': keys.create(place.users['anna'], 'one'), 'Cookie': 'session=junk'}

    @place.app.get('/real')
    @auth
    async def real(request):
        socket = Socket()
        place.opened.append(socket)
        await place.live(waits)(request, socket)
        socket.is_done = True
        return 'done'

    async def waits(request, socket):
        await socket.event.wait()

    socket = await place.open('/real', sent)
    assert await stays(socket)  # however often it is looked at, nobody is throttled
    keys.revoke(keys.of_user('anna')[0].id)
    assert await closes(socket) == [ENDED]
    await place.end()


async def test_a_key_that_is_another_user_s_now_closes_what_it_opened():
    place = Place()
    socket = await place.open('/key', {'X-API-Key': 'k1'})
    place.keys['k1'] = 'bert'
    assert await closes(socket) == [ENDED]
    await place.end()


async def test_basic_is_not_proven_each_second_but_its_user_may_be_looked_up():
    place = Place()
    place.live.user_loader = place.load
    socket = await place.open('/basic', basic('anna', 'x'))
    bert = await place.open('/basic', basic('bert', 'x'))
    assert await stays(socket, bert)
    assert place.hashed == 2
    place.users['anna'].password_hash = 'another hash'
    assert await closes(socket) == [ENDED]
    assert await stays(bert)
    place.users['bert'].is_active = False
    assert await closes(bert) == [ENDED]
    socket = await place.open('/basic', basic('carl', 'x'))  # whom nobody knows
    assert await closes(socket) == [ENDED]
    await place.end()


async def test_a_second_factor_closes_what_the_password_alone_has_opened():
    place = Place()
    place.live.user_loader = place.load
    anna, by_key = await place.open('/basic', basic('anna', 'x')), await place.open('/key', {'X-API-Key': 'k1'})
    bert = await place.open('/basic', basic('bert', 'x'))
    assert await stays(anna, by_key, bert)
    place.users['anna'].totp = 'a secret'
    assert await closes(anna) == [ENDED]
    assert await stays(by_key, bert)
    await place.end()


async def test_who_is_nobody_has_nothing_to_lose():
    place = Place()
    socket = await place.open('/optional')
    assert await stays(socket)
    await place.end()


async def test_an_event_stream_just_ends():
    place = await logged_in(socket=Stream)
    stream = await place.open('/login')
    await place.browser.copy().post('/logout')
    for _ in range(PATIENCE):
        if stream.is_done:
            break
        await asyncio.sleep(LOOK)
    assert stream.is_done and stream.sent == []
    await place.end()


async def test_S11_what_cannot_be_asked_closes_with_try_again_later():
    for error in (OSError(5), ValueError('a bug')):
        place = await logged_in()
        sockets = [await place.open('/login'), await place.open('/key', {'X-API-Key': 'k1'})]
        place.error = error
        assert await closes(*sockets) == [TRY_LATER, TRY_LATER]
        await place.end()


async def test_no_more_than_the_limit_are_open():
    place = await logged_in(live=Live(limit=2, seconds=LOOK))
    first, second = await place.open('/login'), await place.open('/login')
    third = await place.open('/login')
    assert await closes(third) == [TRY_LATER]
    assert place.live.count() == 2 and await stays(first, second)
    first.event.set()
    await closes(first)
    assert await stays(await place.open('/login'))
    await place.end()


async def test_nothing_runs_while_nothing_is_open():
    place = await logged_in()
    assert not place.live._watches
    sockets = [await place.open('/login')]
    sockets.append(await place.open('/any'))
    assert place.live.count() == 2 and len(place.live._watches) == 1
    look = next(iter(place.live._watches.values()))[1]
    await place.end()
    await asyncio.sleep(A_WHILE)
    assert look.done()
    asked = []

    async def load(user_id):
        asked.append(user_id)
        return place.users[user_id]

    place.login.user_loader(load)
    await asyncio.sleep(A_WHILE)
    assert asked == []


async def test_a_handler_that_takes_no_for_an_answer_is_told_again():
    counts = []

    async def stubborn(request, socket):
        while len(counts) < 3:
            try:
                await socket.event.wait()
            except asyncio.CancelledError:
                counts.append(1)
        await socket.event.wait()

    place = await logged_in(handler=stubborn)
    socket = await place.open('/login')
    await place.browser.copy().post('/logout')
    assert await closes(socket) == [ENDED]
    assert len(counts) == 3
    await place.end()


async def test_what_could_not_be_asked_once_stays_a_no():
    counts = []

    async def stubborn(request, socket):
        while len(counts) < 2:
            try:
                await socket.event.wait()
            except asyncio.CancelledError:
                counts.append(1)
                place.error = None
        await socket.event.wait()

    place = await logged_in(handler=stubborn)
    socket = await place.open('/login')
    assert await stays(socket)
    place.error = OSError(5)
    assert await closes(socket) == [TRY_LATER]
    assert len(counts) == 2
    await place.end()


async def test_a_handler_that_ends_while_it_is_looked_at_is_left_alone():
    place = await logged_in()
    gone = []
    asked, answered, later = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(user_id):
        if gone:
            asked.set()
            await answered.wait()
            return None
        return place.users.get(user_id)

    async def wait(request, socket):
        await socket.event.wait()

    @place.app.get('/long')
    @place.login
    async def long(request):
        socket = Socket()
        place.opened.append(socket)
        await place.live(wait)(request, socket)
        await later.wait()  # work that the server has with it
        return 'done'

    place.login.user_loader(slow)
    socket, other = await place.open('/long'), await place.open('/login')
    gone.append(True)
    await asked.wait()
    socket.event.set()
    await asyncio.sleep(LOOK)
    answered.set()
    await asyncio.sleep(A_WHILE)
    later.set()
    assert (await place.tasks.pop(0)).status_code == 200
    assert socket.sent == [] and await closes(other) == [ENDED]
    await place.end()


async def test_a_handler_cleans_up_and_its_own_errors_are_its_own():
    done = []

    async def cleans(request, socket):
        try:
            await socket.event.wait()
        finally:
            done.append('cleaned')

    place = await logged_in(handler=cleans)
    socket = await place.open('/login')
    await place.browser.copy().post('/logout')
    assert await closes(socket) == [ENDED] and done == ['cleaned']
    await place.end()

    async def fails(request, socket):
        raise ValueError('a bug')

    place = await logged_in(handler=fails)
    assert (await place.browser.get('/login', HANDSHAKE)).status_code == 500
    assert not place.live._watches


async def test_a_cancellation_of_the_server_s_is_passed_on():
    place = await logged_in()
    socket = await place.open('/login')
    task = place.tasks.pop()
    task.cancel()
    try:
        await task
        raise AssertionError('it was cancelled')
    except asyncio.CancelledError:
        pass
    assert socket.is_done and socket.sent == [] and not place.live._watches


async def test_a_client_that_reads_nothing_holds_nobody_up():
    class Deaf(Socket):
        async def send(self, *args):
            self.sent.append(args)
            await asyncio.sleep(3600)

    kept = live_module._PATIENCE
    live_module._PATIENCE = 0.05
    try:
        place = await logged_in(socket=Deaf)
        sockets = [await place.open('/login'), await place.open('/login')]
        await place.browser.copy().post('/logout')
        assert await closes(*sockets) == [ENDED, ENDED]
        await place.end()
    finally:
        live_module._PATIENCE = kept


async def test_the_handler_goes_on_as_it_was():
    async def asks(request, socket, name):
        return request.g.current_user.id + ' ' + name

    place = await logged_in()

    @place.app.get('/plain/<name>')
    @place.login
    async def plain(request, name):
        return await place.live(asks)(request, Socket(), name)

    assert (await place.browser.get('/plain/x')).text == 'anna x'
    assert (await place.browser.get('/plain/x', bearer('y'))).text == 'anna x'


async def test_without_an_authenticator_above_it_says_so():
    place = Place()

    @place.app.get('/own')
    async def own(request):
        request.g.current_user = 'anna'

        async def f(request, socket):
            return 'in'
        return await place.live(f)(request, Socket())

    assert (await place.browser.get('/own')).status_code == 500
