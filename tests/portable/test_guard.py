"""A guard in front of a whole app: locked unless opened, whatever the path is spelled like and wherever routes are."""
from client import Client, Warnings, basic, bearer, make_app, raises
from microdot import Microdot, Response, redirect

from dotlatch.auth import BasicAuth, TokenAuth, any_of
from dotlatch.guard import Guard
from dotlatch.login import Login

ANNA = basic('anna', 'right')
BEN = basic('ben', 'wrong')
PAGE = {'Accept': 'text/html'}
JSON = {'Accept': 'application/json'}
PREFLIGHT = {'Origin': 'http://page.lan', 'Access-Control-Request-Method': 'GET'}


def basic_auth():
    auth = BasicAuth(allow_http=True)

    @auth.authenticate
    async def check(request, username, password):
        return username if password == 'right' else None

    return auth


def token_auth():
    auth = TokenAuth(allow_http=True)

    @auth.authenticate
    async def check(request, token):
        return 'anna' if token == 'right' else None

    return auth


def login_auth():
    login = Login()

    @login.user_loader
    async def load_user(user_id):
        return user_id

    return login


async def say(request, **names):
    return 'in: %s' % getattr(request.g, 'current_user', 'not asked')


def app_with(*addresses, app=None):
    app = app or Microdot()
    for address in addresses:
        async def handler(request, **names):
            return await say(request)

        app.route(address, methods=['GET', 'POST'])(handler)
    return app


async def status(app, path, headers=None, method='GET'):
    return (await Client(app).request(method, path, headers)).status_code


# --- what is locked ---------------------------------------------------------------------------------------

async def test_everything_is_locked_unless_opened():
    app = app_with('/', '/a', '/a/b', '/health', '/static/<path:name>')
    Guard(app, basic_auth(), exclude=['/health', '/static/*'])
    app_with('/later', app=app)
    for path in ('/', '/a', '/a/b', '/later', '/?x=/health', '/a?/static/x'):
        for method in ('GET', 'POST', 'HEAD', 'get'):
            res = await Client(app).request(method, path)
            assert res.status_code == 401 and 'in:' not in (res.text or ''), (method, path)
            assert res.headers['WWW-Authenticate'].startswith('Basic '), path
        assert await status(app, path, BEN) == 401, path
        assert (await Client(app).get(path, ANNA)).text == 'in: anna', path
    for path in ('/health', '/health?x', '/static/a.css', '/static/a/b.js'):
        assert (await Client(app).get(path)).text == 'in: not asked', path


async def test_a_guard_made_before_and_after_its_routes_is_the_same():
    for early in (True, False):
        app = Microdot()
        if early:
            Guard(app, basic_auth())
        app_with('/a', app=app)
        if not early:
            Guard(app, basic_auth())
        assert await status(app, '/a') == 401 and await status(app, '/a', ANNA) == 200, early


async def test_flaw_A3_what_is_mounted_in_a_mounted_app_is_locked_too():
    for outer_local in (False, True):
        for inner_local in (False, True):
            app, outer, inner = app_with('/'), app_with('/x'), app_with('/y')
            seen = []

            async def note(request, seen=seen):
                seen.append(request.path)

            outer.before_request(note)
            inner.before_request(note)
            outer.mount(inner, '/inner', local=inner_local)
            Guard(app, basic_auth(), exclude=['/outer/inner/open'])
            app_with('/open', app=inner)
            app.mount(outer, '/outer', local=outer_local)
            for path in ('/', '/outer/x', '/outer/inner/y'):
                assert await status(app, path) == 401, path
                assert seen == [], path
                assert await status(app, path, ANNA) == 200, path
                del seen[:]


async def test_flaw_A3_a_guard_for_a_mounted_app_serves_nobody_rather_than_too_many():
    for local in (False, True):
        app, sub = app_with('/'), app_with('/x')
        Guard(sub, basic_auth())
        app.mount(sub, '/sub', local=local)
        for headers in ({}, ANNA):
            assert await status(app, '/sub/x', headers) == 500, local


