"""``@csrf.exempt`` and ``@csrf.protect`` hold in any order of decorators, in mounted apps and for WebSockets."""
from client import KEY, Client, Warnings, basic, bearer, make_app
from microdot import Microdot
from microdot.sse import with_sse
from microdot.websocket import with_websocket

from dotlatch.auth import BasicAuth, TokenAuth, any_of
from dotlatch.csrf import CSRF
from dotlatch.live import Live
from dotlatch.login import Login
from dotlatch.portable import wraps
from dotlatch.session import Session, with_session

EVIL = ('Origin', 'http://evil.lan')
OWN = ('Origin', 'http://device.lan')
HANDSHAKE = [('Connection', 'Upgrade'), ('Upgrade', 'websocket'), ('Sec-WebSocket-Version', '13'),
             ('Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==')]


class Site:
    """An app with sessions, logins and passwords; `asked` is what its handlers were called for."""
    def __init__(self, **options):
        self.app = make_app()
        self.csrf = CSRF(self.app, **options)
        self.login = Login()
        self.password = BasicAuth(allow_http=True)
        self.bearer = TokenAuth(allow_http=True)
        self.asked = []

        @self.login.user_loader
        async def load_user(user_id):
            return user_id

        @self.password.authenticate
        async def check(request, username, password):
            return username

        @self.bearer.authenticate
        async def check_token(request, token):
            return token

        @self.app.post('/login')
        async def log_in(request):
            return await self.login.login_user(request, 'anna')

    def guards(self):
        return [self.login, self.login.fresh, self.login.optional, self.password.optional,
                any_of(self.login, self.password), with_session, passed_on]

    async def handler(self, request, *args):
        self.asked.append(request.path)
        return 'done'

    async def browser(self):
        browser = Client(self.app)
        await browser.post('/login', [OWN])
        return browser


def passed_on(f):
    """An app's own decorator."""
    @wraps(f)
    async def wrapper(request, *args, **kwargs):
        return await f(request, *args, **kwargs)
    return wrapper


def hidden(f):
    """An app's own decorator, which does not say what it wraps."""
    async def wrapper(request, *args, **kwargs):
        return await f(request, *args, **kwargs)
    return wrapper


def stacked(mark, guards, place):
    """The decorators, the outermost first, with the mark at that place among them."""
    return guards[:place] + [mark] + guards[place:]


def decorated(f, decorators):
    for decorator in reversed(decorators):
        f = decorator(f)
    return f


def fresh_handler(site):
    """A function of its own, as each route of an app has."""
    async def handler(request, *args):
        return await site.handler(request, *args)
    return handler


# --- any order --------------------------------------------------------------------------------------

async def test_X1_protect_holds_above_and_below_every_decorator():
    site = Site(protect_all=False)
    orders = 0
    for guard in site.guards():
        for place in (0, 1):
            orders += 1
            handler = decorated(fresh_handler(site), stacked(site.csrf.protect, [guard], place))
            site.app.post('/%d' % orders)(handler)
    browser = await site.browser()
    for i in range(1, orders + 1):
        assert (await browser.post('/%d' % i, [EVIL])).status_code == 403, i
        assert (await browser.post('/%d' % i)).status_code == 403, i
    assert site.asked == []
    for i in range(1, orders + 1):
        assert (await browser.post('/%d' % i, [OWN])).status_code == 200, i
    assert len(site.asked) == orders


async def test_exempt_holds_above_and_below_every_decorator():
    site = Site()
    orders = 0
    for guard in site.guards():
        for place in (0, 1):
            orders += 1
            handler = decorated(fresh_handler(site), stacked(site.csrf.exempt, [guard], place))
            site.app.post('/%d' % orders)(handler)
    browser = await site.browser()
    for i in range(1, orders + 1):
        assert (await browser.post('/%d' % i, [EVIL])).status_code == 200, i
    assert len(site.asked) == orders


async def test_a_mark_in_the_middle_of_many_decorators_holds():
    for place in range(5):
        site = Site()
        guards = [site.login, passed_on, site.login.optional, with_session]
        site.app.post('/open')(decorated(fresh_handler(site), stacked(site.csrf.exempt, guards, place)))
        site.app.get('/closed')(decorated(fresh_handler(site), stacked(site.csrf.protect, guards, place)))
        browser = await site.browser()
        assert (await browser.post('/open', [EVIL])).status_code == 200, place
        assert (await browser.get('/closed', [EVIL])).status_code == 403, place
        assert (await browser.get('/closed', [OWN])).status_code == 200, place


async def test_what_is_not_marked_is_nobodys_exemption():
    site = Site()
    site.app.post('/before')(site.login(fresh_handler(site)))
    site.app.post('/hook')(site.login(site.csrf.exempt(fresh_handler(site))))
    site.app.post('/after')(site.login(fresh_handler(site)))
    left = site.csrf.exempt(fresh_handler(site))  # no route yet
    site.app.post('/next')(fresh_handler(site))
    browser = await site.browser()
    for path, expected in (('/before', 403), ('/hook', 200), ('/after', 403), ('/next', 403)):
        assert (await browser.post(path, [EVIL])).status_code == expected, path
    site.app.post('/late')(site.login(left))
    assert (await browser.post('/late', [EVIL])).status_code == 200


