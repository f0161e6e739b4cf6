"""Logins in two steps: what a right password opens while the code is missing, which is nothing."""
from client import basic
from clock import START, UNSET, FakeClock
from household import PASSWORDS, Cheap, Client, Household, status

from dotlatch import totp
from dotlatch.auth import BasicAuth, any_of
from dotlatch.impersonation import Impersonation
from dotlatch.second import SecondFactor
from dotlatch.session import session_of
from dotlatch.stores import MemoryStore
from dotlatch.throttle import Throttle
from dotlatch.users import MemoryUsers

DAY = 86400


class Home(Household):
    """A household in which anna has a second factor."""

    @staticmethod
    async def with_code(names=('anna', 'bert'), session=None, **options):
        users = MemoryUsers()
        second = SecondFactor(users, issuer='Greenhouse')
        house = await Household.build(names, session=session, users=users, second_factor=second, **options)
        house.second = second
        house.totp = second.begin(house.user('anna'))
        house.codes = await second.confirm(house.user('anna'), house.totp.stored(), code(house))
        assert house.codes
        return house


def code(house, steps=0):
    return house.totp.code_at(totp.current_step() + steps)


async def enter(house, browser, given, url='/login/code', **more):
    fields = {'code': given}
    for name in more:
        fields[name] = more[name]
    return await house.post(browser, url, fields)


async def half(house, **more):
    browser = Client(house.app)
    res = await house.try_password(browser, 'anna', **more)
    assert (res.status_code, res.headers['Location'].split('?')[0]) == (302, '/login/code')
    return browser


async def test_O5_a_half_login_reaches_nothing_but_the_form_for_the_code():
    with Cheap(), FakeClock() as clock:
        house = await Home.with_code()
        browser = await half(house)
        assert await house.who(browser) == 'None anonymous'
        for url in ('/private', '/fresh', '/second', '/write'):
            res = await browser.get(url)
            assert (res.status_code, res.headers['Location']) == (302, '/login/code?next=' + url)
            assert (await browser.get(url, {'Accept': 'application/json'})).status_code == 401
        assert browser.names() == ['session']
        clock.advance(30)
        assert (await enter(house, browser, code(house))).status_code == 302
        assert await house.who(browser) == 'anna fresh'
        assert await status(browser, '/private', '/fresh', '/second', '/second600') == [200] * 4


async def test_O5_nobody_is_remembered_before_the_code():
    with Cheap(), FakeClock() as clock:
        for session in ({}, {'store': MemoryStore()}):
            house = await Home.with_code(session=session)
            clock.advance(60)
            browser = await half(house, remember='on')
            assert browser.names() == ['session']
            clock.advance(30)
            await enter(house, browser, code(house))
            assert browser.names() == ['_remember', 'session']
            browser.restart()
            assert await house.who(browser) == 'anna remembered'
            assert await status(browser, '/private', '/fresh', '/second') == [200, 302, 302]


async def test_O5_a_remember_me_cookie_does_not_pass_by_a_half_login():
    with Cheap(), FakeClock() as clock:
        house = await Home.with_code()
        clock.advance(60)
        browser = await half(house, remember='on')
        clock.advance(30)
        await enter(house, browser, code(house))
        browser.restart()
        await house.try_password(browser, 'anna')
        assert await house.who(browser) == 'None anonymous'
        assert await status(browser, '/private', '/fresh', '/second') == [302] * 3


async def test_O5_basic_does_not_do_without_the_code():
    with Cheap(), FakeClock():
        house = await Home.with_code()
        auth = BasicAuth()

        @auth.authenticate
        async def check(request, name, password):
            return await house.users.authenticate(name, password)

        @house.app.get('/basic')
        @any_of(house.login, auth)
        async def page(request):
            return request.g.current_user.name

        browser = await half(house)
        for client in (browser, Client(house.app)):
            headers = basic('anna', PASSWORDS['anna'])
            headers['Accept'] = 'application/json'
            assert (await client.get('/basic', headers)).status_code in (401, 403)
        assert (await Client(house.app).get('/basic', basic('bert', PASSWORDS['bert']))).text == 'bert'


async def test_O5_a_half_login_lasts_five_minutes():
    with Cheap(), FakeClock() as clock:
        house = await Home.with_code()
        browser = await half(house)
        clock.advance(300)
        res = await enter(house, browser, code(house), url='/login/code?next=/private')
        assert (res.status_code, res.headers['Location']) == (302, '/login?next=/private')
        assert await house.who(browser) == 'None anonymous'


async def test_O5_a_copy_of_the_half_login_is_worth_nothing_afterwards():
    with Cheap(), FakeClock() as clock:
        for session in ({}, {'store': MemoryStore()}):
            house = await Home.with_code(session=session)
            clock.advance(60)
            browser = await half(house)
            thief = browser.copy()
            clock.advance(30)
            await enter(house, browser, code(house))
            clock.advance(30)
            await enter(house, thief, code(house))
            assert await house.who(thief) == 'None anonymous'


