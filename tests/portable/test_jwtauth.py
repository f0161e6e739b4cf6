"""JWTAuth: a token says who comes and what for, and no token of another purpose, audience or key opens anything."""
from client import KEY, OTHER_KEY, Client, bearer, raises, signed
from clock import START, UNSET, FakeClock
from microdot import Microdot

from dotlatch import jwtauth, tokens
from dotlatch.auth import any_of
from dotlatch.jwtauth import ClaimsAuth, JWTAuth
from dotlatch.protect import Protector

TYP = 'at+jwt'


def make_app(auth):
    app = Microdot()

    @app.get('/')
    @auth
    async def index(request):
        user = request.g.current_user
        return user if isinstance(user, str) else '%r %s %s' % (user['id'], user['name'], ' '.join(user['scopes']))

    @app.get('/read')
    @auth.requires('read')
    async def read(request):
        return 'read'

    return app


def token_of(key=KEY, typ=TYP, ttl=300, **claims):
    claims.setdefault('sub', 'pump-7')
    return tokens.encode(claims, key, typ, ttl)


async def visit(auth, token, path='/'):
    return await Client(make_app(auth)).get(path, bearer(token))


async def status_of(auth, token, path='/'):
    return (await visit(auth, token, path)).status_code


# --- who it is ------------------------------------------------------------------------------------

async def test_the_token_says_who_comes():
    auth = JWTAuth(KEY)
    for claims, expected in (({}, "'pump-7' pump-7 "),
                             ({'name': 'The pump', 'scope': 'read write'}, "'pump-7' The pump read write"),
                             ({'sub': 7, 'name': 7}, '7 7 '),
                             ({'scope': ''}, "'pump-7' pump-7 ")):
        assert (await visit(auth, token_of(**claims))).text == expected, claims


async def test_a_token_that_names_nobody_is_refused():
    for sub in (None, '', True, 1.5, [], {}):
        assert await status_of(JWTAuth(KEY), token_of(sub=sub)) == 401, sub
    assert await status_of(JWTAuth(KEY), tokens.encode({}, KEY, TYP, 300)) == 401


async def test_scopes_that_are_none_are_refused():
    for scope in (7, None, True, {}, ['read', 7]):
        assert await status_of(JWTAuth(KEY), token_of(scope=scope)) == 401, scope
    assert await status_of(JWTAuth(KEY), token_of(scope=['read']), '/read') == 200


async def test_a_callback_finds_another_user_or_none():
    auth = JWTAuth(KEY)

    @auth.authenticate
    async def find(request, claims):
        return {'anna': 'Anna'}.get(claims['sub'])

    assert (await visit(auth, token_of(sub='anna'))).text == 'Anna'
    assert await status_of(auth, token_of(sub='bert')) == 401


async def test_a_user_who_may_more_may_with_a_token_what_the_token_says():
    auth = JWTAuth(KEY)

    @auth.authenticate
    async def find(request, claims):
        return {'id': 1, 'name': 'Anna', 'scopes': ['read', 'write']}

    for claims, status in (({'scope': 'read'}, 200), ({'scope': 'write'}, 403), ({'scope': ''}, 403), ({}, 200)):
        assert await status_of(auth, token_of(**claims), '/read') == status, claims


async def test_a_callback_that_may_not_be_asked_is_a_503():
    auth = JWTAuth(KEY)

    @auth.authenticate
    async def find(request, claims):
        raise OSError('the database is down')

    assert await status_of(auth, token_of()) == 503


async def test_claims_that_may_not_be_read_are_a_503():
    class Far(ClaimsAuth):
        async def claims(self, token):
            raise OSError('the keys are not to be had')

    res = await visit(Far(), token_of())
    assert res.status_code == 503 and res.headers['Retry-After']


# --- R1, R3, R4: what the client is told ------------------------------------------------------------

async def test_R1_no_token_a_bad_one_and_something_else_are_told_apart():
    auth = JWTAuth(KEY, realm='Pumps')
    for headers, status, challenge in (
            ({}, 401, 'Bearer realm="Pumps"'),
            (bearer(token_of(key=OTHER_KEY)), 401, 'Bearer realm="Pumps", error="invalid_token"'),
            (bearer(token_of(ttl=-1)), 401, 'Bearer realm="Pumps", error="invalid_token"'),
            (bearer('no.token.at.all'), 401, 'Bearer realm="Pumps", error="invalid_token"'),
            (bearer('two words'), 400, 'Bearer realm="Pumps", error="invalid_request"')):
        res = await Client(make_app(auth)).get('/', headers)
        assert (res.status_code, res.headers['WWW-Authenticate']) == (status, challenge), headers


async def test_R3_a_missing_scope_is_a_403_that_names_it():
    res = await visit(JWTAuth(KEY), token_of(scope='write reader'), '/read')
    assert res.status_code == 403
    assert res.headers['WWW-Authenticate'] == (
        'Bearer realm="Please login", error="insufficient_scope", scope="read"')
    assert await status_of(JWTAuth(KEY), token_of(scope='write read'), '/read') == 200


async def test_R4_a_token_counts_in_its_header_only():
    token = token_of()
    client = Client(make_app(JWTAuth(KEY)))
    for url in ('/?access_token=' + token, '/?token=' + token):
        assert (await client.get(url)).status_code == 401
    assert (await client.get('/', {'Cookie': 'access_token=' + token})).status_code == 401


# --- T7, T8 and what a token needs ------------------------------------------------------------------