async def test_a_pattern_may_name_segments():
    app = app_with('/<a>/state', '/<a>/pump/<b>', '/<a>/files/<path:b>', '/state')
    Guard(app, basic_auth(), exclude=['/<device>/state', '/<device>/pump/<n>', '/<device>/files/*'])
    for path in ('/d1/state', '/d2/state', '/d1/pump/7', '/d1/files/a', '/d1/files/a/b'):
        assert await status(app, path) == 200, path
    app = app_with('/<path:any>')
    Guard(app, basic_auth(), exclude=['/<device>/state', '/<device>/files/*', '/x'])
    for path in ('/state', '/d1/state/', '/d1/state/x', '/d1/d2/state', '/d1/files', '/d1/STATE', '/X', '/x/', '/xy'):
        assert await status(app, path) == 401, path
    assert await status(app, '/x') == 200


def test_what_is_no_pattern_is_refused_at_the_start():
    for pattern in ('', 'login', '*', '/a*', '/*/b', '/a/**', '/a//b', '//a', '/a/../b', '/./a', '/a/.', '/a%20b',
                    '/a?b', '/a\\b', '/a\0', '/a;b', '/<int:n>', '/<a', '/a>', '/x<a>', '/a#b', '/a\n'):
        raises(ValueError, Guard, Microdot(), basic_auth(), exclude=[pattern])
        raises(ValueError, Guard, Microdot(), basic_auth(), include=[pattern])
    for one in (None, BasicAuth, 'basic', 7, ()):
        raises((TypeError, ValueError), Guard, Microdot(), one)
    raises(ValueError, Guard, Microdot(), basic_auth(), on_failure='no')
    raises(ValueError, Guard, Microdot(), basic_auth(), on_failure='redirect')


# --- include ----------------------------------------------------------------------------------------------

async def test_only_what_is_included_is_locked():
    app = app_with('/', '/admin', '/admin/<path:x>', '/administer', '/api/<a>/keys', '/x')
    Guard(app, basic_auth(), include=['/admin/*', '/api/<user>/keys', '/x'], exclude='/admin/help')
    for path in ('/admin', '/admin/', '/admin/a', '/admin/a/b', '/api/anna/keys', '/x'):
        assert await status(app, path) == 401, path
    for path in ('/', '/administer', '/admin/help'):
        assert await status(app, path) == 200, path


async def test_what_locks_is_compared_generously():
    app = app_with('/<path:any>')
    Guard(app, basic_auth(), include=['/admin/*', '/Secret', '/<d>/keys'])
    for path in ('/admin', '/ADMIN/x', '/Admin', '/admin/', '/admin;a=b', '/admin;a/x', '/admin/x;y', '/secret',
                 '/SECRET/', '/secret;', '/d/KEYS', '/d/keys/', '/d;x/keys;y'):
        assert await status(app, path) == 401, path
    for path in ('/adminx', '/secret/x', '/keys', '/d/keys/x', '/a;/admin', '/a/admin'):
        assert await status(app, path) == 200, path


async def test_a_route_is_locked_however_it_was_reached():
    """Routes are regular expressions: a dot in one stands for any character, and a name may hold anything."""
    app = app_with('/api/v1.0/state', '/config.json', '/')
    Guard(app, basic_auth(), include=['/api/v1.0/*', '/config.json'])
    for path in ('/api/v1.0/state', '/api/v1x0/state', '/api/v1%20/state', '/config.json', '/configxjson'):
        assert await status(app, path) in (401, 404), path
    assert await status(app, '/api/v1x0/state') == 401 and await status(app, '/') == 200
    app_with('/api/v1.0/late', '/late', app=app)
    assert await status(app, '/api/v1x0/late') == 401 and await status(app, '/late') == 200
    app.get('/config.xml')(say)
    app.get('/api/v1.0/say')(say)  # locked at one address, it is at the other
    assert await status(app, '/config.xml') == 401


# --- spellings --------------------------------------------------------------------------------------------