async def test_a_wrong_code_is_a_no_and_a_right_one_is_taken_once():
    with Cheap(), FakeClock() as clock:
        house = await Home.with_code()
        clock.advance(60)
        browser, other = await half(house), await half(house)
        for wrong in ('000000', '', 'x', code(house)[:5], code(house) + '0', ' ' + code(house)):
            assert (await enter(house, browser, wrong)).status_code == 401, wrong
        right = code(house)
        assert (await enter(house, browser, right)).status_code == 302
        assert (await enter(house, other, right)).status_code == 401     # O2
        assert {one['reason'] for one in house.told('login_failed')} == {'code'}
        assert right not in repr(house.events.recent())


async def test_O6_a_recovery_code_takes_the_place_of_a_code_once():
    with Cheap(), FakeClock():
        house = await Home.with_code()
        for browser, answer in ((await half(house), 302), (await half(house), 401)):
            assert (await enter(house, browser, house.codes[0])).status_code == answer
        assert [one['method'] for one in house.told('login')] == ['recovery']
        assert house.codes[0] not in repr(house.events.recent())


async def test_O3_while_the_clock_is_not_set_there_is_its_own_answer():
    for time in (946684800, 0, UNSET):
        with Cheap(), FakeClock() as clock:
            house = await Home.with_code(throttle=Throttle(free=2))
            clock.set(time)
            browser = await half(house)
            for _ in range(5):
                res = await enter(house, browser, '123456')
                assert (res.status_code, res.text) == (503, 'the clock is not set')
            assert 'clock' in [one['reason'] for one in house.told('login_failed')]
            assert await house.who(browser) == 'None anonymous'
            assert (await enter(house, browser, house.codes[0])).status_code == 302


async def test_L4_codes_are_counted_with_the_passwords_of_the_account():
    with Cheap(), FakeClock() as clock:
        house = await Home.with_code(throttle=Throttle(free=4))
        clock.advance(60)
        for _ in range(5):                   # the right password between them does not end the count
            browser = await half(house)
            assert (await enter(house, browser, '000000')).status_code == 401
        res = await enter(house, browser, code(house))
        assert (res.status_code, res.headers['Retry-After']) == (429, '1')
        assert (await house.try_password(Client(house.app), 'anna')).status_code == 429
        clock.advance(30)
        assert (await enter(house, browser, code(house))).status_code == 302
        for _ in range(4):
            assert (await house.try_password(Client(house.app), 'anna', 'x')).status_code == 401


async def test_a_code_can_be_asked_for_again():
    with Cheap(), FakeClock() as clock:
        house = await Home.with_code(fresh_age=None)
        browser = await half(house)
        clock.advance(30)
        await enter(house, browser, code(house))
        clock.advance(600)
        res = await browser.get('/second600?a=b')
        assert res.headers['Location'] == '/login/code?next=/second600%3Fa%3Db'
        before = browser.copy()
        res = await enter(house, browser, code(house), url=res.headers['Location'])
        assert res.headers['Location'] == '/second600?a=b'
        assert await status(browser, '/second600') == [200]
        assert await house.who(before) == 'None anonymous'               # S2: a new id
        assert [one['method'] for one in house.told('second_factor')] == ['totp']


async def test_S4_asking_again_does_not_lengthen_the_session():
    with Cheap(), FakeClock() as clock:
        house = await Home.with_code(session={'max_age': 2000})
        browser = await half(house)
        clock.advance(30)
        await enter(house, browser, code(house))
        clock.advance(1900)
        await enter(house, browser, code(house))
        assert await house.who(browser) == 'anna fresh'
        clock.advance(101)
        assert await house.who(browser) == 'None anonymous'


async def test_who_proves_the_password_again_keeps_the_code_that_was_proven():
    with Cheap(), FakeClock() as clock:
        house = await Home.with_code()
        browser = await half(house)
        clock.advance(30)
        await enter(house, browser, code(house))
        clock.advance(3600)
        assert await house.who(browser) == 'anna remembered'
        res = await house.try_password(browser, None, PASSWORDS['anna'], url='/login?next=/fresh')
        assert res.headers['Location'] == '/fresh'
        assert await status(browser, '/fresh', '/second', '/second600') == [200, 200, 302]


async def test_the_password_of_a_half_login_is_as_old_as_it_is():
    with Cheap(), FakeClock() as clock:
        house = await Home.with_code(fresh_age=200)
        browser = await half(house)
        clock.advance(150)
        await enter(house, browser, code(house))
        assert await house.who(browser) == 'anna fresh'
        clock.advance(50)
        assert await house.who(browser) == 'anna remembered'


async def test_who_has_no_second_factor_is_not_asked_and_has_no_way_in_where_one_is_needed():
    with Cheap(), FakeClock():
        house = await Home.with_code()
        browser = await house.log_in('bert')
        assert await status(browser, '/private', '/second') == [200, 403]
        res = await enter(house, browser, '123456')
        assert (res.status_code, res.headers['Location']) == (302, '/login')


