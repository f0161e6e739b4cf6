"""Ways round a guard that were tried: each of them got in, or told more than it should, before there was a test."""
from client import Client, Warnings, basic, bearer, make_app
from microdot import Microdot, Request
from microdot.microdot import AsyncBytesIO

from dotlatch import http, proxies, sameorigin
from dotlatch.auth import BasicAuth, TokenAuth
from dotlatch.csrf import CSRF
from dotlatch.guard import Guard
from dotlatch.login import Login

ANNA = basic('anna', 'right')
BEN = basic('ben', 'wrong')
CLIENT = '203.0.113.9'


def basic_auth(seen=None, allow_http=True):
    auth = BasicAuth(allow_http=allow_http)

    @auth.authenticate
    async def check(request, username, password):
        if seen is not None:
            seen.append((http.source(request), request.scheme))
        return username if password == 'right' else None

    return auth


async def say(request, **names):
    return 'in'


def app_with(*addresses):
    app = make_app()
    for address in addresses:
        app.get(address)(say)
    return app


def in_both_orders(app, *steps):
    """Yield the app with the steps done in this order, and another one with them done in the other."""
    for order in (steps, (steps[1], steps[0])):
        guarded = app()
        for step in order:
            step(guarded)
        yield guarded


async def statuses(app, paths, headers=None):
    found = []
    for path in paths:
        found.append((await Client(app).get(path, headers)).status_code)
    return found


# --- addresses without a route ----------------------------------------------------------------------------

async def test_B1_the_very_first_401_has_a_challenge_even_where_there_is_no_route():
    for path in ('/nowhere', '/a'):
        app = Microdot()
        app.post('/a')(say)
        Guard(app, basic_auth())
        first, second = await Client(app).get(path), await Client(app).get(path)
        assert first.status_code == 401 and first.headers['WWW-Authenticate'].startswith('Basic '), path
        assert sorted(first.headers.items()) == sorted(second.headers.items())


async def test_X7_a_name_the_device_does_not_have_is_refused_before_anybody_is_asked_who_he_is():
    seen = []
    for app in in_both_orders(lambda: app_with('/a'), lambda app: Guard(app, basic_auth(seen)),
                              lambda app: sameorigin.hosts(app, 'other.lan')):
        for headers in ({}, ANNA, BEN):  # or the answers would tell a stranger's page which password is right
            assert await statuses(app, ('/a', '/nowhere'), headers) == [421, 421]
            assert seen == []
    for app in in_both_orders(lambda: app_with('/a'), lambda app: Guard(app, basic_auth(seen)),
                              lambda app: sameorigin.hosts(app, 'device.lan')):
        assert await statuses(app, ('/a', '/nowhere'), ANNA) == [200, 404]
        assert await statuses(app, ('/a', '/nowhere'), BEN) == [401, 401]


async def test_L6_a_guard_counts_clients_and_not_their_proxy_wherever_they_knock():
    behind = {'X-Forwarded-For': '198.51.100.1, ' + CLIENT, 'X-Forwarded-Proto': 'https'}
    behind.update(ANNA)
    seen = []
    for app in in_both_orders(lambda: app_with('/a'), lambda app: Guard(app, basic_auth(seen, False)),
                              lambda app: proxies.trust(app, ['127.0.0.1'])):
        assert await statuses(app, ('/a', '/nowhere'), behind) == [200, 404]
    assert seen == [(CLIENT, 'https')] * 4


async def test_L6_who_is_logged_in_behind_a_proxy_is_so_where_there_is_no_route():
    app = make_app()
    login = Login()

    @login.user_loader
    async def load_user(user_id):
        return user_id

    @app.post('/login')
    async def log_in(request):
        return await login.login_user(request, 'anna')

    Guard(app, login)
    proxies.trust(app, ['127.0.0.1'])
    behind = {'X-Forwarded-For': CLIENT, 'X-Forwarded-Proto': 'https', 'Origin': 'https://device.lan'}
    browser = Client(app, https=True)
    await browser.post('/login', behind)
    browser.https = False  # what the proxy speaks to us
    cookies = browser.copy()
    cookies.https = True
    sent = dict(behind)
    sent['Cookie'] = cookies.cookie_header('/')
    assert (await browser.get('/nowhere', sent)).status_code == 404


