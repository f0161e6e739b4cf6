"""Sessions under attack: requests that overtake each other, full lists, stores that break or make things up."""
import asyncio

from client import KEY, OTHER_KEY, Client, make_app
from clock import START, UNSET, FakeClock
from microdot import Response, abort

from dotlatch import cookies, portable, tokens
from dotlatch.headers import HeaderTransport
from dotlatch.login import Login
from dotlatch.revoked import Revoked
from dotlatch.session import with_session
from dotlatch.stores import FileStore, MemoryStore

DAY = 86400


def site(**options):
    """An app with logins, and handlers that wait for ``app.gate`` after they have looked at their session."""
    app = make_app(**options)
    app.login = login = Login()
    app.going, app.gate = asyncio.Event(), asyncio.Event()

    @login.user_loader
    async def load(user_id):
        return {'id': user_id, 'password_hash': 'x'}

    @app.post('/login/<name>/<int:days>')
    async def log_in(request, name, days):
        return await login.login_user(request, {'id': name, 'password_hash': 'x'}, remember=days)

    @app.post('/logout')
    async def log_out(request):
        await login.logout_user(request)
        return 'bye'

    @app.get('/who')
    async def who(request):
        user = await login.get_current_user(request)
        return user['id'] if user else 'nobody'

    @app.get('/slow/<what>')
    @with_session
    async def slow(request, session, what):
        if 'early' in what:
            session.regenerate()
            if 'twice' in what:
                session.save()
                session.regenerate()
        app.going.set()
        await app.gate.wait()
        session['n'] = session.get('n', 0) + 1
        if what == 'regenerate':
            session.regenerate()
        elif what == 'twice':
            session.regenerate()
            session.save()
            session.regenerate(60)
        elif what == 'flash':
            session.flash('hello')
        if what != 'look':
            session.save()
        return what

    @app.get('/regenerate')
    @with_session
    async def regenerate(request, session):
        session.regenerate()
        session.save()
        return 'done'

    return app


async def who(browser):
    return (await browser.get('/who')).text


def stores():
    return None, MemoryStore(), FileStore('attacked-' + portable.random_id())


# --- requests that overtake each other --------------------------------------------------------------

async def test_S11_whatever_a_slow_handler_does_late_a_logout_has_won():
    for what in ('regenerate', 'twice', 'early', 'early-twice', 'save', 'flash', 'look'):
        for store in stores():
            with FakeClock(START) as clock:
                app = site(store=store, idle=800)
                browser = Client(app)
                await browser.post('/login/anna/0')
                clock.advance(200)  # so much of the idle time that every use is written down
                slow = browser.copy()
                task = asyncio.create_task(slow.get('/slow/' + what))
                await app.going.wait()
                await browser.post('/logout')
                app.gate.set()
                assert (await task).text == what
                assert await who(slow) == 'nobody', (what, store)


async def test_S3_who_logs_out_after_a_change_of_ids_in_one_request_has_no_session_left_at_once():
    app = site()

    @app.get('/both')
    @with_session
    async def both(request, session):
        session.regenerate()
        session.save()
        app.tokens = [session.token]
        session.delete()
        app.going.set()
        await app.gate.wait()
        return 'both'

    browser = Client(app)
    await browser.post('/login/anna/0')
    app.tokens, thief = [], browser.copy()
    task = asyncio.create_task(browser.get('/both'))
    await app.going.wait()
    assert await who(thief) == 'nobody' and app._session.decode(app.tokens[0]) == {}
    app.gate.set()
    await task
    assert browser.names() == []


class Lost(Revoked):
    """A list whose file another process has damaged."""

    def is_lost(self):
        return True


async def test_S11_a_list_of_ended_sessions_that_cannot_be_read_is_a_503_that_says_when_to_come_again():
    app = site()
    browser = Client(app)
    await browser.post('/login/anna/0')
    app._session.revoked = lost = Lost()
    lost.is_empty = False
    refused = await browser.get('/who')
    assert (refused.status_code, refused.headers.get('Retry-After')) == (503, '2')
    assert await who(Client(app)) == 'nobody'


