"""What was found wrong in Microdot's own session, auth and login, done again to an app of ours.

The letters and numbers are those of the list of what was found. Those of one scheme or page are beside its other tests:
A1, A2, F1 to F5 and F7 in test_auth.py, A2 in test_identity.py too, B7, B8, B10, B12, H3 and H4 in test_login.py, B10,
B11 and I6 in test_http.py.
"""
import sys

from client import KEY, OTHER_KEY, Client, Warnings, make_app, parse_cookie, shapes, signed
from clock import FakeClock
from microdot import Microdot, abort
from test_login import DAY, User, log_in, site, who
from test_session import session_data

from dotlatch import http, portable, tokens
from dotlatch.login import Login
from dotlatch.session import Session, with_session

# --- A: who gets in -----------------------------------------------------------------------------------------


async def test_flaw_A1_a_deleted_user_stays_deleted_whatever_kind_of_loader_looks():
    users = {}

    async def load(user_id):
        return users.get(user_id)

    for shape, loader in shapes(load):
        users[1] = User(1)
        app = site(users)
        app.login.user_loader(loader)
        browser = await log_in(app, 1, 30)
        assert (await browser.get('/private')).status_code == 200, shape
        del users[1]
        assert (await browser.get('/private')).status_code == 302, shape
        browser.restart()
        assert (await browser.get('/private')).status_code == 302, shape


# --- B: login and remember me -----------------------------------------------------------------------------------

async def test_flaw_B1_the_way_back_never_leaves_the_site():
    for written in ('//evil.example', '/\\evil.example', '/%5Cevil.example', '/%09/evil.example',
                    '%2F%2Fevil.example%2Fx', 'https://evil.example'):
        res = await Client(site()).post('/login?next=' + written, form='id=1')
        assert res.headers['Location'] == '/', written


async def test_flaw_B2_logout_works_wherever_the_form_and_the_pages_are():
    for form_at, pages_at, out_at in (('/in', '/private', '/a/b/logout'), ('/a/in', '/private', '/x/y/z/out'),
                                      ('/a/b/c/in', '/d/e/page', '/out'), ('/in', '/deep/down/page', '/out')):
        app = site()

        async def form(request):
            return await app.login.login_user(request, app.users[1], remember=True)  # noqa: B023

        async def out(request):
            await app.login.logout_user(request)  # noqa: B023
            return 'bye'

        async def page(request):
            return 'in'

        app.post(form_at)(form)
        app.get(pages_at)(app.login(page))
        app.post(out_at)(out)
        browser = Client(app)
        await browser.post(form_at)
        browser.restart()
        assert (await browser.get(pages_at)).status_code == 200, (form_at, pages_at)
        await browser.post(out_at)
        assert browser.names() == [], (form_at, out_at)
        assert (await browser.get(pages_at)).status_code == 302


async def test_flaw_B3_remember_me_is_out_of_reach_of_scripts_and_plain_http():
    with Warnings():
        res = await Client(site(cookie_options={'secure': True})).post('/login', form='id=1&remember=yes')
    assert len(res.cookies) == 2
    for line in res.cookies:
        attributes = parse_cookie(line)[2]
        for wanted in ('httponly', 'secure', 'samesite'):
            assert wanted in attributes, line


async def test_flaw_B4_five_days_are_five_days():
    with FakeClock() as clock:
        browser = await log_in(site(), 1, 5)
        browser.restart()
        for _ in range(5):
            res = await browser.get('/private')
            assert res.status_code == 200
            for line in res.cookies:
                assert '2592000' not in line, line
            clock.advance(DAY)
            browser.restart()
        assert await who(browser) == 'None'


async def test_flaw_B5_a_session_of_an_app_is_no_remember_me():
    app = site()
    ext = app._session
    for payload in ({'user_id': 1}, {'user_id': 1, 'days': 30}, {'sub': 1}, {'_user_id': 1, '_fresh': True}):
        for token in (ext.encode(payload), tokens.encode(payload, KEY, ttl=DAY), tokens.encode(payload, KEY)):
            res = await Client(app).get('/who', {'Cookie': '_remember=' + token})
            assert res.text == 'None', payload


