"""Attacks on logins: what happens between two steps, what is planted, copied, or comes too late."""
from clock import START, UNSET, FakeClock
from household import PASSWORDS, Cheap, Client, Household, status
from test_accountpages import Site, change, is_in
from test_halflogin import Home, code, enter, half
from test_impersonation import office

from dotlatch.impersonation import Impersonation
from dotlatch.live import Live, _Again
from dotlatch.login import Login
from dotlatch.session import session_of, with_session
from dotlatch.stores import MemoryStore
from dotlatch.throttle import Throttle
from dotlatch.usertoken import Anonymous

DAY = 86400
FIREFOX = {'User-Agent': 'Firefox'}
OTHER = {'User-Agent': 'Something else'}


def kinds():
    """Options of Session: signed ones, and ones in a store."""
    return {}, {'store': MemoryStore()}


class Meanwhile:
    """A second factor that takes its time for a code: this happens in between."""
    def __init__(self, second, event):
        self.second = second
        self.event = event

    async def verify(self, user, given):
        method = await self.second.verify(user, given)
        await self.event()
        return method


def cart_page(house):
    @house.app.get('/cart')
    @with_session
    async def cart(request, session):
        session['cart'] = session.get('cart', 0) + 1
        session.save()
        return str(session['cart'])


# --- between the steps ----------------------------------------------------------------------------

async def test_O5_a_half_login_that_is_ended_while_its_code_is_verified_stays_ended():
    with Cheap(), FakeClock() as clock:
        async def attack(session):
            house = await Home.with_code(session=session)
            clock.advance(30)
            browser = await half(house)
            other = browser.copy()

            async def log_out():
                await other.post('/a/b/logout')

            house.login.second = Meanwhile(house.second, log_out)
            assert (await enter(house, browser, code(house), trust='on')).headers['Location'] == '/login'
            assert await house.who(browser) == 'None anonymous'
            assert 'login' not in house.told() and '_device' not in browser.names()

        for session in kinds():
            await attack(session)


async def test_S3_a_code_that_comes_after_the_logout_is_no_login():
    with Cheap(), FakeClock() as clock:
        async def attack(session):
            house = await Home.with_code(session=session)
            clock.advance(30)
            browser = await half(house)
            await enter(house, browser, code(house))
            other = browser.copy()

            async def log_out():
                await other.post('/a/b/logout')

            house.login.second = Meanwhile(house.second, log_out)
            clock.advance(30)
            await enter(house, browser, code(house), trust='on')
            assert await house.who(browser) == 'None anonymous'
            assert house.told('second_factor') == [] and '_device' not in browser.names()

        for session in kinds():
            await attack(session)


async def test_S6_a_password_that_changes_while_a_code_is_verified_ends_what_the_code_opens():
    with Cheap(), FakeClock() as clock:
        async def attack(session):
            house = await Home.with_code(session=session)
            clock.advance(30)
            browser = await half(house, remember='on')

            async def change():
                await house.users.set_password(house.user('anna'), 'another of four words')

            house.login.second = Meanwhile(house.second, change)
            await enter(house, browser, code(house), trust='on')
            house.login.second = house.second
            assert await house.who(browser) == 'None anonymous'
            browser.restart()
            assert await house.who(browser) == 'None anonymous'
            res = await house.try_password(browser, 'anna', 'another of four words')
            assert res.headers['Location'] == '/login/code'         # nor is the browser trusted

        for session in kinds():
            await attack(session)


async def test_S6_a_password_that_changes_while_a_guard_thinks_lets_nobody_in():
    with Cheap():
        async def attack(session):
            house = await Household.build(session=session)

            async def slow_guard(request, user):
                await house.users.set_password(user, 'another of four words')

            house.guards.append(slow_guard)
            browser = Client(house.app)
            assert (await house.try_password(browser, 'anna', remember='on')).status_code == 401
            assert await house.who(browser) == 'None anonymous' and browser.names() == []

        for session in kinds():
            await attack(session)


