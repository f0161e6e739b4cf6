"""A device without an owner: what it serves, who becomes the owner, and how it forgets one."""
import asyncio
import os
import sys

from client import FORM, JSON, Client, Warnings, raises
from clock import FakeClock
from disk import _System, exists, held, put, remove
from microdot import Microdot
from test_flash import LOST, REFUSED, FatMedium, Medium
from test_patience import Visitor, connect, end, settle

from dotlatch import claim, claimcode, claimreset, files, passwords, sameorigin
from dotlatch.apikeys import FileKeys
from dotlatch.auth import APIKeyAuth
from dotlatch.claim import Claim
from dotlatch.claimreset import reset
from dotlatch.csrf import CSRF
from dotlatch.events import Events
from dotlatch.guard import Guard
from dotlatch.login import Login
from dotlatch.loginpages import LoginPages
from dotlatch.patience import Patience
from dotlatch.portable import MICROPYTHON
from dotlatch.session import Session, with_session
from dotlatch.stores import FileStore
from dotlatch.throttle import Throttle
from dotlatch.users import FileUsers

passwords.ITERATIONS = 2  # what a hash costs is tested elsewhere
PASSWORD = 'seven green bottles'
OTHER_PASSWORD = 'eight green bottles'
KEPT = ('users.json', 'users.json.copy', 'secret.key', 'secret.key.claim', 'revoked.json', 'throttle.bin', 'keys.json',
        'keys.json.copy')
PROGRAM = {'Accept': JSON}
LETTERS = '0123456789abcdefghjkmnpqrstvwxyz'


def new(*others):
    """The flash of a device on which nothing was ever kept."""
    remove(*KEPT)
    remove(*others)


def boot(folder='', throttle=None, events=None, check_password=None, store=None, app=None, **options):
    """A program that starts on the device, as the docs have it; ``codes`` is what its console shows."""
    app = app or Microdot()
    app.users = users = FileUsers(folder + 'users.json', check_password=check_password, events=events)
    is_new = not len(users)
    Session(app, files.load_or_create(folder + 'secret.key'), revoked_path=folder + 'revoked.json', store=store)
    app.login = login = Login(users=users, throttle=throttle or Throttle(max_entries=8), events=events)
    app.site = site = LoginPages(app, login, title='Greenhouse')
    app.codes = []
    options.setdefault('tell', app.codes.append)
    if is_new:
        app.shut = Claim(site, folder + 'secret.key', **options)
    app.seen = []

    @app.before_request
    async def see(request):
        app.seen.append(request.path)

    @app.get('/')
    @login
    async def index(request):
        return 'Hello, ' + request.g.current_user.name

    @app.get('/open')
    async def unlocked(request):
        return 'open'

    @app.route('/settings', methods=['GET', 'POST', 'PUT', 'DELETE'])
    async def settings(request):
        return 'settings'

    @app.get('/static/<path:path>')
    async def static(request, path):
        return 'file ' + path

    @app.get('/visits')
    @with_session
    async def visits(request, session):
        session['n'] = session.get('n', 0) + 1
        session.save()
        return str(session['n'])

    inner = Microdot()

    @inner.get('/deep')
    async def deep(request):
        return 'deep'

    @inner.errorhandler(404)
    async def lost(request):
        return 'lost', 404

    outer = Microdot()
    outer.mount(inner, '/inner')
    app.mount(outer, '/sub', local=True)
    return app


def fields(code, name='anna', password=PASSWORD, again=None):
    form = 'username=%s&password=%s&again=%s' % (name, password.replace(' ', '+'),
                                                 (password if again is None else again).replace(' ', '+'))
    return form if code is None else 'code=%s&%s' % (code, form)


async def claimed(app, **options):
    """The browser of who has claimed the device."""
    browser = Client(app)
    res = await browser.post('/claim', form=fields(app.codes[-1], **options))
    assert (res.status_code, res.headers.get('Location')) == (302, '/'), res.text
    return browser


async def statuses(app, form, times):
    """What so many visitors are answered who send this form."""
    answered = []
    for _ in range(times):
        answered.append((await Client(app).post('/claim', form=form)).status_code)
    return answered


async def crawl(app, headers=None):
    """The answers to all methods at all addresses that the app knows, and at some that it does not."""
    visitor = Client(app)
    answers = {}
    known = [('/' + pattern.url_pattern.lstrip('/')).replace('<path:path>', 'a/b.html')
             for _, pattern, _, _, _ in app.url_map]
    for path in known + ['/nowhere', '/static/../users.json', '/sub/inner/nowhere', '/Claim', '/claim/', '//claim',
                         '/favicon.ico', '/%63laim']:
        for method in ('GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD'):
            res = await visitor.request(method, path, headers)
            answers[(method, path)] = res
    assert visitor.jar == {}
    return answers


# --- V1: nothing but the page -------------------------------------------------------------------------

async def test_V1_a_device_without_an_owner_has_nothing_but_its_claim_page():
    new()
    app = boot()
    answers = await crawl(app)
    assert len(answers) > 90
    for (method, path), res in answers.items():
        if path == '/login/style.css':
            continue
        assert (res.status_code, res.headers['Location']) == (302, '/claim'), (method, path)
        assert not res.body and res.headers['Cache-Control'] == 'no-store', (method, path)
    assert app.seen == []
    res = await Client(app).get('/claim')
    assert res.status_code == 200 and 'name="code"' in res.text and 'Greenhouse' in res.text
    assert 'no-store' in res.headers['Cache-Control']
    assert (await Client(app).get('/login/style.css')).headers['Content-Type'].startswith('text/css')


