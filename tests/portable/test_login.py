"""Who is logged in, how one becomes so, and that it ends when it is said to end."""
import asyncio

from client import FORM, JSON, KEY, OTHER_KEY, Client, Warnings, bearer, make_app, parse_cookie, raises, shapes
from clock import START, UNSET, FakeClock
from microdot import Microdot, abort
from microdot.sse import with_sse
from microdot.test_client import TestClient as MicrodotClient
from microdot.websocket import with_websocket
from test_origin import LEAVES, STAYS

from dotlatch import http
from dotlatch.auth import TokenAuth
from dotlatch.guard import Guard
from dotlatch.login import Login
from dotlatch.origin import quote
from dotlatch.portable import MICROPYTHON
from dotlatch.session import Session, session_of, with_session

DAY = 86400
UPGRADE = {'Upgrade': 'websocket', 'Connection': 'Upgrade', 'Sec-WebSocket-Version': '13',
           'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ=='}


class User:
    def __init__(self, id, **properties):
        self.id = id
        self.name = str(id)
        for name in properties:
            setattr(self, name, properties[name])


def site(users=None, app=None, login=None, **options):
    """A site with a public and a private page, a fresh one, and ways in and out; ``users`` by id."""
    if app is None:
        app = make_app(**options)
    if login is None:
        login = Login()
    app.login = login
    app.users = {1: User(1), 2: User(2)} if users is None else users

    @login.user_loader
    async def load(user_id):
        return app.users.get(user_id)

    add_pages(app, login)
    return app


def add_pages(app, login):
    @app.get('/private')
    @login
    async def private(request):
        return 'private: ' + name_of(request.g.current_user)

    @app.get('/fresh')
    @login.fresh
    async def fresh(request):
        return 'fresh: ' + name_of(request.g.current_user)

    @app.get('/who')
    async def who(request):
        return name_of(await login.get_current_user(request))

    @app.get('/login')
    async def form(request):
        return 'please log in'

    @app.post('/login')
    async def do_login(request):
        fields = http.form(request)
        key = fields['id']
        user = app.users[int(key) if key.isdigit() else key]
        remember = fields.get('remember')
        days = int(remember) if remember and remember.isdigit() else bool(remember)
        return await login.login_user(request, user, remember=days)

    @app.get('/data')
    @with_session
    async def data(request, session):
        return {name: session[name] for name in session if not name.startswith('_')}

    @app.get('/put/<name>')
    @with_session
    async def put(request, session, name):
        session[name] = True
        session.save()
        return 'ok'

    @app.post('/a/b/logout')
    async def logout(request):
        await login.logout_user(request)
        return 'bye'


def name_of(user):
    if isinstance(user, dict):
        return user['name']
    return getattr(user, 'name', str(user))


async def log_in(app, id=1, remember=None, https=False):
    browser = Client(app, https)
    res = await browser.post('/login', form='id=%s%s' % (id, '&remember=%s' % remember if remember else ''))
    assert res.status_code == 302, res.text
    return browser


async def who(browser):
    return (await browser.get('/who')).text


# --- the surface of Microdot's ----------------------------------------------------------------------------

async def test_a_private_page_sends_a_visitor_to_the_form_and_back():
    browser = Client(site())
    res = await browser.get('/private')
    assert (res.status_code, res.headers['Location']) == (302, '/login?next=/private')
    res = await browser.post(res.headers['Location'], form='id=1')
    assert (res.status_code, res.headers['Location']) == (302, '/private')
    assert (await browser.get('/private')).text == 'private: 1'
    assert (await browser.get('/fresh')).text == 'fresh: 1'


async def test_without_next_the_visitor_goes_to_the_front_page_or_where_the_app_says():
    app = site()

    @app.post('/login2')
    async def login2(request):
        return await app.login.login_user(request, app.users[1], redirect_url='/dashboard')

    assert (await Client(app).post('/login', form='id=1')).headers['Location'] == '/'
    assert (await Client(app).post('/login2')).headers['Location'] == '/dashboard'
    assert (await Client(app).post('/login2?next=//evil.example')).headers['Location'] == '/dashboard'


async def test_the_form_may_be_anywhere():
    for url, expected in (('/in', '/in?next=/private'), ('/in?mode=x', '/in?mode=x&next=/private')):
        res = await Client(site(login=Login(url))).get('/private')
        assert res.headers['Location'] == expected


async def test_the_form_may_be_named_by_its_handler():
    for mounted in (False, True):
        app, pages, login = make_app(), Microdot(), Login(login_url='log_in')
        Guard(app, login, exclude='/open')

        @login.user_loader
        async def load_user(user_id):
            return user_id

        @pages.get('/person/<name>')
        async def person(request, name):
            return name

        @pages.route('/people/come', methods=['GET', 'POST'])
        async def log_in(request):
            return 'form'

        @app.get('/')
        async def index(request):
            return request.g.current_user

        if mounted:
            app.mount(pages, url_prefix='/sub')
        else:
            for route in pages.url_map:
                app.url_map.append(route)
        form = '/sub/people/come' if mounted else '/people/come'
        browser = Client(app)
        assert (await browser.get(form)).text == 'form'
        assert (await browser.get('/', {'Accept': 'text/html'})).headers['Location'] == form + '?next=/'
        assert (await browser.get('/person/anna')).status_code == 302
        challenge = (await browser.get('/', {'Accept': 'application/json'})).headers['WWW-Authenticate']
        assert 'form-action="%s"' % form in challenge


async def test_a_name_that_no_handler_has_is_said():
    app, login = make_app(), Login(login_url='log_in')

    @app.get('/log_in/<name>')
    async def log_in(request, name):  # its address is of many pages
        return name

    @app.get('/error')
    async def error(request):
        return str(raises(RuntimeError, login.form_url, request))

    assert (await Client(app).get('/error')).text.endswith(' log_in')


async def test_logging_out_logs_out():
    browser = await log_in(site())
    assert await who(browser) == '1'
    await browser.post('/a/b/logout')
    assert await who(browser) == 'None'
    assert (await browser.get('/private')).status_code == 302


