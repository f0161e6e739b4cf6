"""Credentials that were refused are told of, without what was sent; and for some a password alone is not enough."""
from cheap import Cheap
from client import Client, basic, bearer
from clock import FakeClock
from microdot import Microdot
from test_digest import PASSWORD, REALM, Visitor

from dotlatch import tokens
from dotlatch.apikeys import MemoryKeys
from dotlatch.auth import APIKeyAuth, BasicAuth, TokenAuth, any_of
from dotlatch.digest import DigestAuth
from dotlatch.events import Events
from dotlatch.jwtauth import JWTAuth
from dotlatch.throttle import Throttle
from dotlatch.users import MemoryUsers

KEY = '0123456789abcdef0123456789abcdef'


class User:
    def __init__(self, totp=None, is_active=True, digest_ha1=None):
        self.id = 'u1'
        self.name = 'Anna'
        self.totp = totp
        self.is_active = is_active
        self.digest_ha1 = digest_ha1


def guarded(auth):
    app = Microdot()

    @app.get('/')
    @auth
    async def index(request):
        return 'in'

    return app


def by_password(user, **options):
    """Basic for one user, and what is told of it."""
    events = Events()
    auth = BasicAuth(allow_http=True, events=events, **options)

    @auth.authenticate
    async def check(request, username, password):
        return user if (username, password) == ('anna', 'right') else None

    return guarded(auth), events


def by_digest(user, **options):
    events = Events()
    auth = DigestAuth(realm=REALM, events=events, **options)
    user.digest_ha1 = auth.make_ha1('anna', PASSWORD)

    @auth.authenticate
    async def find(request, username):
        return user if username == 'anna' else None

    return guarded(auth), events


def told(events):
    """What was told, the oldest first, without the times."""
    found = []
    for event in reversed(events.recent()):
        del event['time'], event['uptime']
        found.append(event)
    return found


def failed(method, reason, **more):
    event = {'event': 'login_failed', 'method': method, 'source': '127.0.0.1', 'reason': reason}
    event.update(more)
    return event


ANNA = {'user': 'u1', 'name': 'Anna'}


async def status(app, headers=None):
    return (await Client(app).get('/', headers)).status_code


async def statuses(app, *several):
    codes = []
    for headers in several:
        codes.append(await status(app, headers))
    return codes


# --- what is told -----------------------------------------------------------------------------------------

async def test_a_wrong_password_is_told_of_and_neither_name_nor_password():
    app, events = by_password(User())
    assert await status(app, basic('hunter2', 'CANARY')) == 401
    assert told(events) == [failed('Basic', 'password')]


async def test_who_gets_in_or_sends_nothing_is_not_told_of():
    app, events = by_password(User())
    assert await status(app, basic('anna', 'right')) == 200
    for headers in ({}, bearer('x'), {'Authorization': 'Basic %'}):
        assert await status(app, headers) == 401
    assert told(events) == []


async def test_a_right_password_of_an_account_that_is_shut_says_whose():
    app, events = by_password(User(is_active=False))
    assert await status(app, basic('anna', 'right')) == 401
    assert told(events) == [failed('Basic', 'inactive', **ANNA)]


async def test_a_user_that_is_a_dictionary_or_a_name_is_told_by_what_there_is():
    for user, expected in (({'id': 7, 'is_active': False}, {'user': 7, 'name': None}),
                           ({'name': 'Anna', 'is_active': False}, {'user': None, 'name': 'Anna'})):
        app, events = by_password(user)
        assert await status(app, basic('anna', 'right')) == 401
        assert told(events) == [failed('Basic', 'inactive', **expected)]


async def test_a_token_that_is_refused_is_told_of():
    events = Events()
    auth = TokenAuth(allow_http=True, events=events)

    @auth.authenticate
    async def check(request, token):
        return None

    signed = JWTAuth(KEY, allow_http=True, events=events)
    for app in (guarded(auth), guarded(signed)):
        assert await status(app, bearer('CANARY')) == 401
    assert told(events) == [failed('Bearer', 'token')] * 2
    assert await status(guarded(signed), bearer(tokens.encode({'sub': 'a'}, KEY, typ='at+jwt', ttl=60))) == 200
    assert len(told(events)) == 2


async def test_digest_tells_whose_password_was_guessed_and_of_a_replay():
    app, events = by_digest(User())
    stranger, thief, anna = Visitor(app, 'nobody'), Visitor(app, 'anna', 'a guess'), Visitor(app)
    for visitor, expected in ((stranger, 401), (thief, 401), (anna, 200)):
        assert (await visitor.visit()).status_code == expected
    header = anna.header(anna.credentials())
    assert (await anna.raw(header)).status_code == 200
    assert (await anna.raw(header)).status_code == 401
    assert told(events) == [failed('Digest', 'password'), failed('Digest', 'password', **ANNA),
                            failed('Digest', 'replay', **ANNA)]


async def test_a_nonce_that_is_over_is_no_attempt():
    with FakeClock() as clock:
        app, events = by_digest(User(), nonce_seconds=60)
        anna = Visitor(app)
        assert (await anna.visit()).status_code == 200
        clock.advance(61)
        assert (await anna.send()).status_code == 401
    assert told(events) == []