async def test_V1_programs_are_told_and_not_sent():
    new()
    app = boot()
    for headers in (PROGRAM, {'X-Requested-With': 'XMLHttpRequest'}, {'Sec-Fetch-Mode': 'cors'},
                    {'Accept': 'text/event-stream'}, {'Upgrade': 'websocket', 'Connection': 'Upgrade'}):
        for (method, path), res in (await crawl(app, headers)).items():
            if path != '/login/style.css':
                assert res.status_code == 503, (method, path, headers)
                assert 'Location' not in res.headers, (method, path, headers)
    assert app.seen == []


async def test_V1_there_is_no_default_account():
    new()
    app = boot()
    assert len(app.users) == 0
    for name in ('admin', 'root', 'anna', ''):
        res = await Client(app).post('/login', form='username=%s&password=%s' % (name, name))
        assert (res.status_code, res.headers['Location']) == (302, '/claim')
    assert not exists('users.json')


async def test_V1_the_claim_page_has_no_other_methods():
    new()
    app = boot()
    assert (await Client(app).request('PUT', '/claim')).status_code == 405
    assert (await Client(app).request('DELETE', '/claim')).status_code == 405
    assert (await Client(app).request('HEAD', '/claim')).status_code == 200


async def test_V1_a_guard_of_the_whole_app_is_no_obstacle_and_no_way_round():
    new()
    app = boot()
    Guard(app, app.login)
    CSRF(app)
    assert (await Client(app).get('/claim')).status_code == 200
    assert (await Client(app).get('/open')).headers['Location'] == '/claim'
    browser = await claimed(app)
    assert (await browser.get('/open')).text == 'open'
    assert (await Client(app).get('/open')).headers['Location'] == '/login?next=/open'


async def test_V1_once_there_is_an_owner_the_app_is_as_it_was_written():
    new()
    app = boot()
    browser = await claimed(app)
    assert await browser.texts('/', '/open', '/static/a/b.html', '/sub/inner/deep', '/visits') == [
        'Hello, anna', 'open', 'file a/b.html', 'deep', '1']
    assert (await Client(app).get('/')).headers['Location'] == '/login?next=/'
    assert (await Client(app).get('/sub/inner/nowhere')).status_code == 404
    assert (await Client(app).get('/', PROGRAM)).status_code == 401


async def test_V1_users_that_cannot_be_read_are_a_503_and_no_claim():
    new()
    app = boot()

    class Broken:
        def __len__(self):
            raise OSError(5)

        async def create(self, *args):
            raise AssertionError('nobody asked')

    code = app.codes[0]
    for path in ('/', '/claim'):
        broken = boot()
        broken.shut.users = Broken()
        assert (await Client(broken).get(path)).status_code == 503
        assert (await Client(broken).post('/claim', form=fields(code))).status_code == 503


async def test_V1_a_damaged_file_of_users_is_no_device_without_an_owner():
    new()
    put('users.json', b'{"users":[]')
    raises(ValueError, boot)
    new()


async def test_V1_a_handler_for_after_requests_is_spared_what_no_handler_before_has_seen():
    new()
    app = boot()

    @app.after_request
    @app.after_error_request
    async def measure(request, response):
        response.headers['X-Seen'] = str(app.seen.count(request.path))
        assert request.path in app.seen

    visitor = Client(app)
    for answer in (await visitor.get('/claim'), await visitor.get('/open'),
                   await visitor.request('PUT', '/claim'), await visitor.post('/claim', form=fields('wrong')),
                   await visitor.post('/claim', form=fields(app.codes[0]))):
        assert answer.status_code in (200, 302, 403, 405) and 'X-Seen' not in answer.headers
    assert (await visitor.get('/open')).headers['X-Seen'] == '1'


async def test_V1_what_else_is_put_around_the_app_stays_there_before_and_after():
    for is_first in (True, False):
        new()
        seen = []
        app = Microdot() if is_first else boot()
        inner = app.dispatch_request

        async def watch(request, seen=seen, inner=inner):
            seen.append(request.path)
            return await inner(request)

        app.dispatch_request = watch
        if is_first:
            app = boot(app=app)
        browser = await claimed(app)
        assert (await browser.get('/')).text == 'Hello, anna'
        assert seen == ['/claim', '/'], is_first


async def test_H2_a_claim_takes_the_time_it_takes_and_a_claim_that_does_not_come_has_an_end():
    for is_first in (True, False):
        new()
        gate = asyncio.Event()

        async def button(gate=gate):
            await gate.wait()
            return True

        with FakeClock() as clock:
            app = Microdot()
            if is_first:
                patience = Patience(app, seconds=10, most=4)
            app = boot(app=app, button=button)
            if not is_first:
                patience = Patience(app, seconds=10, most=4)
            form = fields(app.codes[0]).encode()
            head = b'POST /claim HTTP/1.1\r\nHost: d\r\nContent-Type: ' + FORM.encode() + b'\r\nContent-Length: '
            owner = Visitor(head + str(len(form)).encode() + b'\r\n\r\n' + form)
            tasks = await connect(app, owner, Visitor(head + b'9\r\n\r\ncode'))
            tasks += await connect(app, *[Visitor() for _ in range(6)])
            clock.advance(20)
            patience.check()
            await settle()
            assert not owner.closed, is_first
            gate.set()
            await tasks[0]
        assert owner.answer.startswith(b'HTTP/1.0 302') and len(app.users) == 1, is_first
        later = Visitor(b'GET /wait HTTP/1.1\r\n\r\n')

        @app.get('/wait')
        async def wait(request):
            await asyncio.sleep(3600)

        with FakeClock() as clock:
            tasks += await connect(app, later)
            clock.advance(20)
            patience.check()
            await settle()
            assert not later.closed, is_first  # a handler at work, after the claim as before
        await end(tasks)


