"""A ticket opens one WebSocket or event stream, for one user, within half a minute."""
import asyncio

from client import KEY, OTHER_KEY, THIRD_KEY, Client, bearer, make_app
from clock import START, UNSET, FakeClock

from dotlatch import tokens
from dotlatch.auth import TokenAuth, any_of
from dotlatch.login import Login
from dotlatch.protect import Protector
from dotlatch.tickets import TYP, TicketAuth, UsedTickets

HANDSHAKE = [('Connection', 'Upgrade'), ('Upgrade', 'websocket'), ('Sec-WebSocket-Version', '13'),
             ('Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==')]
STREAM = [('Accept', 'text/event-stream')]


class User:
    def __init__(self, id, scopes='pump log'):
        self.id = self.name = id
        self.scopes = scopes
        self.password_hash = 'a hash'
        self.is_active = True


class Key:
    def __init__(self, id):
        self.id = id
        self.expired = False

    def is_expired(self):
        return self.expired


class Keys:
    def __init__(self, *keys):
        self.known = {key.id: key for key in keys}

    async def find(self, key_id):
        return self.known.get(key_id)


class Place:
    """An app where a token gets a ticket and a ticket opens /ws, with what a test may change."""
    def __init__(self, **options):
        self.app = app = make_app()
        self.users = {name: User(name) for name in ('anna', 'bert')}
        self.granted = None
        self.api_key = None
        self.path = '/ws'
        self.ticket = TicketAuth(options.pop('secret_key', KEY), **options)
        token = TokenAuth(allow_http=True)
        self.browser = Client(app)

        @token.authenticate
        async def check(request, value):
            if self.granted is not None:
                request.g._granted = self.granted
            if self.api_key is not None:
                request.g.api_key = self.api_key
            return value  # a name alone, as tokens often carry

        @self.ticket.user_loader
        async def load_user(user_id):
            return self.users.get(user_id)

        @app.post('/ticket')
        @token
        async def new_ticket(request):
            return await self.ticket.issue(request, self.path)

        async def index(request):
            return request.g.current_user.name

        for path, guard in (('/ws', self.ticket), ('/other', self.ticket), ('/pump', self.ticket.requires('pump')),
                            ('/log', self.ticket.requires('log')), ('/any', any_of(token, self.ticket))):
            app.get(path)(guard(index))
        app.get('/twice')(self.ticket.optional(self.ticket(index)))

        @app.post('/again')
        @self.ticket
        async def again(request):
            return await self.ticket.issue(request)

    async def issue(self, name='anna'):
        answer = await self.browser.post('/ticket', bearer(name))
        assert answer.status_code == 200, answer.text
        assert answer.headers['Cache-Control'] == 'no-store'
        return answer.text

    async def issue_all(self, count):
        tickets = []
        for _ in range(count):
            tickets.append(await self.issue())
        return tickets

    async def open_all(self, tickets):
        """The statuses of one after the other."""
        statuses = []
        for ticket in tickets:
            statuses.append(await self.open(ticket))
        return statuses

    async def open_new(self, *paths):
        """The statuses of these paths, each with a ticket of its own."""
        statuses = []
        for path in paths:
            statuses.append(await self.open(await self.issue(), path))
        return statuses

    async def open(self, ticket, path='/ws', headers=HANDSHAKE):
        return (await self.browser.get(path + '?ticket=' + ticket, headers)).status_code


async def test_a_ticket_opens_a_websocket_and_an_event_stream_for_its_user():
    place = Place()
    for headers in (HANDSHAKE, STREAM):
        for name in ('anna', 'bert'):
            answer = await place.browser.get('/ws?ticket=' + await place.issue(name), headers)
            assert (answer.status_code, answer.text) == (200, name)


async def test_a_ticket_opens_once():
    place = Place()
    ticket = await place.issue()
    assert [await place.open(ticket), await place.open(ticket), await place.open(ticket, headers=STREAM)] == [
        200, 401, 401]


async def test_of_two_at_once_one_wins():
    place = Place()

    async def slow(user_id):
        await asyncio.sleep(0)
        return place.users.get(user_id)

    place.ticket.user_loader(slow)
    ticket = await place.issue()
    assert sorted(await asyncio.gather(*[place.open(ticket) for _ in range(5)])) == [200, 401, 401, 401, 401]