async def test_a_user_who_is_shut_out_while_a_guard_thinks_gets_a_no_and_no_500():
    with Cheap():
        async def attack(change, status_code):
            house = await Household.build()

            async def slow_guard(request, user):
                getattr(house.users, change)(user)

            house.guards.append(slow_guard)
            browser = Client(house.app)
            assert (await house.try_password(browser, 'anna')).status_code == status_code, change
            assert await house.who(browser) == 'None anonymous', change

        await attack('disable', 401)
        await attack('end_sessions', 401)
        await attack('remove', 302)     # it is the same user still, whom nobody finds any more


async def test_S3_a_login_that_was_logged_out_meanwhile_has_proven_no_code():
    with Cheap(), FakeClock() as clock:
        async def attack(session):
            house = await Home.with_code(session=session)
            cart_page(house)
            clock.advance(30)
            browser = await half(house)
            await enter(house, browser, code(house))
            await browser.texts('/cart', '/cart')
            other = browser.copy()

            async def slow_guard(request, user):
                await other.post('/a/b/logout')

            house.guards.append(slow_guard)
            assert (await house.try_password(browser, None, PASSWORDS['anna'])).headers['Location'] == '/login/code'
            assert await house.who(browser) == 'None anonymous'
            clock.advance(30)
            await enter(house, browser, code(house))
            assert (await browser.get('/cart')).text == '1'

        for session in kinds():
            await attack(session)


class SlowUsers:
    """Users who take their time for a password: this happens in between."""
    def __init__(self, users, event):
        self.users = users
        self.event = event

    async def authenticate(self, name, password):
        user = await self.users.authenticate(name, password)
        self.event(user)
        return user


async def test_S6_a_session_that_was_ended_while_a_password_is_verified_has_proven_no_code():
    with Cheap(), FakeClock() as clock:
        async def attack(session):
            house = await Home.with_code(session=session)
            cart_page(house)
            clock.advance(30)
            thief = await half(house)
            await enter(house, thief, code(house))
            await thief.get('/cart')
            house.login.users = SlowUsers(house.users, house.users.end_sessions)
            for name in (None, 'anna'):
                stolen = thief.copy()
                res = await house.try_password(stolen, name, PASSWORDS['anna'])
                assert res.headers['Location'] == '/login/code'
                assert await house.who(stolen) == 'None anonymous'
                assert await status(stolen, '/second') == [302]

        for session in kinds():
            await attack(session)


# --- the client -----------------------------------------------------------------------------------

async def test_O5_a_stolen_session_does_not_stand_in_for_the_code_of_another_client():
    with Cheap(), FakeClock() as clock:
        for protection in ('basic', 'strong'):
            house = await Home.with_code(protection=protection)
            clock.advance(30)
            browser = Client(house.app)
            await house.post(browser, '/login', {'username': 'anna', 'password': PASSWORDS['anna']}, FIREFOX)
            await house.post(browser, '/login/code', {'code': code(house)}, FIREFOX)
            assert (await browser.get('/second', FIREFOX)).status_code == 200
            thief = browser.copy()
            res = await house.post(thief, '/login', {'username': 'anna', 'password': PASSWORDS['anna']}, OTHER)
            assert res.headers['Location'] == '/login/code', protection
            assert (await thief.get('/second', OTHER)).status_code == 302


async def test_who_comes_from_another_client_has_a_way_to_where_a_code_is_needed():
    with Cheap(), FakeClock() as clock:
        house = await Home.with_code(protection='basic')
        clock.advance(30)
        browser = Client(house.app)
        await house.post(browser, '/login', {'username': 'anna', 'password': PASSWORDS['anna']}, FIREFOX)
        await house.post(browser, '/login/code', {'code': code(house)}, FIREFOX)
        res = await browser.get('/second', OTHER)
        assert res.headers['Location'].startswith('/login?')        # a code there would have proven nothing here
        res = await house.post(browser, '/login', {'password': PASSWORDS['anna']}, OTHER)
        assert res.headers['Location'] == '/login/code'
        clock.advance(30)
        await house.post(browser, '/login/code', {'code': code(house)}, OTHER)
        assert (await browser.get('/second', OTHER)).status_code == 200


# --- what is kept ---------------------------------------------------------------------------------