async def test_V1_a_site_that_is_mounted_shuts_the_main_app():
    new()
    main, people = Microdot(), Microdot()
    users = FileUsers('users.json')
    Session(main, files.load_or_create('secret.key'))
    login = Login(login_url='/people/login', users=users)
    site = LoginPages(people, login, home='/open', logout_url='/people/logout', url_prefix='/people')
    main.mount(people, url_prefix='/people')
    raises(ValueError, Claim, site, 'secret.key')
    codes = []
    Claim(site, 'secret.key', tell=codes.append, app=main)

    @main.get('/open')
    async def unlocked(request):
        return 'open'

    visitor = Client(main)
    for path in ('/open', '/people/login', '/people/nowhere'):
        assert (await visitor.get(path)).headers['Location'] == '/claim', path
    assert (await visitor.get('/people/login/style.css')).status_code == 200
    res = await visitor.post('/claim', form=fields(codes[0]))
    assert (res.status_code, res.headers['Location']) == (302, '/open')
    assert (await visitor.get('/open')).text == 'open'


async def test_V1_an_app_that_is_mounted_after_that_is_shut_as_well():
    for local in (True, False):
        new()
        app, main = boot(), Microdot()
        main.mount(app, url_prefix='/device', local=local)
        # Microdot asks the handlers of the innermost app, and those that are not local to theirs.
        for path in ('/open', '/login', '/settings') + (() if local else ('/sub/inner/deep',)):
            for method in ('GET', 'POST'):
                res = await Client(main).request(method, '/device' + path)
                assert res.status_code in (503, 405), (method, path, local)
        assert app.seen == []


async def test_V1_a_key_that_the_session_does_not_have_from_its_file_is_an_error():
    new()
    app = Microdot()
    Session(app, 'a key of an environment, of at least 32 bytes')
    login = Login(users=FileUsers('users.json'), throttle=Throttle(max_entries=8))
    raises(ValueError, Claim, LoginPages(app, login), 'secret.key')
    assert not exists('secret.key')


async def test_a_request_that_cannot_be_read_is_a_400():
    new()
    app = boot()
    assert (await Client(app).get('/?x=%zz')).status_code == 400
    assert (await Client(app).post('/claim', form='code=%zz')).status_code == 400
    assert (await Client(app).post('/claim', {'Content-Type': FORM}, b'code=\xff')).status_code == 400


# --- V2: the code -------------------------------------------------------------------------------------

async def test_V2_every_device_has_a_code_of_its_own_of_50_bits():
    codes = []
    for _ in range(20):
        new()
        codes += boot().codes
    assert len(codes) == len(set(codes)) == 20
    for code in codes:
        assert len(code) == 11 and code[5] == '-', code
        assert not code.replace('-', '').strip(LETTERS), code
    assert len({c for code in codes for c in code}) > 20  # of 32, and the dash


async def test_V2_the_code_is_typed_in_any_way_that_people_type():
    for spell in (lambda code: code, lambda code: code.upper(), lambda code: code.replace('-', ''),
                  lambda code: '+' + code.replace('-', '+-+') + '+',
                  lambda code: code.replace('0', 'O').replace('1', 'l'), lambda code: code.replace('1', 'I')):
        new()
        app = boot()
        res = await Client(app).post('/claim', form=fields(spell(app.codes[0])))
        assert res.status_code == 302, (app.codes, res.text)


async def test_V2_a_wrong_code_makes_no_account_and_no_session():
    new()
    app = boot()
    code = app.codes[0]
    last = LETTERS[(LETTERS.find(code[-1]) + 1) % 32]
    for wrong in ('', code[:-1], code[:-1] + last, code + '0', code + code, 'x' * 5000, '%C3%A9' * 10, None):
        browser = Client(app)
        res = await browser.post('/claim', form=fields(wrong))
        assert res.status_code == 403 and 'That is not the code.' in res.text, wrong
        assert browser.jar == {} and code not in res.text, wrong
    assert len(app.users) == 0 and not exists('users.json')


async def test_V2_the_code_ends_and_there_is_a_new_one():
    new()
    with FakeClock() as clock:
        app = boot()
        clock.advance(600)
        await Client(app).get('/claim')
        assert len(app.codes) == 2 and app.codes[0] != app.codes[1]
        clock.advance(600)
        res = await Client(app).post('/claim', form=fields(app.codes[0]))
        assert res.status_code == 403
        assert len(app.codes) == 3
        res = await Client(app).post('/claim', form=fields(app.codes[1]))  # who began to type it in time
        assert res.status_code == 302


async def test_V2_a_code_of_an_hour_ago_is_none_and_one_visit_prints_no_more_than_one():
    new()
    with FakeClock() as clock:
        app = boot()
        for _ in range(10):
            await Client(app).get('/claim')
        assert len(app.codes) == 1
        clock.advance(3600)
        assert (await Client(app).post('/claim', form=fields(app.codes[0]))).status_code == 403
        for _ in range(10):
            await Client(app).get('/claim')
        assert len(app.codes) == 2


async def test_V2_a_clock_that_is_set_meanwhile_does_not_end_the_code_of_a_board():
    new()
    with FakeClock(time=1609459200) as clock:
        app = boot()
        if MICROPYTHON:
            clock.set(1795132800)
        assert (await Client(app).post('/claim', form=fields(app.codes[0]))).status_code == 302


