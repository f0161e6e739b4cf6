"""The decorators that all ways to prove a name share: scopes, refusals, and where they may stand.

Flask-HTTPAuth's behaviours are kept here too, each under the name of ours that has it; docs/auth.rst has the table.
"""
import asyncio

from client import KEY, Client, basic, bearer, raises, shapes
from microdot import Microdot, Response, redirect
from microdot.sse import with_sse
from microdot.websocket import with_websocket

from dotlatch import passwords
from dotlatch.auth import BasicAuth, TokenAuth, any_of
from dotlatch.digest import DigestAuth
from dotlatch.portable import hmac_sha256
from dotlatch.protect import Protector, refusal, scopes_of
from dotlatch.session import Session, with_session
from dotlatch.throttle import Throttle


class User:
    name = 'anna'

    def __init__(self, **properties):
        for name in properties:
            setattr(self, name, properties[name])


class Given(Protector):
    """An authenticator that finds whom the test says."""
    def __init__(self, user=None):
        self.user = user

    async def identify(self, request):
        return self.user

    def challenge(self, request):
        return 'Given'


def app_for(auth, handler=None):
    app = Microdot()

    async def say(request):
        return 'in: ' + ' '.join(scopes_of(request))

    handler = handler or say
    app.get('/')(auth(handler))
    app.get('/pump')(auth.requires('pump')(handler))
    app.get('/both')(auth.requires('pump', 'log')(handler))
    app.get('/any')(auth.requires_any('pump', 'log')(handler))
    app.get('/maybe')(auth.optional(handler))
    return app


async def verdicts(auth, headers=None):
    app, found = app_for(auth), []
    for path in ('/', '/pump', '/both', '/any', '/maybe'):
        found.append((await Client(app).get(path, headers)).status_code)
    return found


# --- scopes -----------------------------------------------------------------------------------------------

async def test_scopes_may_be_a_list_a_tuple_a_set_or_words():
    for scopes in (['pump', 'log'], ('pump', 'log'), {'pump', 'log'}, 'pump log', frozenset(('pump', 'log')),
                   {'pump': 1, 'log': 2}):
        for user in (User(id=1, scopes=scopes), {'id': 1, 'scopes': scopes}):
            assert await verdicts(Given(user)) == [200] * 5, scopes
    for scopes in (['pump'], ('pump',), {'pump'}, 'pump', 'pump audit'):
        for user in (User(id=1, scopes=scopes), {'id': 1, 'scopes': scopes}):
            assert await verdicts(Given(user)) == [200, 200, 403, 200, 200], scopes


async def test_who_has_no_scopes_has_none():
    for user in (User(id=1), {'id': 1}, 'anna', 7, User(scopes=None), User(scopes=[]), User(scopes=''), {'scopes': ()}):
        assert await verdicts(Given(user)) == [200, 403, 403, 403, 200], user
    assert await verdicts(Given()) == [401, 401, 401, 401, 200]


async def test_a_scope_is_compared_whole():
    for scopes in ('pumps', 'pum', 'PUMP', 'Pump', 'pump,log', ['pump '], ['pump log'], 'a-pump', 'log'):
        assert (await verdicts(Given(User(scopes=scopes))))[1] == 403, scopes


async def test_a_key_gives_no_more_than_it_was_made_for_and_no_more_than_its_user_has():
    for scopes, granted, expected in ((['pump', 'log'], ['pump'], [200, 200, 403, 200, 200]),
                                      (['pump'], ['pump', 'log'], [200, 200, 403, 200, 200]),
                                      (['pump', 'log'], [], [200, 403, 403, 403, 200]),
                                      (['pump', 'log'], {'log'}, [200, 403, 403, 200, 200]),
                                      ([], ['pump', 'log'], [200, 403, 403, 403, 200]),
                                      (['pump', 'log'], None, [200] * 5)):
        class Limited(Given):
            async def identify(self, request):
                request.g._granted = granted  # noqa: B023
                return self.user

        assert await verdicts(Limited(User(scopes=scopes))) == expected, (scopes, granted)


def test_names_that_are_no_scopes_are_refused_at_the_start():
    for wrong in ((), ('a b',), ('',), (None,), (7,), ('a"b',), ('a\\b',), ('caf\xe9',), ('a\n',), (['a'],), ('a', '')):
        for decorator in (Given().requires, Given().requires_any):
            raises(ValueError, decorator, *wrong)


