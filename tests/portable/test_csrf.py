"""What a page of another site has a browser send is refused before a handler sees it, and what is ours passes."""
from client import FORM, KEY, Client, basic, bearer, make_app, raises
from microdot import Microdot
from microdot.cors import CORS

from dotlatch import origin, proxies, sameorigin
from dotlatch.auth import BasicAuth, TokenAuth
from dotlatch.csrf import CSRF
from dotlatch.guard import Guard
from dotlatch.login import Login
from dotlatch.session import with_session
from dotlatch.stores import MemoryStore

OWN = ('Origin', 'http://device.lan')
EVIL = ('Origin', 'http://evil.lan')
NULL = ('Origin', 'null')
COOKIE = ('Cookie', 'session=x')
SAME, CROSS = ('Sec-Fetch-Site', 'same-origin'), ('Sec-Fetch-Site', 'cross-site')
HANDSHAKE = [('Connection', 'Upgrade'), ('Upgrade', 'websocket'), ('Sec-WebSocket-Version', '13'),
             ('Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==')]
BASIC = ('Authorization', basic('anna', 'right')['Authorization'])
BEARER = ('Authorization', 'Bearer right')
DIGEST = ('Authorization', 'Digest username="anna"')

# Headers of a POST, and whether it passes.
PASSES = [
    [OWN], [OWN, COOKIE], [OWN, SAME, COOKIE], [SAME, COOKIE], [('Sec-Fetch-Site', 'none'), COOKIE], [OWN, BASIC],
    [('Origin', 'http://device.lan:80'), COOKIE], [('Origin', 'HTTP://Device.LAN'), COOKIE],
    [], [BASIC], [DIGEST], [BEARER], [COOKIE, BEARER], [('X-API-Key', 'right')],  # curl
    [BEARER, EVIL], [BEARER, EVIL, CROSS],  # nothing that a browser sends by itself
]
REFUSED = [
    [EVIL], [EVIL, COOKIE], [EVIL, BASIC], [EVIL, DIGEST], [EVIL, COOKIE, BEARER], [EVIL, ('X-API-Key', 'right')],
    [EVIL, CROSS, COOKIE], [EVIL, SAME, COOKIE], [CROSS, COOKIE], [CROSS], [CROSS, BASIC], [OWN, CROSS, COOKIE],
    [('Sec-Fetch-Site', 'same-site'), COOKIE], [('Sec-Fetch-Site', ''), COOKIE], [('Sec-Fetch-Site', 'junk'), COOKIE],
    [('Origin', 'http://sub.device.lan'), COOKIE], [('Origin', 'http://device.lan:81'), COOKIE],
    [('Origin', 'https://device.lan'), COOKIE], [('Origin', 'http://device.lan.evil.lan'), COOKIE],
    [EVIL, ('Authorization', 'bAsIc x')], [EVIL, ('Authorization', 'Negotiate x')], [EVIL, ('Authorization', 'NTLM x')],
    [EVIL, ('Authorization', 'Basic')], [EVIL, ('Authorization', '')],
    [COOKIE], [COOKIE, ('Referer', 'http://device.lan/')], [EVIL, ('Referer', 'http://device.lan/')],
    [NULL], [NULL, COOKIE], [NULL, SAME, COOKIE], [('Origin', ''), COOKIE], [('Origin', 'device.lan'), COOKIE],
    [('Origin', 'http://device.lan/'), COOKIE], [('Origin', '://'), COOKIE], [('Origin', 'x' * 1500), COOKIE],
    [('Origin', 'http://dev\xefce.lan'), COOKIE], [('Origin', 'http://device.lan http://evil.lan'), COOKIE],
]