async def test_L4_who_has_to_wait_is_told_of_whatever_the_scheme():
    async def nobody(request, *credentials):
        return None

    for make, headers, method in ((BasicAuth, basic('anna', 'x'), 'Basic'), (TokenAuth, bearer('x'), 'Bearer')):
        events = Events()
        auth = make(allow_http=True, events=events, throttle=Throttle(free=1, source_free=1))
        auth.authenticate(nobody)
        app = guarded(auth)
        with FakeClock():
            codes = await statuses(app, headers, headers, headers)
        assert codes[0] == 401 and codes[2] == 429
        assert told(events)[-1] == failed(method, 'throttled', seconds=1)


async def test_L4_an_api_key_that_has_to_wait_is_told_of_too():
    events, keys = Events(), MemoryKeys()
    headers = {'X-API-Key': MemoryKeys().create('u1', 'of another device')}
    app = guarded(APIKeyAuth(keys, allow_http=True, events=events, throttle=Throttle(source_free=1)))
    with FakeClock():
        codes = await statuses(app, headers, headers, headers)
    names = [(event['event'], event['reason']) for event in told(events)]
    assert codes[2] == 429 and names[-1] == ('login_failed', 'throttled'), (codes, names)
    assert names[0] == ('key_refused', 'key')


async def test_each_of_several_schemes_tells_of_its_own():
    events = Events()
    shut = User(is_active=False)
    first = BasicAuth(allow_http=True)
    second = BasicAuth(allow_http=True, events=events)

    @first.authenticate
    async def check(request, username, password):
        return shut

    @second.authenticate
    async def check_too(request, username, password):
        return None

    assert await status(guarded(any_of(first, second)), basic('anna', 'x')) == 401
    assert told(events) == [failed('Basic', 'password')]


async def test_a_listener_that_fails_changes_no_answer():
    app, events = by_password(User())

    @events.on
    async def listen(event):
        raise ValueError('CANARY')

    assert await status(app, basic('anna', 'wrong')) == 401
    assert await status(app, basic('anna', 'right')) == 200


# --- O5: a password alone ---------------------------------------------------------------------------------

async def test_O5_basic_does_not_skip_the_second_factor():
    app, events = by_password(User(totp='a secret'))
    right, wrong = basic('anna', 'right'), basic('anna', 'wrong')
    answer, other = await Client(app).get('/', right), await Client(app).get('/', wrong)
    assert answer.status_code == other.status_code == 401
    assert answer.text == other.text and answer.headers == other.headers
    assert told(events) == [failed('Basic', 'second_factor', **ANNA), failed('Basic', 'password')]
    assert await status(by_password(User())[0], right) == 200


async def test_O5_digest_does_not_skip_the_second_factor():
    app, events = by_digest(User(totp='a secret'))
    assert (await Visitor(app).visit()).status_code == 401
    assert (await Visitor(app, 'anna', 'a guess').visit()).status_code == 401
    assert told(events) == [failed('Digest', 'second_factor', **ANNA), failed('Digest', 'password', **ANNA)]
    app, _ = by_digest(User())
    assert (await Visitor(app).visit()).status_code == 200


async def test_O5_whoever_runs_the_app_may_allow_one_factor():
    user = User(totp='a secret')
    app, events = by_password(user, allow_one_factor=True)
    assert await status(app, basic('anna', 'right')) == 200
    app, _ = by_digest(user, allow_one_factor=True)
    assert (await Visitor(app).visit()).status_code == 200
    assert told(events) == []


async def test_O5_the_same_holds_beside_another_way_and_where_a_user_is_optional():
    user = User(totp='a secret')
    passwords = BasicAuth(allow_http=True)
    token = TokenAuth(allow_http=True)

    @passwords.authenticate
    async def check(request, username, password):
        return user

    @token.authenticate
    async def check_token(request, value):
        return user if value == 'issued' else None

    app = guarded(any_of(token, passwords))

    @app.get('/optional')
    @passwords.optional
    async def optional(request):
        return str(request.g.current_user)

    assert await status(app, basic('anna', 'right')) == 401
    assert await status(app, bearer('issued')) == 200  # a token is given to who has proven both
    assert (await Client(app).get('/optional', basic('anna', 'right'))).text == 'None'


async def test_O5_switched_on_it_holds_for_the_next_request():
    with Cheap():
        users = MemoryUsers()
        anna = await users.create('anna', 'correct horse battery')
        auth = BasicAuth(allow_http=True)

        @auth.authenticate
        async def check(request, username, password):
            return await users.authenticate(username, password)

        app = guarded(auth)
        headers = basic('anna', 'correct horse battery')
        assert await status(app, headers) == 200
        anna.totp = 'a secret'
        assert await status(app, headers) == 401


async def test_O5_a_right_password_without_the_code_is_no_guess_and_clears_no_count():
    user = User(totp='a secret')
    app, _ = by_password(user, throttle=Throttle(free=3))
    with FakeClock():
        for _ in range(10):  # a program of the owner's that does not know of the code
            assert await status(app, basic('anna', 'right')) == 401
        codes = await statuses(app, *[basic('anna', p) for p in ('a', 'b', 'c', 'right', 'd', 'e')])
    assert codes[:3] == [401] * 3 and 429 in codes[4:], codes