async def test_V2_L4_a_thousand_guesses_meet_the_throttle_that_the_login_has():
    new()
    with FakeClock() as clock:
        app = boot()
        statuses = {403: 0, 429: 0}
        for i in range(1000):
            res = await Client(app).post('/claim', form=fields('%010d' % i))
            statuses[res.status_code] += 1
            clock.advance(1)
        assert statuses[403] < 50, statuses
        assert int(res.headers['Retry-After']) > 0 and 'too many attempts' in res.text.lower()
        assert await app.login.throttle.attempt('', '127.0.0.1') > 0
        assert await app.login.throttle.attempt('', '192.168.1.9') == 0  # nobody else is shut out by it
        res = await Client(app).post('/claim', form=fields(app.codes[-1]))
        assert res.status_code == 429 and len(app.users) == 0  # not even with the right one, until the wait is over
        clock.advance(900)
        await Client(app).get('/claim')
        assert (await Client(app).post('/claim', form=fields(app.codes[-1]))).status_code == 302


async def test_V2_who_mistypes_a_password_is_not_counted():
    new()
    app = boot()
    for _ in range(60):
        res = await Client(app).post('/claim', form=fields(app.codes[0], again='something else'))
        assert res.status_code == 400 and 'The two passwords differ.' in res.text
    await claimed(app)


async def test_V2_a_login_without_a_throttle_has_one_for_the_code():
    new()
    app = boot()
    app.login.throttle = None
    app = again(app)
    assert 429 in await statuses(app, fields('no'), 40)


def again(app):
    """The same app with another claim."""
    app.codes = []
    Claim(app.site, 'secret.key', tell=app.codes.append)
    return app


async def test_V2_the_code_is_never_the_password():
    new()
    app = boot()
    code = app.codes[0]
    for password in (code, code.upper(), code.replace('-', ''), 'x' + code + 'x', code + code):
        res = await Client(app).post('/claim', form=fields(code, password=password))
        assert res.status_code == 400 and 'the code is no password' in res.text, password
    await claimed(app)
    res = await Client(app).post('/login', form='username=anna&password=' + code)
    assert res.status_code == 401


async def test_V2_no_password_is_none_even_where_any_will_do():
    new()
    app = boot()
    for form in (fields(app.codes[0], password=''), fields(app.codes[0]).replace('&password=', '&passwort='),
                 'code=%s&username=anna' % app.codes[0]):
        res = await Client(app).post('/claim', form=form)
        assert res.status_code == 400 and 'Choose a password.' in res.text
    assert len(app.users) == 0
    await claimed(app)


async def test_V2_the_password_is_held_to_what_the_app_holds_passwords_to():
    def check(password, context):
        if len(password) < 15 or context[0] in password:
            raise ValueError('it is too easy')

    new()
    app = boot(check_password=check)
    for name, password in (('anna', 'short'), ('anna', 'anna anna anna anna'), ('', PASSWORD), ('x' * 65, PASSWORD)):
        res = await Client(app).post('/claim', form=fields(app.codes[0], name, password))
        assert res.status_code == 400 and 'That will not do: ' in res.text, name
        assert password not in res.text.replace('value="anna"', '')
    assert len(app.users) == 0
    await claimed(app)


async def test_V2_a_process_that_starts_after_a_refused_password_asks_for_the_same_code():
    def check(password, context):
        if len(password) < 15:
            raise ValueError('it is too short')

    new()
    with FakeClock():
        app = boot(check_password=check)
        assert (await Client(app).post('/claim', form=fields(app.codes[0], password='short'))).status_code == 400
        other = boot(check_password=check)
        # A board is one process, and has another code at each start.
        assert (other.codes == app.codes) is not MICROPYTHON
        browser = await claimed(other)
        assert (await browser.get('/')).text == 'Hello, anna'
        if not MICROPYTHON:
            assert (await browser.copy(app).get('/')).text == 'Hello, anna'
    assert not exists('secret.key.claim')


async def test_V2_a_name_comes_back_escaped_to_who_mistypes():
    new()
    app = boot()
    res = await Client(app).post('/claim', form=fields('wrong', name='%3Cb%3E%22'))
    assert 'value="&lt;b&gt;&quot;"' in res.text


async def test_V2_a_button_may_take_the_place_of_the_code_or_stand_beside_it():
    for code in (True, False):
        for held_down in ([], [0], [False], [None], [''], ['yes'], [[1]], [True], [1]):
            async def button(answers=held_down):
                return answers[0] if answers else False

            new()
            app = boot(button=button, code=code)
            assert len(app.codes) == code
            browser = Client(app)
            page = (await browser.get('/claim')).text
            assert ('name="code"' in page) == code and 'Hold the button' in page
            res = await browser.post('/claim', form=fields(app.codes[0] if code else None))
            assert res.status_code == (302 if held_down in ([True], [1]) else 403), (code, held_down)
    new()
    app = boot(button=lambda: True)
    assert (await Client(app).post('/claim', form=fields('wrong'))).status_code == 403


async def test_V2_a_claim_needs_a_code_or_a_button():
    new()
    raises(ValueError, boot, code=False)


async def test_V2_a_code_that_never_ends_or_no_page_for_it_is_refused():
    for options in ({'expires': 0}, {'expires': -600}, {'expires': 0.5}, {'expires': None}, {'expires': '600'},
                    {'expires': True}, {'url': 'claim'}, {'url': ''}, {'hosts': ('192.168.4.1:80',)}, {'hosts': ('',)},
                    {'hosts': 'http://device.lan'}):
        new()
        raises(ValueError, boot, **options)