async def test_S11_a_late_regenerate_is_ended_by_logout_everywhere_too():
    for store in stores()[1:]:
        app = site(store=store)
        browser = Client(app)
        await browser.post('/login/anna/0')
        task = asyncio.create_task(browser.get('/slow/regenerate'))
        await app.going.wait()
        assert await app._session.end_sessions('anna') == 1
        app.gate.set()
        await task
        assert await who(browser) == 'nobody'


class SlowStore(MemoryStore):
    """A store that lets others go first, at every call and for as long as a number that is no chance says."""
    turn = 1

    async def pause(self):
        self.turn = (self.turn * 1103 + 12345) % 65521
        for _ in range(self.turn % 4):
            await asyncio.sleep(0)

    async def load(self, session_id):
        await self.pause()
        found = await super().load(session_id)
        await self.pause()
        return found

    async def save(self, session_id, record, new=False):
        await self.pause()
        done = await super().save(session_id, record, new)
        await self.pause()
        return done

    async def delete(self, session_id):
        await self.pause()
        done = await super().delete(session_id)
        await self.pause()
        return done


async def test_S11_a_logout_while_a_session_is_ended_for_another_id_has_won():
    store = HeldStore()
    app = site(store=store)
    browser = Client(app)
    await browser.post('/login/anna/0')
    other = browser.copy()
    store.gate = asyncio.Event()
    task = asyncio.create_task(browser.get('/regenerate'))
    while not store.is_held:
        await asyncio.sleep(0)
    await other.post('/logout')
    store.gate.set()
    await task
    assert await who(browser) == 'nobody'


class HeldStore(MemoryStore):
    """A store in which the first to end a session waits at the gate, once there is one."""
    gate = None
    is_held = False

    async def delete(self, session_id):
        if self.gate is not None and not self.is_held:
            self.is_held = True
            await self.gate.wait()
        return await super().delete(session_id)


async def test_S11_no_interleaving_with_a_slow_store_brings_back_what_a_logout_ended():
    for turn in range(1, 60):
        store = SlowStore()
        store.turn = turn
        with FakeClock(START) as clock:
            app = site(store=store, idle=800)
            app.gate.set()
            browser = Client(app)
            await browser.post('/login/anna/0')
            clock.advance(200)
            others = [browser.copy() for _ in range(4)]
            tasks = [asyncio.create_task(others[i].get('/slow/' + what))
                     for i, what in enumerate(('save', 'look', 'flash', 'look'))]
            await browser.post('/logout')
            for task in tasks:
                assert (await task).status_code == 200
            for other in others:
                assert await who(other) == 'nobody', turn


async def test_S11_two_logins_at_once_never_mix_two_users():
    for turn in range(1, 40):
        store = SlowStore()
        store.turn = turn
        app = site(store=store)
        start = Client(app)
        app.gate.set()
        await start.get('/slow/save')
        anna, bert = start.copy(), start.copy()
        tasks = [asyncio.create_task(anna.post('/login/anna/0')), asyncio.create_task(bert.post('/login/bert/0'))]
        for task in tasks:
            await task
        assert (await who(anna), await who(bert)) in (('anna', 'bert'), ('nobody', 'bert'), ('anna', 'nobody')), turn


# --- regenerate -------------------------------------------------------------------------------------

async def test_S6_a_session_with_a_new_id_is_still_one_of_its_users():
    for store in stores()[1:]:
        app = site(store=store)
        browser = Client(app)
        await browser.post('/login/anna/0')
        await browser.get('/regenerate')
        assert len(await app._session.list_sessions('anna')) == 1
        assert await app._session.end_sessions('anna') == 1
        assert await who(browser) == 'nobody'


async def test_S3_a_session_with_a_new_id_ends_with_the_remember_me_cookie_that_it_came_of():
    for store in stores():
        with FakeClock(START) as clock:
            app = site(store=store)
            browser = Client(app)
            await browser.post('/login/anna/2')
            browser.restart()
            assert await who(browser) == 'anna'
            thief = browser.copy()
            await thief.get('/regenerate')
            thief.jar = {where: thief.jar[where] for where in thief.jar if where[0] == 'session'}
            clock.advance(2 * DAY - 1)
            assert await who(thief) == 'anna'
            patient = thief.copy()
            clock.advance(1)  # S4: when the cookie's days are over, so are the session's
            assert await who(patient) == 'nobody'
            clock.advance(-DAY)
            await browser.post('/logout')
            assert await who(thief) == 'nobody'