async def test_logging_out_twice_or_never_logged_in_is_no_error():
    browser = Client(site())
    for _ in range(2):
        assert (await browser.post('/a/b/logout')).status_code == 200
    browser = await log_in(browser.app)
    for _ in range(2):
        assert (await browser.post('/a/b/logout')).status_code == 200


async def test_the_same_request_knows_who_has_come_and_gone():
    app = site()

    @app.get('/both')
    async def both(request):
        seen = [name_of(await app.login.get_current_user(request))]
        await app.login.login_user(request, app.users[2])
        seen.append(name_of(await app.login.get_current_user(request)) + name_of(request.g.current_user))
        await app.login.logout_user(request)
        seen.append(name_of(await app.login.get_current_user(request)) + name_of(request.g.current_user))
        return ' '.join(seen)

    browser = await log_in(app, 1)
    res = await browser.get('/both')
    assert res.text == '1 22 NoneNone'
    assert len([c for c in res.cookies if c.startswith('session=')]) == 1
    assert await who(browser) == 'None'


async def test_the_loader_may_be_of_any_kind():
    users = {1: User(1)}

    async def load(user_id):
        return users.get(user_id)

    for shape, f in shapes(load):
        app = site(users)
        app.login.user_loader(f)
        browser = await log_in(app)
        assert (await browser.get('/private')).text == 'private: 1', shape
        del users[1]
        assert (await browser.get('/private')).status_code == 302, shape
        users[1] = User(1)


async def test_a_plain_loader_and_plain_handlers_work():
    app = site()
    app.login.user_loader(lambda user_id: app.users.get(user_id))

    @app.get('/plain/<int:n>')
    @app.login
    def plain(request, n):
        return '%s %d' % (request.g.current_user.name, n)

    browser = await log_in(app)
    assert (await browser.get('/plain/7')).text == '1 7'


async def test_handlers_of_any_kind_get_their_arguments():
    async def handler(request, name, number=None):
        return '%s %s %s' % (request.g.current_user.name, name, number)

    for shape, f in shapes(handler):
        app = site()
        app.get('/x/<name>/<int:number>')(app.login(f))
        app.get('/y/<name>/<int:number>')(app.login.fresh(f))
        browser = await log_in(app)
        assert await browser.texts('/x/a/5', '/y/a/5') == ['1 a 5', '1 a 5'], shape


async def test_the_user_is_looked_up_once_in_a_request():
    app = site()
    calls = []

    @app.login.user_loader
    async def load(user_id):
        calls.append(user_id)
        return app.users.get(user_id)

    @app.get('/thrice')
    @app.login
    @app.login.fresh
    async def thrice(request):
        await app.login.get_current_user(request)
        return 'ok'

    browser = await log_in(app)
    await browser.get('/thrice')
    assert calls == [1]


async def test_a_whole_app_is_guarded_by_a_before_request_handler():
    for local in (False, True):
        app = site()
        sub = Microdot()

        @sub.before_request
        @app.login
        async def guard(request):
            return None

        @sub.get('/page')
        async def page(request):
            return 'page of ' + request.g.current_user.name

        if not local:  # its handlers are moved to the app, whose form would be locked too
            app = Microdot()
            Session(app, secret_key=KEY)
            app.mount(sub, '/sub')
            assert (await Client(app).get('/sub/page')).status_code == 302
            continue
        app.mount(sub, '/sub', local=True)
        assert (await Client(app).get('/sub/page')).headers['Location'] == '/login?next=/sub/page'
        browser = await log_in(app)
        assert (await browser.get('/sub/page')).text == 'page of 1'


async def test_logins_work_in_mounted_and_nested_apps():
    for local in (False, True):
        app, outer, inner = make_app(), Microdot(), Microdot()
        login = Login('/o/i/login')
        site(app=inner, login=login)
        outer.mount(inner, '/i', local=local)
        app.mount(outer, '/o', local=local)
        browser = Client(app)
        res = await browser.get('/o/i/private')
        assert res.headers['Location'] == '/o/i/login?next=/o/i/private', local
        await browser.post(res.headers['Location'], form='id=1&remember=1')
        assert (await browser.get('/o/i/private')).text == 'private: 1', local
        await browser.post('/o/i/a/b/logout')
        assert browser.names() == [], local


def test_decorators_give_back_what_they_decorate():
    async def load(user_id):
        """Find a user."""

    login = Login()
    assert login.user_loader(load) is load
    for wrapped in (login(load), login.fresh(load)):
        assert MICROPYTHON or (wrapped.__name__, wrapped.__doc__) == ('load', 'Find a user.')


async def test_what_is_missing_is_said():
    seen = []

    def watched(app):
        @app.errorhandler(RuntimeError)
        async def error(request, exc):
            seen.append(str(exc))
            return 'sorry', 500
        return app

    app = watched(site(app=Microdot()))
    assert (await Client(app).get('/private')).status_code == 500
    assert 'Session(app' in seen[-1]
    app = watched(site())
    app.login.user_loader_callback = None
    browser = await log_in(app)
    assert (await browser.get('/private')).status_code == 500
    assert 'user_loader' in seen[-1]


# --- users of every kind ------------------------------------------------------------------------------------

async def test_flaw_B8_users_of_every_kind_can_log_in():
    table = [('0', 0, User(0)), ('5', 5, User(5)), ('anna', 'anna', User('anna')), ('0', 0, {'id': 0, 'name': '0'}),
             ('7', 7, {'id': 7, 'name': '7'}), ('bob', 'bob', {'id': 'bob', 'name': 'bob'}), ('carl', 'carl', 'carl'),
             ('9', 9, 9), ('0', 0, 0), ('1099511627776', 2 ** 40, User(2 ** 40)), ('caf', 'caf\xe9', User('caf\xe9'))]
    for typed, id, user in table:
        for remember in ('', '3'):
            app = site({id: user})
            app.users['caf'] = user
            browser = await log_in(app, typed, remember)
            assert (await browser.get('/private')).text == 'private: ' + name_of(user), (id, remember)
            if remember:
                browser.restart()
                assert (await browser.get('/private')).text == 'private: ' + name_of(user), id


