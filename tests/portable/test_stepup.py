"""What was proven, when, and what a visitor is asked for whose proof is too old."""
from client import bearer
from clock import START, UNSET, FakeClock
from household import PASSWORDS, Cheap, Client, Household, status
from microdot import redirect

from dotlatch.headers import HeaderTransport
from dotlatch.login import Login
from dotlatch.session import session_of, with_session

JSON = {'Accept': 'application/json'}


async def test_S8_a_login_is_fresh_for_an_hour():
    with Cheap(), FakeClock() as clock:
        house = await Household.build()
        browser = await house.log_in('anna')
        clock.advance(3599)
        assert await status(browser, '/fresh', '/private') == [200, 200]
        assert await house.who(browser) == 'anna fresh'
        clock.advance(1)
        assert await status(browser, '/fresh', '/private') == [302, 200]
        assert await house.who(browser) == 'anna remembered'


async def test_S8_a_route_may_ask_for_less_and_an_app_for_more():
    with Cheap(), FakeClock() as clock:
        house = await Household.build(fresh_age=None)
        browser = await house.log_in('anna')
        clock.advance(599)
        assert await status(browser, '/fresh', '/fresh600') == [200, 200]
        clock.advance(1)
        assert await status(browser, '/fresh', '/fresh600') == [200, 302]
        clock.advance(9 * 86400)
        assert await status(browser, '/fresh', '/fresh600') == [200, 302]


async def test_S8_activity_does_not_keep_a_login_fresh():
    with Cheap(), FakeClock() as clock:
        house = await Household.build(session={'idle': 1800})
        browser = await house.log_in('anna')
        for _ in range(6):
            clock.advance(600)
            await browser.get('/private')
        assert await status(browser, '/fresh', '/private') == [302, 200]


async def test_S8_freshness_survives_the_moment_when_the_clock_is_set():
    with Cheap(), FakeClock(UNSET) as clock:
        house = await Household.build()
        browser, other = await house.log_in('anna'), await house.log_in('anna')
        clock.advance(1800)
        clock.set(START)
        assert await house.who(browser) == 'anna fresh'
        clock.advance(1799)
        assert await house.who(browser) == 'anna fresh' == await house.who(other)
        clock.advance(2)
        assert await house.who(browser) == 'anna remembered' == await house.who(other)


async def test_S8_a_clock_that_jumps_makes_nobody_fresh():
    year = 365 * 86400
    for jump, state in ((-30, 'anna fresh'), (-3 * 3600, 'anna remembered'), (3 * 3600, 'anna remembered'),
                        (-30 * year, 'None anonymous'), (30 * year, 'None anonymous')):
        with Cheap(), FakeClock() as clock:
            house = await Household.build()
            browser = await house.log_in('anna')
            clock.set(START + jump)
            assert await house.who(browser) == state, jump


async def test_a_stale_visitor_is_sent_to_the_form_and_comes_back():
    with Cheap(), FakeClock() as clock:
        house = await Household.build()
        browser = await house.log_in('anna')
        clock.advance(3600)
        res = await browser.get('/fresh?page=2')
        assert (res.status_code, res.headers['Location']) == (302, '/login?next=/fresh%3Fpage%3D2')
        res = await house.try_password(browser, None, PASSWORDS['anna'], url=res.headers['Location'])
        assert (res.status_code, res.headers['Location']) == (302, '/fresh?page=2')
        assert (await browser.get('/fresh?page=2')).text == 'fresh: anna'


async def test_a_form_that_is_lost_is_said_to_be_lost():
    with Cheap(), FakeClock() as clock:
        house = await Household.build()
        browser = await house.log_in('anna')
        clock.advance(3600)
        res = await browser.post('/fresh', {'Referer': 'http://device.lan/settings'}, form='a=b')
        assert res.headers['Location'] == '/login?next=/settings&again=lost'
        res = await browser.post('/fresh', {'Referer': 'http://elsewhere.lan/settings'}, form='a=b')
        assert res.headers['Location'] == '/login?again=lost'
        res = await Client(house.app).post('/fresh', form='a=b')  # nobody was logged in
        assert res.headers['Location'] == '/login'


async def test_a_program_gets_a_401_that_says_what_is_missing():
    with Cheap(), FakeClock() as clock:
        house = await Household.build()
        browser = await house.log_in('anna')
        clock.advance(3600)
        res = await browser.get('/fresh', JSON)
        assert (res.status_code, res.headers['WWW-Authenticate'].split(', ')[2:]) == (
            401, ['error="insufficient_user_authentication"'])
        res = await browser.get('/fresh600', JSON)
        assert res.headers['WWW-Authenticate'].endswith(', max_age=600')