async def test_S2_a_login_after_regenerate_is_a_login():
    for store in stores():
        app = site(store=store)

        @app.get('/both')
        @with_session
        async def both(request, session, app=app):
            session.regenerate()
            await app.login.logout_user(request)
            return await app.login.login_user(request, {'id': 'bert', 'password_hash': 'x'})

        browser = Client(app)
        await browser.post('/login/anna/0')
        before = browser.copy()
        await browser.get('/both')
        assert (await who(browser), await who(before)) == ('bert', 'nobody')


# --- a full list of ended tokens --------------------------------------------------------------------

async def test_S3_a_list_full_of_logouts_locks_nobody_out():
    # Remember-me cookies end later than sessions: what makes room must not cover those that begin afterwards.
    for time in (START, UNSET):
        for store in stores():
            with FakeClock(time) as clock:
                app = site(store=store, max_revoked=4)
                ended = []
                browser = Client(app)
                for _ in range(8):
                    clock.advance(5)
                    await browser.post('/login/anna/30')
                    ended.append(browser.copy())
                    await browser.post('/logout')
                await browser.post('/login/anna/1')
                clock.advance(3600)
                assert await who(browser) == 'anna', (time, store)
                browser.restart()
                assert await who(browser) == 'anna', (time, store)
                for copy in ended:
                    assert await who(copy) == 'nobody'
                    copy.restart()
                    assert await who(copy) == 'nobody'


async def test_S3_a_short_session_can_begin_beside_a_list_full_of_long_ones():
    app = site(max_revoked=2)
    for _ in range(6):
        browser = Client(app)
        await browser.post('/login/anna/0')
        await browser.post('/logout')
    app._session._max_age = 60
    await browser.post('/login/anna/0')
    copy = browser.copy()
    assert await who(browser) == 'anna'
    await browser.post('/logout')
    assert await who(copy) == 'nobody'


async def test_S3_what_ended_a_session_from_before_the_clock_was_set_ended_what_became_of_it():
    with FakeClock(UNSET) as clock:
        app = site(max_revoked=4)
        early = Client(app)
        await early.post('/login/anna/0')
        clock.set(START)
        later = early.copy()
        assert await who(later) == 'anna' and later.value('session') != early.value('session')
        await early.post('/logout')
        clock.set(UNSET)
        for _ in range(6):  # its place among those that end with the boot goes to others
            browser = Client(app)
            await browser.post('/login/anna/0')
            await browser.post('/logout')
        clock.set(START)
        assert await who(later) == 'nobody'


def test_S3_no_order_of_logouts_brings_a_token_back_that_began_under_a_floor():
    turn = 7
    with FakeClock(START):
        revoked = Revoked(limit=3)
        ended = []
        for number in range(300):
            turn = (turn * 1103 + 12345) % 65521
            end = START + 100 + turn % 5000
            floor = revoked.floor(end)
            assert not revoked.has('t%d' % number, end, False, floor)
            if turn % 3:
                revoked.add('t%d' % number, max(end, floor + 1))
                ended.append(('t%d' % number, end, False, floor))
            for token in ended:
                assert revoked.has(*token), (number, token)


# --- stores and codecs that make things up ----------------------------------------------------------

class Liar(MemoryStore):
    """A store that hands out what ``lie`` makes of a record."""
    lie = None

    async def load(self, session_id):
        record = await super().load(session_id)
        return self.lie(record) if self.lie else record


def with_(**changes):
    def lie(record):
        record.update(changes)
        return record
    return lie


LIES = [
    lambda record: [], lambda record: 'text', lambda record: 5, lambda record: {}, lambda record: True,
    with_(iat='x'), with_(nbf='x'), with_(nbf=[]), with_(exp='x'), with_(exp=None), with_(exp=9e30), with_(exp=True),
    with_(dl_boot=5), with_(dl_boot=[1, 2]), with_(secret='\ud800'), with_(secret=None), with_(secret=['x']),
    with_(data=None), with_(data=[]), with_(parent=5), with_(parent='abc'), with_(parent=[]),
    with_(parent=['a', 1, 7]), with_(parent=[[], 1, True]), with_(parent={'a': 1}), with_(seen='x'), with_(seen=[]),
    with_(iat=[]),
]