async def test_who_is_no_user_cannot_log_in():
    for user in (None, True, False, User(None), User(1.5), User(b'x'), User(True), {}, {'name': 'x'}, {'id': None},
                 1.5):
        app = site({1: user})
        browser = Client(app)
        await browser.get('/put/kept')
        res = await browser.post('/login', form='id=1')
        assert res.status_code == 500, user
        app.users = {1: User(1)}
        assert await who(browser) == 'None', user


async def test_a_user_who_is_not_active_cannot_log_in():
    for user in (User(1, is_active=False), {'id': 1, 'name': '1', 'is_active': False}):
        browser = Client(site({1: user}))
        res = await browser.post('/login', form='id=1&remember=1')
        assert res.status_code == 500 and res.cookies == []


async def test_S6_disabling_a_user_ends_the_sessions_and_enabling_brings_none_of_the_pages():
    app = site()
    browser = await log_in(app, 1, 30)
    app.users[1].is_active = False
    assert (await browser.get('/private')).status_code == 302
    browser.restart()
    assert (await browser.get('/private')).status_code == 302
    other = await log_in(app, 2)
    assert await who(other) == '2'


async def test_S6_a_user_who_is_gone_is_nobody():
    app = site()
    browser = await log_in(app, 1, 30)
    gone = app.users.pop(1)
    for _ in range(2):
        assert await who(browser) == 'None'
        browser.restart()
    assert gone.id == 1


async def test_S11_a_loader_that_fails_lets_nobody_in():
    app = site()
    browser = await log_in(app, 1, 30)

    @app.login.user_loader
    async def load(user_id):
        raise OSError('database down')

    for url in ('/private', '/fresh', '/who'):
        res = await browser.get(url)
        assert res.status_code == 503 and 'database' not in res.text, url


async def test_flaw_A2_what_a_loader_returns_is_a_user_or_nobody():
    for verdict in (True, (None, 'x'), ['anna'], 1.5, b'x', ValueError('x'), User):
        app = site()
        browser = await log_in(app, 1, 30)

        @app.login.user_loader
        async def load(user_id):
            return verdict  # noqa: B023

        for url in ('/private', '/fresh', '/who'):
            assert (await browser.get(url)).status_code == 500, (verdict, url)
    for verdict in (None, False, ''):
        app = site()
        browser = await log_in(app, 1, 30)
        app.login.user_loader(lambda user_id: verdict)  # noqa: B023
        assert (await browser.get('/private')).status_code == 302, verdict


# --- what a login does to the session -----------------------------------------------------------------------

async def test_S2_a_login_gives_a_new_session_and_ends_the_old_one():
    app = site()
    browser = Client(app)
    await browser.get('/put/cart')
    planted = browser.copy()
    await browser.post('/login', form='id=1')
    assert browser.value('session') != planted.value('session')
    assert (await browser.get('/data')).json == {}
    assert await who(planted) == 'None'
    assert (await planted.get('/data')).json == {}


async def test_S2_a_cookie_from_before_the_login_is_nobody_after_it():
    app = site()
    attacker = Client(app)
    await attacker.get('/put/x')
    victim = attacker.copy()
    await victim.post('/login', form='id=1')
    assert (await victim.get('/private')).text == 'private: 1'
    assert (await attacker.get('/private')).status_code == 302


async def test_S2_what_the_app_names_survives_the_login_and_nothing_else():
    app = site()

    @app.post('/keep')
    async def keep(request):
        return await app.login.login_user(request, app.users[1], keep=('cart', 'missing'))

    browser = Client(app)
    await browser.get('/put/cart')
    await browser.get('/put/role')
    await browser.post('/keep')
    assert (await browser.get('/data')).json == {'cart': True}
    assert await who(browser) == '1'


async def test_S2_another_user_on_the_same_browser_gets_nothing_of_the_first():
    app = site()
    browser = await log_in(app, 1)
    await browser.get('/put/secret')
    first = browser.copy()
    await browser.post('/login', form='id=2')
    assert await who(browser) == '2'
    assert (await browser.get('/data')).json == {}
    assert await who(first) == 'None'


async def test_S3_logout_ends_stolen_cookies_and_drops_the_data():
    for https in (False, True):
        app = site()
        browser = await log_in(app, 1, 30, https)
        await browser.get('/put/secret')
        thief = browser.copy()
        await browser.post('/a/b/logout')
        assert browser.names() == [], https
        for _ in range(2):
            assert await who(thief) == 'None', https
            assert (await thief.get('/data')).json == {}, https
            thief.restart()


async def test_S3_logout_holds_through_abort_and_errors():
    for ending in ('abort', 'error'):
        app = site()

        @app.get('/leave')
        @app.login
        async def leave(request):
            await app.login.logout_user(request)  # noqa: B023
            if ending == 'abort':  # noqa: B023
                abort(403)
            raise ArithmeticError('x')

        browser = await log_in(app, 1, 30)
        thief = browser.copy()
        await browser.get('/leave')
        assert browser.names() == [], ending
        assert await who(thief) == 'None', ending


async def test_S3_logout_on_one_browser_leaves_the_users_others():
    app = site()
    phone, desk = await log_in(app, 1, 30), await log_in(app, 1, 30)
    await phone.post('/a/b/logout')
    assert await who(desk) == '1'
    desk.restart()
    assert await who(desk) == '1'


async def test_S11_logout_wins_over_a_slow_page_that_saves_late():
    app = site()
    gate = asyncio.Event()

    @app.get('/slow')
    @app.login
    @with_session
    async def slow(request, session):
        await gate.wait()
        session['late'] = True
        session.save()
        return 'done'

    browser = await log_in(app)
    late = browser.copy()
    task = asyncio.create_task(late.get('/slow'))
    for _ in range(5):
        await asyncio.sleep(0)
    await browser.post('/a/b/logout')
    gate.set()
    assert (await task).text == 'done'
    assert await who(late) == 'None'