WAYS_ROUND = [
    '/%73tatic/x', '/static%2fx', '/static/%2e%2e/admin', '/static/..%2fadmin', '/static/../admin', '/static/./x',
    '/static//x', '//static/x', '/static/..', '/static/.', '/static/..;/admin', '/static/..;a=b/admin', '/static/x/..',
    '/static/%00', '/static/a%00.css', '/static/\\..\\admin', '/static/%5c..%5cadmin', '/static/%c0%af',
    '/static/%c0%ae', '/static/%e0%80%af', '/static/%ed%a0%80', '/static/%ff', '/static/%', '/static/%2',
    '/static/%zz', '/static/%+1',
    '/static/%0a', '/static/%0d%0aX:y', '/static/%09', '/static/%7f', '/static/%u002e', '/static/%2E%2E', '/static/%61',
    '/stati%63/x', '/%2fstatic/x', '/static/%252e%252e/%2e%2e/x', '/static/\x7f', '/static/\x01x',
    '/static/;/x', '/;/static/x', '/;',
]


async def test_a_path_that_may_be_read_in_two_ways_is_refused():
    app = app_with('/static/<path:x>', '/<path:any>')
    Guard(app, basic_auth(), exclude=['/static/*'])
    closed = app_with('/static/<path:x>', '/<path:any>')
    Guard(closed, basic_auth(), include=['/admin/*'])
    for path in WAYS_ROUND:
        for headers in ({}, ANNA):
            for guarded in (app, closed):
                res = await Client(guarded).get(path, headers)
                assert res.status_code == 400 and 'in:' not in res.text, (path, headers)


async def test_what_is_opened_exactly_is_not_opened_in_another_spelling():
    app = app_with('/<path:any>', '/')
    Guard(app, basic_auth(), exclude=['/login', '/static/*'])
    for path in ('/LOGIN', '/login/', '/login;x', '/login%20', '/Static/x', '/static', '/staticx', '/login.', '/loginx',
                 '/x/login', '/%6Cogin', '/login%3F', '/login%23', '/.well-known/x', '/..x', '/x/...', '/caf%C3%A9',
                 '/a%20b', '/%2561', '/login\u0131'):
        assert await status(app, path) in (400, 401), path
    for path in ('/login', '/static/', '/static/.hidden', '/static/..x', '/static/a%20b', '/static/caf%C3%A9',
                 '/static/%252e', '/static/a;b', '/static/\u2603'):
        assert await status(app, path) == 200, path


async def test_servers_that_decode_the_path_are_asked_no_second_time():
    """ASGI and WSGI hand the path out decoded, and the route was found by that."""
    auth = basic_auth()
    app = app_with('/static/<path:x>', '/<path:any>', '/admin')
    Guard(app, auth, exclude=['/static/*'])
    for path, expected in (('/static/%2e%2e/x', 200), ('/%73tatic/x', 401), ('/admin', 401), ('/static/../admin', 400),
                           ('/static//x', 400), ('/static/\ufffd', 400), ('/static/a b', 200), ('/admin\n', 400),
                           ('/static/\0', 400), ('/static/caf\xe9', 200)):
        for name in ('asgi_scope', 'environ'):
            request = await made(app, '/x', name)
            request.path = path
            res = await app.dispatch_request(request)
            assert res.status_code == expected, (path, name)


async def made(app, url, name):
    from microdot import Request
    from microdot.microdot import AsyncBytesIO
    request = await Request.create(app, AsyncBytesIO(b'GET ' + url.encode() + b' HTTP/1.1\r\n\r\n'), AsyncBytesIO(b''),
                                   ('127.0.0.1', 1))
    setattr(request, name, {'type': 'http', 'scheme': 'http'})
    return request


# --- strangers --------------------------------------------------------------------------------------------

async def test_a_stranger_learns_nothing_of_which_routes_there_are():
    app = app_with('/a', '/open/a')
    Guard(app, basic_auth(), exclude=['/open/*'])
    seen = []
    for method, path in (('GET', '/a'), ('GET', '/nowhere'), ('PUT', '/a'), ('PUT', '/nowhere'), ('OPTIONS', '/a'),
                         ('OPTIONS', '/nowhere'), ('X', '/a')):
        res = await Client(app).request(method, path)
        seen.append((res.status_code, res.text, sorted(res.headers.items())))
        assert seen[-1] == seen[0] and seen[0][0] == 401, (method, path)
    assert await status(app, '/nowhere', ANNA) == 404 and await status(app, '/a', ANNA, 'PUT') == 405
    assert 'GET' in (await Client(app).request('OPTIONS', '/a', ANNA)).headers['Allow']
    assert await status(app, '/open/nowhere') == 404 and await status(app, '/open/a', None, 'PUT') == 405
    assert await status(app, '//nowhere') == 400