async def test_R3_a_403_says_which_scopes_are_missing_in_bearers_words_only():
    for auth, headers, expected in (
            (TokenAuth(realm='a"b', allow_http=True), bearer('x'),
             'Bearer realm="a\\"b", error="insufficient_scope", scope="pump log"'),
            (BasicAuth(allow_http=True), basic('a', 'b'), None)):
        async def check(request, *given):
            return 'anna'

        auth.authenticate(check)
        res = await Client(app_for(auth)).get('/both', headers)
        assert (res.status_code, res.headers.get('WWW-Authenticate')) == (403, expected)
        assert (await Client(app_for(auth)).get('/both')).status_code == 401  # who is unknown is asked who he is


async def test_a_403_has_the_apps_own_page():
    app = app_for(Given(User()))

    @app.errorhandler(403)
    async def page(request):
        return 'not for ' + request.g.current_user.name, 403

    res = await Client(app).get('/pump')
    assert (res.status_code, res.text) == (403, 'not for anna')


async def test_one_decorator_on_another_asks_both():
    first, second = Given(User(scopes='pump')), Given(User(scopes='log'))
    app = Microdot()

    async def say(request):
        return 'in'

    app.get('/a')(first.requires('pump')(second.requires('log')(say)))
    app.get('/b')(first.requires('pump')(second.requires('pump')(say)))
    app.get('/c')(first.requires('pump')(first.requires_any('log', 'audit')(say)))
    assert (await Client(app).get('/a')).status_code == 200
    assert (await Client(app).get('/b')).status_code == 403
    assert (await Client(app).get('/c')).status_code == 403


async def test_an_optional_way_does_not_take_back_what_another_has_proven():
    app = Microdot()

    async def say(request):
        return request.g.current_user.name

    app.get('/')(Given(User())(Given().optional(say)))
    assert (await Client(app).get('/')).text == 'anna'


# --- where they stand -------------------------------------------------------------------------------------

async def test_they_stand_above_any_kind_of_handler():
    async def say(request):
        return 'in: ' + request.g.current_user.name

    for shape, handler in shapes(say):
        app = app_for(Given(User(scopes='pump log')), handler)
        for path in ('/', '/pump', '/both', '/any', '/maybe'):
            assert (await Client(app).get(path)).text == 'in: anna', (shape, path)
        app = app_for(Given(), handler)
        for path in ('/', '/pump', '/both', '/any'):
            assert (await Client(app).get(path)).status_code == 401, (shape, path)


async def test_they_stand_above_with_session_and_below_it():
    auth = Given(User(scopes='pump'))
    app = Microdot()
    Session(app, secret_key=KEY)

    async def count(request, session):
        session['n'] = session.get('n', 0) + 1
        session.save()
        return str(session['n'])

    app.get('/above')(auth.requires('pump')(with_session(count)))
    app.get('/below')(with_session(auth.requires('pump')(count)))
    for path in ('/above', '/below'):
        browser = Client(app)
        assert await browser.texts(path, path) == ['1', '2'], path
    auth.user = None
    for path in ('/above', '/below'):
        res = await Client(app).get(path)
        assert (res.status_code, res.cookies) == (401, []), path


UPGRADE = {'Upgrade': 'websocket', 'Connection': 'Upgrade', 'Sec-WebSocket-Version': '13',
           'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ=='}


async def test_a_stranger_gets_no_stream_and_no_websocket():
    reached = []

    async def tell(request, channel):
        reached.append(request.path)

    for auth, expected in ((Given(), 401), (Given(User()), 403), (any_of(Given(), Given()), 401)):
        app = Microdot()
        app.get('/ws')(auth.requires('pump')(with_websocket(tell)))
        app.get('/sse')(auth.requires('pump')(with_sse(tell)))
        headers = UPGRADE.copy()
        headers['Origin'] = 'http://device.lan'
        for path, given in (('/ws', headers), ('/sse', {'Accept': 'text/event-stream'})):
            assert (await Client(app).get(path, given)).status_code == expected, path
    assert reached == []


