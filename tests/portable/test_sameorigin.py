"""A browser says which page a request is for; only this origin's, and those that are allowed, count as ours."""
from client import Client, basic, bearer, make_app, raises
from microdot import Microdot, Request
from microdot.microdot import NoCaseDict

from dotlatch import handshake, sameorigin
from dotlatch.auth import BasicAuth, TokenAuth, any_of
from dotlatch.login import Login

HANDSHAKE = [('Connection', 'Upgrade'), ('Upgrade', 'websocket'), ('Sec-WebSocket-Version', '13'),
             ('Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==')]
OWN = ('Origin', 'http://device.lan')
EVIL = ('Origin', 'http://evil.lan')

# Never an origin, whoever asks.
MALFORMED = [
    'null', '', ' ', 'device.lan', 'http:device.lan', 'http:/device.lan', '//device.lan', '://device.lan',
    'http://', 'http://device.lan/', 'http://device.lan/x', 'http://device.lan?', 'http://device.lan#',
    'http://anna@device.lan', 'http://anna:pw@device.lan', 'http://device.lan:', 'http://device.lan:0',
    'http://device.lan:x', 'http://device.lan:80x', 'http://device.lan:-80', 'http://device.lan:+80',
    'http://device.lan: 80', 'http://device.lan:65536', 'http://device.lan:999999', 'http://device.lan:80:80',
    'http://device.lan http://evil.lan', 'http://device.lan, http://evil.lan', 'http://device.lan,http://device.lan',
    'http://device.lan\\', 'http://de vice.lan', 'http://device.lan\t', 'http://d%65vice.lan', 'http://[::1',
    'http://::1', 'http://[]', 'http://[g::1]', 'http://[::1]x', 'http://[::1]]', 'ht tp://device.lan', '*', 'http://*',
    'http://dev\xefce.lan', 'http://\u212ailler.lan', 'http://devi\xf0ce', 'null://', 'http://device.lan\x00',
]


def request(headers, scheme='http', app=None, client_addr=('127.0.0.1', 1234)):
    found = NoCaseDict()
    for name, value in headers:
        found[name] = value
    made = Request(app or Microdot(), client_addr, 'GET', '/', '1.1', found)
    made.scheme = scheme
    return made


def verdict(origin=None, host='device.lan', site=None, scheme='http', app=None):
    headers = [('Host', host)] if host is not None else []
    if origin is not None:
        headers.append(('Origin', origin))
    if site is not None:
        headers.append(('Sec-Fetch-Site', site))
    return sameorigin.is_same_origin(request(headers, scheme, app))


# --- the verdict ------------------------------------------------------------------------------------

def test_X2_over_plain_http_the_origin_is_held_against_the_host():
    for origin, host in [
            ('http://device.lan', 'device.lan'), ('http://device.lan:5000', 'device.lan:5000'),
            ('http://192.168.1.50', '192.168.1.50'), ('http://[fe80::1]:81', '[fe80::1]:81'),
            ('http://[::1]', '[::1]'), ('http://device.lan', 'device.lan:80'), ('http://device.lan:80', 'device.lan'),
            ('http://DEVICE.lan', 'device.LAN'), ('HTTP://device.lan', 'device.lan'),
            ('http://xn--gert-zqa.lan', 'xn--gert-zqa.lan'), ('http://my_device', 'my_device')]:
        assert verdict(origin, host) is True, (origin, host)


def test_X1_another_origin_is_another_site():
    for origin, host in [
            ('http://evil.lan', 'device.lan'), ('http://device.lan:5000', 'device.lan'),
            ('http://device.lan', 'device.lan:5000'), ('http://device.lan:443', 'device.lan'),
            ('https://device.lan', 'device.lan'), ('http://sub.device.lan', 'device.lan'),
            ('http://device.lan.evil.lan', 'device.lan'), ('http://evildevice.lan', 'device.lan'),
            ('http://device.lan', '192.168.1.50'), ('http://device.lan.', 'device.lan'),
            ('http://[::1]', '[::2]'), ('file://device.lan', 'device.lan'), ('ws://device.lan', 'device.lan')]:
        assert verdict(origin, host) is False, (origin, host)


def test_X1_a_null_or_malformed_origin_is_another_site_and_no_error():
    for origin in MALFORMED:
        for site in (None, 'same-origin', 'none'):
            assert verdict(origin, site=site) is False, (origin, site)
            assert verdict(origin, origin, site) is False, (origin, site)


def test_X1_without_a_host_or_with_a_malformed_one_no_origin_is_ours():
    for host in (None, '', ' ', 'null', 'http://device.lan', 'device.lan/', 'device.lan:', 'device.lan:x', 'a b',
                 '[::1'):
        for origin in ('http://device.lan', 'http://', 'http://null', 'http://' + (host or '')):
            expected = host == 'null' and origin == 'http://null'  # a name like another
            assert verdict(origin, host) is expected, (origin, host)


def test_X1_nothing_said_is_no_yes():
    assert verdict() is None
    assert not verdict()


