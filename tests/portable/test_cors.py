"""Pages of other origins, with Microdot's CORS: a refusal is as readable to them as an answer."""
from client import KEY, Client, basic, bearer
from microdot import Microdot
from microdot.cors import CORS

from dotlatch.auth import BasicAuth, TokenAuth, any_of
from dotlatch.digest import DigestAuth
from dotlatch.guard import Guard
from dotlatch.login import Login
from dotlatch.session import Session
from dotlatch.throttle import Throttle

PAGE = 'http://page.lan:8000'
OTHER = 'http://evil.lan'
ANNA = basic('anna', 'right')


def make_app(early=True, session_first=True):
    """Routes that refuse in every way, on an app whose CORS is set up before them or after."""
    app = Microdot()

    def cors():
        CORS(app, allowed_origins=[PAGE], allow_credentials=True, expose_headers=['WWW-Authenticate'], max_age=60)

    if early:
        cors()
    Session(app, secret_key=KEY)
    login = Login()
    aborts, returns, busy, down = [BasicAuth(allow_http=True) for _ in range(4)]
    busy.throttle = Throttle()
    token = TokenAuth(allow_http=True)
    digest = DigestAuth()

    @login.user_loader
    async def load_user(user_id):
        return user_id

    async def check(request, username, password):
        return username if password == 'right' else None

    for auth in (aborts, returns, busy):
        auth.authenticate(check)

    @down.authenticate
    async def check_down(request, *given):
        raise OSError('database')

    @token.authenticate
    async def check_token(request, token):
        return 'anna' if token == 'right' else None

    @digest.authenticate
    async def find(request, username):
        return None

    @returns.errorhandler
    async def refuse(request):
        return {'error': 'who?'}

    async def say(request):
        return 'Hello, ' + str(request.g.current_user)

    for name, auth in (('aborts', aborts), ('returns', returns), ('busy', busy), ('down', down), ('token', token),
                       ('login', login), ('digest', digest), ('scopes', aborts.requires('admin')),
                       ('any', any_of(login, token, aborts)), ('maybe', aborts.optional)):
        app.route('/' + name, methods=['GET', 'PUT'])(auth(say))
    if not early:
        cors()
    return app


def readable(res, credentials=True):
    """Whether a browser lets the page that sent the request, with credentials, read the answer (Fetch section 4.10)."""
    headers = res.headers
    vary = [name.strip().lower() for name in headers.get('Vary', '').split(',')]
    return (headers.get('Access-Control-Allow-Origin') == PAGE and 'origin' in vary
            and headers.get('Access-Control-Allow-Credentials') == 'true')


async def test_what_is_refused_is_readable_to_the_page():
    for early in (True, False):
        client = Client(make_app(early))
        wrong = basic('anna', 'wrong')
        for path, given, expected in (
                ('/aborts', {}, 401), ('/aborts', wrong, 401), ('/returns', {}, 401), ('/returns', wrong, 401),
                ('/token', {}, 401), ('/token', bearer('x'), 401), ('/token', bearer('"'), 400), ('/digest', {}, 401),
                ('/digest', {'Authorization': 'Digest x'}, 400), ('/scopes', ANNA, 403), ('/scopes', {}, 401),
                ('/down', ANNA, 503), ('/login', {'Accept': 'application/json'}, 401), ('/login', {}, 302),
                ('/any', bearer('x'), 401), ('/any', {}, 302), ('/nowhere', {}, 404),
                ('/aborts', ANNA, 200), ('/maybe', {}, 200), ('/maybe', wrong, 200)):
            headers = given.copy()
            headers['Origin'] = PAGE
            res = await client.get(path, headers)
            assert res.status_code == expected and readable(res), (early, path, given, res.headers)
            if expected == 401:
                assert res.headers['WWW-Authenticate'], path
                assert 'WWW-Authenticate' in res.headers['Access-Control-Expose-Headers']
        seen = []
        for _ in range(40):
            headers = wrong.copy()
            headers['Origin'] = PAGE
            res = await client.get('/busy', headers)
            seen.append(res.status_code)
            assert readable(res), res.status_code
        assert 401 in seen and 429 in seen and res.headers['Retry-After']


async def test_another_origin_gets_no_leave_to_read():
    client = Client(make_app())
    for path in ('/aborts', '/returns', '/token', '/login', '/scopes', '/down', '/nowhere'):
        for given in ({}, ANNA):
            for origin in (OTHER, 'null', PAGE + '.evil.lan', PAGE.upper(), ''):
                headers = given.copy()
                headers['Origin'] = origin
                res = await client.get(path, headers)
                assert 'Access-Control-Allow-Origin' not in res.headers, (path, origin)
                assert 'Access-Control-Allow-Credentials' not in res.headers, (path, origin)


async def test_what_depends_on_the_header_that_opens_it_says_so_beside_the_origin():
    client = Client(make_app())
    for path, given, name in (('/aborts', {}, 'authorization'), ('/aborts', ANNA, 'authorization'),
                              ('/login', {}, 'cookie'), ('/maybe', {}, 'authorization')):
        headers = given.copy()
        headers['Origin'] = PAGE
        vary = [one.strip().lower() for one in (await client.get(path, headers)).headers['Vary'].split(',')]
        assert sorted(vary) == sorted(set(vary)) and name in vary and 'origin' in vary, (path, vary)


async def test_a_preflight_passes_what_is_locked():
    app, guarded = make_app(), make_app()
    Guard(guarded, guarded_auth())
    for client in (Client(app), Client(guarded)):
        for path in ('/aborts', '/token', '/login', '/any'):
            res = await client.request('OPTIONS', path, {
                'Origin': PAGE, 'Access-Control-Request-Method': 'PUT',
                'Access-Control-Request-Headers': 'authorization'})
            assert res.status_code == 200 and readable(res), path
            assert res.headers['Access-Control-Allow-Methods'] == 'PUT'
            assert res.headers['Access-Control-Allow-Headers'].lower() == 'authorization'
        res = await client.request('OPTIONS', '/aborts', {'Origin': OTHER, 'Access-Control-Request-Method': 'PUT'})
        assert 'Access-Control-Allow-Origin' not in res.headers


def guarded_auth():
    auth = BasicAuth(allow_http=True)

    @auth.authenticate
    async def check(request, username, password):
        return username if password == 'right' else None

    return auth


async def test_what_a_guard_refuses_is_readable_to_the_page():
    for early in (True, False):
        app = Microdot()
        if not early:
            Guard(app, guarded_auth())
        CORS(app, allowed_origins=[PAGE], allow_credentials=True)
        if early:
            Guard(app, guarded_auth())

        @app.get('/')
        async def index(request):
            return 'Hello, ' + request.g.current_user

        client = Client(app)
        for method, path, given, expected in (
                ('GET', '/', {}, 401), ('GET', '/', ANNA, 200), ('GET', '/nowhere', {}, 401), ('GET', '/nowhere',
                                                                                               ANNA, 404),
                ('PUT', '/', {}, 401), ('PUT', '/', ANNA, 405), ('OPTIONS', '/', {}, 401), ('GET', '//', {}, 400)):
            headers = given.copy()
            headers['Origin'] = PAGE
            res = await client.request(method, path, headers)
            assert res.status_code == expected and readable(res), (early, method, path, given)