async def test_S2_nothing_of_another_users_session_is_kept():
    with Cheap():
        house = await Household.build(('anna', 'bert'))
        cart_page(house)

        @house.app.post('/keep/<name>')
        async def keep(request, name):
            ours = ('_password', '_code', '_actor', '_half')
            return await house.login.login_user(request, house.user(name), keep=('cart',) + ours)

        browser = Client(house.app)
        await browser.get('/cart')
        await browser.post('/keep/anna')
        assert (await browser.get('/cart')).text == '2'             # what nobody's session held
        await browser.post('/keep/bert')
        assert (await browser.get('/cart')).text == '1'


async def test_S2_names_of_ours_are_not_kept():
    with Cheap():
        house = await office()

        @house.app.post('/keep/<name>')
        async def keep(request, name):
            return await house.login.login_user(request, house.user(name), keep=('_actor', '_client', '_half'))

        browser = await house.log_in('boss')
        await browser.post('/act/anna')
        await browser.post('/keep/anna')
        assert await house.who(browser) == 'anna fresh'
        await browser.post('/stop')
        assert await house.who(browser) == 'anna fresh'


async def test_what_is_kept_is_there_when_the_password_was_typed_twice():
    with Cheap(), FakeClock() as clock:
        house = await Home.with_code()
        clock.advance(30)
        cart_page(house)

        @house.app.post('/keep/<name>')
        async def keep(request, name):
            return await house.login.login_user(request, house.user(name), keep=('cart',))

        for names, left in ((('anna', 'anna'), '3'), (('anna', 'bert', 'anna'), '1')):
            browser = Client(house.app)
            await browser.texts('/cart', '/cart')
            for name in names:
                await browser.post('/keep/' + name)
            await enter(house, browser, code(house))
            assert await house.who(browser) == 'anna fresh'
            assert (await browser.get('/cart')).text == left
            clock.advance(30)


async def test_junk_of_the_apps_own_where_a_half_login_stands_is_no_500():
    with Cheap(), FakeClock() as clock:
        house = await Home.with_code()
        clock.advance(30)

        @house.app.post('/junk/<int:n>')
        @with_session
        async def junk(request, session, n):
            session['_actor'] = session['_half'] = (
                5, 'x', [], {}, {'id': None}, {'id': True, 'stamp': ''}, {'id': [1]},
                {'id': house.user('anna').id, 'data': 7})[n]
            session.save()
            return 'ok'

        for n in range(8):
            browser = Client(house.app)
            assert (await browser.post('/junk/%d' % n)).status_code == 200
            assert await house.who(browser) == 'None anonymous'
            assert (await enter(house, browser, code(house))).status_code == 302
            assert await house.who(browser) == 'None anonymous', n
        acting = await office()

        @acting.app.post('/junk')
        async def junk_actor(request):
            session = session_of(request).get(request)
            session['_actor'] = 5
            session.save()

        browser = await acting.log_in('boss')
        await browser.post('/junk')
        assert await acting.who(browser) == 'None anonymous'


async def test_a_session_that_does_not_fit_logs_nobody_in_and_leaves_nothing():
    with Cheap(), FakeClock() as clock:
        house = await Home.with_code(throttle=Throttle(free=3))
        clock.advance(30)

        @house.app.post('/large/<name>')
        async def large(request, name):
            session_of(request).get(request)['cart'] = 'x' * 2000
            try:
                await house.login.login_user(request, house.user(name), remember=True, keep=('cart',))
            except ValueError as error:
                user = await house.login.get_current_user(request)
                return '%s %s' % (user, 'keep less' in str(error))

        logged_in = await house.log_in('bert', remember='on')
        for browser, name in ((Client(house.app), 'anna'), (Client(house.app), 'bert'), (logged_in, 'bert')):
            old = browser.copy()
            assert (await browser.post('/large/' + name)).text == 'None True'
            assert browser.names() == []
            assert await house.who(old) == 'None anonymous'


# --- remembered -----------------------------------------------------------------------------------

