"""What can be put in: another codec, another way for tokens to travel; and key rotation, which both sides see."""
from client import JSON, KEY, OTHER_KEY, THIRD_KEY, Client, Warnings, bearer, make_app, raises
from clock import START, FakeClock

from dotlatch import tokens
from dotlatch.headers import HeaderTransport
from dotlatch.login import Login
from dotlatch.session import Session, with_session
from dotlatch.stores import MemoryStore


def find(user_id):
    return {'id': user_id, 'password_hash': 'x'}


def site(**options):
    app = make_app(**options)
    app.login = login = Login()

    @login.user_loader
    async def load(user_id):
        return find(user_id)

    @app.post('/login')
    @with_session
    async def log_in(request, session):
        await login.login_user(request, find('anna'))
        return {'token': session.token}

    @app.post('/logout')
    async def log_out(request):
        await login.logout_user(request)
        return 'bye'

    @app.get('/who')
    @login
    async def who(request):
        return request.g.current_user['id']

    @app.get('/save/<value>')
    @with_session
    async def save(request, session, value):
        session['value'] = value
        session.save()
        return 'saved'

    @app.get('/')
    @with_session
    async def index(request, session):
        return session.get('value', 'nothing')

    @app.get('/drop')
    @with_session
    async def drop(request, session):
        session.delete()
        return 'dropped'

    return app


# --- keys -------------------------------------------------------------------------------------------

async def test_T9_a_session_under_an_old_key_is_signed_anew_when_it_is_used():
    app = site()
    browser = Client(app)
    await browser.get('/save/kept')
    before = browser.value('session')
    app._session.secret_key = [OTHER_KEY, KEY]
    res = await browser.get('/')
    assert res.text == 'kept' and browser.value('session') != before
    app._session.secret_key = [OTHER_KEY]  # the old key has gone
    assert (await browser.get('/')).text == 'kept'
    thief = Client(app)
    thief.jar = {('session', '/'): (before, False, False)}
    assert (await thief.get('/')).text == 'nothing'


async def test_T9_a_session_under_the_newest_key_is_not_written_again():
    browser = Client(site(secret_key=[OTHER_KEY, KEY]))
    await browser.get('/save/kept')
    res = await browser.get('/')
    assert res.text == 'kept' and res.cookies == []


async def test_T9_signing_anew_keeps_id_and_end():
    with FakeClock(START) as clock:
        app = site(max_age=1000)
        browser = Client(app)
        await browser.get('/save/kept')
        before = tokens.decode(browser.value('session'), KEY, 'dl-session+jwt')
        app._session.secret_key = [OTHER_KEY, KEY]
        clock.advance(500)
        await browser.get('/')
        after = tokens.decode(browser.value('session'), OTHER_KEY, 'dl-session+jwt')
        assert after == before


async def test_T9_a_page_that_reads_keeps_what_its_handler_did_not_save():
    app = site()

    @app.get('/change')
    @with_session
    async def change(request, session):
        session['value'] = 'changed'
        return 'not saved'

    browser = Client(app)
    await browser.get('/save/kept')
    app._session.secret_key = [OTHER_KEY, KEY]
    await browser.get('/change')
    app._session.secret_key = OTHER_KEY
    assert (await browser.get('/')).text == 'kept'


async def test_T9_a_logout_under_an_old_key_ends_the_session_under_both():
    app = site()
    browser = Client(app)
    await browser.post('/login')
    old = browser.copy()
    app._session.secret_key = [OTHER_KEY, KEY]
    assert (await browser.get('/who')).text == 'anna'
    new = browser.copy()
    assert old.value('session') != new.value('session')
    await browser.post('/logout')
    assert (await old.get('/who')).status_code == 302
    assert (await new.get('/who')).status_code == 302


async def test_T9_a_login_survives_two_rotations():
    app = site()
    browser = Client(app)
    await browser.post('/login')
    for keys in ([OTHER_KEY, KEY], [THIRD_KEY, OTHER_KEY], THIRD_KEY):
        app._session.secret_key = keys
        assert (await browser.get('/who')).text == 'anna'