async def test_a_page_in_place_of_a_404_is_locked_too():
    app = app_with('/a')

    @app.errorhandler(404)
    async def spa(request):
        return 'in: the whole app', 200

    Guard(app, basic_auth())
    assert await status(app, '/nowhere') == 401
    assert (await Client(app).get('/nowhere', ANNA)).text == 'in: the whole app'


async def test_a_guard_that_cannot_ask_opens_nothing():
    for error, expected in ((OSError('database'), 503), (ValueError('database'), 500)):
        auth = BasicAuth(allow_http=True)

        @auth.authenticate
        async def check(request, *given, error=error):
            raise error

        app = app_with('/a')
        Guard(app, auth)
        with Warnings():
            for path in ('/a', '/nowhere'):
                res = await Client(app).get(path, ANNA)
                assert res.status_code == expected and 'database' not in res.text, path


async def test_a_request_that_is_too_large_or_that_nobody_can_read_is_answered_as_ever():
    app = app_with('/a')
    Guard(app, basic_auth())
    assert (await Client(app).post('/a', {'Content-Length': '100000'})).status_code == 413
    assert await status(app, '/a', {'Cookie': b'\xff\xfe'}) in (400, 401)


async def test_a_preflight_passes_and_tells_nothing_of_the_routes():
    app = app_with('/a')
    Guard(app, basic_auth())
    for path in ('/a', '/nowhere'):
        res = await Client(app).request('OPTIONS', path, PREFLIGHT)
        assert res.status_code == 200 and 'Allow' not in res.headers, path
    for headers in ({'Origin': 'http://page.lan'}, {'Access-Control-Request-Method': 'GET'}, {}):
        assert await status(app, '/a', headers, 'OPTIONS') == 401, headers
    for method in ('GET', 'POST', 'PUT'):
        assert await status(app, '/a', PREFLIGHT, method) == 401, method


async def test_a_route_for_options_is_locked_even_for_what_looks_like_a_preflight():
    app = Microdot()
    app.options_handler = None
    app.route('/a', methods=['GET', 'OPTIONS'])(say)
    Guard(app, basic_auth())
    assert await status(app, '/a', PREFLIGHT, 'OPTIONS') == 401


# --- what a stranger gets ---------------------------------------------------------------------------------

async def test_methods_that_are_exempt_need_nobody_and_others_do():
    app = Microdot()
    seen = []

    @app.route('/', methods=['GET', 'POST'])
    async def index(request):
        seen.append(request.method)
        return 'in'

    Guard(app, basic_auth(), exempt_methods=['options', 'GET'])
    for method, expected in (('OPTIONS', 200), ('GET', 200), ('HEAD', 401), ('POST', 401), ('BREW', 401)):
        assert await status(app, '/', None, method) == expected, method
    assert await status(app, '/', {'Upgrade': 'websocket', 'Connection': 'Upgrade'}) in (400, 401, 426)
    assert seen == ['GET']  # Microdot answers the other one itself
    assert 'list' in str(raises(TypeError, Guard, app, basic_auth(), exempt_methods='OPTIONS'))


async def test_people_are_sent_to_the_form_and_programs_get_a_401():
    app = app_with('/', '/login', '/style.css', app=make_app())
    login = login_auth()
    Guard(app, login)
    assert (await Client(app).get('/', PAGE)).headers['Location'] == '/login?next=/'
    res = await Client(app).get('/', JSON)
    assert res.status_code == 401 and res.headers['WWW-Authenticate'].startswith('Cookie ')
    assert (await Client(app).get('/login', PAGE)).text == 'in: not asked'
    for path in ('/login/', '/LOGIN', '/login/x', '/loginx', '/style.css'):
        assert await status(app, path, PAGE) == 302, path


async def test_who_logs_in_gets_in():
    app, login = make_app(), login_auth()
    app_with('/', app=app)

    @app.post('/login')
    async def log_in(request):
        return await login.login_user(request, 'anna')

    Guard(app, login)
    browser = Client(app)
    res = await browser.post('/login?next=/')
    assert (res.status_code, res.headers['Location']) == (302, '/')
    assert (await browser.get('/', PAGE)).text == 'in: anna'
    assert (await browser.get('/nowhere', PAGE)).status_code == 404