async def test_S11_logout_wins_over_a_page_that_is_just_remembering_the_visitor():
    for where in ('loader', 'handler'):
        app = site()
        gate, slow_loader = asyncio.Event(), [False]

        @app.login.user_loader
        async def load(user_id):
            if slow_loader[0]:  # noqa: B023
                slow_loader[0] = False  # noqa: B023
                await gate.wait()  # noqa: B023
            return app.users.get(user_id)  # noqa: B023

        @app.get('/slow')
        @app.login
        async def slow(request):
            await gate.wait()  # noqa: B023
            return 'done'

        browser = await log_in(app, 1, 30)
        late = browser.copy()
        late.restart()
        slow_loader[0] = where == 'loader'
        task = asyncio.create_task(late.get('/slow'))
        for _ in range(5):
            await asyncio.sleep(0)
        await browser.post('/a/b/logout')
        gate.set()
        await task
        assert await who(late) == 'None', where


# --- password changes -----------------------------------------------------------------------------------------

async def test_S6_a_new_password_ends_the_other_sessions_and_what_they_remember():
    table = [(User(1, password_hash='a'), 'password_hash', 'b'), (User(1, session_version=0), 'session_version', 1),
             (User(1, password_hash='a', session_version=0), 'session_version', 1)]
    for user, name, value in table:
        app = site({1: user})

        @app.post('/change')
        @app.login
        async def change(request):
            setattr(request.g.current_user, name, value)  # noqa: B023
            return await app.login.login_user(request, request.g.current_user)  # noqa: B023

        here, there = await log_in(app, 1, 30), await log_in(app, 1, 30)
        forgotten = there.copy()
        forgotten.restart()
        assert await who(there) == '1'
        await here.post('/change')
        assert await who(here) == '1', name
        for browser in (there, forgotten):
            for url in ('/private', '/fresh'):
                assert (await browser.get(url)).status_code == 302, (name, url)


async def test_S6_the_same_for_users_that_are_dictionaries():
    app = site({1: {'id': 1, 'name': '1', 'password_hash': 'a'}})
    browser = await log_in(app, 1, 30)
    assert await who(browser) == '1'
    app.users[1]['password_hash'] = 'b'
    assert await who(browser) == 'None'
    browser.restart()
    assert await who(browser) == 'None'


async def test_S6_a_user_who_gets_or_loses_a_password_is_not_who_logged_in():
    app = site({1: User(1)})
    browser = await log_in(app, 1, 30)
    app.users[1].password_hash = 'new'
    assert await who(browser) == 'None'
    browser = await log_in(app, 1, 30)
    del app.users[1].password_hash
    assert await who(browser) == 'None'


async def test_S6_an_id_that_was_given_away_again_opens_nothing():
    app = site({1: User(1, password_hash='a')})
    browser = await log_in(app, 1, 30)
    app.users[1] = User(1, password_hash='b')
    assert await who(browser) == 'None'


# --- remember me ------------------------------------------------------------------------------------------------

async def test_M2_remember_me_outlives_the_browsers_session():
    app = site()
    browser = await log_in(app, 1, 30)
    browser.restart()
    assert (await browser.get('/private')).text == 'private: 1'
    forgetful = await log_in(app, 1)
    forgetful.restart()
    assert (await forgetful.get('/private')).status_code == 302


async def test_M2_the_cookie_says_as_many_days_as_were_asked_for():
    for remember, days in (('yes', 30), ('5', 5), ('1', 1), ('365', 365)):
        res = await Client(site()).post('/login', form='id=1&remember=' + remember)
        cookie, = [c for c in res.cookies if c.startswith('_remember=')]
        assert parse_cookie(cookie)[2]['max-age'] == str(days * DAY), remember


async def test_M2_the_end_is_absolute_however_often_it_is_used():
    with FakeClock() as clock:
        browser = await log_in(site(), 1, 5)
        browser.restart()
        thief = browser.copy()
        for hour in range(0, 5 * 24, 8):
            browser.restart()
            assert await who(browser) == '1', hour
            clock.advance(8 * 3600)
        for each in (browser, thief):
            assert await who(each) == 'None'
            each.restart()
            assert await who(each) == 'None'


async def test_M2_a_session_that_was_remembered_ends_with_what_remembered_it():
    with FakeClock() as clock:
        browser = await log_in(site(), 1, 1)
        browser.restart()
        clock.advance(DAY - 10)
        assert await who(browser) == '1'
        clock.advance(11)
        assert await who(browser) == 'None'


async def test_M2_using_it_sets_no_new_remember_me_cookie():
    browser = await log_in(site(), 1, 5)
    browser.restart()
    res = await browser.get('/private')
    assert [parse_cookie(line)[0] for line in res.cookies] == ['session']


async def test_M2_who_is_remembered_is_not_fresh():
    app = site()
    browser = await log_in(app, 1, 30)
    assert (await browser.get('/fresh')).text == 'fresh: 1'
    browser.restart()
    for url in ('/fresh', '/private', '/fresh'):
        res = await browser.get(url)
        assert res.status_code == (200 if url == '/private' else 302), url
    await browser.post('/login', form='id=1')
    assert (await browser.get('/fresh')).text == 'fresh: 1'


async def test_M2_remember_me_is_not_fresh_beside_a_dead_fresh_session():
    app = site()
    first, second = await log_in(app, 1), await log_in(app, 2, 30)
    del app.users[1]
    cookies = 'session=%s; _remember=%s' % (first.value('session'), second.value('_remember'))
    opened = []

    @app.get('/fresh-ws')
    @app.login.fresh
    @with_websocket
    async def fresh_ws(request, ws):
        opened.append(request.g.current_user)

    await MicrodotClient(app).websocket('/fresh-ws', listener([]), {'Cookie': cookies})
    assert opened == []
    assert (await Client(app).get('/fresh', {'Cookie': cookies})).status_code == 302