def test_X1_what_the_browser_says_of_the_site_has_to_agree():
    assert verdict(site='same-origin') is True
    assert verdict(site='none') is True
    for site in ('cross-site', 'same-site', '', 'junk', 'same-origin, cross-site', 'Same-Origin'):
        assert verdict(site=site) is False, site
        assert verdict('http://device.lan', site=site) is False, site
    for site in ('same-origin', 'none', 'same-site', 'cross-site'):
        assert verdict('http://evil.lan', site=site) is False, site


def test_X1_the_scheme_counts():
    assert verdict('https://device.lan', scheme='https') is True
    assert verdict('https://device.lan', 'device.lan:443', scheme='https') is True
    assert verdict('https://device.lan', scheme='wss') is True
    assert verdict('http://device.lan', scheme='https') is False


def test_behind_tls_that_a_proxy_ends_the_browser_is_believed():
    assert verdict('https://device.lan', site='same-origin') is True
    assert verdict('https://device.lan', site='none') is False
    assert verdict('https://device.lan') is False


def test_an_allowed_origin_counts_as_ours_exactly():
    app = Microdot()
    sameorigin.allow(app, 'https://app.example', 'http://Panel.lan:8080')
    sameorigin.allow(app, 'capacitor://localhost')
    for origin in ('https://app.example', 'https://app.example:443', 'http://panel.lan:8080', 'capacitor://localhost',
                   'http://device.lan'):
        assert verdict(origin, app=app) is True, origin
    assert verdict('https://app.example', site='cross-site', app=app) is True
    for origin in ('http://app.example', 'https://app.example:8443', 'http://panel.lan', 'https://x.app.example',
                   'https://app.example.evil.lan', 'null', 'capacitor://evil'):
        assert verdict(origin, app=app) is False, origin


def test_what_is_no_origin_cannot_be_allowed():
    app = Microdot()
    for origin in MALFORMED:
        raises(ValueError, sameorigin.allow, app, 'https://app.example', origin)
    assert verdict('https://app.example', app=app) is False


# --- WebSocket handshakes ---------------------------------------------------------------------------

def guarded():
    """An app whose routes say who opened them; nothing is upgraded here."""
    app = make_app()
    login = Login()
    password = BasicAuth(allow_http=True)
    token = TokenAuth(allow_http=True)
    word = TokenAuth(header='X-API-Key', allow_http=True)

    @login.user_loader
    async def load_user(user_id):
        return user_id

    @password.authenticate
    async def check(request, username, password):
        return username if password == 'right' else None

    @token.authenticate
    async def check_token(request, value):
        return 'robot' if value == 'right' else None

    word.authenticate(check_token)

    @app.post('/login')
    async def log_in(request):
        return await login.login_user(request, 'anna', remember=True)

    async def index(request):
        return str(request.g.current_user)

    for name, guard in (('login', login), ('fresh', login.fresh), ('optional', login.optional), ('basic', password),
                        ('token', token), ('word', word), ('any', any_of(login, token, password)),
                        ('scoped', login.requires('pump'))):
        app.get('/' + name)(guard(index))
    return app


async def logged_in(app=None):
    browser = Client(app or guarded())
    await browser.post('/login')
    return browser


async def statuses(browser, paths, *headers):
    found = []
    for path in paths:
        found.append((await browser.get('/' + path, HANDSHAKE + list(headers))).status_code)
    return found


async def test_X5_a_page_of_another_origin_opens_no_websocket_with_the_cookie():
    browser = await logged_in()
    paths = ('login', 'fresh', 'optional', 'any', 'scoped')
    for origin in ['http://evil.lan', 'http://device.lan:81', 'http://sub.device.lan', 'https://device.lan']:
        assert await statuses(browser, paths, ('Origin', origin)) == [403] * 5, origin
    assert await statuses(browser, paths, OWN) == [200, 200, 200, 200, 403]  # he has no scope


async def test_X5_a_malformed_origin_is_a_403():
    browser = await logged_in()
    for origin in MALFORMED:
        if origin.encode() == origin.encode().strip() and origin:
            status = await statuses(browser, ('login',), ('Origin', origin))
            assert status == [403], (origin, status)


async def test_X5_a_cookie_without_an_origin_opens_no_websocket():
    browser = await logged_in()
    assert await statuses(browser, ('login', 'fresh', 'optional', 'any')) == [403] * 4


async def test_X5_a_remembered_visitor_is_checked_too():
    browser = await logged_in()
    browser.restart()
    assert browser.names() == ['_remember']
    assert await statuses(browser, ('login',), EVIL) == [403]
    assert await statuses(browser, ('login',), OWN) == [200]


async def test_X5_basic_is_checked_as_browsers_send_it_by_themselves():
    browser = Client(guarded())
    right = list(basic('anna', 'right').items())
    assert await statuses(browser, ('basic', 'any'), EVIL, *right) == [403, 403]
    assert await statuses(browser, ('basic', 'any'), OWN, *right) == [200, 200]