async def test_V2_a_code_that_could_not_be_shown_is_shown_to_the_next_visitor():
    new()
    shown = []

    def show(code):
        shown.append(code)
        if len(shown) == 2:
            raise OSError(5)

    with FakeClock() as clock:
        app = boot(tell=show)
        clock.advance(600)
        assert (await Client(app).get('/claim')).status_code == 500
        assert (await Client(app).get('/claim')).status_code == 200
        assert len(shown) == 3 and shown[1] == shown[2]


async def test_V2_a_throttle_that_cannot_be_told_of_a_right_code_is_a_503():
    class Remote:
        is_down = True

        async def attempt(self, account, source):
            return 0

        async def undecided(self, account, source):
            if self.is_down:
                raise OSError(111)

    new()
    app = boot(throttle=Remote())
    assert (await Client(app).post('/claim', form=fields(app.codes[0]))).status_code == 503
    Remote.is_down = False
    await claimed(app)


async def test_V2_each_attempt_at_a_button_counts():
    new()
    app = boot(button=lambda: False, code=False)
    answered = await statuses(app, fields(None), 40)
    assert answered[0] == 403 and answered[-1] == 429


async def test_V2_by_default_the_code_is_printed():
    new()
    printed = []
    kept = claim.print if hasattr(claim, 'print') else None
    claim.print = lambda *args: printed.append(args)
    try:
        app = boot(tell=None)
        code = printed[0][0].split('type this code: ')[1].strip()
    finally:
        if kept is None:
            del claim.print
    assert len(printed) == 1
    assert (await Client(app).post('/claim', form=fields(code))).status_code == 302


# --- V3: one owner ------------------------------------------------------------------------------------

async def test_V3_of_many_claims_at_once_one_wins():
    new()
    app = boot()
    browsers = [Client(app) for _ in range(8)]
    answers = await asyncio.gather(*[browsers[i].post('/claim', form=fields(app.codes[0], 'user%d' % i))
                                     for i in range(8)])
    statuses = sorted([res.status_code for res in answers])
    assert statuses[0] == 302 and set(statuses[1:]) <= {404, 409}, statuses
    assert len(app.users) == len(FileUsers('users.json')) == 1
    for i in range(8):
        res = await browsers[i].get('/')
        if answers[i].status_code == 302:
            assert res.text == 'Hello, user%d' % i
        else:
            assert res.headers['Location'] == '/login?next=/' and browsers[i].jar == {}


async def test_V3_who_waits_for_a_button_comes_too_late():
    new()
    gate = asyncio.Event()
    waiting = []

    async def button():
        waiting.append(1)
        if len(waiting) == 1:
            await gate.wait()
        return True

    app = boot(button=button)
    late = Client(app)
    first = asyncio.create_task(late.post('/claim', form=fields(app.codes[0], 'bert')))
    while not waiting:
        await asyncio.sleep(0)
    await claimed(app)
    gate.set()
    res = await first
    assert res.status_code == 409 and 'has an owner already' in res.text
    assert [user.name for user in app.users] == ['anna'] and late.jar == {}


async def test_V3_a_claim_that_fails_half_way_leaves_the_device_to_claim():
    new()
    app = boot()
    create = app.users.create

    async def failing(*args):
        raise OSError(28)

    app.users.create = failing
    res = await Client(app).post('/claim', form=fields(app.codes[0]))
    assert res.status_code == 503 and res.headers['Retry-After'] == '2'
    app.users.create = create
    assert (await (await claimed(app)).get('/')).text == 'Hello, anna'


class Cut:
    """The steps that :func:`dotlatch.claimreset.reset` takes, too, where there is no flash to cut."""
    def __init__(self, medium, number=0, how=REFUSED):
        self.medium = medium.mounted(number, how)
        self.disk = getattr(medium, '_disk', None)

    def __enter__(self):
        self.medium.__enter__()
        if self.disk is not None:
            claimreset.os = _System(self.disk)
        return self.medium

    def __exit__(self, *error):
        claimreset.os = os
        self.medium.__exit__(*error)


async def cut_everywhere(kind, prepare, change, judge):
    """Cut the power at each write of a change, and start the device again after that."""
    medium = kind()
    with Cut(medium):
        try:
            os.mkdir(medium.path + '/sessions')
        except OSError:
            pass
        await prepare(medium.path + '/')
    medium.keep()
    for how in medium.ways:
        number = 0
        while True:
            number += 1
            medium.again()
            with FakeClock(), Warnings():
                with Cut(medium, number, how) as flash:
                    done = await change(medium.path + '/')
                    writes = flash.writes
                with Cut(medium):
                    await judge(medium.path + '/', done, writes < number, (kind.name, how, number))
            if writes < number:
                break
        assert number > 2


async def test_V3_H4_a_power_cut_at_any_write_leaves_no_owner_or_a_whole_one():
    async def prepare(folder):
        boot(folder)

    async def change(folder):
        app = boot(folder)
        browser = Client(app)
        res = await browser.post('/claim', form=fields(app.codes[0]))
        return res.status_code, browser

    async def judge(folder, done, completed, where):
        status, browser = done
        assert status in (302, 503), (where, status)
        app = boot(folder)
        if status == 302 and where[1] != LOST:  # who is told so is the owner
            assert len(app.users) == 1, where
        if completed:
            assert status == 302, where
        if len(app.users):
            res = await Client(app).post('/login', form='username=anna&password=' + PASSWORD.replace(' ', '+'))
            assert res.status_code == 302 and app.codes == [], where
            assert (await Client(app).get('/claim')).status_code == 404, where
            if status == 302:
                assert (await browser.copy(app).get('/')).text == 'Hello, anna', where
        else:
            assert (await Client(app).get('/open')).headers['Location'] == '/claim', where
            assert (await (await claimed(app)).get('/')).text == 'Hello, anna', where

    await cut_everywhere(Medium, prepare, change, judge)
    await cut_everywhere(FatMedium, prepare, change, judge)