async def test_who_proves_the_password_once_more_stays_remembered():
    with Cheap(), FakeClock() as clock:
        for session in kinds():
            house = await Home.with_code(session=session)
            bert, anna = await house.log_in('bert', remember='on'), await half(house, remember='on')
            clock.advance(30)
            await enter(house, anna, code(house))
            for browser, name in ((bert, 'bert'), (anna, 'anna')):
                browser.restart()
                assert await house.who(browser) == name + ' remembered'
                await house.try_password(browser, None, PASSWORDS[name])
            clock.advance(30)
            await enter(house, anna, code(house))
            for browser, name in ((bert, 'bert'), (anna, 'anna')):
                assert await house.who(browser) == name + ' fresh'
                session_alone = browser.copy()
                browser.restart()
                assert await house.who(browser) == name + ' remembered'
                await browser.post('/a/b/logout')
                browser.restart()
                assert await house.who(browser) == 'None anonymous'
                assert await house.who(session_alone) == 'None anonymous'


async def test_M2_a_login_ends_the_remembering_of_whoever_was_here_before_under_any_path():
    with Cheap(), FakeClock() as clock:
        async def attack(session, name):
            house = await Home.with_code(session=session, remember_options={'path': '/deep'})

            @house.app.get('/deep/who')
            async def who(request):
                return str(getattr(await house.login.get_current_user(request), 'name', None))

            clock.advance(30)
            browser = await half(house, remember='on')
            await enter(house, browser, code(house))
            thief = browser.copy()
            thief.restart()
            clock.advance(30)
            await house.try_password(browser, name)
            await enter(house, browser, code(house))
            assert await house.who(browser) == name + ' fresh'
            assert (await thief.get('/deep/who')).text == 'None', name

        for session in kinds():
            await attack(session, 'bert')
            await attack(session, 'anna')


async def test_an_open_socket_that_was_remembered_is_looked_at_and_no_theft():
    with Cheap():
        async def attack(session):
            with FakeClock() as clock:
                house = await Household.build(session=session)
                seen = []

                @house.app.get('/stream')
                @house.login
                async def stream(request):
                    for event in ('', '', '/who', '/a/b/logout'):
                        clock.advance(60)
                        if event == '/who':
                            await phone.get('/who')
                        elif event:
                            await phone.post(event)
                        user = await house.login.recheck(_Again(request), request.g.current_user)
                        seen.append(getattr(user, 'name', None))
                    return 'over'

                browser = await house.log_in('anna', remember='on')
                browser.restart()
                phone = browser.copy()
                assert await house.who(phone) == 'anna remembered'
                await browser.get('/stream')
                assert seen == ['anna', 'anna', 'anna', None]
                assert house.told('remember_stolen') == []
                assert len(house.told('remembered')) == 2
                seen.clear()

        for session in kinds():
            await attack(session)


async def test_M1_a_series_that_ends_while_a_page_is_made_ends_the_session_that_the_page_begins():
    with Cheap(), FakeClock():
        async def attack(session):
            house = await Household.build(session=session)

            @house.app.get('/slow')
            @house.login
            async def slow(request):
                await owner.post('/a/b/logout')
                return 'slow'

            owner = await house.log_in('anna', remember='on')
            thief = owner.copy()
            thief.restart()
            assert (await thief.get('/slow')).text == 'slow'
            assert await house.who(thief) == 'None anonymous'

        for session in kinds():
            await attack(session)


async def test_C5_a_planted_remember_me_cookie_is_nobody_and_uses_no_secret():
    with Cheap(), FakeClock() as clock:
        house = await Household.build(('anna', 'bert'), session={'store': MemoryStore()})
        victim, attacker = await house.log_in('anna', remember='on'), await house.log_in('bert', remember='on')
        victim.restart()
        attacker.restart()
        own, planted = victim.value('_remember'), attacker.value('_remember')
        for pair in ((own, planted), (planted, own)):
            for _ in range(3):
                victim.jar.clear()
                res = await victim.get('/who', {'Cookie': '_remember=%s; _remember=%s' % pair})
                assert res.text == 'None anonymous' and victim.names() == []
                clock.advance(31)
        assert house.told('remember_stolen') == []
        for browser, value, name in ((victim, own, 'anna'), (attacker, planted, 'bert')):
            assert (await browser.get('/who', {'Cookie': '_remember=' + value})).text == name + ' remembered'