async def test_S11_whatever_a_store_hands_out_the_visitor_is_anonymous_and_the_page_is_there():
    for number, lie in enumerate(LIES):
        store = Liar()
        app = site(store=store, idle=800)
        browser = Client(app)
        await browser.post('/login/bert/3')
        await browser.post('/logout')  # so that there is a list to look into
        await browser.post('/login/anna/3')
        browser.jar = {where: browser.jar[where] for where in browser.jar if where[0] == 'session'}
        store.lie = lie
        res = await browser.get('/who')
        assert (res.status_code, res.text) == (200, 'nobody'), number


async def test_S11_a_store_that_lies_between_reading_and_writing_is_no_500():
    for number, lie in enumerate(LIES):
        with FakeClock(START) as clock:
            store = Liar()
            app = site(store=store, idle=800)
            browser = Client(app)
            await browser.post('/login/anna/0')
            clock.advance(200)
            task = asyncio.create_task(browser.get('/slow/look'))
            await app.going.wait()
            store.lie = lie
            app.gate.set()
            assert (await task).status_code == 200, number
            store.lie = None
            assert await who(browser) in ('anna', 'nobody'), number


class Failing(MemoryStore):
    """A store whose calls fail from one on, until it is told otherwise."""
    left = 1000

    def spend(self):
        self.left -= 1
        if self.left < 0:
            raise OSError(5)

    async def load(self, session_id):
        self.spend()
        return await super().load(session_id)

    async def save(self, session_id, record, new=False):
        self.spend()
        return await super().save(session_id, record, new)

    async def delete(self, session_id):
        self.spend()
        await super().delete(session_id)


async def test_S11_a_store_that_fails_at_any_call_is_a_503_and_nobody_becomes_somebody_else():
    steps = (('POST', '/login/bert/0'), ('GET', '/slow/save'), ('GET', '/regenerate'), ('GET', '/slow/look'),
             ('POST', '/logout'))
    for fail_at in range(12):
        store = Failing()
        app = site(store=store)
        app.gate.set()
        browser = Client(app)
        await browser.post('/login/anna/0')
        start = browser.copy()
        store.left = fail_at
        failed = False
        for method, url in steps:
            res = await browser.request(method, url)
            assert res.status_code == (503 if store.left < 0 else res.status_code)
            assert res.status_code in (200, 302, 503), (fail_at, url, res.status_code)
            failed = failed or res.status_code == 503
        store.left = 1000
        assert await who(browser) == 'nobody' or failed
        assert await who(browser) in ('nobody', 'anna', 'bert') and await who(start) in ('nobody', 'anna')
        await browser.post('/logout')
        assert await who(browser) == 'nobody'


class Codec:
    """A codec whose claims may be anything."""
    def __init__(self):
        self.kept = {}

    def encode(self, claims):
        token = 'token-%d' % len(self.kept)
        self.kept[token] = claims.copy()
        return token

    def decode(self, token):
        if token not in self.kept:
            raise tokens.InvalidToken('unknown')
        return self.kept[token]


async def test_S11_claims_that_make_no_sense_are_judged_when_they_are_known_already():
    for parent in (5, 'abc', [], [1], ['a', 'b', 'c'], {'a': 1}, [[], 1, True], ['a', 1, 7]):
        codec = Codec()
        app = site(codec=codec)
        codec.kept['made-up'] = {'jti': 'a', 'exp': 4102444800, 'data': {'n': 1}, 'parent': parent}
        for _ in range(2):  # the second time something was ended, so there is a list to look into
            res = await Client(app).get('/who', {'Cookie': 'session=made-up'})
            assert (res.status_code, res.text) == (200, 'nobody'), parent
            browser = Client(app)
            await browser.post('/login/anna/0')
            await browser.post('/logout')


async def test_a_codec_that_signs_none_is_no_error_where_nothing_is_saved():
    class Reader(Codec):
        def encode(self, claims):
            raise RuntimeError('no key')

    with FakeClock(START) as clock:
        make, read = Codec(), Reader()
        read.kept = make.kept
        browser = Client(site(codec=make, idle=800))
        await browser.post('/login/anna/30')
        app = site(codec=read, idle=800, secret_key=[OTHER_KEY, KEY])
        reader = browser.copy(app)
        assert await who(reader) == 'anna'  # the stamp is of the old key
        clock.advance(200)
        assert await who(reader) == 'anna'  # the time of use would be due
        reader.jar = {where: reader.jar[where] for where in reader.jar if where[0] != 'session'}
        assert await who(reader) == 'anna'  # a session would begin


