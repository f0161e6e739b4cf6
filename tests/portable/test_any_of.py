"""Several ways to prove a name on one route: the first that holds, the same user and scopes, one refusal for all."""
from client import Client, Warnings, basic, bearer, make_app, raises, shapes
from microdot import Microdot, abort

from dotlatch.auth import BasicAuth, TokenAuth, any_of, authenticate
from dotlatch.digest import DigestAuth
from dotlatch.login import Login
from dotlatch.protect import Protector, scopes_of

PAGE = {'Accept': 'text/html'}
JSON = {'Accept': 'application/json'}


class User:
    def __init__(self, id, scopes):
        self.id = self.name = id
        self.scopes = scopes


USERS = {'anna': User('anna', ('pump', 'log')), 'ben': User('ben', ())}


class Setting:
    """An app where a session, a Basic pair, a token and a key of its own all lead to the same users."""
    def __init__(self, order='login token basic'):
        self.app = make_app()
        self.asked = []
        self.login, self.basic = Login(), BasicAuth(realm='B', allow_http=True)
        self.token = TokenAuth(realm='T', allow_http=True)
        self.key = TokenAuth(header='X-API-Key', scheme='APIKey', realm='K', allow_http=True)
        self.digest = DigestAuth(realm='D')
        self.login.user_loader(self.load)
        self.basic.authenticate(self.check)
        self.token.authenticate(self.check_token)
        self.key.authenticate(self.check_token)
        self.digest.authenticate(self.find)
        self.auth = any_of(*[getattr(self, name) for name in order.split()])

        @self.app.get('/enter/<name>')
        async def enter(request, name):
            return await self.login.login_user(request, USERS[name])

        self.app.get('/')(self.auth(self.say))
        self.app.get('/pump')(self.auth.requires('pump')(self.say))
        self.app.get('/both')(self.auth.requires('pump', 'log')(self.say))
        self.app.get('/any')(self.auth.requires_any('log', 'audit')(self.say))
        self.app.get('/audit')(self.auth.requires('pump', 'audit')(self.say))
        self.app.get('/maybe')(self.auth.optional(self.say))

    async def say(self, request):
        user = request.g.current_user
        return 'nobody' if user is None else '%s: %s' % (user.name, ' '.join(scopes_of(request)))

    async def load(self, user_id):
        return USERS.get(user_id)

    async def check(self, request, username, password):
        self.asked.append('basic')
        return USERS.get(username) if password == 'right' else None

    async def check_token(self, request, token):
        self.asked.append('token')
        return USERS.get(token)

    async def find(self, request, username):
        self.asked.append('digest')

    async def entered(self, name='anna'):
        browser = Client(self.app)
        await browser.get('/enter/' + name)
        return browser

    async def answer(self, path, headers=None):
        return await Client(self.app).get(path, headers)


async def test_the_same_user_and_scopes_whichever_way():
    it = Setting('login token basic key')
    for browser, headers in ((await it.entered(), {}), (Client(it.app), basic('anna', 'right')),
                             (Client(it.app), bearer('anna')), (Client(it.app), {'X-API-Key': 'anna'})):
        for path in ('/', '/pump', '/both', '/any', '/maybe'):
            res = await browser.get(path, headers)
            assert (res.status_code, res.text) == (200, 'anna: pump log'), (path, headers)
        assert (await browser.get('/audit', headers)).status_code == 403, headers
    for browser, headers in ((await it.entered('ben'), {}), (Client(it.app), basic('ben', 'right')),
                             (Client(it.app), bearer('ben')), (Client(it.app), {'X-API-Key': 'ben'})):
        for path, expected in (('/', 200), ('/maybe', 200), ('/pump', 403), ('/both', 403), ('/any', 403)):
            assert (await browser.get(path, headers)).status_code == expected, (path, headers)


async def test_the_first_that_finds_a_user_has_it():
    it = Setting('login token basic key')
    browser = await it.entered('anna')
    given = basic('ben', 'right')
    given['X-API-Key'] = 'ben'
    assert (await browser.get('/', given)).text.startswith('anna') and it.asked == []
    assert (await it.answer('/', given)).text.startswith('ben') and it.asked == ['basic']
    given.update(basic('ben', 'wrong'))
    del it.asked[:]
    assert (await it.answer('/', given)).text.startswith('ben') and it.asked == ['basic', 'token']
    other = Setting('key basic')
    assert (await other.answer('/', given)).text.startswith('ben') and other.asked == ['token']