# --- V4: afterwards -----------------------------------------------------------------------------------

async def test_V4_the_claim_is_dead_afterwards():
    new()
    app = boot()
    code = app.codes[0]
    browser = await claimed(app)
    for visitor in (browser, Client(app), Client(boot())):
        for answer in (await visitor.get('/claim'), await visitor.post('/claim', form=fields(code, 'bert')),
                       await visitor.post('/claim', form=fields(code))):
            assert answer.status_code == 404
    restarted = boot()
    assert restarted.codes == [] and len(restarted.users) == 1
    assert (await browser.copy(restarted).get('/')).text == 'Hello, anna'


async def test_V4_nothing_of_it_is_left_in_the_app_nor_on_a_board():
    new()
    modules = {'dotlatch.claim': claim, 'dotlatch.claimcode': claimcode}
    sys.modules.update(modules)  # tests before this one have had claims
    app = boot()
    await claimed(app)
    await Client(app).get('/open')
    assert [name for name in modules if name in sys.modules] == ([] if MICROPYTHON else list(modules))
    assert MICROPYTHON == ('dotlatch.html_claim' not in sys.modules)
    if not MICROPYTHON:  # where each look at a method is another object
        assert app.find_route == Microdot.find_route.__get__(app)
        assert app.get_request_handlers == Microdot.get_request_handlers.__get__(app)
    assert app.seen == ['/open']


async def lived_in(folder=''):
    """A device that was in use, with all that it keeps; its owner's browser and key."""
    with Warnings():
        app = boot(folder, throttle=Throttle(max_entries=8, path=folder + 'throttle.bin'))
        browser = await claimed(app)
        other = browser.copy()
        await other.post('/login', form='username=anna&password=' + PASSWORD.replace(' ', '+'))
        await app.login.throttle.attempt('anna', '10.0.0.1')
        keys = FileKeys(folder + 'keys.json')
        key = keys.create(app.users.get_by_name('anna'), 'Script', ['read'])
        gone = other.copy()
        await other.post('/logout')
    return app, browser, gone, key


EVERYTHING = ('users.json', 'secret.key', 'revoked.json', 'throttle.bin', 'keys.json', 'sessions')


async def test_V4_a_reset_wipes_all_that_the_device_keeps_and_opens_it_again():
    new()
    _, browser, _, key = await lived_in()
    put('users.json.new', b'a leftover')
    put('users.jsonx', b'not ours')
    events = Events()
    reset(*EVERYTHING, events=events)
    assert [event['event'] for event in events.recent()] == ['reset']
    ours = [name[:name.rfind('.')] for name in EVERYTHING]
    left = [name for name in os.listdir() if name.split('.')[0] in ours and not name.endswith('.lock')]
    assert left == ['users.jsonx']
    remove('users.jsonx')
    app = boot()
    assert (await browser.copy(app).get('/')).headers['Location'] == '/claim'
    owner = await claimed(app, name='bert', password=OTHER_PASSWORD)
    assert (await owner.get('/')).text == 'Hello, bert'
    assert (await browser.copy(app).get('/')).headers['Location'] == '/login?next=/'
    res = await Client(app).post('/login', form='username=anna&password=' + PASSWORD.replace(' ', '+'))
    assert res.status_code == 401
    auth = APIKeyAuth(FileKeys('keys.json'), app.users.load_user)

    @app.get('/api')
    @auth
    async def api(request):
        return 'in'

    assert (await Client(app).get('/api', {'X-API-Key': key})).status_code == 401


async def test_V4_a_reset_before_there_is_an_owner_ends_the_code():
    new()
    with FakeClock():
        codes = boot().codes
        assert exists('secret.key.claim') is not MICROPYTHON  # what the processes of a server have in common
        reset('users.json', 'secret.key')
        assert not exists('secret.key.claim')
        assert boot().codes != codes


async def test_V4_a_cookie_of_the_owner_before_is_worth_nothing_whoever_is_called_what():
    new()
    _, browser, _, _ = await lived_in()
    reset(*EVERYTHING)
    app = boot()
    await claimed(app)  # the same name, and the same password
    assert (await browser.copy(app).get('/')).headers['Location'] == '/login?next=/'


async def test_V4_sessions_in_files_go_as_well():
    new()
    app = boot(store=FileStore('sessions'))
    browser = await claimed(app)
    assert (await browser.get('/')).text == 'Hello, anna'
    assert [name for name in os.listdir('sessions') if not name.endswith('.lock')]
    reset(*EVERYTHING)
    assert [name for name in os.listdir('sessions') if not name.endswith('.lock')] == []
    app = boot(store=FileStore('sessions'))
    await claimed(app)
    assert (await browser.copy(app).get('/')).headers['Location'] == '/login?next=/'


async def test_V4_an_account_that_is_removed_by_hand_takes_its_sessions_along():
    new()
    browser = await claimed(boot())
    remove('users.json', 'users.json.copy')
    app = boot()
    await claimed(app)
    assert (await browser.copy(app).get('/')).headers['Location'] == '/login?next=/'


async def test_V4_a_reset_does_not_take_the_program_along():
    new()
    put('users.json', b'something')
    for path in ('', '/', '.', './', '//'):
        raises(ValueError, reset, 'users.json', path)
        raises(ValueError, reset, path)
    assert held('users.json') == b'something'
    new()


