"""What was tried on API keys, access tokens, tickets and a fleet's tokens: each opened or broke something before."""
import asyncio

from client import KEY, Client, Warnings, bearer, make_app, raises
from clock import FakeClock
from disk import put, remove
from microdot import Microdot

from dotlatch import apikeys, portable, tokens
from dotlatch.apikeys import APIKey, FileKeys, MemoryKeys
from dotlatch.auth import APIKeyAuth, TokenAuth
from dotlatch.fleet import FleetAuth, board_key, issue
from dotlatch.fleetlogin import FleetLogin, issue_login
from dotlatch.guard import Guard
from dotlatch.jwtauth import JWTAuth
from dotlatch.tickets import TicketAuth

PATH = 'attacked.json'
MASTER = bytes(range(32))
ORIGIN = {'Origin': 'https://central.lan'}
STREAM = {'Accept': 'text/event-stream'}


class User:
    def __init__(self, id, scopes=()):
        self.id = id
        self.scopes = scopes
        self.password_hash = 'a hash'


async def load_user(user_id):
    return User(user_id, ['read', 'pump', 'admin'])


async def say(request):
    return 'in: %s' % request.g.current_user.id


def fresh():
    remove(PATH, PATH + '.copy', PATH + '.lock')


def token_for(scope, **claims):
    claims.update({'sub': 'anna', 'scope': scope})
    return tokens.encode(claims, KEY, 'at+jwt', 300)


# --- keys -------------------------------------------------------------------------------------------------

async def test_S11_a_file_of_keys_that_breaks_while_the_program_runs_is_a_503():
    fresh()
    keys = FileKeys(PATH)
    text = keys.create('anna', 'one')
    app, auth = make_app(), APIKeyAuth(keys, load_user, allow_http=True)
    app.get('/')(auth(say))
    Guard(app, auth)
    assert (await Client(app).get('/', {'X-API-Key': text})).status_code == 200  # and its use is written
    for row in (b'{"keys": [', b'', b'[]', b'null', b'{"format": 1}', b'{"format": 1, "keys": {"id": 1}}', b'\xff' * 9,
                b'{"format": 1, "keys": [[]]}', b'{"format": 1, "keys": [{"id": "x"}]}', b'{"check":"'):
        put(PATH, row)
        put(PATH + '.copy', row)
        with Warnings():
            for path, in_memory in (('/', 200), ('/nowhere', 404)):
                res = await Client(app).get(path, {'X-API-Key': text})
                # Nobody else writes a board's files: it goes on with what it has in memory.
                assert res.status_code == (in_memory if portable.MICROPYTHON else 503), (row, path, res.status_code)
                assert (await Client(app).get(path, {'X-API-Key': text + 'x'})).status_code in (401, 503), (row, path)
        raises(ValueError, FileKeys, PATH)  # at the start there is nothing in memory
    fresh()
    assert (await Client(app).get('/', {'X-API-Key': text})).status_code == (200 if portable.MICROPYTHON else 401)


async def test_R3_the_scopes_of_a_key_are_words_and_not_the_letters_of_one():
    class Keys:
        """Of one's own, whose scopes are text, as a user's may be."""
        prefix = 'dl'
        text, key_id, hashed = apikeys.make('dl')

        async def find(self, key_id):
            record = APIKey(self.key_id, 'anna', 'one', (), self.hashed)
            record.scopes = self.scopes
            return record if key_id == self.key_id else None

        def used(self, key):
            pass

    app, auth = make_app(), APIKeyAuth(Keys(), load_user, allow_http=True)
    for scope in ('read', 'pump', 'readmore'):
        app.get('/' + scope)(auth.requires(scope)(say))
    for Keys.scopes, right in (('readmore pumps', ''), (None, ''), ('', ''), ([], ''), ('read', 'read'),
                               (['pump'], 'pump')):
        for scope in ('read', 'pump', 'readmore'):
            res = await Client(app).get('/' + scope, {'X-API-Key': Keys.text})
            assert res.status_code == (200 if scope == right else 403), (Keys.scopes, scope)