async def test_C5_the_two_last_secrets_of_a_planted_series_are_nobody():
    with Cheap(), FakeClock() as clock:
        house = await Household.build(('anna', 'bert'), session={'store': MemoryStore()})
        attacker = await house.log_in('bert', remember='on')
        attacker.restart()
        old = attacker.value('_remember')
        await house.who(attacker)
        new = attacker.value('_remember')
        clock.advance(31)
        victim = Client(house.app)
        res = await victim.get('/who', {'Cookie': '_remember=%s; _remember=%s' % (new, old)})
        assert res.text == 'None anonymous' and victim.names() == []


async def test_T9_requests_under_way_together_agree_on_the_secret_while_the_key_changes():
    with Cheap(), FakeClock() as clock:
        house = await Household.build(session={'store': MemoryStore()})
        browser = await house.log_in('anna', remember='on')
        browser.restart()
        second = browser.copy()
        key = house.app._session.secret_key
        assert await house.who(browser) == 'anna remembered'
        house.app._session.secret_key = ['a third key that has thirty-two bytes and more', key]
        assert await house.who(second) == 'anna remembered'
        assert second.value('_remember') == browser.value('_remember')
        for _ in range(3):
            clock.advance(31)
            second.restart()
            assert await house.who(second) == 'anna remembered'
        assert house.told('remember_stolen') == []


class Failing(MemoryStore):
    """A store of which one call fails, when it is told: the one after so many others."""
    left = None

    def _count(self):
        if self.left is not None:
            self.left -= 1
            if self.left == -1:
                raise OSError(5)

    async def load(self, *args):
        self._count()
        return await super().load(*args)

    async def save(self, *args):
        self._count()
        return await super().save(*args)

    async def delete(self, *args):
        self._count()
        return await super().delete(*args)

    async def list_user(self, *args):
        self._count()
        return await super().list_user(*args)


async def failing(n):
    """A site, and a browser that it remembers, with a store that fails at call ``n`` from now on."""
    store = Failing()
    house = await Household.build(session={'store': store})
    browser = await house.log_in('anna', remember='on')
    browser.restart()
    store.left = n
    return house, browser, store


async def test_S11_a_store_that_fails_while_somebody_is_remembered_is_a_503_and_no_theft():
    with Cheap(), FakeClock() as clock:
        failed = 0
        for n in range(10):
            house, browser, store = await failing(n)
            res = await browser.get('/who')
            assert (res.status_code, res.text) in ((503, res.text), (200, 'anna remembered')), n
            failed += res.status_code == 503
            store.left = None
            for _ in range(3):
                clock.advance(31)
                browser.restart()
                assert await house.who(browser) == 'anna remembered', n
            assert house.told('remember_stolen') == []
        assert 2 < failed < 10


async def test_S11_a_store_that_fails_while_somebody_logs_in_leaves_nothing_behind():
    with Cheap(), FakeClock():
        failed = 0
        for n in range(20):
            house, browser, store = await failing(None)
            await house.who(browser)
            old = browser.copy()
            store.left = n
            res = await house.try_password(browser, 'anna', remember='on')
            store.left = None
            if res.status_code == 302:
                assert await house.who(browser) == 'anna fresh' and await house.who(old) == 'None anonymous', n
                continue
            assert res.status_code == 503, n
            failed += 1
            assert await house.who(browser) in ('None anonymous', 'anna remembered'), n
            assert (await house.try_password(browser, 'anna')).status_code == 302
        assert 4 < failed < 20


async def test_S3_a_logout_that_the_store_lets_down_says_so():
    with Cheap(), FakeClock():
        failed = 0
        for n in range(20):
            house, browser, store = await failing(None)
            await house.who(browser)
            thief = browser.copy()
            store.left = n
            res = await browser.post('/a/b/logout')
            store.left = None
            failed += res.status_code == 503
            if res.status_code == 200:
                assert await house.who(thief) == 'None anonymous', n
                thief.restart()
                assert await house.who(thief) == 'None anonymous', n
            else:
                assert (await browser.post('/a/b/logout')).status_code == 200
                assert await house.who(thief) == 'None anonymous', n
        assert 3 < failed < 20


# --- how long -------------------------------------------------------------------------------------