async def test_V4_a_reset_does_not_take_the_program_along_that_is_called_like_a_file():
    new()
    for name in ('users', 'users.copy', 'users.copy.new', 'users.py', 'users.json'):
        put(name, b'something')
    reset('users')
    assert [exists(name) for name in ('users', 'users.copy', 'users.copy.new', 'users.py', 'users.json')] == [
        False, False, False, True, True]
    new('users.py')


def test_V4_a_reset_that_cannot_look_says_so():
    class Failing:
        def __getattr__(self, name):
            return getattr(os, name)

        def listdir(self, *path):
            raise OSError(5)

    new()
    put('users.json', b'something')
    claimreset.os = Failing()
    try:
        raises(OSError, reset, 'users.json')
    finally:
        claimreset.os = os
    new()


def test_V4_a_reset_of_a_device_that_keeps_nothing_does_nothing():
    new()
    reset(*EVERYTHING)
    reset('no/such/folder/users.json', 'no/such/folder')


async def test_V4_H4_a_power_cut_in_a_reset_leaves_the_owner_or_none():
    async def prepare(folder):
        medium_paths[0] = await lived_in(folder)

    async def change(folder):
        try:
            reset(*[folder + name for name in EVERYTHING])
        except OSError:
            pass

    async def judge(folder, done, completed, where):
        _, browser, gone, _ = medium_paths[0]
        app = boot(folder)
        if completed:
            assert len(app.users) == 0, where
        if len(app.users):
            res = await Client(app).post('/login', form='username=anna&password=' + PASSWORD.replace(' ', '+'))
            assert res.status_code == 302, where
            assert (await gone.copy(app).get('/')).headers['Location'] == '/login?next=/', where
        else:
            for name in EVERYTHING[2:5]:
                assert not exists(folder + name), (where, name)
            await claimed(app)
            for visitor in (browser, gone):
                assert (await visitor.copy(app).get('/')).headers['Location'] == '/login?next=/', where

    medium_paths = [None]
    await cut_everywhere(Medium, prepare, change, judge)
    await cut_everywhere(FatMedium, prepare, change, judge)


# --- V5: the key --------------------------------------------------------------------------------------

async def test_V5_the_key_is_made_when_the_device_is_claimed_and_no_two_are_alike():
    made = []
    for _ in range(5):
        new()
        app = boot()
        first = held('secret.key')
        await claimed(app)
        made += [first, held('secret.key')]
        assert app._session.secret_key == made[-1]
        assert len(made[-1]) == 43
    assert len(set(made)) == 10


async def test_V5_keys_and_codes_differ_where_the_port_has_no_random_numbers():
    kept = claimcode.random_bytes
    claimcode.random_bytes = bytes
    try:
        made, codes = [], []
        for _ in range(5):
            new()
            app = boot()
            codes += app.codes
            await claimed(app)
            made.append(held('secret.key'))
    finally:
        claimcode.random_bytes = kept
    assert len(set(made)) == 5
    assert len(set(codes)) == 5


async def test_V5_what_the_app_measures_goes_into_the_key():
    kept = claimcode.random_bytes, claimcode._ticks, claimcode.uptime_ms
    claimcode.random_bytes = bytes
    claimcode._ticks = lambda: 0
    claimcode.uptime_ms = lambda: 0
    made = []
    try:
        for noise in (None, lambda: 0, lambda: 71, lambda: 71):
            new()
            app = boot(noise=noise)
            if not MICROPYTHON:
                app.shut.codes._seed = claimcode.Key('fixed')
            app.codes[:] = []
            app.shut.codes._told = -1
            await Client(app).get('/claim')
            await claimed(app)
            made.append(held('secret.key'))
    finally:
        claimcode.random_bytes, claimcode._ticks, claimcode.uptime_ms = kept
    assert len(set(made)) == 3 and made[2] == made[3]


async def test_V5_a_session_from_before_the_claim_is_none_after_it():
    new()
    app = boot()
    forged = Client(app)
    other = Microdot()
    Session(other, held('secret.key'))

    @other.get('/set')
    @with_session
    async def store(request, session):
        session['n'] = 41
        session.save()
        return 'ok'

    thief = Client(other)
    await thief.get('/set')
    await claimed(app)
    forged.jar = thief.jar.copy()
    assert (await forged.get('/visits')).text == '1'


# --- who asks, and from where ---------------------------------------------------------------------------

async def test_a_phone_in_the_access_point_is_sent_to_the_page():
    new()
    app = boot(hosts=('192.168.4.1', 'greenhouse.local'))
    visitor = Client(app)
    for host, path in (('connectivitycheck.gstatic.com', '/generate_204'),
                       ('captive.apple.com', '/hotspot-detect.html'),
                       ('www.msftconnecttest.com', '/connecttest.txt'), ('detectportal.firefox.com', '/success.txt'),
                       ('evil.example', '/claim'), ('', '/'), ('192.168.4.1.evil.example', '/claim')):
        for method in ('GET', 'HEAD', 'POST'):
            res = await at(visitor, host, path, method)
            assert (res.status_code, res.headers['Location']) == (302, 'http://192.168.4.1/claim'), (host, path)
    for host in ('192.168.4.1', 'GREENHOUSE.local', '192.168.4.1:80'):
        assert (await at(visitor, host, '/generate_204')).headers['Location'] == '/claim'
        assert (await at(visitor, host, '/claim')).status_code == 200
    assert (await at(visitor, 'x.example:5000', '/claim')).headers['Location'] == 'http://192.168.4.1:5000/claim'
    res = await at(visitor, 'evil.example', '/claim', 'POST', fields(app.codes[0]))
    assert res.status_code == 302 and len(app.users) == 0
    res = await at(visitor, '192.168.4.1', '/claim', 'POST', fields(app.codes[0]))
    assert res.headers['Location'] == '/' and len(app.users) == 1


