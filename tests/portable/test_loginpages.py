"""The ready-made routes of a login, as a browser sees them: with our pages, with an app's own, and refused."""
import asyncio

from client import FORM, JSON, Client, make_app, raises
from clock import FakeClock
from microdot import Microdot, abort

from dotlatch import pages, passwords
from dotlatch.guard import Guard
from dotlatch.http import too_many, unavailable
from dotlatch.login import Login, LoginRefused
from dotlatch.loginpages import LoginPages
from dotlatch.session import with_session
from dotlatch.throttle import Throttle
from dotlatch.users import MemoryUsers

passwords.ITERATIONS = 2  # what a hash costs is tested elsewhere
PASSWORD = 'correct horse battery staple'
RIGHT = 'username=anna&password=' + PASSWORD.replace(' ', '+')
WRONG = 'username=anna&password=a+wrong+guess'


async def site(login_options=None, session_options=None, **options):
    """A site with pages for its login, one that needs it and one that needs it fresh."""
    app = make_app(**(session_options or {}))
    app.users = users = MemoryUsers()
    app.anna = await users.create('anna', PASSWORD)
    app.login = login = Login(users=users, **(login_options or {}))
    options.setdefault('title', 'Greenhouse')
    app.pages = LoginPages(app, login, **options)

    @app.get('/')
    @login
    async def index(request):
        return 'Hello, ' + request.g.current_user.name

    @app.route('/fresh', methods=['GET', 'POST'])
    @login.fresh
    async def fresh(request):
        return 'fresh'

    @app.get('/note')
    @with_session
    async def note(request, session):
        session.flash('<Remember> this')
        return 'ok'

    @app.route('/no/<int:status>', methods=['GET', 'POST'])
    async def no(request, status):
        if status == 429:
            too_many(request, 17)
        if status == 503:
            unavailable(request, OSError('a secret path'))
        abort(status, 'a reason')

    return app


async def visitor(form=RIGHT, **options):
    """A browser that has sent this form."""
    browser = Client(await site(**options))
    if form:
        res = await browser.post('/login', form=form)
        assert res.status_code == 302, res.text
    return browser


# --- the form ---------------------------------------------------------------------------------------

async def test_a_stranger_comes_to_the_form_and_back_to_where_he_was_going():
    browser = await visitor(None)
    form = (await browser.get('/?day=3')).headers['Location']
    page = await browser.get(form)
    assert page.status_code == 200 and '<title>Log in - Greenhouse</title>' in page.text
    res = await browser.post(form, form=RIGHT)
    assert (res.status_code, res.headers['Location']) == (302, '/?day=3')
    assert (await browser.get('/')).text == 'Hello, anna'


async def test_a_login_that_began_nowhere_goes_home_and_never_to_another_site():
    for url, options, expected in (('/login', {}, '/'), ('/login', {'home': '/start'}, '/start'),
                                   ('/login?next=//evil.example', {'home': '/start'}, '/start')):
        browser = await visitor(None, **options)
        assert (await browser.post(url, form=RIGHT)).headers['Location'] == expected


async def test_a_wrong_password_is_a_401_with_the_form_and_the_same_for_all():
    browser = await visitor(None)
    texts = []
    for fields in (WRONG, 'username=nobody&password=x', 'username=anna&password=', 'username=anna', 'username=', ''):
        res = await browser.post('/login?next=/', form=fields)
        assert res.status_code == 401 and not res.cookies, fields
        assert 'Cookie' in res.headers['WWW-Authenticate']
        assert 'role="alert">Name or password is wrong.<' in res.text and '<form method="post">' in res.text
        texts.append(res.text)
    assert len(set(texts)) == 1


async def test_what_was_typed_is_never_shown():
    browser = await visitor(None)
    for form in ('username=zebra&password=giraffe', 'username=%3Cb%3E&password=%22', RIGHT.replace('anna', 'zebra')):
        text = (await browser.post('/login?next=/giraffe', form=form)).text
        for typed in ('zebra', 'giraffe', '<b>', PASSWORD):
            assert typed not in text