def site(**options):
    """An app with a route for each method, which keeps what its handlers were asked."""
    app = Microdot()
    csrf = CSRF(app, **options)
    asked = []

    async def answer(request):
        asked.append(request.method)
        return 'done'

    app.route('/', methods=['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'BREW'])(answer)
    return app, csrf, asked


async def verdict(app, headers, method='POST', url='/', body=b''):
    return (await Client(app).request(method, url, headers, body)).status_code


# --- unsafe requests --------------------------------------------------------------------------------

async def test_X1_what_no_other_site_can_have_sent_passes():
    app, _, asked = site()
    for headers in PASSES:
        assert await verdict(app, headers) == 200, headers
    assert len(asked) == len(PASSES)


async def test_X1_what_another_site_may_have_sent_is_a_403_before_the_handler_runs():
    app, _, asked = site()
    for headers in REFUSED:
        assert await verdict(app, headers) == 403, headers
    assert asked == []


async def test_X1_every_method_but_the_safe_ones_is_checked():
    app, _, asked = site()
    for method in ('POST', 'PUT', 'PATCH', 'DELETE', 'BREW', 'post', 'Post'):
        assert await verdict(app, [EVIL, COOKIE], method) == 403, method
    assert asked == []
    for method in ('GET', 'HEAD', 'get'):
        assert await verdict(app, [EVIL, COOKIE], method) == 200, method
    assert await verdict(app, [EVIL, COOKIE], 'OPTIONS') == 200


async def test_X1_what_the_body_is_does_not_matter():
    app, _, asked = site()
    for body in (b'', b'\xff\xff', b'csrf_token=%', b'csrf_token', b'csrf_token=%ff', b'=' * 5000, b'&' * 5000, b'{'):
        for content_type in (FORM, FORM + '; charset=x', 'application/json', 'multipart/form-data; boundary=', 'x'):
            headers = [EVIL, COOKIE, ('Content-Type', content_type)]
            assert await verdict(app, headers, body=body) == 403, (body, content_type)
    assert asked == []


async def test_X2_over_plain_http_a_device_is_told_by_its_host_whatever_that_is():
    app, _, _ = site()
    for host in ('device.lan', 'device.lan:5000', 'device.local', '192.168.1.50', '192.168.1.50:8080', '[fe80::1]:81'):
        for sent, expected in ((host, 200), ('evil.lan', 403), (host + '1', 403), ('x.' + host, 403)):
            headers = [('Host', host), ('Origin', 'http://' + sent), COOKIE]
            assert await verdict(app, headers) == expected, headers


async def test_X2_behind_a_proxy_that_is_named_the_origin_is_the_one_that_clients_see():
    first, last = Microdot(), site()[0]
    proxies.trust(first, ['127.0.0.1'], host=True)
    CSRF(first)
    first.post('/')(with_nothing)
    proxies.trust(last, ['127.0.0.1'], host=True)
    forwarded = [('X-Forwarded-For', '9.9.9.9'), ('X-Forwarded-Proto', 'https'), ('X-Forwarded-Host', 'app.example')]
    for app in (first, last):
        assert await verdict(app, forwarded + [COOKIE, ('Origin', 'https://app.example')]) == 200
        for other in ('http://app.example', 'http://device.lan', 'https://device.lan', 'https://evil.example'):
            assert await verdict(app, forwarded + [COOKIE, ('Origin', other)]) == 403, other


async def test_X1_it_comes_before_a_guard_whichever_was_made_first():
    for order in (0, 1):
        app = Microdot()
        password = BasicAuth(allow_http=True)
        password.authenticate(with_nothing)
        for make in ((CSRF, Guard) if order else (Guard, CSRF)):
            make(*((app, password) if make is Guard else (app,)))
        app.post('/')(with_nothing)
        assert await verdict(app, [EVIL]) == 403
        assert await verdict(app, [OWN]) == 401


async def test_X1_with_two_cookies_or_none_in_the_header_it_is_a_cookie():
    app, _, _ = site()
    for cookie in ('', 'x', '_remember=x', 'other=1; session=x'):
        assert await verdict(app, [('Cookie', cookie)]) == 403, cookie


async def test_who_only_reads_is_not_asked():
    app, _, asked = site()
    for headers in REFUSED:
        assert await verdict(app, headers, 'GET') == 200, headers
    assert len(asked) == len(REFUSED)


async def test_the_refusal_is_the_apps_to_show():
    app, _, _ = site()

    @app.errorhandler(403)
    async def forbidden(request):
        return 'not from here', 403

    answer = await Client(app).post('/', [EVIL])
    assert (answer.status_code, answer.text) == (403, 'not from here')


async def test_X1_it_comes_before_any_password_is_looked_at():
    app, _, _ = site()
    password = BasicAuth(allow_http=True)
    looked = []

    @password.authenticate
    async def check(request, username, given):
        looked.append(username)
        return username

    app.post('/basic')(password(with_nothing))
    assert await verdict(app, [EVIL, BASIC], url='/basic') == 403 and looked == []
    assert await verdict(app, [OWN, BASIC], url='/basic') == 200 and looked == ['anna']
    assert await verdict(app, [BASIC], url='/basic') == 200


async def with_nothing(request, *args):
    return 'done'


# --- logins -----------------------------------------------------------------------------------------

def with_login(**options):
    app = make_app(**options)
    csrf = CSRF(app)
    login = Login()

    @login.user_loader
    async def load_user(user_id):
        return user_id

    @app.post('/login')
    async def log_in(request):
        return await login.login_user(request, (request.form or {}).get('name', 'anna'), remember=True)

    @app.post('/logout')
    @login
    async def log_out(request):
        await login.logout_user(request)
        return 'bye'

    @app.get('/token')
    @with_session
    async def token(request, session):
        return csrf.token(request)

    @app.get('/field')
    @with_session
    async def field(request, session):
        return csrf.field(request)

    @app.route('/who', methods=['GET', 'POST'])
    @login.optional
    async def who(request):
        return str(request.g.current_user)

    return app


async def test_X4_nobody_is_logged_in_by_another_site():
    browser = Client(with_login())
    for headers in ([EVIL], [NULL], [CROSS], [EVIL, CROSS]):
        answer = await browser.post('/login', headers, form='name=mallory')
        assert answer.status_code == 403 and not browser.names(), headers
    assert (await browser.post('/login', [OWN], form='name=ben')).status_code == 302
    assert (await browser.get('/who')).text == 'ben'


async def test_X4_nobody_is_logged_out_by_another_site():
    browser = Client(with_login())
    await browser.post('/login', [OWN])
    for headers in ([EVIL], [NULL], [CROSS], []):
        assert (await browser.post('/logout', headers)).status_code == 403, headers
        assert (await browser.get('/who')).text == 'anna'
    assert (await browser.post('/logout', [OWN])).text == 'bye'


async def test_X1_a_remembered_visitor_is_protected_as_well():
    browser = Client(with_login())
    await browser.post('/login', [OWN])
    browser.restart()
    assert browser.names() == ['_remember']
    for headers in ([EVIL], [NULL], []):
        assert (await browser.post('/who', headers)).status_code == 403, headers
    assert (await browser.post('/who', [OWN])).text == 'anna'


# --- form tokens ------------------------------------------------------------------------------------

def both():
    """The app with sessions in cookies, and in a store."""
    return [with_login(), with_login(store=MemoryStore())]


async def test_X4_a_token_of_the_session_passes_in_a_field_or_a_header():
    for app in both():
        browser = Client(app)
        await browser.post('/login', [OWN])
        token = (await browser.get('/token')).text
        for headers in ([], [NULL], [('Origin', 'http://other-name.lan')]):
            assert (await browser.post('/who', headers, form='csrf_token=' + token)).text == 'anna', headers
            assert (await browser.post('/who', headers + [('X-CSRF-Token', token)])).text == 'anna', headers
            assert (await browser.post('/who', headers)).status_code == 403


async def test_X4_a_page_gets_a_hidden_field():
    browser = Client(with_login())
    text = (await browser.get('/field')).text
    start, end = '<input type="hidden" name="csrf_token" value="', '">'
    assert text.startswith(start) and text.endswith(end)
    token = text[len(start):-len(end)]
    assert len(token) == 65
    assert (await browser.post('/who', form='csrf_token=' + token)).text == 'None'


async def test_X4_a_token_of_one_session_is_nothing_in_another():
    for app in both():
        browser, other = Client(app), Client(app)
        await browser.post('/login', [OWN])
        await other.post('/login', [OWN])
        token = (await other.get('/token')).text
        assert (await browser.post('/who', form='csrf_token=' + token)).status_code == 403
        assert (await other.post('/who', form='csrf_token=' + token)).text == 'anna'


async def test_X4_a_token_ends_with_the_login_and_with_the_logout():
    for app in both():
        browser = Client(app)
        before = (await browser.get('/token')).text
        assert (await browser.post('/login', form='csrf_token=' + before)).status_code == 302
        assert (await browser.post('/who', form='csrf_token=' + before)).status_code == 403
        during = (await browser.get('/token')).text
        assert (await browser.post('/logout', form='csrf_token=' + during)).text == 'bye'
        await browser.get('/token')  # which begins a session again
        for token in (before, during):
            assert (await browser.post('/who', form='csrf_token=' + token)).status_code == 403


async def test_X4_a_visitor_who_was_shown_a_token_has_to_bring_it_to_log_in():
    browser = Client(with_login())
    token = (await browser.get('/token')).text
    assert (await browser.post('/login')).status_code == 403
    assert (await browser.post('/login', form='csrf_token=' + token)).status_code == 302


async def test_X4_a_token_in_the_address_is_none():
    browser = Client(with_login())
    await browser.post('/login', [OWN])
    token = (await browser.get('/token')).text
    for url in ('/who?csrf_token=' + token, '/who?X-CSRF-Token=' + token, '/who?' + token):
        assert (await browser.post(url)).status_code == 403, url
    assert (await browser.post('/who', [('Cookie', browser.cookie_header('/') + '; csrf_token=' + token)])
            ).status_code == 403


async def test_X4_what_is_nearly_the_token_is_none():
    for app in both():
        browser = Client(app)
        await browser.post('/login', [OWN])
        token = (await browser.get('/token')).text
        bent = ['', ' ' + token[1:], token[:-1], token + 'A', token + '=', 'x' * 65, token[1:],
                token[22:] + token[:22], token.upper(), '\xe9' * 65, '%00' * 65, token[:-1] + '%E9', 'null', '[]']
        for i in range(0, 65, 4):
            bent.append(token[:i] + ('A' if token[i] != 'A' else 'B') + token[i + 1:])
        for wrong in bent:
            assert (await browser.post('/who', form='csrf_token=' + wrong)).status_code == 403, wrong
            if wrong.strip() and '\xe9' not in wrong:
                assert (await browser.post('/who', [('X-CSRF-Token', wrong)])).status_code == 403, wrong
        assert (await browser.post('/who', [('X-CSRF-Token', token)])).text == 'anna'


async def test_X4_no_two_tokens_of_a_session_are_alike():
    browser = Client(with_login())
    tokens = await browser.texts('/token', '/token', '/token')
    assert len(set(tokens)) == 3
    for token in tokens:
        assert (await browser.post('/who', form='csrf_token=' + token)).status_code == 200


async def test_X4_without_a_session_a_token_is_worth_nothing():
    app = with_login()
    browser = Client(app)
    token = (await browser.get('/token')).text
    for cookie in ('session=', 'session=x', 'other=1', browser.cookie_header('/')[:-1]):
        answer = await browser.post('/who', [('Cookie', cookie), ('X-CSRF-Token', token)])
        assert answer.status_code == 403, cookie
    assert await verdict(site()[0], [COOKIE, ('X-CSRF-Token', token)]) == 403  # an app that has no sessions at all


async def test_X4_a_token_outlives_a_change_of_the_key_and_not_its_end():
    app = with_login()
    browser = Client(app)
    await browser.post('/login', [OWN])
    token = (await browser.get('/token')).text
    app._session.secret_key = ['another key that has thirty-two bytes and more', KEY]
    assert (await browser.post('/who', form='csrf_token=' + token)).text == 'anna'
    app._session.secret_key = ['another key that has thirty-two bytes and more']
    assert (await browser.post('/who', form='csrf_token=' + token)).status_code == 403


async def test_T7_a_token_is_no_session_and_a_session_no_token():
    browser = Client(with_login())
    await browser.post('/login', [OWN])
    token = (await browser.get('/token')).text
    for name in ('session', '_remember'):
        assert (await browser.get('/who', [('Cookie', name + '=' + token)])).text == 'None'
        value = browser.value(name)
        for given in (value, value[-65:], value[:65]):
            assert (await browser.post('/who', form='csrf_token=' + given)).status_code == 403


async def test_X4_a_token_needs_sessions_and_with_a_store_a_loaded_one():
    app, csrf, _ = site()
    asked = []

    @app.get('/token')
    async def token(request):
        asked.append(raises(RuntimeError, csrf.token, request))
        return 'none'

    await Client(app).get('/token')
    app = make_app(store=MemoryStore())
    csrf = CSRF(app)
    app.get('/token')(token)
    await Client(app).get('/token')
    assert 'Session(app' in str(asked[0]) and 'with_session' in str(asked[1])


async def test_S11_when_the_store_is_down_no_token_passes():
    class Broken(MemoryStore):
        async def load(self, session_id):
            if self.is_down:
                raise OSError('down')
            return await MemoryStore.load(self, session_id)

    store = Broken()
    store.is_down = False
    browser = Client(with_login(store=store))
    await browser.post('/login', [OWN])
    token = (await browser.get('/token')).text
    store.is_down = True
    assert (await browser.post('/who', form='csrf_token=' + token)).status_code == 503
    assert (await browser.post('/who', [EVIL])).status_code == 403


async def test_a_form_that_brings_a_token_is_still_there_for_the_handler():
    app = with_login()

    @app.post('/echo')
    async def echo(request):
        return request.form['text']

    browser = Client(app)
    token = (await browser.get('/token')).text
    assert (await browser.post('/echo', form='text=a+b&csrf_token=' + token)).text == 'a b'


# --- who else may -----------------------------------------------------------------------------------

async def test_an_allowed_origin_may_send_forms():
    app, _, _ = site()
    sameorigin.allow(app, 'https://app.example')
    assert await verdict(app, [('Origin', 'https://app.example'), COOKIE, CROSS]) == 200
    for other in ('http://app.example', 'https://x.app.example', 'https://app.example:444', 'https://app.example.x'):
        assert await verdict(app, [('Origin', other), COOKIE]) == 403, other


async def test_the_list_of_cors_is_allowed_however_it_is_given():
    cors = CORS(allowed_origins=['https://app.example', 'http://Panel.lan:8080'])
    apps = [site(cors=cors)[0], Microdot(), Microdot()]
    CSRF(cors=cors).initialize(apps[1])
    CSRF().initialize(apps[2], cors)
    for app in apps:
        app.post('/')(with_nothing)
        for sent, expected in (('https://app.example', 200), ('http://panel.lan:8080', 200), ('http://panel.lan', 403)):
            assert await verdict(app, [('Origin', sent), COOKIE]) == expected, sent


async def test_X1_cors_for_everybody_lets_nobody_write():
    for origins in ('*', None, []):
        app, _, _ = site(cors=CORS(allowed_origins=origins, allow_credentials=True))
        assert await verdict(app, [EVIL, COOKIE]) == 403, origins
        assert await verdict(app, [OWN, COOKIE]) == 200


def test_X1_a_list_with_what_is_no_origin_is_refused_at_the_start():
    for wrong in ('null', 'app.example', 'https://app.example/', 'https://*.example', '*'):
        raises(ValueError, CSRF, Microdot(), CORS(allowed_origins=['https://app.example', wrong]))


async def test_sub_domains_may_when_they_are_allowed():
    app, _, _ = site(allow_subdomains=True, cors=CORS(allowed_origins=['https://app.example:8443']))
    same_site = ('Sec-Fetch-Site', 'same-site')
    for headers in ([('Origin', 'http://a.device.lan')], [('Origin', 'http://a.b.device.lan'), same_site], [same_site],
                    [('Origin', 'https://x.app.example:8443'), CROSS], [OWN]):
        assert await verdict(app, headers + [COOKIE]) == 200, headers
    for headers in ([('Origin', 'http://evildevice.lan')], [('Origin', 'https://a.device.lan')],
                    [('Origin', 'http://a.device.lan:81')], [('Origin', 'http://a.device.lan'), CROSS],
                    [('Origin', 'http://lan')], [('Origin', 'https://x.app.example')], [EVIL, same_site], [NULL],
                    [('Origin', '://a.device.lan')], [('Origin', 'http://.device.lan.')], [CROSS], []):
        assert await verdict(app, headers + [COOKIE]) == 403, headers


async def test_without_a_host_no_sub_domain_is_ours():
    app, _, _ = site(allow_subdomains=True)
    for host in ('', '/', 'a b'):
        for sent in ('http://a.', 'http://a', 'http://.'):
            assert await verdict(app, [('Host', host), ('Origin', sent), COOKIE]) == 403, (host, sent)


# --- WebSockets -------------------------------------------------------------------------------------

async def test_X5_a_websocket_opens_for_pages_of_ours_only():
    app, _, _ = site()
    for headers in ([COOKIE, EVIL], [COOKIE], [COOKIE, NULL], [COOKIE, ('Origin', 'http://device.lan:81')],
                    [COOKIE, BEARER, EVIL], [BASIC, EVIL], [EVIL], [NULL], [CROSS], [('X-CSRF-Token', 'x' * 65), EVIL]):
        assert await verdict(app, HANDSHAKE + headers, 'GET') == 403, headers
    for headers in ([COOKIE, OWN], [COOKIE, BASIC], [BASIC, OWN], [BASIC], [BEARER, EVIL], [OWN], []):
        assert await verdict(app, HANDSHAKE + headers, 'GET') == 200, headers


async def test_X5_with_a_cookie_a_handshake_has_to_be_one():
    app, _, _ = site()
    assert await verdict(app, HANDSHAKE[:2] + [COOKIE, OWN], 'GET') == 426
    assert await verdict(app, HANDSHAKE[:3] + [COOKIE, OWN], 'GET') == 400
    assert await verdict(app, HANDSHAKE[:3] + [COOKIE, OWN, ('Sec-WebSocket-Key', 'c2hvcnQ=')], 'GET') == 400


# --- names ------------------------------------------------------------------------------------------

def test_origin_has_the_names_too():
    assert origin.CSRF is CSRF
    assert origin.is_same_origin is sameorigin.is_same_origin
    assert origin.allow is sameorigin.allow and origin.hosts is sameorigin.hosts
    raises(AttributeError, getattr, origin, 'own')
    from dotlatch.origin import CSRF as imported
    assert imported is CSRF


async def test_caches_know_what_the_answer_depends_on():
    app, csrf, _ = site()
    app.get('/data')(csrf.protect(with_nothing))
    answer = await Client(app).get('/data')
    assert sorted(answer.headers['Vary'].split(', ')) == ['Origin', 'Sec-Fetch-Site']
    answer = await Client(app).get('/data', [CROSS])
    assert answer.status_code == 403 and 'Sec-Fetch-Site' in answer.headers['Vary']


async def test_bearer_tokens_work_from_another_site_that_has_them():
    app = make_app()
    CSRF(app, cors=CORS(app, allowed_origins=['http://page.lan']))
    token = TokenAuth(allow_http=True)

    @token.authenticate
    async def check(request, value):
        return 'robot' if value == 'right' else None

    app.post('/')(token(with_nothing))
    browser = Client(app)
    for headers in ([EVIL], [('Origin', 'http://page.lan')], []):
        assert (await browser.post('/', headers + list(bearer('right').items()))).status_code == 200
        assert (await browser.post('/', headers + list(bearer('wrong').items()))).status_code == 401