async def test_X1_a_page_behind_a_proxy_is_of_this_site_whichever_was_made_first():
    behind = {'X-Forwarded-For': CLIENT, 'X-Forwarded-Proto': 'https', 'Cookie': 'a=b'}
    for app in in_both_orders(lambda: app_with(), CSRF, lambda app: proxies.trust(app, ['127.0.0.1'])):
        app.post('/a')(say)
        for origin, expected in (('https://device.lan', 200), ('http://device.lan', 403), ('https://evil.lan', 403)):
            behind['Origin'] = origin
            assert (await Client(app).post('/a', behind)).status_code == expected, origin


async def test_X1_a_page_of_another_site_is_refused_before_a_password_is_looked_at():
    seen = []
    for app in in_both_orders(lambda: app_with(), CSRF, lambda app: Guard(app, basic_auth(seen))):
        app.post('/a')(say)
        sent = ANNA.copy()
        sent['Origin'] = 'http://evil.lan'
        assert (await Client(app).post('/a', sent)).status_code == 403
        assert seen == []


async def test_X7_the_host_a_proxy_names_is_the_one_that_counts():
    behind = {'X-Forwarded-For': CLIENT, 'X-Forwarded-Host': 'device.example'}
    for app in in_both_orders(lambda: app_with('/a'), lambda app: sameorigin.hosts(app, 'device.example'),
                              lambda app: proxies.trust(app, ['127.0.0.1'], host=True)):
        assert await statuses(app, ['/a'], behind) == [200]
        assert await statuses(app, ['/a']) == [421]


# --- include ----------------------------------------------------------------------------------------------

async def test_what_is_locked_is_so_by_all_the_names_that_FAT_has_for_a_file():
    """Flash and cards with FAT open secret.json as SECRET.JSON, 'secret.json. ' and SECRET~1.JSO too."""
    app = app_with('/<path:any>')
    Guard(app, basic_auth(), include=['/secret.json', '/private/*', '/<device>/keys'])
    for path in ('/secret.json.', '/secret.json...', '/SECRET.JSON.', '/secret.json.;x', '/private./a', '/Private../a',
                 '/d/keys.', '/d/keys./', '/SECRET~1.JSO', '/secret~1.jso', '/PRIVAT~1/a', '/PR1A2B~6/a'):
        assert await statuses(app, [path]) == [401], path
    for path in ('/secret', '/~anna', '/~anna/~x', '/secret.jsonx', '/.secret.json', '/a.b/c.d'):
        assert await statuses(app, [path]) == [200], path
    dotted = app_with('/<path:any>')
    Guard(dotted, basic_auth(), include=['/v1./*', '/a b /c'])
    assert await statuses(dotted, ['/v1./x', '/v1/x', '/V1../x', '/v1.', '/v1x']) == [401, 401, 401, 401, 200]
    request = await made(app, '/x')  # ASGI and WSGI decode the space
    for path in ('/secret.json ', '/secret.json . .', '/private /a', '/private. /a'):
        request.path = path
        request.asgi_scope = {'type': 'http', 'scheme': 'http'}
        assert (await app.dispatch_request(request)).status_code == 401, path


async def made(app, url):
    return await Request.create(app, AsyncBytesIO(b'GET ' + url.encode() + b' HTTP/1.1\r\n\r\n'), AsyncBytesIO(b''),
                                ('127.0.0.1', 1))


async def test_what_is_opened_is_opened_by_one_name_only():
    app = app_with('/<path:any>')
    Guard(app, basic_auth(), exclude=['/open.json', '/open/*'])
    assert await statuses(app, ['/open.json', '/open/a.']) == [200, 200]
    assert await statuses(app, ['/open.json.', '/OPEN.JSON', '/OPEN~1.JSO', '/open./a', '/OPEN~1/a']) == [401] * 5


# --- several ways in --------------------------------------------------------------------------------------

async def test_a_guard_and_a_decorator_of_another_scheme_each_ask_for_their_own():
    app, token = Microdot(), TokenAuth(header='X-Token', allow_http=True)

    @token.authenticate
    async def check(request, text):
        return 'bert' if text == 'right' else None

    @app.get('/both')
    @token
    async def both(request):
        return request.g.current_user

    @app.get('/maybe')
    @token.optional
    async def maybe(request):
        return request.g.current_user

    Guard(app, basic_auth())
    good, bad = ANNA.copy(), ANNA.copy()
    good['X-Token'] = 'right'
    bad['X-Token'] = 'wrong'
    for path in ('/both', '/maybe'):
        assert (await Client(app).get(path, good)).text == 'bert', path
        assert await statuses(app, [path], {'X-Token': 'right'}) == [401], path
    assert await statuses(app, ['/both'], ANNA) == [401] and await statuses(app, ['/both'], bad) == [401]
    assert (await Client(app).get('/maybe', bad)).text == 'anna'