async def test_a_ticket_is_asked_for_twice_in_one_request_and_used_once():
    place = Place()
    place.path = '/twice'
    ticket = await place.issue()
    assert await place.open(ticket, '/twice') == 200
    assert await place.open(ticket, '/twice') == 401


async def test_a_ticket_waits_thirty_seconds_whether_the_clock_is_set_or_not():
    for time in (START, UNSET):
        for used in (None, UsedTickets()):
            with FakeClock(time) as clock:
                place = Place(used=used)
                early, late = await place.issue(), await place.issue()
                clock.advance(29)
                assert await place.open(early) == 200
                clock.advance(1)
                assert await place.open(late) == 401
                clock.advance(60)
                assert await place.open(early) == 401


async def test_a_clock_that_is_set_meanwhile_brings_no_used_ticket_back():
    with FakeClock(UNSET) as clock:
        place = Place()
        ticket, waiting = await place.issue(), await place.issue()
        assert await place.open(ticket) == 200
        clock.set(START)
        assert await place.open(ticket) == 401
        assert await place.open(waiting) == 200
    with FakeClock(START) as clock:
        place = Place()
        ticket = await place.issue()
        assert await place.open(ticket) == 200
        clock.advance(40)
        clock.set(START)  # back to when it was good
        for _ in range(100):
            await place.issue()
        assert await place.open(ticket) == 401


async def test_a_ticket_is_for_its_path():
    place = Place()
    for path in ('/other', '/any'):
        ticket = await place.issue()
        assert await place.open(ticket, path) == 401, path
        assert await place.open(ticket) == 200  # and was not used up there
    place.path = None
    for path in ('/ws', '/other', '/any'):
        assert await place.open(await place.issue(), path) == 200


async def test_only_what_cannot_carry_a_header_is_opened_by_a_ticket():
    place = Place()
    ticket = await place.issue()
    for headers in ([], [('Accept', 'text/html')], [('Accept', '*/*')]):
        assert await place.open(ticket, headers=headers) == 401
    assert await place.open(ticket) == 200
    place = Place(anywhere=True)
    assert await place.open(await place.issue(), headers=[]) == 200


async def test_X5_a_ticket_is_nothing_that_a_browser_sends_by_itself():
    place = Place()
    for origin in ('http://evil.lan', 'null', 'http://device.lan'):
        headers = HANDSHAKE + [('Origin', origin), ('Cookie', 'session=junk')]
        assert await place.open(await place.issue(), headers=headers) == 200


async def test_junk_is_a_401():
    place = Place()
    good = await place.issue()
    for ticket in ('', 'junk', '%00', '.', '..', '...', good[:-1], good + 'x', good + '.', good[1:],
                   'x' * 1000, tokens.encode({'sub': 'anna'}, OTHER_KEY, TYP, 30)):
        answer = await place.browser.get('/ws?ticket=' + ticket, HANDSHAKE)
        assert answer.status_code == 401, ticket
        assert answer.headers['WWW-Authenticate'] == 'Ticket'
    assert (await place.browser.get('/ws', HANDSHAKE)).status_code == 401
    assert await place.open(good) == 200


async def test_T7_a_ticket_is_no_session_remember_me_or_bearer_and_they_are_no_tickets():
    app = make_app()
    login = Login()
    bearer_auth = TokenAuth(allow_http=True)
    ticket = TicketAuth(KEY, anywhere=True)

    async def load_user(user_id):
        return User(user_id)

    login.user_loader(load_user)
    ticket.user_loader(load_user)

    @bearer_auth.authenticate
    async def check(request, value):
        try:
            return tokens.decode(value, KEY)['sub']
        except tokens.TokenError:
            return None

    @app.post('/login')
    async def log_in(request):
        return await login.login_user(request, User('anna'), remember=True)

    @app.post('/ticket')
    @any_of(login, bearer_auth)
    async def new_ticket(request):
        return await ticket.issue(request)

    async def index(request):
        return 'in'

    for path, guard in (('/login', login), ('/bearer', bearer_auth), ('/ticket', ticket)):
        app.get(path)(guard(index))
    anna, thief = Client(app), Client(app)
    await anna.post('/login')
    one = (await anna.post('/ticket')).text
    for headers in ({'Cookie': 'session=' + one}, {'Cookie': '_remember=' + one},
                    {'Cookie': 'session=%s; _remember=%s' % (one, one)}, bearer(one)):
        for path in ('/login', '/bearer'):
            assert (await thief.get(path, dict(headers, Accept='application/json'))).status_code == 401, (path, headers)
    assert (await thief.get('/ticket?ticket=' + one)).status_code == 200
    for other in (anna.value('session'), anna.value('_remember'), tokens.encode({'sub': 'anna'}, KEY, ttl=60)):
        assert (await thief.get('/ticket?ticket=' + other)).status_code == 401