async def test_malformed_forms_are_a_400_or_a_401_and_never_an_error():
    browser = await visitor(None)
    for headers, body in (({'Content-Type': JSON}, b'{"username": 5}'), ({'Content-Type': JSON}, b'[]'),
                          ({}, b'\xff\xfe'), ({'Content-Type': FORM}, b'username=%ff%zz'),
                          ({'Content-Type': 'multipart/form-data'}, b'x'), ({}, b'')):
        res = await browser.post('/login', headers, body)
        assert res.status_code in (400, 401), (body, res.status_code)


async def test_the_form_offers_to_be_remembered_unless_the_app_does_not():
    browser = await visitor(RIGHT + '&remember=on', remember=7)
    assert 'for 7 days' in (await browser.get('/login')).text
    browser.restart()
    assert (await browser.get('/')).text == 'Hello, anna'
    browser = await visitor(RIGHT + '&remember=on', remember=0)
    assert 'name="remember"' not in (await browser.get('/login')).text
    browser.restart()
    assert (await browser.get('/')).status_code == 302


async def test_guards_say_why_not():
    async def office_hours(request, user):
        raise LoginRefused('Come back <tomorrow>.')

    browser = await visitor(None, guards=[office_hours])
    res = await browser.post('/login', form=RIGHT)
    assert res.status_code == 401 and 'role="alert">Come back &lt;tomorrow&gt;.<' in res.text
    assert 'Come back' not in (await browser.post('/login', form=WRONG)).text


async def test_what_is_to_be_kept_survives_the_login():
    app = await site(keep=('cart',))

    @app.get('/cart')
    @with_session
    async def cart(request, session):
        session['cart'] = session['rest'] = session.get('cart', 0) + 1
        session.save()
        return str(session['cart'])

    browser = Client(app)
    assert (await browser.get('/cart')).text == '1'
    await browser.post('/login', form=RIGHT)
    assert (await browser.get('/cart')).text == '2'


async def test_logging_out_logs_out_and_comes_by_post_alone():
    browser = await visitor()
    assert (await browser.get('/logout')).status_code == 405
    assert (await browser.get('/')).text == 'Hello, anna'
    stolen = browser.copy()
    res = await browser.post('/logout')
    assert (res.status_code, res.headers['Location']) == (303, '/login')
    for who in (browser, stolen):
        assert (await who.get('/')).status_code == 302


async def test_addresses_are_the_apps_choice():
    app = await site({'login_url': '/door'}, logout_url='/door/out')
    browser = Client(app)
    assert 'href="/door/style.css"' in (await browser.get('/door')).text
    assert (await browser.get('/door/style.css')).headers['Content-Type'] == 'text/css; charset=UTF-8'
    await browser.post('/door', form=RIGHT)
    assert (await browser.get('/')).status_code == 200
    assert (await browser.post('/door/out')).headers['Location'] == '/door'
    assert (await browser.get('/login')).status_code == 404


async def test_a_guard_leaves_the_way_in_open():
    app = await site()
    Guard(app, app.login, exclude=['/login/*'])
    browser = Client(app)
    assert (await browser.get('/no/403')).headers['Location'].startswith('/login?next=')
    assert (await browser.get('/login')).status_code == 200
    assert (await browser.get('/login/style.css')).status_code == 200
    await browser.post('/login', form=RIGHT)
    assert (await browser.get('/no/403')).status_code == 403
    assert (await browser.post('/logout')).status_code == 303


async def test_without_users_there_are_no_pages():
    app = make_app()
    assert 'users' in str(raises(ValueError, LoginPages, app, Login()))


# --- headers ----------------------------------------------------------------------------------------