async def test_they_guard_in_nested_apps_and_whole_ones():
    for local in (False, True):
        auth = Given()
        app, outer, inner = Microdot(), Microdot(), app_for(auth)
        outer.mount(inner, '/inner', local=local)
        app.mount(outer, '/outer', local=local)
        assert (await Client(app).get('/outer/inner/pump')).status_code == 401
        auth.user = User(scopes=[])
        assert (await Client(app).get('/outer/inner/pump')).status_code == 403
        auth.user = User(scopes='pump')
        assert (await Client(app).get('/outer/inner/pump')).text == 'in: pump'


# --- what an error callback answers -----------------------------------------------------------------------

def test_a_refusal_has_a_status_whatever_the_callback_forgot():
    response = Response('no', 404)
    for answer, expected in (('no', ('no', 401)), ('', ('', 401)), ({}, ({}, 401)), ({'a': 1}, ({'a': 1}, 401)),
                             (b'no', (b'no', 401)), (403, ('', 403)), (0, ('', 0)), (('no', 403), ('no', 403)),
                             (('no', {'A': 'b'}), ('no', 401, {'A': 'b'})), ((403, {'A': 'b'}), ('', 403, {'A': 'b'})),
                             (('no', 402, {'A': 'b'}), ('no', 402, {'A': 'b'})), (response, response)):
        assert refusal(answer, 401) == expected, answer


# --- what Flask-HTTPAuth does -----------------------------------------------------------------------------

ANNA = basic('anna', 'right')


def basic_auth(**options):
    auth = BasicAuth(allow_http=True, **options)

    @auth.authenticate
    async def check(request, username, password):
        return {'id': username, 'name': username, 'scopes': ['user']} if password == 'right' else None

    return auth


def page_of(auth, decorate=None):
    app = Microdot()

    async def index(request):
        return 'Hello ' + (request.g.current_user['name'] if request.g.current_user else 'stranger')

    app.get('/')((decorate or auth)(index))
    return app


async def test_flask_basic_prompts_with_its_realm():
    res = await Client(page_of(basic_auth(realm='Foo'))).get('/')
    assert (res.status_code, res.headers['WWW-Authenticate']) == (401, 'Basic realm="Foo", charset="UTF-8"')


async def test_flask_verify_password_may_be_sync_or_async():
    def check(request, username, password):
        return {'name': username} if (username, password) == ('anna', 'right') else None

    async def check_later(request, username, password):
        await asyncio.sleep(0)
        return check(request, username, password)

    for callback in (check, check_later):
        auth = BasicAuth(allow_http=True)
        assert auth.authenticate(callback) is callback
        assert (await Client(page_of(auth)).get('/', ANNA)).text == 'Hello anna'
        for wrong in ({}, basic('anna', 'wrong'), basic('ben', 'right'), basic('', ''), bearer('x')):
            assert (await Client(page_of(auth)).get('/', wrong)).status_code == 401, wrong


async def test_flask_password_with_a_colon_and_of_any_alphabet():
    for pair in (('anna', 'ri:ght:'), ('caf\xe9', 'p\xe4ss'), ('\u2603', '\U0001f512')):
        auth = BasicAuth(allow_http=True)

        @auth.authenticate
        async def check(request, username, password, pair=pair):
            return {'name': username} if (username, password) == pair else None

        assert (await Client(page_of(auth)).get('/', basic(*pair))).text == 'Hello ' + pair[0]


async def test_flask_optional_login_takes_strangers_and_wrong_passwords_as_nobody():
    auth = basic_auth()
    for headers, expected in ((ANNA, 'Hello anna'), ({}, 'Hello stranger'), (basic('anna', 'x'), 'Hello stranger')):
        assert (await Client(page_of(auth, auth.optional)).get('/', headers)).text == expected


async def test_flask_error_handler_of_a_text_alone_is_still_a_401():
    for callback_result, expected in (('error', (401, 'error', True)), (('error', 403), (403, 'error', False)),
                                      (('error', 401, {'WWW-Authenticate': 'Own'}), (401, 'error', True))):
        auth = basic_auth()

        @auth.errorhandler
        def refuse(request, callback_result=callback_result):
            return callback_result

        res = await Client(page_of(auth)).get('/')
        assert (res.status_code, res.text, 'WWW-Authenticate' in res.headers) == expected
    assert res.headers['WWW-Authenticate'] == 'Own'