async def test_S4_a_new_id_is_no_new_life():
    with Cheap():
        async def attack(session):
            with FakeClock() as clock:
                session['max_age'] = 1000
                house = await Household.build(session=session)

                @house.app.get('/renew')
                @with_session
                async def renew(request, session):
                    session.regenerate()
                    session.save()
                    return 'ok'

                thief = await house.log_in('anna')
                for _ in range(3):
                    clock.advance(300)
                    assert (await thief.get('/renew')).status_code == 200
                clock.advance(99)
                assert await house.who(thief) == 'anna fresh'
                clock.advance(1)
                assert await house.who(thief) == 'None anonymous'

        for session in kinds():
            await attack(session)


async def test_a_code_after_the_last_day_of_a_remember_me_cookie_logs_nobody_out():
    with Cheap(), FakeClock() as clock:
        async def attack(session):
            house = await Home.with_code(session=session)

            @house.app.post('/enter')
            async def let_in(request):
                return await house.login.login_user(request, house.user('anna'), remember=1)

            browser = Client(house.app)
            clock.advance(30)
            await browser.post('/enter')
            await enter(house, browser, code(house))
            clock.advance(2 * DAY)
            await enter(house, browser, code(house))
            assert await status(browser, '/second600') == [200]

        for session in kinds():
            await attack(session)


# --- acting for others ----------------------------------------------------------------------------

async def test_nobody_acts_for_somebody_who_has_become_more_powerful():
    with Cheap():
        house = await office()
        browser = await house.log_in('boss')
        await browser.post('/act/anna')
        house.users.set_scopes(house.user('anna'), ['read', 'root'])
        assert await house.who(browser) == 'None anonymous'
        house = await office(Impersonation(more_powerful=True))
        browser = await house.log_in('boss')
        await browser.post('/act/anna')
        house.users.set_scopes(house.user('anna'), ['read', 'root'])
        assert await house.who(browser) == 'anna impersonator as boss'


async def test_who_acts_for_somebody_confirms_no_password():
    with Cheap():
        house = await office()
        browser = await house.log_in('boss')
        await browser.post('/act/anna')
        for name in ('anna', 'boss'):
            assert (await house.try_password(browser, None, PASSWORDS[name])).status_code == 403
        assert await house.who(browser) == 'anna impersonator as boss'


async def test_nobody_is_really_there_when_acting_has_ended():
    with Cheap():
        for protection, change in (('strong', None), (None, 'boss'), (None, 'anna')):
            house = await office(protection=protection)
            browser = await house.log_in('boss', FIREFOX)
            await browser.post('/act/anna', FIREFOX)
            if change:
                house.users.end_sessions(house.user(change))
            assert await house.who(browser, OTHER) == 'None anonymous', (protection, change)


async def test_S3_who_is_logged_out_while_a_guard_thinks_acts_for_nobody():
    with Cheap():
        async def attack(session):
            async def slow_guard(request, actor, user):
                await other.post('/a/b/logout')
                return True

            house = await office(Impersonation(guard=slow_guard), session=session)
            browser = await house.log_in('boss')
            other = browser.copy()
            assert (await browser.post('/act/anna')).status_code == 403
            assert await house.who(browser) == 'None anonymous'

        for session in kinds():
            await attack(session)


async def test_S3_who_is_logged_out_meanwhile_is_not_himself_again():
    with Cheap():
        async def attack(session):
            house = await office(session=session)

            @house.app.post('/slow-stop')
            @house.login
            async def slow_stop(request):
                await other.post('/a/b/logout')
                return await house.login.end_impersonation(request)

            browser = await house.log_in('boss')
            await browser.post('/act/anna')
            other = browser.copy()
            assert (await browser.post('/slow-stop')).status_code == 302
            assert await house.who(browser) == 'None anonymous'

        for session in kinds():
            await attack(session)


async def test_S6_a_password_that_changes_meanwhile_ends_what_is_behind():
    with Cheap():
        house = await office()

        @house.app.post('/slow-stop')
        @house.login
        async def slow_stop(request):
            await house.users.set_password(house.user('boss'), 'another of four words')
            return await house.login.end_impersonation(request)

        browser = await house.log_in('boss')
        await browser.post('/act/anna')
        await browser.post('/slow-stop')
        assert await house.who(browser) == 'None anonymous'