async def test_no_page_loads_anything_from_elsewhere_or_is_shown_in_a_frame_or_kept():
    browser = await visitor()
    for url in ('/login', '/login?again=1', '/no/403', '/no/429', '/no/503'):
        headers = (await browser.get(url)).headers
        policy = headers['Content-Security-Policy'].split('; ')
        for rule in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
            assert rule in policy, (url, rule)
        assert 'unsafe' not in headers['Content-Security-Policy']
        assert headers['Cache-Control'] == 'no-store' and headers['Content-Type'] == 'text/html; charset=UTF-8'
        assert headers['Referrer-Policy'] == 'same-origin'


async def test_the_style_sheet_is_kept_by_browsers():
    browser = await visitor(None)
    res = await browser.get('/login/style.css')
    assert res.status_code == 200 and 'max-age' in res.headers['Cache-Control'] and not res.cookies


async def test_an_app_adds_headers_of_its_own_to_its_pages_alone():
    one = Client(await site(headers={'X-Frame-Options': 'DENY', 'Referrer-Policy': 'strict-origin'}))
    other = Client(await site())
    headers = (await one.get('/login')).headers
    assert headers['X-Frame-Options'] == 'DENY' and headers['Referrer-Policy'] == 'strict-origin'
    assert 'X-Frame-Options' not in (await other.get('/login')).headers


# --- the password again -----------------------------------------------------------------------------

async def stale():
    """A browser whose password was typed two hours ago, and its clock."""
    clock = FakeClock()
    with clock:
        browser = await visitor()
    clock.advance(7200)
    return browser, clock


async def test_a_stale_visitor_types_the_password_and_comes_back():
    browser, clock = await stale()
    with clock:
        form = (await browser.get('/fresh?a=1')).headers['Location']
        page = (await browser.get(form)).text
        assert '<h1>Your password again</h1>' in page and '<b>anna</b>' in page and 'name="username"' not in page
        res = await browser.post(form, form='again=1&password=' + PASSWORD.replace(' ', '+'))
        assert (res.status_code, res.headers['Location']) == (302, '/fresh?a=1')
        assert (await browser.get('/fresh')).text == 'fresh'


async def test_a_wrong_password_leaves_him_where_he_is():
    browser, clock = await stale()
    with clock:
        res = await browser.post('/login?next=/fresh', form='again=1&password=x')
        assert res.status_code == 401 and '<h1>Your password again</h1>' in res.text and 'role="alert"' in res.text
        assert (await browser.get('/fresh')).status_code == 302
        assert (await browser.get('/')).text == 'Hello, anna'


async def test_a_form_that_was_lost_on_the_way_is_said_to_be():
    browser, clock = await stale()
    with clock:
        res = await browser.post('/fresh', {'Referer': 'http://device.lan/fresh'}, b'x=1')
        assert res.headers['Location'].endswith('again=lost')
        assert 'was not carried out' in (await browser.get(res.headers['Location'])).text
        assert 'was not carried out' not in (await browser.get('/login?next=/fresh')).text


async def test_who_is_not_logged_in_any_more_gets_the_whole_form_and_is_told():
    browser, clock = await stale()
    with clock:
        browser.app.users.end_sessions(browser.app.anna)
        res = await browser.post('/login?next=/fresh', form='again=1&password=' + PASSWORD.replace(' ', '+'))
        assert res.status_code == 401 and 'You are not logged in any more.' in res.text
        assert 'name="username"' in res.text
        assert 'name="username"' in (await browser.get('/login?again=lost')).text


async def test_without_a_name_nobody_is_logged_in():
    browser = await visitor(None)
    for url in ('/login', '/login?next=/fresh'):
        res = await browser.post(url, form='again=1&password=' + PASSWORD.replace(' ', '+'))
        assert res.status_code == 401
        assert (await browser.get('/')).status_code == 302