async def test_a_ticket_opens_what_the_token_was_given_for_and_no_more():
    place = Place()
    place.path = None
    assert await place.open_new('/pump', '/log') == [200, 200]
    place.granted = ('log', 'root')
    assert await place.open_new('/pump', '/log') == [403, 200]
    place.granted = ()
    assert await place.open_new('/pump', '/log', '/ws') == [403, 403, 200]


async def test_a_user_who_is_gone_or_has_a_new_password_has_no_tickets():
    place = Place()
    first, second, third = await place.issue(), await place.issue(), await place.issue()
    place.users['anna'].password_hash = 'another hash'
    assert await place.open(first) == 401
    place.users['anna'].password_hash = 'a hash'
    place.users['anna'].is_active = False
    assert await place.open(second) == 401
    place.users['anna'].is_active = True
    assert await place.open(second) == 200
    del place.users['anna']
    assert await place.open(third) == 401


async def test_a_ticket_ends_with_the_api_key_it_was_issued_for():
    keys = Keys(Key('k1'))
    place = Place(keys=keys)
    place.api_key = keys.known['k1']
    first, second, third = await place.issue(), await place.issue(), await place.issue()
    assert await place.open(first) == 200
    keys.known['k1'].expired = True
    assert await place.open(second) == 401
    del keys.known['k1']
    assert await place.open(third) == 401


async def test_tickets_come_of_another_proof_only():
    place = Place(anywhere=True)
    place.path = None
    answer = await place.browser.post('/again?ticket=' + await place.issue())
    assert answer.status_code == 500
    place.api_key = Key('k1')  # which could not be looked up again
    assert (await place.browser.post('/ticket', bearer('anna'))).status_code == 500


async def test_when_the_table_is_full_nobody_comes_in_until_there_is_room():
    with FakeClock() as clock:
        place = Place(used=UsedTickets(limit=3))
        tickets = await place.issue_all(4)
        assert await place.open_all(tickets) == [200, 200, 200, 401]
        assert await place.open_all(tickets) == [401] * 4
        clock.advance(32)
        assert await place.open_all(tickets) == [401] * 4
        assert await place.open(await place.issue()) == 200


async def test_several_processes_share_a_table():
    class Shared:
        def __init__(self):
            self.ids = []

        async def add(self, ticket_id, ttl):
            assert ttl == 30
            if ticket_id in self.ids:
                return False
            self.ids.append(ticket_id)
            return True

    shared = Shared()
    one, other = Place(used=shared), Place(used=shared)
    ticket = await one.issue()
    assert [await other.open(ticket), await one.open(ticket), await other.open(ticket)] == [200, 401, 401]


async def test_a_ticket_of_another_process_is_refused_without_a_shared_table():
    place = Place()
    ticket = await place.issue()
    before = tokens.BOOT_ID
    tokens.BOOT_ID = 'another boot'
    try:
        assert await place.open(ticket) == 401
    finally:
        tokens.BOOT_ID = before


async def test_S11_a_table_or_a_store_that_cannot_be_asked_is_a_503():
    class Down:
        async def add(self, ticket_id, ttl):
            raise OSError(5)

    place = Place(used=Down())
    assert await place.open(await place.issue()) == 503


async def test_a_ticket_stays_out_of_caches_whoever_asks_for_it():
    class Badge(Protector):
        async def identify(self, request):
            return 'anna'

    place = Place()

    @place.app.get('/badge')
    @Badge()
    async def badge(request):
        return await place.ticket.issue(request)

    assert (await place.browser.get('/badge')).headers['Cache-Control'] == 'no-store'


async def test_keys_rotate():
    old = Place(secret_key=THIRD_KEY, used=UsedTickets())
    place = Place(secret_key=[KEY, THIRD_KEY], used=UsedTickets())
    assert await place.open(await old.issue()) == 200
    assert await old.open(await place.issue()) == 401