async def test_T7_what_one_way_in_was_granted_is_never_another_ones():
    """A ticket for little, and beside it somebody's key for more: the key's scopes are for the key's user."""
    app, keys = make_app(), MemoryKeys()
    key, ticket = APIKeyAuth(keys, load_user, allow_http=True), TicketAuth(KEY)
    ticket.user_loader(load_user)
    token = TokenAuth(allow_http=True)

    @token.authenticate
    async def check(request, text):
        request.g._granted = ['read']
        return await load_user(text)

    @app.post('/ticket')
    @token
    async def new_ticket(request):
        return await ticket.issue(request)

    for auth in (token, ticket):
        app.get('/' + auth.scheme)(auth.optional(key.optional(auth.requires('admin')(say))))
        app.get('/read/' + auth.scheme)(auth.optional(key.optional(auth.requires('read')(say))))
    app.get('/key')(token.optional(key.requires('admin')(say)))
    sent = {'X-API-Key': keys.create('mallory', 'one', ['admin'])}
    sent.update(STREAM)
    both = sent.copy()
    both.update(bearer('anna'))
    assert (await Client(app).get('/Bearer', both)).status_code == 403
    assert (await Client(app).get('/read/Bearer', both)).text == 'in: anna'
    assert (await Client(app).get('/key', both)).text == 'in: mallory'
    for path, expected in (('/Ticket', 403), ('/read/Ticket', 200)):
        text = (await Client(app).post('/ticket', bearer('anna'))).text
        assert (await Client(app).get(path + '?ticket=' + text, sent)).status_code == expected, path


# --- scopes of tokens -------------------------------------------------------------------------------------

async def test_R3_one_space_alone_stands_between_scopes():
    """RFC 6749 section 3.3. An issuer that lets people name a scope would else hand out two."""
    app, auth = make_app(), JWTAuth(KEY, allow_http=True)
    app.get('/')(auth.requires('admin')(lambda request: 'in'))
    for scope in ('read\u00a0admin', 'read\tadmin', 'read\nadmin', 'read\u2003admin', 'read\x1cadmin', 'read\x0badmin',
                  'readadmin', 'Admin', 'admin\u200b', '\u0430dmin', 'admin,read'):
        assert (await Client(app).get('/', bearer(token_for(scope)))).status_code == 403, repr(scope)
    for scope in ('read admin', 'admin', 'admin  read', ' admin '):
        assert (await Client(app).get('/', bearer(token_for(scope)))).status_code == 200, repr(scope)


async def test_R3_a_scope_for_a_board_is_one_word_on_any_python():
    for scope in ('a\tadmin', 'a\u00a0admin', 'a\u2003admin', 'a\nadmin', 'a\x1cadmin', 'caf\xe9', '', ' ', 'a\x7f',
                  '\x85'):
        raises(ValueError, issue, MASTER, 'pump-7', 'anna', [scope])
    for scope in (None, 7, b'read', ['read']):
        raises((TypeError, ValueError), issue, MASTER, 'pump-7', 'anna', [scope])
    app, auth = make_app(), FleetAuth(board_key(MASTER, 'pump-7'), 'pump-7', allow_http=True)
    app.get('/')(auth.requires('admin')(lambda request: 'in'))
    claims = {'aud': 'pump-7', 'sub': 'anna', 'scope': 'read\u00a0admin', 'jti': 'x'}
    key = portable.Key(portable.b64url_decode(board_key(MASTER, 'pump-7')))
    old = tokens.encode(claims, key, 'dl-fleet+jwt', 60)
    assert (await Client(app).get('/', bearer(old))).status_code == 403


async def test_T8_ids_of_boards_are_never_read_as_more_than_ids():
    for board_id in ('pump-7\x01', 'pump-7\n', 'pump\n7', '', 'pump 7', 'p' * 65, '\u0440ump-7', 'pump/7', None, 7,
                     b'pump-7'):
        raises((TypeError, ValueError), board_key, MASTER, board_id)
    assert board_key(MASTER, 'pump-7') != board_key(MASTER, 'pump-7.') != board_key(MASTER, 'PUMP-7')


async def test_what_a_callback_does_to_the_claims_of_one_request_is_nothing_to_the_next():
    app, auth = Microdot(), JWTAuth(KEY, allow_http=True)

    @auth.authenticate
    async def check(request, claims):
        allowed = 'in' if 'admin' in claims['groups'] else None
        claims['groups'].append('admin')
        claims['realm']['admin'] = True
        return allowed

    app.get('/')(auth(lambda request: 'in'))
    sent = bearer(token_for('read', groups=['staff'], realm={}))
    assert [(await Client(app).get('/', sent)).status_code,
            (await Client(app).get('/', sent)).status_code] == [401, 401]