async def test_a_trusted_browser_is_asked_for_the_password_alone():
    with Cheap(), FakeClock() as clock:
        house = await Home.with_code()
        browser = await half(house)
        clock.advance(30)
        await enter(house, browser, code(house), trust='on')
        await browser.post('/a/b/logout')
        assert (await house.try_password(browser, 'anna')).headers['Location'] == '/'
        assert await status(browser, '/private', '/fresh', '/second') == [200, 200, 302]
        await house.try_password(browser, 'anna', 'a wrong one altogether')
        stranger = Client(house.app)
        stranger.jar = {where: browser.jar[where] for where in browser.jar if where[0] == '_device'}
        assert await house.who(stranger) == 'None anonymous'             # it lets nobody in by itself
        clock.advance(30 * DAY)
        assert (await house.try_password(browser, 'anna')).headers['Location'] == '/login/code'


async def test_a_trusted_browser_is_so_for_one_user_and_until_something_changes():
    with Cheap(), FakeClock() as clock:
        house = await Home.with_code()
        browser = await half(house)
        clock.advance(30)
        await enter(house, browser, code(house), trust='on')
        bert = house.user('bert')
        setup = house.second.begin(bert)
        await house.second.confirm(bert, setup.stored(), setup.code_at(totp.current_step()))
        res = await house.try_password(browser, 'bert')
        assert res.headers['Location'] == '/login/code'
        await house.users.set_password(house.user('anna'), PASSWORDS['anna'])
        assert (await house.try_password(browser, 'anna')).headers['Location'] == '/login/code'


async def test_S6_a_second_factor_ends_the_sessions_that_were_there():
    with Cheap(), FakeClock() as clock:
        house = await Home.with_code()
        for change in ('on', 'off'):
            browser, other = await house.log_in('bert', remember='on'), await house.log_in('bert')
            if change == 'on':
                setup = house.second.begin(house.user('bert'))
                clock.advance(30)
                assert await house.second.confirm(house.user('bert'), setup.stored(),
                                                  setup.code_at(totp.current_step()))
                for each in (browser, other):
                    assert await house.who(each) == 'None anonymous'
                    each.restart()
                    assert await house.who(each) == 'None anonymous'
                await house.second.remove(house.user('bert'))


async def test_a_user_with_a_second_factor_is_not_let_in_by_a_login_without_one():
    with Cheap(), FakeClock():
        house = await Home.with_code()
        house.login.second = None
        browser = Client(house.app)
        assert (await house.try_password(browser, 'anna')).status_code == 500
        assert await house.who(browser) == 'None anonymous'


async def test_login_user_leads_to_the_code_as_well():
    with Cheap(), FakeClock():
        house = await Home.with_code()

        @house.app.post('/enter')
        async def let_in(request):
            return await house.login.login_user(request, house.user('anna'), remember=7)

        browser = Client(house.app)
        res = await browser.post('/enter?next=/private')
        assert res.headers['Location'] == '/login/code?next=/private'
        assert await house.who(browser) == 'None anonymous'


async def test_what_the_app_keeps_is_kept_through_both_steps_and_nothing_else():
    with Cheap(), FakeClock() as clock:
        house = await Home.with_code()

        @house.app.post('/enter')
        async def let_in(request):
            session = session_of(request).get(request)
            session['cart'], session['role'] = [1], 'admin'
            return await house.login.login_user(request, house.user('anna'), keep=('cart',))

        @house.app.get('/data')
        async def data(request):
            session = session_of(request).get(request)
            return {name: session[name] for name in session if name[0] != '_'}

        browser = Client(house.app)
        await browser.post('/enter')
        assert (await browser.get('/data')).json == {}
        clock.advance(30)
        await enter(house, browser, code(house))
        assert (await browser.get('/data')).json == {'cart': [1]}


async def test_a_half_login_of_a_user_who_is_disabled_ends():
    with Cheap(), FakeClock() as clock:
        house = await Home.with_code()
        browser = await half(house)
        house.users.disable(house.user('anna'))
        clock.advance(30)
        assert (await enter(house, browser, code(house))).headers['Location'] == '/login'
        assert await house.who(browser) == 'None anonymous'


async def test_who_acts_for_a_user_with_a_code_enters_none():
    with Cheap(), FakeClock() as clock:
        house = await Home.with_code(('anna', 'boss'), impersonation=Impersonation())
        browser = await house.log_in('boss')
        await browser.post('/act/anna')
        clock.advance(30)
        assert (await enter(house, browser, code(house))).status_code == 403
        assert await status(browser, '/private', '/second', '/fresh') == [200, 403, 403]


async def test_a_half_login_that_begins_before_the_clock_is_set_goes_on_after():
    with Cheap(), FakeClock() as clock:
        house = await Home.with_code()
        clock.set(UNSET)
        browser = await half(house)
        clock.advance(100)
        clock.set(START + 3600)
        assert (await enter(house, browser, code(house))).status_code == 302
        assert await house.who(browser) == 'anna fresh'
        clock.advance(3499)
        assert await house.who(browser) == 'anna fresh'
        clock.advance(1)
        assert await house.who(browser) == 'anna remembered'