# --- another codec ----------------------------------------------------------------------------------

class Plain:
    """A codec that signs nothing: it shows what a codec is given and asked."""
    def __init__(self):
        self.kept = {}
        self.decoded = 0
        self.current = True

    def encode(self, claims):
        token = 'token-%d' % len(self.kept)
        self.kept[token] = claims.copy()
        return token

    def decode(self, token):
        self.decoded += 1
        if token not in self.kept:
            raise tokens.InvalidToken('unknown')
        return self.kept[token].copy()

    def is_current(self, token):
        return self.current


async def test_a_codec_of_the_app_makes_and_reads_the_tokens():
    codec = Plain()
    browser = Client(site(codec=codec))
    await browser.get('/save/kept')
    assert browser.value('session') == 'token-0' and codec.kept['token-0']['data'] == {'value': 'kept'}
    assert (await browser.get('/')).text == 'kept'
    assert (await Client(site(codec=codec)).get('/')).text == 'nothing'


async def test_a_codec_is_asked_once_for_a_token():
    codec = Plain()
    browser = Client(site(codec=codec))
    await browser.get('/save/kept')
    for _ in range(3):
        assert (await browser.get('/')).text == 'kept'
    assert codec.decoded == 1


async def test_S3_S4_sessions_of_any_codec_end():
    with FakeClock(START) as clock:
        codec = Plain()
        app = site(codec=codec, max_age=100)
        browser, other = Client(app), Client(app)
        await browser.get('/save/kept')
        await other.get('/save/kept')
        thief = browser.copy()
        await browser.get('/drop')
        assert (await thief.get('/')).text == 'nothing'
        assert (await other.get('/')).text == 'kept'
        clock.advance(100)
        assert (await other.get('/')).text == 'nothing'


async def test_S11_claims_that_are_no_sessions_are_no_session_whatever_the_codec_says():
    codec = Plain()
    app = site(codec=codec)
    good = {'jti': 'a', 'exp': 4102444800, 'data': {'value': 'kept'}}
    for wrong in ({'jti': None}, {'jti': 5}, {'exp': None}, {'exp': 'tomorrow'}, {'exp': []}, {'exp': 0},
                  {'data': None}, {'data': []}, {'data': 'text'}, {'iat': 'yesterday'}, {'nbf': 'never'}, {'seen': []}):
        claims = good.copy()
        claims.update(wrong)
        codec.kept = {'token-0': claims}
        browser = Client(app)
        res = await browser.get('/', {'Cookie': 'session=token-0'})
        expected = 'kept' if 'seen' in wrong else 'nothing'  # without an idle time nobody asks when it was used
        assert (res.status_code, res.text) == (200, expected), wrong
        app._session._kept._verified.clear()
    for missing in good:
        claims = good.copy()
        del claims[missing]
        codec.kept = {'token-0': claims}
        assert (await Client(app).get('/', {'Cookie': 'session=token-0'})).text == 'nothing', missing


async def test_a_codec_that_has_a_newer_key_gets_the_session_to_sign():
    codec = Plain()
    browser = Client(site(codec=codec))
    await browser.get('/save/kept')
    codec.current = False
    assert (await browser.get('/')).text == 'kept'
    assert browser.value('session') == 'token-1' and codec.kept['token-1']['data'] == {'value': 'kept'}


async def test_a_codec_without_keys_of_its_own_needs_no_is_current():
    codec = Plain()

    class Two:
        def encode(self, claims):
            return codec.encode(claims)

        def decode(self, token):
            return codec.decode(token)

    browser = Client(site(codec=Two()))
    await browser.get('/save/kept')
    assert (await browser.get('/')).text == 'kept'


def test_a_codec_beside_a_store_is_refused():
    assert 'codec' in str(raises(ValueError, Session, secret_key=KEY, store=MemoryStore(), codec=Plain()))


# --- the Authorization header -----------------------------------------------------------------------