async def test_flask_error_handler_that_tells_401_from_403_is_the_apps():
    auth = basic_auth()
    app = page_of(auth, auth.requires('admin'))

    def page(status):
        async def handler(request):
            return {'error': status}, status
        return handler

    for status in (401, 403):
        app.errorhandler(status)(page(status))
    for headers, status in (({}, 401), (basic('anna', 'x'), 401), (ANNA, 403)):
        res = await Client(app).get('/', headers)
        assert (res.status_code, res.json) == (status, {'error': status})


async def test_flask_roles_are_scopes_one_of_them_or_all():
    auth = basic_auth()
    for decorate, expected in ((auth.requires('user'), 200), (auth.requires('admin'), 403),
                               (auth.requires_any('admin', 'user'), 200), (auth.requires('admin', 'user'), 403)):
        assert (await Client(page_of(auth, decorate)).get('/', ANNA)).status_code == expected
        assert (await Client(page_of(auth, decorate)).get('/')).status_code == 401


async def test_flask_get_user_roles_is_a_property_of_the_user():
    class WithRoles:
        def __init__(self, name):
            self.name = name

        @property
        def scopes(self):
            return ['admin'] if self.name == 'anna' else []

    auth = BasicAuth(allow_http=True)

    @auth.authenticate
    async def check(request, username, password):
        return WithRoles(username)

    app = app_for(auth)
    app.get('/admin')(auth.requires('admin')(lambda request: request.g.current_user.name))
    assert (await Client(app).get('/admin', ANNA)).text == 'anna'
    assert (await Client(app).get('/admin', basic('ben', 'x'))).status_code == 403


async def test_flask_token_with_scheme_realm_and_header_of_its_own():
    for options, challenge, right in (({}, 'Bearer realm="Please login"', bearer('t')),
                                      ({'scheme': 'MyToken', 'realm': 'Foo'}, 'MyToken realm="Foo"',
                                       {'Authorization': 'MyToken t'}),
                                      ({'header': 'X-API-Key', 'scheme': 'ApiKey'}, 'ApiKey realm="Please login"',
                                       {'X-API-Key': 't'})):
        auth = TokenAuth(allow_http=True, **options)

        @auth.authenticate
        async def check(request, token):
            return {'name': 'anna'} if token == 't' else None

        app = page_of(auth)
        res = await Client(app).get('/')
        assert (res.status_code, res.headers['WWW-Authenticate']) == (401, challenge)
        assert (await Client(app).get('/', right)).text == 'Hello anna'
        for wrong in ({'Authorization': 'Wrong t'}, {'Authorization': 't'}, {'X-Token': 't'}, ANNA):
            assert (await Client(app).get('/', wrong)).status_code == 401, wrong


async def test_flask_multi_auth_takes_the_scheme_that_was_sent():
    first, second = basic_auth(), TokenAuth(allow_http=True, scheme='MyToken')
    third = TokenAuth(allow_http=True, header='X-Token')
    for auth in (second, third):
        @auth.authenticate
        async def check(request, token):
            return {'name': 'ben', 'scopes': []} if token == 't' else None

    auth = any_of(first, second, third)
    app = page_of(auth)
    for headers, expected in ((ANNA, 'Hello anna'), ({'Authorization': 'MyToken t'}, 'Hello ben'),
                              ({'Authorization': 'mytoken t'}, 'Hello ben'), ({'X-Token': 't'}, 'Hello ben')):
        assert (await Client(app).get('/', headers)).text == expected, headers
    for headers in (basic('anna', 'x'), {'Authorization': 'MyToken x'}, {'Authorization': 'Other t'}, {'X-Token': 'x'}):
        assert (await Client(app).get('/', headers)).status_code == 401, headers
    roles = page_of(auth, auth.requires('user'))
    assert (await Client(roles).get('/', ANNA)).status_code == 200
    assert (await Client(roles).get('/', {'X-Token': 't'})).status_code == 403


async def test_flask_digest_asks_with_a_nonce_and_takes_a_stored_ha1():
    auth = DigestAuth(realm='Foo')
    user = {'name': 'anna', 'digest_ha1': auth.make_ha1('anna', 'right')}

    @auth.authenticate
    def find(request, username):
        return user if username == 'anna' else None

    app = page_of(auth)
    challenge = (await Client(app).get('/')).headers['WWW-Authenticate']
    assert challenge.startswith('Digest realm="Foo"') and 'nonce="' in challenge and 'qop="auth"' in challenge
    for password, expected in (('right', 200), ('wrong', 401)):
        header = digest_header('anna', 'Foo', password, challenge)
        assert (await Client(app).get('/', {'Authorization': header})).status_code == expected
    assert (await Client(app).get('/', ANNA)).status_code == 401