async def test_X5_without_an_origin_an_authorization_header_comes_from_no_browser():
    browser = Client(guarded())
    assert await statuses(browser, ('basic', 'any'), *basic('anna', 'right').items()) == [200, 200]
    assert await statuses(browser, ('basic',), *basic('anna', 'wrong').items()) == [401]


async def test_X5_tokens_and_keys_are_nothing_that_a_browser_sends_by_itself():
    browser = await logged_in()  # with a cookie, which proves nothing here
    for origin in ([], [EVIL], [OWN], [('Origin', 'null')]):
        assert await statuses(browser, ('token',), *(origin + list(bearer('right').items()))) == [200], origin
        assert await statuses(browser, ('word',), ('X-API-Key', 'right'), *origin) == [200], origin


async def test_X5_a_handler_without_an_authenticator_may_have_it_checked_too():
    app = guarded()

    @app.get('/own')
    async def own(request):
        await handshake.check(request)
        return 'in'

    assert await statuses(Client(app), ('own',), OWN) == [200]
    assert await statuses(Client(app), ('own',), EVIL) == [403]
    assert await statuses(Client(app), ('own',)) == [403]


async def test_X5_an_allowed_origin_opens_a_websocket():
    app = guarded()
    sameorigin.allow(app, 'http://evil.lan')
    assert await statuses(await logged_in(app), ('login', 'any'), EVIL) == [200, 200]


async def test_X5_a_stranger_is_told_to_log_in_wherever_he_comes_from():
    browser = Client(guarded())
    for headers in ((), (EVIL,), (OWN,)):
        assert await statuses(browser, ('login', 'fresh', 'basic', 'any'), *headers) == [401] * 4
    assert await statuses(browser, ('optional',), EVIL) == [200]  # as nobody


async def test_X5_other_requests_are_not_asked_where_they_come_from_here():
    browser = await logged_in()
    assert (await browser.get('/login', [EVIL])).status_code == 200


async def test_X5_a_handshake_is_of_version_13_and_has_a_key_of_16_bytes():
    browser = await logged_in()

    async def status(**changed):
        headers = [pair for pair in HANDSHAKE if pair[0][14:] not in changed] + [OWN]
        headers += [('Sec-WebSocket-' + name, changed[name]) for name in changed if changed[name] is not None]
        return await browser.get('/login', headers)

    for version in (None, '', '0', '8', '12', '14', '013', '13, 8', '13 13', 'x'):
        answer = await status(Version=version)
        assert answer.status_code == 426, version
        assert answer.headers['Sec-WebSocket-Version'] == '13'
    for key in (None, '', 'x', 'dGhl', 'dGhlIHNhbXBsZSBub25jZQ', 'dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==',
                'dGhlIHNhbXBsZSBub25jZR==', 'dGhlIHNhbXBsZSBub25jZWE=', 'dGhlIHNhbXBsZSBub25jZSEh', '_Ghl' * 6,
                '=' * 24, 'A' * 24, 'dGhlIHNhbXBsZSBub25jZ\xe9=='):
        assert (await status(Key=key)).status_code == 400, key
    assert (await status(Key='AAAAAAAAAAAAAAAAAAAAAA==')).status_code == 200


# --- Host -------------------------------------------------------------------------------------------

def only_for(*names):
    app = Microdot()

    @app.before_request
    async def guard(request):
        return 'the guard was asked', 401

    @app.get('/')
    async def index(request):
        return 'here'

    sameorigin.hosts(app, *names)
    return app


async def test_X7_only_the_names_of_the_device_are_answered():
    browser = Client(only_for('device.lan', '192.168.1.50', '[fe80::1]', 'Other.lan'))
    for host in ('device.lan', 'DEVICE.LAN', 'device.lan:5000', '192.168.1.50', '192.168.1.50:80', '[fe80::1]',
                 '[FE80::1]:81', 'other.lan'):
        assert (await browser.get('/', [('Host', host)])).status_code == 401, host
    for host in ('evil.lan', 'device.lan.', 'sub.device.lan', 'device.lan.evil.lan', '192.168.1.5', '127.0.0.1',
                 'localhost', '[::1]', 'fe80', 'null'):
        answer = await browser.get('/', [('Host', host)])
        assert answer.status_code == 421, host
        assert 'guard' not in answer.text
    for host in ('', 'device.lan/', 'http://device.lan', 'device.lan:x', 'device.lan device.lan', 'a@device.lan',
                 'device.lan:0', 'device.lan,evil.lan'):
        assert (await browser.get('/', [('Host', host)])).status_code == 400, host


async def test_X7_a_request_without_a_host_is_a_400():
    made = request([])
    made.app = only_for('device.lan')
    assert (await made.app.dispatch_request(made)).status_code == 400


def test_X7_what_is_no_name_cannot_be_one_of_the_device():
    for name in ('', '*', '*.lan', 'device.lan:80', 'http://device.lan', 'device.lan/', 'fe80::1', 'a b'):
        raises(ValueError, sameorigin.hosts, Microdot(), name)