async def test_a_session_travels_in_a_header():
    for store in (None, MemoryStore()):
        app = site(transport=HeaderTransport(), store=store)
        client = Client(app)
        res = await client.get('/save/kept')
        token = res.headers['Session-Token']
        assert res.cookies == [] and res.headers['Cache-Control'] == 'no-store'
        assert 'Authorization' in res.headers['Vary']
        assert (await client.get('/')).text == 'nothing'
        assert (await client.get('/', bearer(token))).text == 'kept'
        res = await client.get('/', bearer(token))
        assert 'Session-Token' not in res.headers


async def test_a_new_token_can_be_handed_out_in_the_body():
    for store in (None, MemoryStore()):
        client = Client(site(transport=HeaderTransport(), store=store))
        res = await client.post('/login')
        assert res.json['token'] and res.json['token'] == res.headers['Session-Token']
        assert (await client.get('/who', bearer(res.json['token']))).text == 'anna'


async def test_S3_a_logout_by_header_ends_the_token_and_says_so():
    for store in (None, MemoryStore()):
        client = Client(site(transport=HeaderTransport(), store=store))
        token = (await client.post('/login')).headers['Session-Token']
        res = await client.post('/logout', bearer(token))
        assert res.headers['Session-Token'] == ''
        assert (await client.get('/who', [('Accept', JSON)] + list(bearer(token).items()))).status_code == 401


async def test_a_cookie_is_nothing_where_tokens_travel_in_a_header():
    app = site(transport=HeaderTransport())
    token = (await Client(app).get('/save/kept')).headers['Session-Token']
    for name in ('session', 'Authorization', '__Host-session'):
        assert (await Client(app).get('/', {'Cookie': name + '=' + token})).text == 'nothing'
    assert (await Client(site()).get('/', bearer(token))).text == 'nothing'


async def test_the_scheme_and_the_header_can_be_chosen():
    app = site(transport=HeaderTransport('Greenhouse', 'X-Token'))
    client = Client(app)
    token = (await client.get('/save/kept')).headers['X-Token']
    for scheme in ('Greenhouse', 'greenhouse', 'GREENHOUSE'):
        assert (await client.get('/', {'Authorization': scheme + ' ' + token})).text == 'kept'
    for value in ('Bearer ' + token, token, 'Greenhouse' + token, 'Greenhouse', 'Greenhouse ', ''):
        assert (await client.get('/', {'Authorization': value})).text == 'nothing', value


async def test_a_refusal_names_the_scheme():
    res = await Client(site(transport=HeaderTransport('Greenhouse'))).get('/who', {'Accept': JSON})
    assert res.status_code == 401 and res.headers['WWW-Authenticate'] == 'Greenhouse realm="login"'


async def test_S14_a_token_that_no_header_line_carries_is_refused_when_it_is_saved():
    app = site(transport=HeaderTransport())

    @app.get('/big')
    @with_session
    async def big(request, session):
        session['value'] = 'x' * 1500
        try:
            session.save()
        except ValueError as error:
            return str(error)

    assert 'fit: keep less' in (await Client(app).get('/big')).text


async def test_malformed_authorization_is_an_anonymous_visitor():
    for store in (None, MemoryStore()):
        app = site(transport=HeaderTransport(), store=store)
        for value in ('Bearer', 'Bearer  ', 'Bearer .', 'Bearer a.b.c', 'Bearer ' + 'a' * 1900, 'Bearer \xe4',
                      'Bearer a b', 'Bearer ' + 'A' * 22 + '.' + 'A' * 22, 'Basic YTpi', ',', 'Bearer a, Bearer b'):
            res = await Client(app).get('/', {'Authorization': value})
            assert (res.status_code, res.text) == (200, 'nothing') or res.status_code == 400, (value, res.status_code)


async def test_no_warning_of_plain_http_cookies_where_there_are_none():
    with Warnings() as given:
        await Client(site(transport=HeaderTransport())).get('/save/kept')
        assert [text for text in given if 'cookies' in text] == []