async def test_B1_a_401_names_every_way_in_the_order_that_was_given():
    ways = {'basic': 'Basic realm="B"', 'token': 'Bearer realm="T"', 'key': 'APIKey realm="K"', 'login': 'Cookie ',
            'digest': 'Digest realm="D"'}
    for order in ('login token basic digest key', 'basic token', 'key digest', 'token login', 'digest basic'):
        for path in ('/', '/pump', '/any'):
            res = await Setting(order).answer(path, JSON)
            challenges = res.headers['WWW-Authenticate']
            assert res.status_code == 401 and isinstance(challenges, list), order
            assert len(challenges) == len(order.split())
            for name, challenge in zip(order.split(), challenges):
                assert challenge.startswith(ways[name]), (order, challenges)
    assert (await Setting('basic').answer('/')).headers['WWW-Authenticate'].startswith('Basic ')


async def test_one_any_of_within_another_is_the_same_as_one():
    it = Setting()
    auth = any_of(any_of(it.login, it.token), any_of(it.basic))
    it.app.get('/nested')(auth.requires('pump')(it.say))
    res = await it.answer('/nested', JSON)
    assert res.status_code == 401 and len(res.headers['WWW-Authenticate']) == 3
    for headers in (basic('anna', 'right'), bearer('anna')):
        assert (await it.answer('/nested', headers)).status_code == 200
    assert (await (await it.entered()).get('/nested')).status_code == 200
    assert 'insufficient_scope' in (await it.answer('/nested', bearer('ben'))).headers['WWW-Authenticate']


async def test_wrong_credentials_of_one_kind_do_not_keep_out_who_has_others():
    it = Setting('login token basic key')
    for wrong in (basic('anna', 'wrong'), bearer('x'), {'Authorization': 'junk'}, {'Authorization': 'Basic %'}):
        given = wrong.copy()
        given.update(JSON)
        assert (await it.answer('/', given)).status_code == 401, wrong
        given['X-API-Key'] = 'anna'
        assert (await it.answer('/', given)).status_code == 200, wrong
        assert (await (await it.entered()).get('/', wrong)).status_code == 200, wrong


# --- refusals ---------------------------------------------------------------------------------------------

async def test_people_go_to_the_form_and_programs_get_a_401():
    it = Setting()
    res = await it.answer('/pump', PAGE)
    assert (res.status_code, res.headers['Location']) == (302, '/login?next=/pump')
    for headers in (JSON, {'X-Requested-With': 'x'}, {'Sec-Fetch-Mode': 'cors', 'Accept': '*/*'},
                    {'Accept': 'text/event-stream'}, {'Upgrade': 'websocket'}):
        assert (await it.answer('/pump', headers)).status_code == 401, headers
    for wrong in (basic('anna', 'wrong'), bearer('x')):  # curl and the like take any type
        assert (await it.answer('/pump', wrong)).status_code == 401, wrong
    assert (await Setting('token basic').answer('/', PAGE)).status_code == 401


async def test_a_session_that_ended_leads_a_person_to_the_form():
    it = Setting()
    browser = await it.entered()
    stale = {'Cookie': 'session=' + browser.value('session')[:-4] + 'AAAA'}
    stale.update(PAGE)
    assert (await it.answer('/', stale)).headers['Location'] == '/login?next=/'
    stale.update(JSON)
    assert (await it.answer('/', stale)).status_code == 401


async def test_an_errorhandler_of_any_kind_answers_with_all_challenges():
    async def page(request):
        return {'error': 'log in'}

    for shape, handler in shapes(page):
        it = Setting('token basic')
        assert it.auth.errorhandler(handler) is handler
        res = await it.answer('/')
        assert (res.status_code, res.json) == (401, {'error': 'log in'}), shape
        assert len(res.headers['WWW-Authenticate']) == 2, shape


async def test_an_errorhandler_may_choose_its_status_and_abort():
    async def gone(request):
        return 'gone', 404

    async def teapot(request):
        abort(418)

    for handler, expected in ((gone, 404), (teapot, 418)):
        it = Setting('token basic')
        it.auth.errorhandler(handler)
        res = await it.answer('/')
        assert res.status_code == expected and 'WWW-Authenticate' not in res.headers


async def test_the_apps_page_for_a_401_and_a_403_carry_the_challenges():
    it = Setting('token basic')

    @it.app.errorhandler(401)
    async def page(request):
        return 'who?', 401

    @it.app.errorhandler(403)
    async def other_page(request):
        return 'no!', 403

    res = await it.answer('/')
    assert res.text == 'who?' and len(res.headers['WWW-Authenticate']) == 2
    res = await it.answer('/audit', bearer('anna'))
    assert res.text == 'no!' and 'insufficient_scope' in res.headers['WWW-Authenticate']


async def test_R3_a_403_is_in_the_words_of_the_way_that_was_taken():
    it = Setting('login token basic key')
    res = await it.answer('/audit', bearer('anna'))
    assert res.status_code == 403
    assert res.headers['WWW-Authenticate'] == 'Bearer realm="T", error="insufficient_scope", scope="pump audit"'
    for browser, headers in ((await it.entered(), {}), (Client(it.app), basic('anna', 'right'))):
        res = await browser.get('/audit', headers)
        assert res.status_code == 403 and 'WWW-Authenticate' not in res.headers