async def test_C6_a_token_that_would_end_its_header_line_is_refused():
    class Breaking(Codec):
        def encode(self, claims):
            return 'a\r\nSet-Cookie: a=1'

    for transport in (None, HeaderTransport()):
        res = await Client(site(codec=Breaking(), transport=transport)).post('/login/anna/0')
        assert res.status_code == 500 and res.cookies == [] and 'Session-Token' not in res.headers


# --- what is saved ----------------------------------------------------------------------------------

async def test_what_autosave_cannot_save_does_not_take_the_error_page_with_it():
    app = make_app(autosave=True)

    @app.get('/<int:large>/<how>')
    @with_session
    async def bad(request, session, large, how):
        session['a'] = 'x' * 5000 if large else object()
        if how == 'abort':
            abort(403)
        if how == 'raise':
            raise ValueError('on the way')
        return 'done'

    for large in (0, 1):
        for how, status in (('abort', 403), ('raise', 500), ('return', 500)):
            res = await Client(app).get('/%d/%s' % (large, how))
            assert res.status_code == status and res.cookies == [], (large, how)


async def test_what_changes_after_save_is_not_saved_in_whatever_it_is_wrapped():
    for store in stores():
        for wrap in (lambda inner: (inner,), lambda inner: [(inner,)], lambda inner: {'a': (inner, 1)}):
            app = make_app(store=store)

            @app.get('/put')
            @with_session
            async def put(request, session, wrap=wrap):
                inner = {'n': 1}
                session['a'] = wrap(inner)
                session.save()
                inner['n'] = object()
                return 'done'

            @app.get('/get')
            @with_session
            async def get(request, session):
                return session

            browser = Client(app)
            assert (await browser.get('/put')).status_code == 200
            assert '"n": 1' in (await browser.get('/get')).text.replace('"n":1', '"n": 1'), store


# --- ends without a response ------------------------------------------------------------------------

async def test_S3_a_session_ends_in_a_handler_that_leaves_no_response():
    for store in stores():
        app = site(store=store)

        @app.get('/delete')
        @with_session
        async def delete(request, session):
            session.delete()
            return Response.already_handled  # as a WebSocket leaves it

        @app.get('/logout-here')
        async def logout_here(request, app=app):
            await app.login.logout_user(request)
            return Response.already_handled

        @app.get('/after')
        @with_session
        async def after(request, session):
            async def late(request, response):
                session.delete()

            request.after_request(late)
            return 'done'

        for url in ('/delete', '/logout-here', '/after'):
            browser = Client(app)
            await browser.post('/login/anna/0')
            thief = browser.copy()
            try:
                await browser.get(url)
            except Exception:  # the test client wants a response
                assert url != '/after'
            assert await who(thief) == 'nobody', (url, store)


async def test_S3_a_session_ends_although_its_client_has_gone():
    for store in stores():
        app = site(store=store)

        @app.get('/delete')
        @with_session
        async def delete(request, session, app=app):
            session.delete()
            app.going.set()
            await app.gate.wait()

        browser = Client(app)
        await browser.post('/login/anna/0')
        task = asyncio.create_task(browser.get('/delete'))
        await app.going.wait()
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
        assert await who(browser) == 'nobody', store


# --- cookies ----------------------------------------------------------------------------------------

def test_C5_a_cookie_is_looked_for_in_every_line():
    class Request:
        def __init__(self, *lines):
            self.asgi_scope = {'headers': [(b'host', b'session')] + [(b'cookie', line) for line in lines]}
            self.headers = {'Cookie': lines[-1].decode()} if lines else {}

    for lines, expected in (((), False), ((b'a=1',), False), ((b'session=1',), True), ((b'session=1', b'a=1'), True),
                            ((b'a=1', b'session=1'), True), ((b'a=1', b'b=1'), False)):
        assert cookies.is_sent(Request(*lines), 'session') is expected, lines