async def test_digest_is_checked_once_where_two_ask():
    """A second look at the same credentials would be a replay (RFC 7616 section 3.4)."""
    from dotlatch.guard import Guard
    auth = DigestAuth(realm='Foo')
    user = {'name': 'anna', 'scopes': ['user'], 'digest_ha1': auth.make_ha1('anna', 'right')}

    @auth.authenticate
    async def find(request, username):
        return user

    app = page_of(auth, auth.requires('user'))
    Guard(app, any_of(auth))
    challenge = (await Client(app).get('/')).headers['WWW-Authenticate']
    headers = {'Authorization': digest_header('anna', 'Foo', 'right', challenge)}
    assert (await Client(app).get('/', headers)).text == 'Hello anna'
    assert (await Client(app).get('/', headers)).status_code == 401  # and this is one


def digest_header(username, realm, password, challenge):
    from hashlib import sha256

    from dotlatch.digest import make_ha1

    def h(text):
        return ''.join(['%02x' % b for b in sha256(text.encode()).digest()])

    nonce = challenge[challenge.index('nonce="') + 7:].split('"')[0]
    ha1 = make_ha1(username, realm, password).split('$')[2]
    response = h('%s:%s:00000001:c:auth:%s' % (ha1, nonce, h('GET:/')))
    return ('Digest username="%s", realm="%s", nonce="%s", uri="/", algorithm=SHA-256, qop=auth, nc=00000001, '
            'cnonce="c", response="%s"' % (username, realm, nonce, response))


async def test_credentials_that_are_checked_twice_count_once_for_the_throttle():
    auth = basic_auth(throttle=Throttle())
    app = page_of(auth, any_of(auth).optional)
    app.get('/twice')(any_of(auth).optional(auth(auth.optional(lambda request: 'in'))))
    for _ in range(2):
        assert (await Client(app).get('/twice', basic('anna', 'x'))).status_code == 401
    assert (await Client(app).get('/twice', ANNA)).status_code in (200, 429)


async def test_flask_a_callback_may_answer_with_a_redirect():
    auth = basic_auth()

    @auth.errorhandler
    async def refuse(request):
        return redirect('/login')

    res = await Client(page_of(auth)).get('/')
    assert (res.status_code, res.headers['Location']) == (302, '/login')


# --- what is kept of a password ---------------------------------------------------------------------------

async def test_a_password_that_was_right_is_known_by_a_keyed_hash_alone():
    kept = passwords.pbkdf2_hmac_sha256, passwords._recent.copy()
    passwords._recent.clear()
    derived = []

    async def counted(password, salt, iterations, dklen=32):
        derived.append(password)
        return bytes(31) + bytes([sum(password) % 256])

    passwords.pbkdf2_hmac_sha256 = counted
    try:
        hashed = await passwords.hash_password('correct horse')
        auth = BasicAuth(allow_http=True)

        @auth.authenticate
        async def check(request, username, password):
            return {'name': 'anna'} if await passwords.verify_password(password, hashed) else None

        app = page_of(auth)
        del derived[:]
        for _ in range(4):
            assert (await Client(app).get('/', basic('anna', 'correct horse'))).status_code == 200
            assert len(derived) == 1
        for n in range(passwords._RECENT * 3):  # what was wrong is not kept
            assert (await Client(app).get('/', basic('anna', 'wrong%d' % n))).status_code == 401
        assert len(derived) == 1 + passwords._RECENT * 3 and len(passwords._recent) == 1
        for known in passwords._recent:
            assert isinstance(known, bytes) and len(known) == 32
            assert known != hmac_sha256(b'another key', hashed.encode() + b'\ncorrect horse')
        text = repr(passwords._recent) + repr(auth.__dict__) + repr(app.__dict__)
        assert 'correct' not in text
        for n in range(passwords._RECENT * 2):
            one = await passwords.hash_password('password number %d' % n)
            assert await passwords.verify_password('password number %d' % n, one)
        assert len(passwords._recent) == passwords._RECENT
    finally:
        passwords.pbkdf2_hmac_sha256 = kept[0]
        passwords._recent.clear()
        passwords._recent.update(kept[1])