async def test_flaw_B6_logout_and_a_new_password_end_what_was_stolen():
    for how in ('logout', 'password'):
        app = site({1: User(1, password_hash='old')})
        browser = await log_in(app, 1, 30)
        thief, later = browser.copy(), browser.copy()
        later.restart()
        if how == 'logout':
            await browser.post('/a/b/logout')
        else:
            app.users[1].password_hash = 'new'
        for stolen in (thief, later):
            for url in ('/private', '/fresh'):
                assert (await stolen.get(url)).status_code == 302, (how, url)


async def test_flaw_B6_a_cleared_remember_me_is_empty_and_not_a_signed_nobody():
    browser = await log_in(site(), 1, 30)
    res = await browser.post('/a/b/logout')
    for line in res.cookies:
        assert parse_cookie(line)[1] == '', line


async def test_flaw_B9_no_data_survives_a_login_or_a_logout():
    app = site()
    browser = Client(app)
    await browser.get('/put/before')
    await browser.post('/login', form='id=1')
    assert (await browser.get('/data')).json == {}
    await browser.get('/put/role')
    await browser.post('/a/b/logout')
    assert (await browser.get('/data')).json == {}


async def test_flaw_B10_a_login_without_sessions_says_what_is_missing():
    app = Microdot()
    site(app=app, login=Login())
    seen = []

    @app.errorhandler(RuntimeError)
    async def error(request, exc):
        seen.append(str(exc))
        return 'sorry', 500

    await Client(app).get('/private')
    assert 'Session' in seen[0] and '_session' not in seen[0]


async def test_flaw_B11_the_login_form_survives_whatever_is_sent_to_it():
    app = make_app()
    login = Login()

    @app.post('/login')
    async def do_login(request):
        fields = http.form(request)
        if fields.get('username') != 'anna' or fields.get('password') != 'pw':
            return 'no', 401
        return await login.login_user(request, 'anna')

    for content_type, body in ((None, b''), ('application/x-www-form-urlencoded', b''),
                               ('application/json', b'{"username": "anna", "password": ["pw"]}'),
                               ('application/json', b'[]'), ('application/json', b''), ('application/json', b'{"a'),
                               ('application/x-www-form-urlencoded', b'username=anna'),
                               ('application/x-www-form-urlencoded', b'username=%zz&password=%'),
                               ('application/x-www-form-urlencoded', b'username=\xff&password=\xfe'),
                               ('multipart/form-data; boundary=x', b'--x\r\n\r\n--x--'),
                               ('text/plain', b'username=anna')):
        res = await Client(app).post('/login', {'Content-Type': content_type} if content_type else {}, body)
        assert res.status_code in (400, 401), (content_type, body)
        res = await Client(app).post('/login', form='username=anna&password=pw')
        assert res.status_code == 302, body


# --- C: sessions -------------------------------------------------------------------------------------------------

async def test_flaw_C1_two_logins_give_two_cookies_and_each_ends():
    with FakeClock() as clock:
        app = site()
        a, b = await log_in(app), await log_in(app)
        assert a.value('session') != b.value('session')
        clock.advance(30 * DAY)
        assert await who(a) == await who(b) == 'None'


async def test_flaw_C2_the_cookie_says_same_site_without_being_asked():
    res = await Client(site()).post('/login', form='id=1')
    assert parse_cookie(res.cookies[0])[2]['samesite'] == 'Lax'
    res = await Client(site(cookie_options={'same_site': 'Strict'})).post('/login', form='id=1')
    assert parse_cookie(res.cookies[0])[2]['samesite'] == 'Strict'


async def test_flaw_C3_a_session_that_is_too_large_does_not_lock_the_visitor_out():
    app = site()

    @app.get('/fill')
    @with_session
    async def fill(request, session):
        session['x'] = 'x' * 1500
        session.save()
        return 'ok'

    browser = await log_in(app)
    assert (await browser.get('/fill')).status_code == 500
    for url in ('/private', '/who', '/login'):
        assert (await browser.get(url)).status_code == 200, url