async def test_somebody_else_may_log_in_instead():
    browser, clock = await stale()
    with clock:
        await browser.app.users.create('bert', PASSWORD)
        assert 'name="username"' in (await browser.get('/login')).text
        await browser.post('/login', form=RIGHT.replace('anna', 'bert'))
        assert (await browser.get('/')).text == 'Hello, bert'


# --- refusals ---------------------------------------------------------------------------------------

async def test_who_guesses_gets_a_page_that_says_when_to_come_back():
    browser = await visitor(None, login_options={'throttle': Throttle(free=1)})
    with FakeClock() as clock:
        for _ in range(2):
            assert (await browser.post('/login', form=WRONG)).status_code == 401
        res = await browser.post('/login', form=RIGHT)
        assert res.status_code == 429 and res.headers['Retry-After'] == '1'
        assert '<h1>Not possible</h1>' in res.text and 'Try again in 1 second.' in res.text
        clock.advance(2)
        assert (await browser.post('/login', form=RIGHT)).status_code == 302


async def test_the_pages_of_a_mounted_app_are_where_the_login_sends_people():
    app = make_app()
    users = MemoryUsers()
    await users.create('anna', PASSWORD)
    login = Login(login_url='/people/login', users=users)
    people = Microdot()
    LoginPages(people, login, logout_url='/people/logout', home='/people/', url_prefix='/people')
    app.mount(people, url_prefix='/people')

    @app.get('/')
    @login
    async def index(request):
        return 'Hello, ' + request.g.current_user.name

    browser = Client(app)
    assert (await browser.get('/')).headers['Location'] == '/people/login?next=/'
    page = (await browser.get('/people/login')).text
    assert 'href="/people/login/style.css"' in page
    assert (await browser.get('/people/login/style.css')).status_code == 200
    assert (await browser.post('/people/login', form=RIGHT)).headers['Location'] == '/people/'
    assert (await browser.get('/')).text == 'Hello, anna'
    assert (await browser.post('/people/logout')).headers['Location'] == '/people/login'
    assert (await browser.get('/')).status_code == 302


async def test_a_url_that_the_mounted_app_cannot_have_is_an_error_at_the_start():
    login = Login(users=MemoryUsers())
    raises(ValueError, LoginPages, Microdot(), login, url_prefix='/people')


async def test_refusals_are_pages_for_people():
    browser = await visitor(None)
    for status, text in ((403, 'may not do this'), (429, 'Try again in 17 seconds.'), (503, 'Try again in 2 seconds.')):
        res = await browser.get('/no/%d' % status)
        assert res.status_code == status and text in res.text and 'Greenhouse</title>' in res.text
        assert 'secret' not in res.text
        assert res.headers.get('Retry-After') == {403: None, 429: '17', 503: '2'}[status]


async def test_programs_get_a_line_of_text():
    browser = await visitor(None)
    for status in (403, 429, 503):
        res = await browser.get('/no/%d' % status, {'Accept': JSON})
        assert res.status_code == status and '<' not in res.text and len(res.text) < 40


async def test_an_app_that_has_a_page_for_a_refusal_keeps_it():
    app = make_app()

    @app.errorhandler(403)
    async def mine(request):
        return 'mine', 403

    LoginPages(app, Login(users=MemoryUsers()))

    @app.errorhandler(429)
    async def mine_too(request):
        return 'mine too', 429

    @app.get('/no/<int:status>')
    async def no(request, status):
        abort(status)

    browser = Client(app)
    assert (await browser.get('/no/403')).text == 'mine'
    assert (await browser.get('/no/429')).text == 'mine too'


# --- messages ---------------------------------------------------------------------------------------

async def test_messages_that_wait_are_shown_once():
    browser = await visitor(None)
    await browser.get('/note')
    assert 'role="status">&lt;Remember&gt; this</p>' in (await browser.get('/login')).text
    assert 'role="status"' not in (await browser.get('/login')).text


# --- an app's own pages -----------------------------------------------------------------------------