async def at(visitor, host, path, method='GET', form=''):
    headers = [('Host', host)]
    if form:
        headers.append(('Content-Type', FORM))
    return await visitor.request(method, path, headers, form)


async def test_names_are_compared_as_names():
    for hosts in ('Greenhouse.LOCAL', ('Greenhouse.LOCAL',), ['greenhouse.local']):
        new()
        visitor = Client(boot(hosts=hosts))
        assert (await at(visitor, 'greenhouse.local', '/claim')).status_code == 200
        for host in ('', 'local', 'house', 'Greenhouse'):
            assert (await at(visitor, host, '/claim')).headers['Location'] == 'http://greenhouse.local/claim', host


async def test_the_window_that_a_phone_opens_for_a_captive_portal_gets_the_page():
    new()
    app = boot(hosts='192.168.4.1')
    window = {'X-Requested-With': 'com.android.captiveportallogin', 'Accept': 'text/html,application/xhtml+xml,*/*',
              'Host': 'connectivitycheck.gstatic.com'}
    res = await Client(app).get('/generate_204', window)
    assert (res.status_code, res.headers['Location']) == (302, 'http://192.168.4.1/claim')
    window['Host'] = '192.168.4.1'
    assert (await Client(app).get('/claim', window)).status_code == 200


async def test_without_names_any_will_do():
    new()
    app = boot()
    res = await at(Client(app), 'connectivitycheck.gstatic.com', '/generate_204')
    assert res.headers['Location'] == '/claim'
    assert (await at(Client(app), 'connectivitycheck.gstatic.com', '/claim')).status_code == 200


async def test_a_page_of_another_site_claims_nothing():
    new()
    app = boot(button=lambda: True, code=False)
    for headers in ({'Origin': 'http://evil.example'}, {'Origin': 'null'}, {'Sec-Fetch-Site': 'cross-site'},
                    {'Origin': 'http://device.lan:81'}):
        headers['Content-Type'] = FORM
        for method in ('POST', 'post'):
            res = await Client(app).request(method, '/claim', headers, fields(None))
            assert res.status_code == 403, (headers, method)
    assert len(app.users) == 0
    res = await Client(app).post('/claim', {'Origin': 'http://device.lan'}, form=fields(None))
    assert res.status_code == 302


async def test_the_names_that_the_app_answers_to_hold_for_the_page():
    new()
    app = boot()
    sameorigin.hosts(app, 'greenhouse.local')
    assert (await Client(app).get('/claim')).status_code == 421
    assert (await Client(app).post('/claim', form=fields(app.codes[0]))).status_code == 421
    assert (await Client(app).get('/open')).headers['Location'] == '/claim'
    assert len(app.users) == 0


# --- who is told, and what the owner gets -----------------------------------------------------------------

async def test_the_owner_is_logged_in_at_once_with_a_fresh_session():
    new()
    app = boot(scopes=['read', 'admin'])

    @app.get('/fresh')
    @app.login.fresh
    async def fresh(request):
        return ' '.join(request.g.current_user.scopes)

    browser = await claimed(app)
    assert (await browser.get('/fresh')).text == 'read admin'
    assert browser.names() == ['session']
    res = await Client(app).post('/login', form='username=anna&password=' + PASSWORD.replace(' ', '+'))
    assert res.status_code == 302


async def test_H3_events_tell_what_happened_and_no_code():
    new()
    events = Events()
    app = boot(events=events, throttle=Throttle(max_entries=8, source_free=2))
    assert await statuses(app, fields('nearly-right'), 4) == [403, 403, 403, 429]
    app = boot(events=events, button=lambda: False)
    await statuses(app, fields(app.codes[0]), 1)
    app = boot(events=events)
    await claimed(app)
    told = events.recent()
    told.reverse()
    assert [(event['event'], event.get('reason')) for event in told] == [
        ('claim_failed', 'code'), ('claim_failed', 'code'), ('claim_failed', 'code'), ('claim_failed', 'throttled'),
        ('claim_failed', 'button'), ('user_created', None), ('claimed', None), ('login', None)]
    assert (told[6]['name'], told[6]['method'], told[6]['source']) == ('anna', 'code', '127.0.0.1')
    assert told[3]['seconds'] > 0
    text = repr(told)
    for secret in (PASSWORD, app.codes[0], app.codes[0].replace('-', ''), 'nearly'):
        assert secret not in text


async def test_a_program_may_send_json():
    new()
    app = boot()
    body = '{"code":"%s","username":"anna","password":"%s","again":"%s"}' % (app.codes[0], PASSWORD, PASSWORD)
    res = await Client(app).post('/claim', {'Content-Type': JSON, 'Accept': JSON}, body.encode())
    assert res.status_code == 302 and len(app.users) == 1


async def test_pages_of_the_apps_own_show_it():
    new()
    app = boot()
    shown = []

    async def render(name, **context):
        shown.append((name, sorted(context)))
        return 'page of mine'

    app.site.render = render
    assert (await Client(app).get('/claim')).text == 'page of mine'
    assert shown[0][0] == 'claim'
    for name in ('claim_url', 'code', 'button', 'problem', 'username', 'title'):
        assert name in shown[0][1]