async def test_flaw_C4_no_name_in_a_session_means_anything_to_the_token():
    names = {'aud': 'x', 'sub': 5, 'iat': 'text', 'nbf': 9999999999, 'jti': 5, 'exp': 1, 'iss': 5}
    names['exp'] = '2026-01-01'
    app = make_app()

    @app.get('/set')
    @with_session
    async def put(request, session):
        session.update(names)
        session.save()
        return 'ok'

    @app.get('/get')
    @with_session
    async def get(request, session):
        return session.copy()

    browser = Client(app)
    await browser.get('/set')
    assert (await browser.get('/get')).json == names


async def test_flaw_C5_what_json_cannot_carry_is_an_error_and_no_cookie():
    for value in (b'bytes', {1, 2}, object(), float('inf'), {2: 1}):
        app = make_app()
        seen = []

        @app.get('/')
        @with_session
        async def index(request, session):
            session['x'] = value  # noqa: B023
            session.save()
            return 'ok'

        @app.errorhandler(TypeError)
        async def error(request, exc):
            seen.append(exc)  # noqa: B023
            return 'sorry', 500

        res = await Client(app).get('/')
        assert (len(seen), res.cookies) == (1, []), value


async def test_flaw_C6_a_count_of_failures_sticks_though_every_one_aborts():
    app = make_app()

    @app.get('/try')
    @with_session
    async def attempt(request, session):
        session['failed'] = session.get('failed', 0) + 1
        session.save()
        session.save()
        abort(403)

    @app.get('/leave')
    @with_session
    async def leave(request, session):
        session['x'] = 1
        session.save()
        session.delete()
        return repr(session.copy())

    browser = Client(app)
    for n in (1, 2, 3):
        res = await browser.get('/try')
        assert (res.status_code, len(res.cookies)) == (403, 1)
        assert session_data(browser) == {'failed': n}
    res = await browser.get('/leave')
    assert (res.text, len(res.cookies), browser.names()) == ('{}', 1, [])


async def test_flaw_C7_two_devices_behind_one_address_keep_their_sessions():
    one, two = site(name='device1'), site(name='device2', secret_key=OTHER_KEY)
    browser = await log_in(one, 1)
    browser.app = two
    await browser.post('/login', form='id=2')
    browser.app = one
    assert await who(browser) == '1'


async def test_flaw_C7_another_devices_cookie_of_the_same_name_is_no_login():
    one, two = site(), site(secret_key=OTHER_KEY)
    browser = await log_in(one, 1, 30)
    browser.app = two
    assert await who(browser) == 'None'


async def test_flaw_C8_keys_rotate_and_a_weak_one_is_said_once():
    browser = await log_in(site(), 1)
    browser.app = site(secret_key=[OTHER_KEY, KEY])
    assert await who(browser) == '1'
    with Warnings() as given:
        app = site(secret_key='top-secret!')
        weak = await log_in(app)
        for _ in range(3):
            assert await who(weak) == '1'
    assert len([text for text in given if '32' in text]) == 1, given


def test_flaw_C9_nothing_that_has_to_be_installed_is_needed():
    for name in ('jwt', 'itsdangerous'):
        assert name not in sys.modules, name
    assert Session(secret_key=KEY).decode(Session(secret_key=KEY).encode({'a': 1})) == {'a': 1}


# --- D: tokens ---------------------------------------------------------------------------------------------------

async def test_flaw_D1_no_cookie_is_a_500():
    app = site()
    headers = ['{}', '[]', '5', 'null', '"s"', 'true', '', '{', '{"alg":"none"}', '{"alg":"HS512"}', '{"alg":null}',
               '{"alg":["HS256"]}', '{"alg":{}}', '{"alg":"HS256","typ":5}', '{"alg":"HS256","typ":null}',
               '{"alg":"HS256","typ":[]}', '{"alg":"HS256","crit":["x"]}', '{"alg":"HS256","b64":false}', '[[[[',
               '{"typ":"dl-session+jwt"}', '{"typ":"dl-session+jwt","alg":"HS256","alg":"HS256"}', b'\xff', b'\x00']
    for header in headers:
        for key in (KEY, OTHER_KEY):
            token = signed(header, '{"data":{"_user_id":1,"_fresh":true},"jti":"x","sub":1}', key)
            for name in ('session', '_remember'):
                for cookie in (token, token[:-43], token[:-43] + 'AAAA', token.split('.', 1)[1]):
                    res = await Client(app).get('/who', {'Cookie': name + '=' + cookie})
                    assert (res.status_code, res.text) == (200, 'None'), (header, name)