async def test_S8_a_login_by_something_other_than_a_password_is_not_fresh():
    app, login = make_app(), Login()
    user = {'id': 'anna', 'password_hash': 'x'}

    @login.user_loader
    async def load_user(user_id):
        return user

    @app.get('/enter/<int:fresh>')
    async def enter(request, fresh):
        return await login.login_user(request, user, fresh=bool(fresh))

    @app.get('/state')
    @login
    async def state(request):
        return request.g.login_state

    @app.get('/fresh')
    @login.fresh
    async def asks_for_more(request):
        return 'fresh'

    browser = Client(app)
    assert await browser.texts('/enter/0', '/state') == ['', 'remembered']
    assert (await browser.get('/fresh', {'Accept': 'text/html'})).headers['Location'] == '/login?next=/fresh'
    assert await browser.texts('/enter/1', '/state', '/fresh') == ['', 'fresh', 'fresh']
    assert await browser.texts('/enter/0', '/state') == ['', 'fresh']  # what was proven stays so


async def test_M2_logout_ends_what_was_remembered():
    for https in (False, True):
        app = site()
        browser = await log_in(app, 1, 30, https)
        thief = browser.copy()
        browser.restart()
        await browser.get('/private')
        await browser.post('/a/b/logout')
        assert browser.names() == [], https
        thief.restart()
        assert await who(thief) == 'None', https


async def test_M2_logout_ends_every_session_that_was_made_of_what_was_remembered():
    app = site()
    browser = await log_in(app, 1, 30)
    thieves = [browser.copy()]
    for _ in range(3):
        browser.restart()
        await browser.get('/private')
        thieves.append(browser.copy())
    await browser.post('/a/b/logout')
    for i, thief in enumerate(thieves):
        assert await who(thief) == 'None', i


async def test_M2_logout_without_a_session_ends_what_was_remembered():
    app = site()
    browser = await log_in(app, 1, 30)
    browser.restart()
    thief = browser.copy()
    await browser.post('/a/b/logout')
    assert browser.names() == []
    assert await who(thief) == 'None'


async def test_M2_a_login_without_remember_me_ends_the_remembering_of_whoever_was_here_before():
    app = site()
    browser = await log_in(app, 1, 30)
    await browser.post('/login', form='id=2')
    assert await who(browser) == '2'
    browser.restart()
    assert await who(browser) == 'None'


async def test_M2_a_second_login_leaves_one_remember_me_cookie_of_the_second_user():
    app = site()
    browser = await log_in(app, 1, 30)
    old = browser.copy()
    old.restart()
    res = await browser.post('/login', form='id=2&remember=30')
    assert len([c for c in res.cookies if c.startswith('_remember=')]) == 1
    browser.restart()
    assert await who(browser) == '2'
    assert await who(old) == 'None'


async def test_M2_remember_me_works_and_ends_while_the_clock_is_not_set_and_afterwards():
    for then in (UNSET, START):
        with FakeClock(time=UNSET) as clock:
            app = site()
            browser = await log_in(app, 1, 1)
            browser.restart()
            assert await who(browser) == '1'
            if then != UNSET:
                clock.set(then)
            browser.restart()
            clock.advance(DAY - 10)
            assert await who(browser) == '1', then
            browser.restart()
            clock.advance(11)
            assert await who(browser) == 'None', then


async def test_C1_the_remember_me_cookie_is_as_well_guarded_as_the_sessions():
    for https in (False, True):
        for options in ({}, {'same_site': 'Strict'}, {'path': '/', 'max_age': 60}):
            app = site(cookie_options=options)
            with Warnings():
                res = await Client(app, https).post('/login', form='id=1&remember=5')
            assert len(res.cookies) == 2, res.cookies
            for line in res.cookies:
                name, _, attributes = parse_cookie(line)
                assert name.startswith('__Host-') is https, line
                assert 'httponly' in attributes and attributes['path'] == '/', line
                assert attributes['samesite'] == options.get('same_site', 'Lax'), line
                assert ('secure' in attributes) is https, line


async def test_C3_one_set_of_attributes_sets_and_clears_the_remember_me_cookie():
    for https in (False, True):
        app = site()
        browser = await log_in(app, 1, 5, https)
        set_by = {parse_cookie(line)[0]: parse_cookie(line)[2]
                  for line in (await browser.post('/login', form='id=1&remember=5')).cookies}
        cleared = {parse_cookie(line)[0]: parse_cookie(line)[2] for line in (await browser.post('/a/b/logout')).cookies}
        assert sorted(set_by) == sorted(cleared)
        for name in set_by:
            for attribute in ('path', 'httponly', 'secure', 'samesite', 'domain'):
                assert set_by[name].get(attribute) == cleared[name].get(attribute), (name, attribute)
            assert cleared[name]['max-age'] == '0'


async def test_C5_two_remember_me_cookies_are_nobody():
    app = site()
    a, b = await log_in(app, 1, 30), await log_in(app, 2, 30)
    a, b = a.value('_remember'), b.value('_remember')
    for junk in range(6):
        middle = ''.join(['_remember=j%d; ' % i for i in range(junk)])
        for first, last in ((a, b), (b, a)):
            header = '_remember=%s; %s_remember=%s' % (first, middle, last)
            assert (await Client(app).get('/who', {'Cookie': header})).text == 'None', junk
    assert (await Client(app).get('/who', {'Cookie': '_remember=junk; _remember=' + a})).text == '1'


async def test_C5_a_session_and_the_remember_me_of_another_are_one_user():
    app = site()
    a, b = await log_in(app, 1), await log_in(app, 2, 30)
    header = 'session=%s; _remember=%s' % (a.value('session'), b.value('_remember'))
    res = await Client(app).get('/private', {'Cookie': header})
    assert res.text == 'private: 1' and res.cookies == []


