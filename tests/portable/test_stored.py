"""Sessions that a store keeps, and sessions of either kind that nobody uses for a while."""
import asyncio
import json
import os

from client import KEY, Client, make_app, raises
from clock import EPOCH_2000, START, UNSET, FakeClock
from microdot import abort

from dotlatch.login import Login
from dotlatch.session import Session, with_session
from dotlatch.stores import FileStore, MemoryStore

DAY = 86400
YEAR = 365 * DAY


class Anna:
    id = 1
    name = 'anna'


class Bert:
    id = '1'
    name = 'bert'


USERS = {1: Anna(), '1': Bert()}


def site(**options):
    """An app with logins, a page that counts, and one that ends badly."""
    app = make_app(**options)
    app.login = login = Login()

    @login.user_loader
    async def load(user_id):
        return USERS.get(user_id)

    @app.post('/login/<name>')
    async def log_in(request, name):
        return await login.login_user(request, USERS[1 if name == 'anna' else '1'])

    @app.post('/logout')
    async def log_out(request):
        await login.logout_user(request)
        return 'bye'

    @app.post('/logout-badly')
    async def log_out_badly(request):
        await login.logout_user(request)
        abort(403)

    @app.get('/who')
    async def who(request):
        user = await login.get_current_user(request)
        return user.name if user else 'nobody'

    @app.get('/')
    @with_session
    async def count(request, session):
        session['n'] = session.get('n', 0) + 1
        session.save()
        return str(session['n'])

    @app.get('/look')
    @with_session
    async def look(request, session):
        session['n'] = 99
        return 'looked'

    return app


async def text(browser, url='/'):
    return (await browser.get(url)).text


async def each(url, *browsers):
    """What each of them sees; MicroPython has no await in a comprehension."""
    seen = []
    for browser in browsers:
        seen.append(await text(browser, url))
    return seen


def stores():
    """A store of each kind."""
    name = 'sessions%d' % len(os.listdir('.'))
    return MemoryStore(), FileStore(name)


async def test_a_stored_session_goes_on_from_request_to_request():
    for store in stores():
        browser, other = Client(site(store=store)), Client(site(store=store))
        assert [await text(browser), await text(browser), await text(other)] == ['1', '2', '1']
        await browser.get('/look')
        assert await text(browser) == '3'


async def test_S12_neither_data_nor_what_opens_a_session_is_where_it_could_be_read():
    store = MemoryStore()
    browser = Client(site(store=store))
    await browser.post('/login/anna')
    session_id, secret = browser.value('session').split('.')
    record = await store.load(session_id)
    assert secret not in json.dumps(record) and '_user_id' not in browser.value('session')
    for cookie in (session_id, session_id + '.', session_id + '.' + record['secret'],
                   session_id + '.' + secret[1:] + secret[:1],
                   secret + '.' + session_id, '../' + browser.value('session'), session_id + '.' + secret + '.x'):
        assert (await Client(browser.app).get('/who', {'Cookie': 'session=' + cookie})).text == 'nobody', cookie


async def test_S2_a_login_gets_another_id_and_the_one_before_is_gone():
    for store in stores():
        browser = Client(site(store=store))
        await browser.get('/')
        before = browser.copy()
        await browser.post('/login/anna')
        assert browser.value('session').split('.')[0] != before.value('session').split('.')[0]
        assert [await text(before, '/who'), await text(browser, '/who')] == ['nobody', 'anna']
        assert await text(before) == '1'


async def test_S3_logout_ends_a_stored_session_even_when_the_handler_aborts():
    for store in stores():
        for url in ('/logout', '/logout-badly'):
            browser = Client(site(store=store))
            await browser.post('/login/anna')
            thief = browser.copy()
            await browser.post(url)
            assert await text(thief, '/who') == 'nobody', url
            assert browser.names() == [], url
            assert await store.list_user(1) == []


async def test_S11_a_late_save_brings_no_ended_session_back():
    for store in stores():
        app = site(store=store)
        gate = asyncio.Event()

        @app.get('/slow')
        @with_session
        async def slow(request, session):
            session['late'] = True
            await gate.wait()  # noqa: B023
            session.save()
            return 'saved'

        browser = Client(app)
        await browser.post('/login/anna')
        late = browser.copy()
        task = asyncio.create_task(late.get('/slow'))
        for _ in range(5):
            await asyncio.sleep(0)
        await browser.post('/logout')
        gate.set()
        await task
        assert await text(late, '/who') == 'nobody'
        assert await store.list_user(1) == []