async def test_flaw_D1_thousands_of_mutated_cookies_are_nobody_and_no_500():
    app = site()
    browser = await log_in(app, 1, 30)
    session, remember = browser.value('session'), browser.value('_remember')
    fuzz = Fuzz(20261120)
    for i in range(1500):
        name, token = ('session', session) if i % 2 else ('_remember', remember)
        mutated = fuzz.mutate(token)
        if mutated.strip() == token:
            continue
        res = await Client(app).get('/who', [('Cookie', name + '=' + mutated)])
        assert res.status_code == 200 and res.text == 'None', (i, mutated)
    assert await who(browser) == '1'


class Fuzz:
    """The same mutations on every Python and every run."""
    ALPHABET = 'ABCYZabcyz0189-_.=+/ "%,~\t!{}[]:'

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 1103515245 + 12345) & 0x7fffffff
        return (self.state >> 8) % n

    def mutate(self, text):
        for _ in range(1 + self.below(3)):
            at, c = self.below(len(text)), self.ALPHABET[self.below(len(self.ALPHABET))]
            kind = self.below(6)
            if kind == 0:
                text = text[:at] + c + text[at + 1:]
            elif kind == 1:
                text = text[:at] + c + text[at:]
            elif kind == 2:
                text = text[:at] + text[at + 1 + self.below(4):]
            elif kind == 3:
                text = text[:at + 1]
            elif kind == 4:
                text = text[at:] + text[:at]
            else:
                parts = text.split('.')
                parts[self.below(len(parts))] = parts[self.below(len(parts))]
                text = '.'.join(parts)
            text = text or 'x'
        return text


async def test_flaw_D1_bytes_that_are_no_text_are_a_400_and_the_next_request_is_served():
    app = site()
    browser = await log_in(app)
    for raw in (b'\xff', b'session=\xff\xfe', b'_remember=\x80', b'session=\xc3', b'\xed\xa0\x80=x'):
        res = await Client(app).get('/who', [('Cookie', raw)])
        assert res.status_code in (200, 400) and res.text != '1', raw
        assert await who(browser) == '1'


def test_flaw_D3_a_token_has_one_spelling():
    ext = Session(secret_key=KEY)
    token = ext.encode({'a': 1})
    alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    accepted = [c for c in alphabet if ext.decode(token[:-1] + c) != {}]
    assert accepted == [token[-1]]
    for other in (token + '=', token + '\n', ' ' + token, token.replace('.', '.\n'), token + '!', token.replace('.',
                                                                                                                '=.')):
        assert ext.decode(other) == {}, other


# --- I: the server ------------------------------------------------------------------------------------------------

async def test_flaw_I6_cookies_of_the_built_in_tls_server_are_secure():
    app = site()
    app.ssl = object()
    res = await Client(app).post('/login', form='id=1&remember=5')
    assert len(res.cookies) == 2
    for line in res.cookies:
        name, _, attributes = parse_cookie(line)
        assert 'secure' in attributes and name.startswith('__Host-'), line


async def test_no_secret_is_printed_or_answered():
    given = []
    kept = portable.warn
    portable.warn = given.append
    try:
        app = site({1: User(1, password_hash='secret-hash')}, secret_key='short-secret')
        browser = await log_in(app, 1, 30)
        res = await browser.get('/private')
    finally:
        portable.warn = kept
    said = ' '.join(given) + res.text + repr(res.headers)
    for secret in ('short-secret', 'secret-hash', browser.value('session'), browser.value('_remember')):
        assert secret not in said