def text_of(name, context):
    return '%s of %s%s' % (name, context['title'], ' with ' + context['problem'] if context.get('problem') else '')


def plain(name, **context):
    return text_of(name, context)


async def waiting(name, **context):
    await asyncio.sleep(0)
    return text_of(name, context)


async def at_once(name, **context):
    return text_of(name, context)


def generator(name, **context):
    for c in text_of(name, context):
        yield c


async def waits_for_a_generator(name, **context):
    await asyncio.sleep(0)
    return generator(name, **context)


class Pieces:
    """An async iterator, as Template.generate_async() returns one."""
    def __init__(self, text):
        self.text = text

    def __aiter__(self):
        return self

    async def __anext__(self):
        await asyncio.sleep(0)
        if not self.text:
            raise StopAsyncIteration
        piece, self.text = self.text[:5], self.text[5:]
        return piece


def asynchronous(name, **context):
    return Pieces(text_of(name, context))


RENDERS = (plain, waiting, at_once, generator, waits_for_a_generator, asynchronous,
           lambda name, **context: text_of(name, context))


async def test_an_app_renders_its_pages_in_whichever_way():
    for render in RENDERS:
        browser = await visitor(None, render=render)
        assert (await browser.get('/login')).text == 'login of Greenhouse', render
        res = await browser.post('/login', form=WRONG)
        assert (res.status_code, res.text) == (401, 'login of Greenhouse with Name or password is wrong.'), render
        res = await browser.get('/no/429')
        assert (res.status_code, res.text) == (429, 'refused of Greenhouse'), render
        assert res.headers['Content-Type'] == 'text/html; charset=UTF-8'


async def test_an_app_may_render_some_pages_and_leave_the_others():
    def render(name, **context):
        return 'mine' if name == 'login' else pages.render(name, **context)

    browser = await visitor(None, render=render)
    assert (await browser.get('/login')).text == 'mine'
    assert '<h1>Not possible</h1>' in (await browser.get('/no/403')).text


async def test_what_is_no_page_is_an_error_and_no_empty_page():
    for wrong in (None, 5, ['a'], {}):
        async def render(name, answer=wrong, **context):
            return answer
        browser = await visitor(None, render=render)
        assert (await browser.get('/login')).status_code == 500, wrong


async def test_a_render_that_fails_logs_nobody_in():
    def render(name, **context):
        raise ValueError('a template is missing')

    browser = await visitor(None, render=render)
    assert (await browser.post('/login', form=WRONG)).status_code == 500
    assert (await browser.get('/')).status_code == 302
    assert (await browser.post('/login', form=RIGHT)).status_code == 302


async def test_pages_are_given_what_they_are_documented_to_be_given():
    given = {}

    async def render(name, **context):
        given[name] = context
        return 'x'

    browser = await visitor(None, render=render, remember=9)
    await browser.get('/login?again=lost')
    assert given['login'] == {'title': 'Greenhouse', 'home': '/', 'style': '/login/style.css', 'login_url': '/login',
                              'logout_url': '/logout', 'remember': 9, 'lost': True, 'messages': []}
    await browser.post('/login', form=RIGHT)
    await browser.get('/login?again=1')
    assert given['confirm']['user'] == 'anna' and given['confirm']['lost'] is False
    await browser.get('/no/429')
    assert (given['refused']['status'], given['refused']['seconds']) == (429, 17)


class Tokens:
    """What stands for a CSRF."""
    def __init__(self, is_async):
        if is_async:
            self.token = self.token_later

    def token(self, request):
        return 'T-O-K'

    async def token_later(self, request):
        return 'T-O-K'


async def test_pages_carry_the_apps_form_token():
    for is_async in (False, True):
        browser = await visitor(None, csrf=Tokens(is_async))
        assert 'name="csrf_token" type="hidden" value="T-O-K"' in (await browser.get('/login')).text