async def test_a_users_sessions_can_be_listed_and_ended():
    with FakeClock() as clock:
        for store in stores():
            app = site(store=store)
            ext = app._session
            phone, desk, bert = Client(app), Client(app), Client(app)
            await phone.request('POST', '/login/anna', {'User-Agent': 'phone'})
            clock.advance(60)
            await desk.request('POST', '/login/anna', {'User-Agent': 'desk'})
            await bert.post('/login/bert')
            listed = await ext.list_sessions(1)
            assert [s['client'] for s in listed] == ['desk', 'phone']
            assert listed[0]['iat'] - listed[1]['iat'] == 60 and 'secret' not in listed[0]
            assert await ext.end_session('1', listed[1]['id']) is False  # of somebody else
            assert await ext.end_session(1, listed[1]['id']) is True
            assert await each('/who', phone, desk, bert) == ['nobody', 'anna', 'bert']
            assert await ext.end_sessions(1) == 1
            assert await each('/who', desk, bert) == ['nobody', 'bert']


async def test_without_a_store_nobody_can_list_sessions():
    ext = Session(secret_key=KEY)
    for asked in (ext.list_sessions(1), ext.end_session(1, 'x'), ext.end_sessions(1)):
        try:
            await asked
            raise AssertionError('listed')
        except RuntimeError as error:
            assert 'store' in str(error)


class Broken(MemoryStore):
    fails = ()

    async def load(self, session_id):
        if 'load' in self.fails:
            raise OSError(5)
        return await super().load(session_id)

    async def save(self, session_id, record, new=False):
        if 'save' in self.fails:
            raise OSError(28)
        return await super().save(session_id, record, new)

    async def delete(self, session_id):
        if 'delete' in self.fails:
            raise OSError(5)
        return await super().delete(session_id)


async def test_S11_a_store_that_is_down_is_a_503_and_nobody_and_back_when_it_is_back():
    store = Broken()
    browser = Client(site(store=store))
    await browser.post('/login/anna')
    for fails, method, url in (('load', 'GET', '/'), ('load', 'GET', '/who'), ('save', 'GET', '/'),
                               ('delete', 'POST', '/logout'), ('save', 'POST', '/login/anna')):
        store.fails = (fails,)
        jar = browser.jar.copy()
        res = await browser.request(method, url)
        assert (res.status_code, res.cookies) == (503, []), (fails, url, res.text)
        assert res.headers['Retry-After'] == '2', (fails, url)
        browser.jar = jar
        store.fails = ()
    assert await text(browser, '/who') in ('anna', 'nobody')
    await browser.post('/login/anna')
    assert await text(browser, '/who') == 'anna'


async def test_S11_who_was_not_let_in_since_the_store_is_down_is_not_remembered_either():
    store = Broken()
    app = site(store=store)

    @app.post('/remember')
    async def remember(request):
        return await app.login.login_user(request, USERS[1], remember=30)

    browser = Client(app)
    store.fails = ('save',)
    res = await browser.post('/remember')
    assert (res.status_code, res.cookies) == (503, [])
    store.fails = ()
    assert await text(browser, '/who') == 'nobody'
    await browser.post('/remember')
    assert browser.names() == ['_remember', 'session']


async def test_S14_a_record_that_does_not_fit_is_an_error_at_save():
    app = make_app(store=MemoryStore())

    @app.get('/fill/<int:size>')
    @with_session
    async def fill(request, session, size):
        session['x'] = 'x' * size
        try:
            session.save()
        except ValueError as error:
            return str(error), 413
        return 'kept'

    browser = Client(app)
    assert (await browser.get('/fill/3000')).status_code == 200
    assert (await browser.get('/fill/5000')).status_code == 413
    assert len(browser.value('session')) == 45


def test_a_store_needs_loading_first():
    app = make_app(store=MemoryStore())

    class Request:
        g = type('G', (), {})()
    Request.app = app
    raises(RuntimeError, app._session.get, Request)


# --- idle -----------------------------------------------------------------------------------------------