# --- addresses of clients ---------------------------------------------------------------------------------

async def test_L2_an_IPv4_address_in_IPv6_is_counted_as_what_it_is():
    """A socket for both, as gunicorn's on [::], names all IPv4 clients so."""
    request = await made(app_with('/a'), '/a')
    for address, expected in (('::ffff:203.0.113.9', CLIENT), ('::FFFF:203.0.113.9', CLIENT), (CLIENT, CLIENT),
                              ('2001:db8:1:2:3:4:5:6', '2001:db8:1:2'), ('::1', '0:0:0:0'), ('', '')):
        request.client_addr = (address, 1)
        found = http.source(request)
        assert found == expected or (address == '::1' and found.count(':') == 3), (address, found)


async def test_L6_only_a_peer_without_an_address_is_on_a_unix_socket():
    app = Microdot()
    app.get('/')(lambda request: http.source(request))
    proxies.trust(app, ['unix'])
    for peer, expected in ((('', 0), CLIENT), (('localhost', 1), 'localhost'), (('unknown', 1), 'unknown'),
                           (('10.0.0.300', 1), '10.0.0.300'), (('127.0.0.1', 1), '127.0.0.1')):
        request = await made(app, '/')
        request.headers['X-Forwarded-For'] = CLIENT
        request.client_addr = peer
        res = await app.dispatch_request(request)
        assert res.body == expected.encode(), peer


async def test_L6_nothing_that_is_half_an_address_is_believed():
    app = Microdot()
    app.get('/')(lambda request: http.source(request))
    proxies.trust(app, ['127.0.0.1'])
    for value in ('', ',', '1.2.3.4,', 'unknown', '1.2.3', '1.2.3.4.5', '1.2.3.04', '0x1.2.3.4', '\u0661.2.3.4',
                  '1.2.3.4:', '1.2.3.4:x', '1.2.3.4:\u0661', ':::', '1::2::3', '[::1', '::1]', '[1.2.3.4]', '::%lo',
                  '+1.2.3.4', '1.2.3.4 5', '_hidden', 'for=1.2.3.4', '12345::', '::12345', '1:2:3:4:5:6:7',
                  '1:2:3:4:5:6:7:8:9',
                  ',' * 1000, '127.0.0.1,' * 100 + 'x'):
        res = await Client(app).get('/', {'X-Forwarded-For': value})
        assert res.text == '127.0.0.1', value


async def test_B6_a_client_cannot_say_himself_that_he_came_over_TLS():
    app = app_with('/a')
    Guard(app, basic_auth(allow_http=False))
    proxies.trust(app, ['10.0.0.0/8'])
    for name in ('X-Forwarded-Proto', 'X-Forwarded-Scheme', 'Forwarded', 'X-Forwarded-Ssl', 'Front-End-Https'):
        headers = ANNA.copy()
        headers[name] = 'proto=https;for=1.2.3.4' if name == 'Forwarded' else 'https'
        headers['X-Forwarded-For'] = '1.2.3.4'
        assert await statuses(app, ['/a', '/nowhere'], headers) == [403, 403], name


async def test_H3_what_a_callback_fails_with_is_not_logged_as_it_may_be_a_password():
    auth = BasicAuth(allow_http=True)

    @auth.authenticate
    async def check(request, username, password):
        raise KeyError(password)

    app = app_with('/a')
    Guard(app, auth)
    with Warnings() as given:
        assert await statuses(app, ['/nowhere'], ANNA) == [500]
        assert given and 'right' not in str(given)


async def test_a_token_for_a_guard_is_no_password_and_a_password_no_token():
    app = app_with('/a')
    Guard(app, basic_auth())
    with Warnings():
        for headers in (bearer('right'), {'Authorization': 'Basic'}, {'Authorization': 'Basic '},
                        {'Authorization': 'BasicYW5uYTpyaWdodA=='}, {'Authorization': 'Basic\tYW5uYTpyaWdodA=='},
                        {'Proxy-Authorization': ANNA['Authorization']}, {'Authorization ': ANNA['Authorization']}):
            assert await statuses(app, ['/a', '/nowhere'], headers) == [401, 401], headers