async def test_T7_a_token_of_another_purpose_is_refused():
    for typ in ('JWT', 'dl-session+jwt', 'dl-remember+jwt', 'dl-fleet+jwt', 'dl-fleet-login+jwt', 'reset+jwt'):
        assert await status_of(JWTAuth(KEY), token_of(typ=typ)) == 401, typ
    assert await status_of(JWTAuth(KEY, typ='device+jwt'), token_of(typ='device+jwt')) == 200
    assert await status_of(JWTAuth(KEY, typ='device+jwt'), token_of()) == 401


async def test_T8_the_audience_is_exact():
    auth = JWTAuth(KEY, audience='pumps')
    for aud, status in (('pumps', 200), (['doors', 'pumps'], 200), ('Pumps', 401), ('pump', 401), ('pumps ', 401),
                        ('', 401), ([], 401), (None, 401), ({'pumps': 1}, 401)):
        assert await status_of(auth, token_of(aud=aud)) == status, aud
    assert await status_of(auth, token_of()) == 401
    assert await status_of(JWTAuth(KEY), token_of(aud='pumps')) == 401


async def test_the_issuer_is_exact():
    auth = JWTAuth(KEY, issuer='central')
    assert await status_of(auth, token_of(iss='central')) == 200
    assert await status_of(auth, token_of(iss='central2')) == 401
    assert await status_of(auth, token_of()) == 401


async def test_a_token_has_an_end():
    auth = JWTAuth(KEY)
    assert await status_of(auth, tokens.encode({'sub': 'pump-7'}, KEY, TYP)) == 401
    with FakeClock() as clock:
        token = token_of(ttl=10)
        assert await status_of(auth, token) == 200
        clock.advance(10)
        assert await status_of(auth, token) == 401
        assert await status_of(JWTAuth(KEY, leeway=5), token) == 200


async def test_a_board_without_the_time_takes_its_own_tokens_and_says_why_not_others():
    auth = JWTAuth(KEY)
    with FakeClock() as clock:
        token = token_of()
        clock.set(UNSET)
        res = await visit(auth, token)
        assert res.status_code == 401
        assert res.headers['WWW-Authenticate'].endswith(
            'error="invalid_token", error_description="the clock of this device is not set"')
        own = token_of(ttl=10)
        assert await status_of(auth, own) == 200
        clock.advance(10)
        assert await status_of(auth, own) == 401
        assert 'clock' not in (await Client(make_app(auth)).get('/')).headers['WWW-Authenticate']


async def test_a_token_that_is_known_ends_all_the_same():
    app = make_app(JWTAuth(KEY))
    with FakeClock() as clock:
        token = token_of(ttl=10, scope='read')
        for _ in range(3):
            assert (await Client(app).get('/read', bearer(token))).status_code == 200
        clock.set(UNSET)
        assert (await Client(app).get('/read', bearer(token))).status_code == 401
        clock.advance(10)
        clock.set(START + 10)
        assert (await Client(app).get('/read', bearer(token))).status_code == 401


async def test_what_one_request_does_to_its_user_is_nothing_to_the_next():
    auth = JWTAuth(KEY)
    app = make_app(auth)

    @app.get('/spoil')
    @auth
    async def spoil(request):
        request.g.current_user['scopes'].append('write')
        request.g.current_user['name'] = 'root'
        return 'spoiled'

    for scope in ('read', ['read']):
        token = token_of(scope=scope)
        assert (await Client(app).get('/spoil', bearer(token))).text == 'spoiled'
        assert (await Client(app).get('/', bearer(token))).text == "'pump-7' pump-7 read", scope

    @auth.authenticate
    async def find(request, claims):
        claims['sub'] += '!'
        return claims['sub']

    for _ in range(2):
        assert (await Client(app).get('/', bearer(token))).text == 'pump-7!'


async def test_known_tokens_take_no_more_room_than_they_may():
    auth = JWTAuth(KEY)
    for i in range(jwtauth._MOST_VERIFIED * 2 + 1):
        assert await status_of(auth, token_of(sub=i + 1)) == 200
        assert await status_of(auth, token_of(key=OTHER_KEY)) == 401
        assert len(auth._verified) <= jwtauth._MOST_VERIFIED


async def test_keys_change_one_after_the_other():
    old = token_of(key=OTHER_KEY)
    assert await status_of(JWTAuth([KEY, OTHER_KEY]), old) == 200
    assert await status_of(JWTAuth([KEY]), old) == 401


async def test_other_algorithms_are_refused():
    claims = '{"sub":"pump-7","exp":4102444800}'
    assert await status_of(JWTAuth(KEY), signed('{"alg":"HS256","typ":"at+jwt"}', claims)) == 200
    for header in ('{"alg":"none","typ":"at+jwt"}', '{"alg":"RS256","typ":"at+jwt"}', '{"typ":"at+jwt"}', '[]'):
        assert await status_of(JWTAuth(KEY), signed(header, claims)) == 401, header


def test_a_key_is_needed_at_the_start():
    raises(ValueError, JWTAuth, '')
    raises(ValueError, JWTAuth, [])
    raises(TypeError, JWTAuth, None)


async def test_what_one_scheme_was_granted_limits_no_other():
    jwt = JWTAuth(KEY)

    @jwt.authenticate
    async def nobody(request, claims):
        return None

    assert await status_of(any_of(jwt, Anna()), token_of(scope='write'), '/read') == 200


class Anna(Protector):
    async def identify(self, request):
        return {'id': 1, 'name': 'Anna', 'scopes': ['read']}