async def test_S4_who_does_nothing_for_a_while_is_logged_out():
    for store in (None, MemoryStore()):
        for time, epoch in ((START, 0), (START, EPOCH_2000), (UNSET, 0)):
            with FakeClock(time=time, epoch=epoch) as clock:
                browser = Client(site(idle=600, store=store))
                await browser.post('/login/anna')
                clock.advance(599)
                assert await text(browser, '/who') == 'anna', (store, time)
                clock.advance(599)
                assert await text(browser, '/who') == 'anna', (store, time)
                clock.advance(600)
                assert await text(browser, '/who') == 'nobody', (store, time)


async def test_S4_activity_does_not_move_the_absolute_end():
    for store in (None, MemoryStore()):
        with FakeClock() as clock:
            browser = Client(site(idle=600, max_age=3600, store=store))
            await browser.post('/login/anna')
            for _ in range(11):
                clock.advance(320)
                assert await text(browser, '/who') == 'anna'
            clock.advance(100)
            assert await text(browser, '/who') == 'nobody'


async def test_the_time_of_use_is_written_rarely_and_nothing_else_with_it():
    for store in (None, MemoryStore()):
        with FakeClock() as clock:
            browser = Client(site(idle=800, store=store))
            await browser.get('/')
            written = 0
            for _ in range(40):
                clock.advance(20)
                before = browser.value('session'), str(store and store._records)
                await browser.get('/look')  # changes the session, and does not save it
                written += before != (browser.value('session'), str(store and store._records))
            assert written == 8, written
            assert await text(browser) == '2'


# --- clocks ---------------------------------------------------------------------------------------------

async def test_H1_a_session_from_before_the_clock_was_set_goes_on_and_ends_when_it_would_have():
    for epoch in (0, EPOCH_2000):
        for store in (None, MemoryStore()):
            with FakeClock(time=EPOCH_2000 if epoch else UNSET, epoch=epoch) as clock:
                browser = Client(site(idle=3600, max_age=7200, store=store))
                await browser.post('/login/anna')
                clock.advance(1000)
                clock.set(START)  # NTP: years ahead
                assert await text(browser, '/who') == 'anna', (epoch, store)
                old = browser.copy()
                clock.advance(1000)
                assert await text(browser, '/who') == 'anna', (epoch, store)
                clock.advance(3000)
                assert await text(browser, '/who') == 'anna', (epoch, store)
                clock.advance(2201)
                assert [await text(browser, '/who'), await text(old, '/who')] == ['nobody', 'nobody'], (epoch, store)


async def test_S3_logout_also_ends_the_copy_from_before_the_clock_was_set():
    with FakeClock(time=UNSET) as clock:
        browser = Client(site(idle=3600))
        await browser.post('/login/anna')
        copy = browser.copy()
        clock.set(START)
        await browser.get('/')
        await browser.post('/logout')
        assert await text(copy, '/who') == 'nobody'


async def test_H1_a_clock_that_was_decades_ahead_leaves_no_session_that_lives_as_long():
    for years in (26, 56):
        for store in (None, MemoryStore()):
            with FakeClock(time=START + years * YEAR) as clock:
                browser = Client(site(store=store))
                await browser.post('/login/anna')
                clock.set(START)
                assert await text(browser, '/who') == 'nobody', (years, store)


async def test_H1_a_clock_that_falls_back_below_the_floor_ends_sessions_rather_than_trusting_them():
    for years in (26, 56):
        with FakeClock() as clock:
            browser = Client(site())
            await browser.post('/login/anna')
            clock.set(START - years * YEAR)
            assert await text(browser, '/who') == 'nobody'
            clock.set(START + 60)
            assert await text(browser, '/who') == 'anna'


async def test_S11_a_page_that_only_reads_takes_back_nothing_that_another_has_saved_meanwhile():
    for store in stores():
        with FakeClock(START) as clock:
            app = site(store=store, idle=800)
            going, gone = asyncio.Event(), asyncio.Event()

            @app.get('/slow-look')
            @with_session
            async def slow_look(request, session, going=going, gone=gone):
                going.set()
                await gone.wait()
                return 'looked'

            browser = Client(app)
            assert await text(browser) == '1'
            clock.advance(200)  # so much of the idle time that a look is written down
            task = asyncio.create_task(text(browser.copy(), '/slow-look'))
            await going.wait()
            assert await text(browser) == '2'
            gone.set()
            assert await task == 'looked'
            assert await text(browser) == '3'
            clock.advance(700)
            assert await text(browser) == '4'