async def test_S14_remember_me_beside_a_full_session_does_not_lock_the_visitor_out():
    anna = User('anna.maria.mustermann@greenhouse.example', password_hash='a')
    app = site({anna.id: anna}, max_revoked=1000)  # a hundred logins in one second, each ending a session

    @app.get('/fill/<int:size>')
    @with_session
    async def fill(request, session, size):
        session['cart'] = 'x' * size
        session.save()
        return 'ok'

    @app.post('/keep')
    async def keep(request):
        return await app.login.login_user(request, anna, remember=True, keep=('cart',))

    together = []
    for size in range(900, 1200, 3):
        browser = Client(app)
        await browser.get('/fill/%d' % size)
        await browser.post('/keep')
        assert (await browser.get('/login')).status_code == 200, (size, len(browser.cookie_header('/')))
        together.append(len(browser.cookie_header('/')))
    assert max(together) > 1900


async def test_T7_session_and_remember_me_cookies_are_not_interchangeable():
    for https in (False, True):
        app = site()
        browser = await log_in(app, 1, 30, https)
        prefix = '__Host-' if https else ''
        session, remember = browser.value(prefix + 'session'), browser.value(prefix + '_remember')
        for name, token in (('session', remember), ('_remember', session)):
            res = await Client(app, https).get('/who', {'Cookie': prefix + name + '=' + token})
            assert (res.status_code, res.text) == (200, 'None'), (https, name)


async def test_T7_session_data_of_the_apps_own_is_no_login():
    app = site()

    @app.get('/own')
    @with_session
    async def own(request, session):
        session['user_id'] = session['sub'] = session['id'] = 1
        session['_fresh'] = True
        session.save()
        return 'ok'

    browser = Client(app)
    await browser.get('/own')
    assert await who(browser) == 'None'
    for name in ('session', '_remember'):
        assert (await Client(app).get('/who', {'Cookie': name + '=' + browser.value('session')})).text == 'None', name


async def test_T7_junk_in_place_of_remember_me_is_nobody_and_no_500():
    app = site()
    token = (await log_in(app, 1, 30)).value('_remember')
    junk = ['', 'x', '.', '..', 'e30.e30.AAAA', 'bnVsbA.e30.AAAA', 'NQ.e30.', token[:-1], token + 'A', token + '=',
            token.upper(), token[1:], '"' + token + '"', token.replace('.', '..'), 'a' * 1900]
    for value in junk:
        for extra in ('', 'session=e30.e30.AAAA; '):
            res = await Client(app).get('/who', {'Cookie': extra + '_remember=' + value})
            assert (res.status_code, res.text) == (200, 'None'), value
    res = await Client(app).get('/who', {'Cookie': '_remember=' + token})
    assert res.text == '1'


async def test_two_apps_with_names_of_their_own_share_a_host():
    one = site(name='s1', login=Login(remember_name='r1'))
    two = site(name='s2', login=Login(remember_name='r2'), secret_key=OTHER_KEY)
    browser = await log_in(one, 1, 30)
    browser.app = two
    await browser.post('/login', form='id=2&remember=30')
    assert await who(browser) == '2'
    browser.app = one
    assert await who(browser) == '1'
    browser.restart()
    assert await who(browser) == '1'
    await browser.post('/a/b/logout')
    browser.app = two
    assert await who(browser) == '2'
    browser.restart()
    assert await who(browser) == '2'


async def test_T9_logins_survive_a_key_rotation_that_gives_them_time():
    for remember in ('', 30):
        users = {1: User(1, password_hash='a')}
        browser = await log_in(site(users), 1, remember)
        browser.app = site(users, secret_key=[OTHER_KEY, KEY])
        assert await who(browser) == '1', remember
        await browser.get('/put/x')  # signed anew with the new key
        browser.app = site(users, secret_key=OTHER_KEY)
        assert await who(browser) == '1', remember


async def test_T9_a_login_under_a_key_that_was_removed_is_nobody():
    users = {1: User(1, password_hash='a')}
    browser = await log_in(site(users), 1, 30)
    browser.app = site(users, secret_key=OTHER_KEY)
    assert await who(browser) == 'None'
    browser.restart()
    assert await who(browser) == 'None'


# --- where a login leads: X6 -------------------------------------------------------------------------------------

def percent(text):
    return quote(text).replace('/', '%2F')


async def test_X6_next_stays_on_the_site():
    app = site()
    for target in LEAVES:
        if not isinstance(target, str):
            continue
        res = await Client(app).post('/login?next=' + percent(target), form='id=1')
        assert (res.status_code, res.headers['Location']) == (302, '/'), target
    for target, expected in STAYS:
        res = await Client(app).post('/login?next=' + percent(target), form='id=1')
        assert (res.status_code, res.headers['Location']) == (302, expected), target


async def test_X6_next_as_an_attacker_would_write_it():
    app = site()
    for written in ('//evil.example', '/\\evil.example', '/%5Cevil.example', '/%09/evil.example',
                    '%2F%2Fevil.example%2Fx',
                    '%2f%2fevil.example', '/%0A/evil.example', '/%0D/evil.example', '/%0D%0ALocation:%20//evil.example',
                    '%09//evil.example', '+//evil.example', '%20//evil.example', '%00//evil.example',
                    '/%00/evil.example',
                    '/+/evil.example', '/%20/evil.example', 'javascript:alert(1)', 'java%0ascript:alert(1)',
                    '%E2%80%A8//e',
                    '%EF%BB%BF//evil.example', '/%0b/evil.example', '\\\\evil.example', '%5c%5cevil.example'):
        for query in ('next=' + written, 'next=' + written + '&next=/', 'x=1&next=' + written, 'ne%78t=' + written):
            res = await Client(app).post('/login?' + query, form='id=1')
            assert res.status_code in (302, 400), query
            if res.status_code == 302:
                assert res.headers['Location'] == '/', query