async def test_X1_a_function_with_two_routes_is_exempt_on_the_marked_one_only():
    site = Site()
    handler = fresh_handler(site)
    site.app.post('/before')(site.login(handler))
    site.app.post('/hook')(site.login(site.csrf.exempt(handler)))
    site.app.post('/after')(site.login(handler))
    site.app.post('/bare')(handler)
    browser = await site.browser()
    for path, expected in (('/before', 403), ('/hook', 200), ('/after', 403), ('/bare', 403)):
        assert (await browser.post(path, [EVIL])).status_code == expected, path


async def test_X1_protect_holds_when_nobody_keeps_what_it_returns():
    site = Site(protect_all=False)
    handler = fresh_handler(site)
    site.csrf.protect(handler)
    site.app.get('/data')(site.login(handler))
    browser = await site.browser()
    assert (await browser.get('/data', [EVIL])).status_code == 403
    assert (await browser.get('/data', [OWN])).status_code == 200


async def test_X1_protect_holds_below_a_decorator_that_hides_it():
    site = Site(protect_all=False)
    site.app.post('/a')(hidden(site.csrf.protect(fresh_handler(site))))
    site.app.get('/b')(site.login(hidden(site.csrf.protect(fresh_handler(site)))))
    browser = await site.browser()
    assert (await browser.post('/a', [EVIL])).status_code == 403
    assert (await browser.get('/b', [EVIL])).status_code == 403
    assert site.asked == []
    assert (await browser.post('/a', [OWN])).status_code == 200
    assert (await browser.get('/b', [OWN])).status_code == 200


async def test_exempt_below_a_decorator_that_hides_it_is_told():
    site = Site()
    site.app.post('/seen')(site.csrf.exempt(fresh_handler(site)))
    site.app.post('/hidden')(hidden(site.csrf.exempt(fresh_handler(site))))
    browser = await site.browser()
    with Warnings() as given:
        assert (await browser.post('/hidden', [EVIL])).status_code == 403
        assert (await browser.post('/hidden', [EVIL])).status_code == 403
    assert len(given) == 1 and '@csrf.exempt' in given[0]


async def test_nothing_is_told_where_all_is_seen():
    site = Site()
    site.app.post('/seen')(site.login(site.csrf.exempt(fresh_handler(site))))
    browser = await site.browser()
    with Warnings() as given:
        assert (await browser.post('/login', [EVIL])).status_code == 403
    assert given == []


async def test_X1_protect_counts_when_a_route_is_exempt_as_well():
    site = Site()
    site.app.post('/a')(site.csrf.exempt(site.csrf.protect(fresh_handler(site))))
    site.app.post('/b')(site.csrf.protect(site.csrf.exempt(fresh_handler(site))))
    browser = await site.browser()
    for path in ('/a', '/b'):
        assert (await browser.post(path, [EVIL])).status_code == 403, path
        assert (await browser.post(path, [OWN])).status_code == 200, path


async def test_a_plain_function_and_a_method_can_be_marked():
    site = Site()
    calls = []

    class Device:
        def switch(self, request):
            calls.append('switch')
            return 'done'

        def off(self, request):
            calls.append('off')
            return 'done'

        async def reset(self, request):
            calls.append('reset')
            return 'done'

    device = Device()

    @site.app.post('/plain')
    @site.csrf.exempt
    def plain(request):
        calls.append('plain')
        return 'done'

    site.app.post('/switch')(site.csrf.exempt(device.switch))
    site.app.get('/reset')(site.csrf.protect(device.reset))
    site.app.get('/off')(site.csrf.protect(device.off))
    browser = await site.browser()
    assert (await browser.post('/plain', [EVIL])).text == 'done'
    assert (await browser.post('/switch', [EVIL])).text == 'done'
    assert (await browser.get('/reset', [EVIL])).status_code == 403
    assert (await browser.get('/reset', [OWN])).text == 'done'
    assert (await browser.get('/off', [OWN])).text == 'done'
    assert calls == ['plain', 'switch', 'reset', 'off']


async def test_a_handler_gets_its_arguments_through_protect():
    site = Site()

    @site.app.post('/<name>/<int:level>')
    @site.csrf.protect
    @with_session
    async def set_level(request, session, name, level):
        return '%s %d' % (name, level)

    assert (await Client(site.app).post('/pump/3', [OWN])).text == 'pump 3'


async def test_marks_of_one_csrf_are_nothing_to_another():
    one, two = Site(), Site()
    handler = one.csrf.exempt(fresh_handler(one))
    one.app.post('/x')(handler)
    two.app.post('/x')(handler)
    assert (await Client(one.app).post('/x', [EVIL])).status_code == 200
    assert (await Client(two.app).post('/x', [EVIL])).status_code == 403