# --- tickets ----------------------------------------------------------------------------------------------

async def two_apps():
    """Two apps of one process and one key, each with tickets of its own, and a ticket of the first."""
    places = []
    for _ in range(2):
        app, ticket, token = make_app(), TicketAuth(KEY), TokenAuth(allow_http=True)
        ticket.user_loader(load_user)
        token.authenticate(lambda request, text: load_user(text))

        async def new_ticket(request, ticket=ticket):
            return await ticket.issue(request)

        app.post('/ticket')(token(new_ticket))
        app.get('/ws')(ticket(say))
        places.append(app)
    return places


async def test_T8_a_ticket_of_one_app_opens_nothing_in_another_and_one_socket_in_all():
    first, second = await two_apps()
    text = (await Client(first).post('/ticket', bearer('anna'))).text
    assert (await Client(second).get('/ws?ticket=' + text, STREAM)).status_code == 401
    assert (await Client(first).get('/ws?ticket=' + text, STREAM)).status_code == 200
    assert (await Client(second).get('/ws?ticket=' + text, STREAM)).status_code == 401


async def test_a_ticket_ends_with_the_token_it_was_issued_for():
    app, ticket, auth = make_app(), TicketAuth(KEY), JWTAuth(KEY, allow_http=True)
    ticket.user_loader(load_user)

    @app.post('/ticket')
    @auth
    async def new_ticket(request):
        return await ticket.issue(request)

    seen = []

    @app.get('/ws')
    @ticket
    async def look(request):
        from dotlatch.live import _Again
        seen.append(await ticket.recheck(_Again(request), request.g.current_user))
        clock.advance(10)
        seen.append(await ticket.recheck(_Again(request), request.g.current_user))
        return 'in'

    with FakeClock() as clock:
        token = tokens.encode({'sub': 'anna'}, KEY, 'at+jwt', 15)
        text = (await Client(app).post('/ticket', bearer(token))).text
        late = (await Client(app).post('/ticket', bearer(token))).text
        clock.advance(6)
        assert (await Client(app).get('/ws?ticket=' + text, STREAM)).text == 'in'
        assert [user is not None for user in seen] == [True, False]
        assert (await Client(app).get('/ws?ticket=' + late, STREAM)).status_code == 401


async def test_a_ticket_that_is_junk_is_a_401_and_never_an_error():
    app, ticket = make_app(), TicketAuth(KEY)
    ticket.user_loader(load_user)
    app.get('/ws')(ticket(say))
    for text in ('', '.', '..', 'a.b.c', '%00', '%C3%A9', '\u0661', 'a' * 1900, '&ticket=', '%2e%2e', '{}', 'null'):
        res = await Client(app).get('/ws?ticket=' + text, STREAM)
        assert res.status_code == 401, text
    for text in ('%', '%zz', '%ff', '%C0%AE'):
        assert (await Client(app).get('/ws?ticket=' + text, STREAM)).status_code in (400, 401), text


# --- a fleet's login --------------------------------------------------------------------------------------

def board():
    app = make_app()
    login = FleetLogin(board_key(MASTER, 'pump-7'), 'pump-7', 'https://central.lan/boards/pump-7')
    app.post('/fleet')(login.enter)
    return app


async def enter(app, token):
    return (await Client(app).post('/fleet', ORIGIN, form='token=' + token)).status_code


async def test_a_login_token_that_was_used_is_none_after_a_restart():
    with FakeClock(ticks=3600000) as clock:
        token = issue_login(MASTER, 'pump-7', 'anna')
        assert await enter(board(), token) == 303
        clock.advance(5)
        clock.ticks = 2000  # the board has started two seconds ago
        with FakeClock(clock.time, ticks=2000):
            assert await enter(board(), token) == 401
            assert await enter(board(), issue_login(MASTER, 'pump-7', 'anna')) == 303


async def test_of_many_who_send_one_login_token_at_once_one_gets_in():
    app = board()
    token = issue_login(MASTER, 'pump-7', 'anna')
    found = await asyncio.gather(*[enter(app, token) for _ in range(8)])
    assert sorted(found) == [303] + [401] * 7