async def test_X6_next_that_is_no_text_is_no_500():
    app = site()
    for written in ('%ff', '/%ff', '/%C0%AF/evil.example', '/%ED%A0%80', '%zz', '%', '/%', '/%1', '', '&', '=',
                    '/' + 'a' * 1900,
                    '/' + 'a' * 5000, '/' + '%E2%98%83' * 200):
        res = await Client(app).post('/login?next=' + written, form='id=1')
        assert res.status_code in (302, 400), written
        if res.status_code == 302:
            location = res.headers['Location']
            assert location[0] == '/' and location[1:2] not in ('/', '\\'), (written, location)
            for c in location:
                assert '!' <= c <= '~', (written, location)


async def test_X6_next_in_the_form_is_not_followed():
    res = await Client(site()).post('/login', form='id=1&next=/private')
    assert res.headers['Location'] == '/'


async def test_flaw_B7_the_visitor_comes_back_to_exactly_the_page_that_was_asked_for():
    for url in ('/private', '/private?q=%C3%A9+x', '/private?a=1&b=2&next=/c', '/private?x=%2B%20%26%3D%23',
                '/private?q=a+b',
                '/private?', '/private?q=%25', '/private?q=%2F%2Fe', '/private?a=b=c&&d', '/private?q=%e9t%c3%a9'):
        if '%e9' in url:
            continue  # no UTF-8: Microdot refuses it with a 400 before anybody sees it
        browser = Client(site())
        res = await browser.get(url)
        res = await browser.post(res.headers['Location'], form='id=1')
        assert res.headers['Location'] == url, url
        assert (await browser.get(url)).text == 'private: 1', url


async def test_the_way_to_the_form_is_never_longer_than_what_the_server_takes():
    for path, query in (('/private', '&a=1' * 450), ('/private', '/' * 1950), ('/private', '%C3%A9' * 300)):
        url = '%s?%s' % (path, query)
        browser = Client(site())
        assert len(url) < 2000
        there = (await browser.get(url)).headers['Location']
        assert there == '/login?next=/private', len(there)
        assert (await browser.get(there)).status_code == 200
        assert (await browser.post(there, form='id=1')).headers['Location'] == path
    res = await Client(site()).get('/private?' + 'a' * 1800)
    assert len(res.headers['Location']) > 1800


# --- who gets a redirect, and who a 401 ------------------------------------------------------------------------------

async def test_flaw_B10_programs_get_a_401_with_a_challenge_and_people_the_form():
    programs = [
        {'Accept': 'application/json'}, {'Content-Type': JSON}, {'X-Requested-With': 'XMLHttpRequest'},
        {'Accept': 'text/event-stream'}, UPGRADE, {'Accept': '*/*', 'Sec-Fetch-Mode': 'cors'},
        {'Sec-Fetch-Mode': 'websocket'},
    ]
    people = [{}, {'Accept': '*/*'}, {'Accept': 'text/html,*/*;q=0.8'},
              {'Accept': 'text/html', 'Sec-Fetch-Mode': 'navigate'}]
    for url in ('/private', '/fresh'):
        for headers in programs:
            res = await Client(site()).get(url, headers)
            assert res.status_code == 401, headers
            assert res.headers.get('WWW-Authenticate'), headers
            assert 'Location' not in res.headers, headers
            assert res.headers.get('Cache-Control') == 'no-store', headers
        for headers in people:
            res = await Client(site()).get(url, headers)
            assert (res.status_code, res.headers['Location']) == (302, '/login?next=' + url), headers


async def test_flaw_B10_programs_that_are_logged_in_get_their_answer():
    browser = await log_in(site())
    for headers in ({'Accept': 'application/json'}, {'X-Requested-With': 'XMLHttpRequest'}, {'Accept': '*/*'}):
        assert (await browser.get('/private', headers)).text == 'private: 1', headers


async def test_B1_the_challenge_names_the_form():
    for url in ('/login', '/in?mode=x&y=1'):
        res = await Client(site(login=Login(url))).get('/private', {'Accept': 'application/json'})
        assert 'form-action="%s"' % url in res.headers['WWW-Authenticate'], res.headers


async def test_an_error_page_of_the_apps_own_for_programs_keeps_the_challenge():
    app = site()

    @app.errorhandler(401)
    async def page(request):
        return {'error': 'login'}, 401

    res = await Client(app).get('/private', {'Accept': 'application/json'})
    assert (res.status_code, res.json) == (401, {'error': 'login'})
    assert res.headers.get('WWW-Authenticate')


async def test_R4_nothing_of_the_request_is_echoed_to_programs():
    res = await Client(site()).get('/private?CANARY', {'Accept': 'application/json', 'X-Requested-With': 'CANARY'})
    assert 'CANARY' not in res.text and 'CANARY' not in repr(res.headers)


def streaming(app):
    @app.get('/events')
    @app.login
    @with_sse
    async def events(request, sse):
        await sse.send({'user': request.g.current_user.name})

    return app


async def test_an_event_stream_is_for_who_is_logged_in():
    app = streaming(site())
    res = await Client(app).get('/events', {'Accept': 'text/event-stream'})
    assert res.status_code == 401 and res.headers.get('WWW-Authenticate')
    browser = await log_in(app)
    res = await browser.get('/events', {'Accept': 'text/event-stream'})
    assert res.status_code == 200 and b'"1"' in res.body


def sockets(app, opened):
    @app.get('/ws')
    @app.login
    @with_websocket
    async def ws(request, ws):
        opened.append('ws')
        await ws.send('hello ' + request.g.current_user.name)

    @app.get('/late')
    @with_websocket
    @app.login
    async def late(request, ws):
        opened.append('late')
        await ws.send('hello ' + request.g.current_user.name)

    return app


def listener(heard):
    def client():
        heard.append((yield 'ready'))
    return client


async def test_a_callback_answers_who_is_not_logged_in_and_websockets_too():
    app, login = make_app(), Login()
    answers = [('Members only', 403), 'come in by the door', None]

    @login.user_loader
    async def load_user(user_id):
        return None

    @login.errorhandler
    async def refused(request):
        return answers[0]

    @app.get('/')
    @login
    async def index(request):
        return 'in'

    page = {'Accept': 'text/html'}
    for status, text in ((403, 'Members only'), (401, 'come in by the door'), (401, '401 error')):
        for headers in (page, UPGRADE, {}):
            answer = await Client(app).get('/', headers)
            assert (answer.status_code, answer.text) == (status, text), headers
            assert ('WWW-Authenticate' in answer.headers) == (status == 401)
        del answers[0]