# --- a protected GET --------------------------------------------------------------------------------

async def test_a_protected_get_is_checked_like_a_post():
    site = Site(protect_all=False)
    site.app.get('/data')(site.csrf.protect(fresh_handler(site)))
    browser = await site.browser()
    for headers, expected in (([OWN], 200), ([EVIL], 403), ([], 403), ([('Sec-Fetch-Site', 'same-origin')], 200),
                              ([('Sec-Fetch-Site', 'cross-site')], 403), ([('Origin', 'null')], 403)):
        assert (await browser.get('/data', headers)).status_code == expected, headers
        assert (await browser.request('HEAD', '/data', headers)).status_code == expected, headers
    assert (await Client(site.app).get('/data')).status_code == 200
    assert (await browser.get('/data', list(basic('a', 'b').items()))).status_code == 200


# --- mounted apps -----------------------------------------------------------------------------------

async def test_X1_apps_that_are_mounted_in_one_another_are_protected():
    for local in (False, True):
        site = Site()
        outer, inner = Microdot(), Microdot()
        inner.post('/pay')(site.login(fresh_handler(site)))
        inner.post('/hook')(site.login(site.csrf.exempt(fresh_handler(site))))
        inner.get('/data')(site.login(site.csrf.protect(fresh_handler(site))))
        outer.post('/pay')(fresh_handler(site))
        outer.mount(inner, '/inner', local=local)
        site.app.mount(outer, '/outer', local=local)
        browser = await site.browser()
        for path in ('/outer/pay', '/outer/inner/pay'):
            assert (await browser.post(path, [EVIL])).status_code == 403, path
            assert (await browser.post(path, [OWN])).status_code == 200, path
        assert (await browser.post('/outer/inner/hook', [EVIL])).status_code == 200
        assert (await browser.get('/outer/inner/data', [EVIL])).status_code == 403


async def test_X1_an_app_that_is_mounted_cannot_be_the_protected_one():
    for local in (False, True):
        app, part = Microdot(), Microdot()
        Session(app, secret_key=KEY)
        CSRF(part)

        @part.post('/pay')
        async def pay(request):
            return 'paid'

        app.mount(part, '/part', local=local)
        for headers in ([OWN], [EVIL], []):
            assert (await Client(app).post('/part/pay', headers)).status_code == 500


# --- WebSockets -------------------------------------------------------------------------------------

def sockets(site, mark):
    """Routes for WebSockets with the mark at each place among their decorators, and who opened one."""
    opened = []
    guards = [site.login, with_websocket, Live()]
    for place in range(len(guards) + 1):
        async def talk(request, ws):
            opened.append(request.path)
        site.app.get('/%d' % place)(decorated(talk, stacked(mark, guards, place)))
    return opened


async def test_X5_a_websocket_of_another_site_is_refused_with_protect_at_any_place():
    site = Site(protect_all=False)
    opened = sockets(site, site.csrf.protect)
    browser = await site.browser()
    for place in range(4):
        for headers in ([EVIL], [], [('Origin', 'null')]):
            answer = await browser.get('/%d' % place, HANDSHAKE + headers)
            assert answer.status_code == 403, (place, headers)
    assert opened == []
    for place in range(4):
        await browser.get('/%d' % place, HANDSHAKE + [OWN])
    assert len(opened) == 4


async def test_a_websocket_is_exempt_with_the_mark_at_any_place():
    site = Site()
    opened = sockets(site, site.csrf.exempt)
    browser = await site.browser()
    for place in range(4):
        await browser.get('/%d' % place, HANDSHAKE + [EVIL])
    assert len(opened) == 4


async def test_X5_a_route_without_a_mark_or_a_guard_opens_for_no_other_site_with_the_cookie():
    site = Site()
    opened = []

    @site.app.get('/ws')
    @with_websocket
    async def talk(request, ws):
        opened.append('ws')

    browser = await site.browser()
    assert (await browser.get('/ws', HANDSHAKE + [EVIL])).status_code == 403
    assert opened == []
    await browser.get('/ws', HANDSHAKE + [OWN])
    await Client(site.app).get('/ws', HANDSHAKE + list(bearer('x').items()))
    assert len(opened) == 2


async def test_X5_an_exempt_handshake_still_has_to_be_one():
    site = Site()
    site.app.get('/ws')(site.csrf.exempt(site.login(fresh_handler(site))))
    browser = await site.browser()
    assert (await browser.get('/ws', HANDSHAKE[:2] + [EVIL])).status_code == 426
    assert (await browser.get('/ws', HANDSHAKE[:3] + [EVIL])).status_code == 400


async def test_event_streams_are_marked_at_any_place():
    for place in range(3):
        site = Site(protect_all=False)
        guards = [site.login, with_sse]
        site.app.get('/sse')(decorated(fresh_handler(site), stacked(site.csrf.protect, guards, place)))
        browser = await site.browser()
        assert (await browser.get('/sse', [EVIL])).status_code == 403
        assert site.asked == []
        assert (await browser.get('/sse', [OWN])).status_code == 200