async def test_what_is_proven_goes_by_session_and_not_by_user():
    with Cheap(), FakeClock() as clock:
        house = await Household.build()
        old = await house.log_in('anna')
        clock.advance(3600)
        await house.log_in('anna')
        assert await status(old, '/fresh') == [302]


async def test_T11_data_of_the_app_proves_nothing():
    with Cheap(), FakeClock() as clock:
        house = await Household.build()

        @house.app.get('/claim')
        @with_session
        async def claim(request, session):
            session['proven'] = session['password'] = session['code'] = START + 10 ** 6
            session.save()

        browser = await house.log_in('anna')
        clock.advance(3600)
        await browser.get('/claim')
        assert await status(browser, '/fresh', '/second') == [302, 403]


async def test_junk_where_the_proofs_stand_is_no_proof():
    with Cheap(), FakeClock():
        house = await Household.build()
        for junk in (None, True, False, 7, 'x', '', [START], {'password': START}, START + 0.5, str(START), START + 3600,
                     -1, -START, 1 << 70, -(1 << 70)):
            browser = await house.log_in('anna')

            @house.app.get('/junk')
            @with_session
            async def put(request, session, junk=junk):
                session['_password'] = junk
                session.save()

            await browser.get('/junk')
            house.app.url_map.pop()
            assert await status(browser, '/fresh', '/private') == [302, 200], junk


async def test_sessions_of_an_earlier_release_are_logged_in_and_not_fresh():
    with Cheap():
        house = await Household.build()
        browser = await house.log_in('anna')

        @house.app.get('/old')
        @with_session
        async def old(request, session):
            del session['_password']
            session['_fresh'] = True
            session.save()

        await browser.get('/old')
        assert await status(browser, '/fresh', '/private') == [302, 200]


async def test_fresh_works_where_sessions_travel_in_a_header():
    with Cheap(), FakeClock() as clock:
        house = await Household.build(session={'transport': HeaderTransport()})
        res = await house.try_password(Client(house.app), 'anna')
        headers = bearer(res.headers['Session-Token'])
        headers['Accept'] = 'application/json'
        client = Client(house.app)
        assert (await client.get('/fresh', headers)).text == 'fresh: anna'
        clock.advance(3600)
        res = await client.get('/fresh', headers)
        assert (res.status_code, 'Bearer' in res.headers['WWW-Authenticate']) == (401, True)


def test_an_age_has_to_be_given_by_name():
    try:
        Login().fresh(600)
    except TypeError as error:
        assert 'max_age=600' in str(error)
    else:
        raise AssertionError('no error')


async def test_nobody_can_be_an_object_of_the_apps_own():
    class Nobody:
        name = 'a guest'

    with Cheap():
        for anonymous in (Nobody, Nobody()):
            house = await Household.build(anonymous=anonymous)

            @house.app.get('/hello')
            @house.login.optional
            async def hello(request):
                return 'hello, ' + request.g.current_user.name

            browser = Client(house.app)
            assert (await browser.get('/hello')).text == 'hello, a guest'
            assert await status(browser, '/private') == [302]
            await house.try_password(browser, 'anna')
            assert (await browser.get('/hello')).text == 'hello, anna'
            await browser.post('/a/b/logout')
            assert (await browser.get('/hello')).text == 'hello, a guest'


async def test_one_object_says_who_is_there():
    with Cheap():
        house = await Household.build(('anna', 'boss'))

        @house.app.get('/token')
        async def token(request):
            token = await house.login.token(request)
            return [token.is_authenticated, token.is_anonymous, token.user_id, token.display_name, token.scopes,
                    'read' in token, 'pump' in token, token.state, bool(token), repr(token)]

        browser = Client(house.app)
        assert (await browser.get('/token')).json == [
            False, True, None, '', [], False, False, 'anonymous', False, '<UserToken anonymous>']
        await house.try_password(browser, 'anna')
        assert (await browser.get('/token')).json == [
            True, False, house.user('anna').id, 'anna', ['read'], True, False, 'fresh', True, '<UserToken fresh>']


async def test_a_login_that_redirects_goes_on_with_what_the_app_kept():
    with Cheap():
        house = await Household.build()

        @house.app.post('/enter')
        async def enter(request):
            session = session_of(request).get(request)
            session['cart'], session['role'] = ['x'], 'admin'
            await house.login.login_user(request, house.user('anna'), keep=('cart',))
            return redirect('/private')

        @house.app.get('/data')
        @with_session
        async def data(request, session):
            return {name: session[name] for name in session if name[0] != '_'}

        browser = Client(house.app)
        await browser.post('/enter')
        assert (await browser.get('/data')).json == {'cart': ['x']}