async def test_R3_another_ways_scopes_are_not_taken_for_this_ones():
    """Found by Basic first, and then asked for a token: the refusal is the token's."""
    it = Setting('key basic')
    it.app.get('/twice')(it.auth(it.token.requires('audit')(it.say)))
    headers = bearer('anna')
    headers['X-API-Key'] = 'anna'
    res = await it.answer('/twice', headers)
    assert res.status_code == 403 and res.headers['WWW-Authenticate'].startswith('Bearer realm="T", error="insuff')


async def test_C7_answers_vary_by_every_header_that_was_looked_at():
    for headers, looked_at in ((JSON, ('Cookie', 'Authorization', 'X-API-Key')),
                               ({'X-API-Key': 'anna'}, ('Cookie', 'Authorization', 'X-API-Key')),
                               (bearer('anna'), ('Cookie', 'Authorization'))):
        res = await Setting('login token basic key').answer('/', headers)
        for name in looked_at:
            assert name in res.headers['Vary'], (name, headers)
        assert res.headers['Cache-Control'] == 'no-store', headers


async def test_one_way_that_cannot_be_asked_opens_nothing():
    it = Setting('token basic')

    async def broken(request, token):
        raise OSError('database')

    it.token.authenticate(broken)
    assert (await it.answer('/', bearer('anna'))).status_code == 503
    assert (await it.answer('/', basic('anna', 'right'))).status_code == 200


# --- where it stands --------------------------------------------------------------------------------------

async def test_it_guards_in_nested_apps():
    for local in (False, True):
        it = Setting('token basic')
        outer, inner = Microdot(), Microdot()
        inner.get('/x')(it.auth.requires('pump')(it.say))
        outer.mount(inner, '/inner', local=local)
        it.app.mount(outer, '/outer', local=local)
        assert (await it.answer('/outer/inner/x')).status_code == 401, local
        assert (await it.answer('/outer/inner/x', bearer('ben'))).status_code == 403, local
        assert (await it.answer('/outer/inner/x', bearer('anna'))).text == 'anna: pump log', local


async def test_it_may_guard_a_whole_app():
    it = Setting('token basic')

    @it.app.before_request
    @it.auth
    async def guard(request):
        return None

    assert (await it.answer('/maybe')).status_code == 401
    assert (await it.answer('/maybe', bearer('anna'))).status_code == 200


async def test_B6_plain_http_is_refused_for_the_ways_that_say_so():
    it = Setting('token basic')
    it.basic.allow_http = False
    assert (await it.answer('/', basic('anna', 'right'))).status_code == 403
    assert (await it.answer('/', bearer('anna'))).status_code == 200
    with Warnings() as given:
        it.token.allow_http = None
        await it.answer('/', bearer('anna'))
    assert len(given) == 1


# --- authenticate(request, [...]) -------------------------------------------------------------------------

async def test_a_handler_may_ask_by_itself():
    it = Setting('token basic')

    @it.app.get('/ask')
    async def ask(request):
        user = await authenticate(request, [it.token, it.basic])
        assert user is request.g.current_user
        return 'nobody' if user is None else user.name

    @it.app.get('/ask-none')
    async def ask_none(request):
        return await authenticate(request, [])

    for headers, expected in (({}, 'nobody'), (bearer('anna'), 'anna'), (basic('ben', 'right'), 'ben'),
                              (basic('ben', 'wrong'), 'nobody'), (bearer('x'), 'nobody')):
        res = await it.answer('/ask', headers)
        assert (res.status_code, res.text) == (200, expected), headers
    assert (await it.answer('/ask-none', bearer('anna'))).status_code == 500


def test_what_is_no_authenticator_is_refused_at_the_start():
    raises(ValueError, any_of)
    for wrong in (BasicAuth, 'basic', None, [BasicAuth()], (BasicAuth(), TokenAuth()), object(), any_of):
        raises(TypeError, any_of, wrong)
        raises(TypeError, any_of, BasicAuth(), wrong)


async def test_an_authenticator_of_ones_own_is_one_of_them():
    class ByBadge(Protector):
        async def identify(self, request):
            return USERS.get(request.headers.get('X-Badge'))

        def challenge(self, request):
            return 'Badge'

    it = Setting('token basic')
    it.app.get('/badge')(any_of(it.token, ByBadge()).requires('pump')(it.say))
    assert (await it.answer('/badge')).headers['WWW-Authenticate'] == ['Bearer realm="T"', 'Badge']
    assert (await it.answer('/badge', {'X-Badge': 'anna'})).text == 'anna: pump log'
    assert (await it.answer('/badge', {'X-Badge': 'ben'})).status_code == 403