async def test_S4_a_clock_that_is_set_meanwhile_changes_no_end():
    with Cheap(), FakeClock(time=UNSET) as clock:
        house = await office(Impersonation(max_age=600), session={'max_age': 5000})
        clock.advance(DAY)
        browser = await house.log_in('boss')
        clock.advance(100)
        await browser.post('/act/anna')
        clock.set(START)
        clock.advance(100)
        assert await house.who(browser) == 'anna impersonator as boss'
        await browser.post('/stop')
        assert (await house.who(browser)).split()[0] == 'boss'
        clock.advance(4799)
        assert (await house.who(browser)).split()[0] == 'boss'
        clock.advance(1)
        assert await house.who(browser) == 'None anonymous'


# --- counts ---------------------------------------------------------------------------------------

async def test_L1_what_breaks_after_the_right_password_is_no_failed_guess():
    with Cheap(), FakeClock():
        house = await Household.build(throttle=Throttle(free=2))

        def broken(request, user):
            raise KeyError('x')

        house.guards.append(broken)
        for _ in range(5):
            assert (await house.try_password(Client(house.app), 'anna')).status_code == 500
        house.guards.clear()
        assert (await house.try_password(Client(house.app), 'anna')).status_code == 302


# --- users of another kind ------------------------------------------------------------------------

class Directory:
    """Users that are looked up, and what happens while a hash is made anew."""
    def __init__(self, user, change=None, error=None):
        self.users = [user]
        self.change = change
        self.error = error

    async def get_by_id(self, user_id):
        return ([user for user in self.users if user['id'] == user_id] or [None])[0]

    async def get_by_name(self, name):
        return ([user for user in self.users if user['name'] == name] or [None])[0]

    async def set_password_hash(self, user, hashed):
        if self.error:
            raise self.error
        user['password_hash'] = hashed
        if self.change:
            self.change(self.users)


async def directory(change=None, error=None):
    with Cheap(1):
        house = await Household.build()
        hashed = house.user('anna').password_hash
    directory = Directory({'id': 7, 'name': 'anna', 'password_hash': hashed}, change, error)
    house.login.users = directory
    house.login.user_loader_callback = directory.get_by_id
    return house


async def test_who_takes_a_name_over_while_a_hash_is_made_is_not_logged_in():
    def rename(users):
        users[0]['name'] = 'anna2'
        users.append({'id': 8, 'name': 'anna', 'password_hash': None})

    def disable(users):
        users[0]['is_active'] = False

    def change(users):
        users[0]['password_hash'] = 'pbkdf2_sha256$1$x$eA=='

    for event in (rename, disable, change):
        house = await directory(event)
        with Cheap(2):
            browser = Client(house.app)
            assert (await house.try_password(browser, 'anna')).status_code == 401, event
            assert browser.names() == []


async def test_another_login_that_is_quicker_to_make_the_hash_anew_is_no_wrong_password():
    with Cheap(2):
        other = await Household.build()
        better = other.user('anna').password_hash
        house = await directory(lambda users: users[0].update({'password_hash': better}))
        assert (await house.try_password(Client(house.app), 'anna')).status_code == 302


async def test_a_better_hash_that_cannot_be_kept_keeps_nobody_out():
    house = await directory(error=OSError(28))
    with Cheap(2):
        assert (await house.try_password(Client(house.app), 'anna')).status_code == 302
        assert house.told('login') != []


async def test_users_without_a_name_prove_the_password_once_more():
    class Bare:
        """Users that have an id alone."""
        async def get_by_id(self, user_id):
            return {'id': user_id, 'name': None}

        async def authenticate(self, name, password):
            return {'id': int(name), 'name': None} if name == '0' and len(password) == 1 else None

    house = await Household.build(())
    house.login.users = Bare()
    house.login.user_loader_callback = house.login.users.get_by_id

    @house.app.get('/id')
    @house.login.fresh
    async def show(request):
        return repr(request.g.current_user['id'])

    browser = Client(house.app)
    await house.try_password(browser, '0', 'x')
    assert (await browser.get('/id')).text == '0'
    assert (await house.try_password(browser, None, 'x')).status_code == 302
    assert (await house.try_password(browser, None, 'wrong')).status_code == 401
    assert await status(browser, '/id') == [200]