async def test_flaw_H3_a_websocket_is_refused_with_a_401_before_it_opens():
    opened = []
    app = sockets(site(), opened)
    res = await MicrodotClient(app).websocket('/ws', listener([]))
    assert res.status_code == 401
    assert res.headers.get('WWW-Authenticate')
    assert opened == []


async def test_a_websocket_opens_for_who_is_logged_in():
    for url in ('/ws', '/late'):
        for remembered in (False, True):
            opened, heard = [], []
            app = sockets(site(), opened)
            browser = await log_in(app, 1, 30)
            if remembered:
                browser.restart()
            await MicrodotClient(app).websocket(url, echoing(heard), {
                'Cookie': browser.cookie_header('/'), 'Origin': 'http://example.com:1234'})
            assert opened == [url[1:]], (url, remembered)


def echoing(heard):
    def client():
        data = yield 'ready'
        heard.append(data)
    return client


async def test_flaw_H4_a_websocket_that_was_opened_too_early_serves_nobody():
    opened = []
    app = sockets(site(), opened)
    await MicrodotClient(app).websocket('/late', listener([]))
    assert opened == []


async def test_logging_in_with_an_upgrade_header_is_no_500():
    app = site()
    browser = Client(app)
    headers = UPGRADE.copy()
    headers['Content-Type'] = FORM
    res = await browser.request('POST', '/login', headers, 'id=1&remember=5')
    assert res.status_code == 302
    assert await who(browser) == '1'


# --- with other schemes: B12 ----------------------------------------------------------------------------

def with_tokens():
    app = site()
    token = TokenAuth()

    @token.authenticate
    async def check(request, given):
        return User('token-user') if given == 'right' else None

    @app.get('/login-first')
    @app.login
    @token.optional
    async def login_first(request):
        return name_of(request.g.current_user)

    @app.get('/token-first')
    @token.optional
    @app.login
    async def token_first(request):
        return name_of(request.g.current_user)

    @app.get('/fresh-first')
    @app.login.fresh
    @token.optional
    async def fresh_first(request):
        return name_of(request.g.current_user)

    @app.get('/token-only')
    @token
    async def token_only(request):
        return name_of(request.g.current_user)

    return app


async def test_flaw_B12_a_session_is_enough_where_a_token_is_optional():
    browser = await log_in(with_tokens())
    for url in ('/login-first', '/token-first', '/fresh-first'):
        for headers in ({}, bearer('wrong'), {'Authorization': 'junk'}):
            assert (await browser.get(url, headers)).text == '1', (url, headers)


async def test_flaw_B12_a_token_is_no_login():
    app = with_tokens()
    for url in ('/login-first', '/token-first', '/fresh-first', '/private'):
        for headers in (bearer('right'), bearer('wrong'), {}):
            assert (await Client(app).get(url, headers)).status_code == 302, (url, headers)


async def test_flaw_B12_a_login_is_no_token():
    browser = await log_in(with_tokens())
    assert (await browser.get('/token-only')).status_code == 401
    assert (await browser.get('/token-only', bearer('right'))).text == 'token-user'


async def test_flaw_B12_both_at_once_is_one_of_the_two():
    browser = await log_in(with_tokens())
    for url in ('/login-first', '/token-first', '/fresh-first'):
        assert (await browser.get(url, bearer('right'))).text in ('1', 'token-user'), url


async def test_flaw_B12_what_a_handler_put_into_g_is_no_login():
    app = site()

    @app.before_request
    async def before(request):
        request.g.current_user = User('somebody')

    assert (await Client(app).get('/private')).status_code == 302
    browser = await log_in(app, 2)
    assert (await browser.get('/private')).text == 'private: 2'


# --- caches and leftovers -------------------------------------------------------------------------------

async def test_C7_pages_of_who_is_logged_in_stay_out_of_caches():
    browser = Client(site())
    for request in (browser.post('/login', form='id=1'), browser.get('/private'), browser.get('/fresh'),
                    browser.get('/who'), browser.post('/a/b/logout')):
        res = await request
        assert res.headers.get('Cache-Control') == 'no-store'
        assert 'Cookie' in res.headers.get('Vary', '')


async def test_C7_the_way_to_the_form_varies_by_cookie():
    res = await Client(site()).get('/private')
    assert 'Cookie' in res.headers.get('Vary', '')


async def test_a_response_has_one_cookie_of_a_name_whatever_happened():
    app = site()

    @app.get('/everything')
    async def everything(request):
        login = app.login
        await login.login_user(request, app.users[1], remember=True)
        session_of(request).get(request)['x'] = 1
        session_of(request).get(request).save()
        await login.logout_user(request)
        await login.login_user(request, app.users[2], remember=5)
        abort(403)

    browser = await log_in(app, 1, 30)
    res = await browser.get('/everything')
    names = sorted([parse_cookie(line)[0] for line in res.cookies])
    assert names == ['_remember', 'session'], res.cookies
    assert await who(browser) == '2'
    browser.restart()
    assert await who(browser) == '2'


async def test_many_users_at_once_are_never_mixed_up():
    users = {i: User(i) for i in range(20)}
    app = site(users)

    @app.get('/slow')
    @app.login
    async def slow(request):
        for _ in range(3):
            await asyncio.sleep(0)
        return request.g.current_user.name

    browsers = []
    for i in range(20):
        browsers.append(await log_in(app, i, 30 if i % 2 else None))
        if i % 2:
            browsers[-1].restart()
    for _ in range(2):
        answers = await asyncio.gather(*[browser.get('/slow') for browser in browsers])
        assert [answer.text for answer in answers] == [str(i) for i in range(20)]