async def test_redirect_sends_people_to_the_form_whatever_they_tried():
    for on_failure, expected in (('redirect', 302), ('refuse', 401)):
        app = app_with('/', app=make_app())
        Guard(app, [basic_auth(), login_auth()], on_failure=on_failure)
        tried = BEN.copy()
        tried.update(PAGE)
        assert await status(app, '/', tried) == expected
        assert await status(app, '/', PAGE) == 302
        tried.update(JSON)
        res = await Client(app).get('/', tried)
        assert res.status_code == 401 and len(res.headers['WWW-Authenticate']) == 2


async def test_ignore_lets_strangers_go_on_as_nobody():
    app = app_with('/', '/open')
    auth = basic_auth()
    app.get('/must')(auth(say))
    Guard(app, auth, exclude=['/open'], on_failure='ignore')
    assert (await Client(app).get('/')).text == 'in: None'
    assert (await Client(app).get('/', BEN)).text == 'in: None'
    assert (await Client(app).get('/', ANNA)).text == 'in: anna'
    assert (await Client(app).get('/open', ANNA)).text == 'in: not asked'
    assert await status(app, '/must') == 401 and await status(app, '/nowhere') == 404


async def test_any_of_several_ways_gets_in():
    for auth in ([basic_auth(), token_auth()], any_of(basic_auth(), token_auth()), (token_auth(), basic_auth())):
        app = app_with('/')
        Guard(app, auth)
        for headers in (ANNA, bearer('right')):
            assert (await Client(app).get('/', headers)).text == 'in: anna'
        assert len((await Client(app).get('/')).headers['WWW-Authenticate']) == 2


async def test_a_route_behind_the_guard_may_ask_for_more_and_the_credentials_are_checked_once():
    calls = []
    auth = BasicAuth(allow_http=True)

    @auth.authenticate
    async def check(request, username, password):
        calls.append(username)
        return {'id': username, 'scopes': ['pump']} if password == 'right' else None

    app = Microdot()
    app.get('/pump')(auth.requires('pump')(say))
    app.get('/log')(auth.requires('log')(say))
    Guard(app, auth)
    assert await status(app, '/pump', ANNA) == 200 and calls == ['anna']
    assert await status(app, '/log', ANNA) == 403 and calls == ['anna'] * 2
    assert await status(app, '/log') == 401


async def test_an_error_callback_that_answers_nothing_opens_nothing():
    async def nothing(request):
        pass

    async def empty(request):
        return ''

    async def zero(request):
        return 0

    async def nobody(request):
        return {}

    for callback in (nothing, empty, zero, nobody):
        for make in (basic_auth, lambda: any_of(basic_auth())):
            app, auth = app_with('/'), make()
            auth.errorhandler(callback)
            Guard(app, auth)
            app.before_request(nothing)
            for path in ('/', '/nowhere'):
                res = await Client(app).get(path)
                assert 'in:' not in (res.text or '') and res.status_code in (0, 401), path


async def test_the_answer_to_a_stranger_may_be_of_any_form():
    for answer, expected in (('no', (401, 'no')), (('no', 403), (403, 'no')), ((418, {'X-A': 'b'}), (418, '')),
                             (403, (403, '')), (Response('no', 404), (404, 'no')), ({'a': 1}, (401, '{"a": 1}')),
                             (('no', {'X-A': 'b'}), (401, 'no')), (('no', 402, {'X-A': 'b'}), (402, 'no'))):
        async def refuse(request, answer=answer):
            return answer

        for make in (basic_auth, lambda: any_of(basic_auth())):
            app, auth = app_with('/'), make()
            auth.errorhandler(refuse)
            Guard(app, auth)
            for path in ('/', '/nowhere'):
                res = await Client(app).get(path)
                assert (res.status_code, (res.text or '').replace('":1', '": 1')) == expected, (answer, path)


async def test_the_apps_own_page_for_a_401_is_shown():
    app = app_with('/')

    @app.errorhandler(401)
    async def page(request):
        return redirect('/welcome')

    Guard(app, basic_auth())
    for path in ('/', '/nowhere'):
        assert (await Client(app).get(path)).headers['Location'] == '/welcome'