async def test_S11_users_that_cannot_be_asked_are_a_503_wherever_somebody_is_looked_for():
    class Down:
        """A second factor whose users are down."""
        async def verify(self, user, given):
            raise OSError(110)

    with Cheap(), FakeClock() as clock:
        for session in kinds():
            house = await Home.with_code(session=session, throttle=Throttle(free=2))
            clock.advance(30)
            anna, bert = await half(house), await house.log_in('bert', remember='on')
            remembered = bert.copy()
            remembered.restart()
            house.login.second, second = Down(), house.login.second
            for _ in range(5):
                assert (await enter(house, anna, code(house))).status_code == 503
            house.login.second = second
            load = house.login.user_loader_callback
            house.login.user_loader_callback = lambda user_id: Down().verify(user_id, None)
            for browser in (bert, remembered):
                assert (await browser.get('/private')).status_code == 503
            assert (await enter(house, anna, code(house))).status_code == 503
            house.login.user_loader_callback = load
            await enter(house, anna, code(house))
            for browser, text in ((anna, 'anna fresh'), (bert, 'bert fresh'), (remembered, 'bert remembered')):
                assert await house.who(browser) == text


async def test_acting_in_another_clients_hands_leads_to_no_fresh_login():
    with Cheap():
        house = await office(protection='basic')
        browser = await house.log_in('boss', FIREFOX)
        await browser.post('/act/anna', FIREFOX)
        thief = browser.copy()
        await thief.post('/stop', OTHER)
        assert await house.who(thief, OTHER) == 'boss remembered'
        assert (await thief.get('/fresh600', OTHER)).status_code == 302


async def test_S14_a_trusted_browser_has_room_for_its_cookies():
    with Cheap(), FakeClock() as clock:
        house = await Home.with_code()

        @house.app.post('/keep/<int:n>')
        async def keep(request, n):
            session_of(request).get(request)['cart'] = 'x' * n
            return await house.login.login_user(request, house.user('anna'), remember=True, keep=('cart',))

        refused = 0
        for n in range(300, 1000, 50):
            browser = Client(house.app)
            assert (await browser.post('/keep/%d' % n)).status_code == 302
            clock.advance(30)
            status_code = (await enter(house, browser, code(house), trust='on')).status_code
            refused += status_code == 500
            text = await house.who(browser)
            assert (status_code, text) in ((302, 'anna fresh'), (500, 'None anonymous')), (n, status_code, text)
        assert 0 < refused < 14


async def test_a_socket_that_is_for_nobody_too_stays_open_for_an_anonymous_object():
    for anonymous in (None, Anonymous, Anonymous()):
        house = await Household.build((), anonymous=anonymous)
        live = Live()

        async def talk(request, socket):
            return 'open'

        talking = live(talk)

        @house.app.get('/talk')
        @house.login.optional
        async def handler(request, talking=talking):
            return await talking(request, None)

        assert (await Client(house.app).get('/talk')).text == 'open'


async def test_what_else_users_can_load_is_not_asked_for_a_user():
    class Users:
        """Users of a program's own, which come from a file."""
        async def load(self, path):
            raise AssertionError('not a path')

        async def get_by_id(self, user_id):
            return {'id': user_id, 'name': user_id}

        async def authenticate(self, name, password):
            return {'id': name, 'name': name}

    assert (await Login(users=Users()).user_loader_callback('anna'))['id'] == 'anna'


async def test_S3_who_is_logged_out_while_the_password_changes_stays_so():
    with Cheap():
        async def attack(store):
            site = Site(store)
            browser = await site.enter()
            other = browser.copy()
            change_password = site.users.change_password

            async def slow(*args):
                verdict = await change_password(*args)
                await other.post('/logout')
                return verdict

            site.users.change_password = slow
            assert (await change(browser)).status_code == 303
            assert not await is_in(browser)

        await attack(None)
        await attack(MemoryStore())
