"""The whole of a login form's POST: throttle, password, guards, and what the session is then."""
from clock import FakeClock
from household import PASSWORDS, Cheap, Client, Household, status

from dotlatch import passwords
from dotlatch.login import Login, LoginRefused
from dotlatch.session import session_of, with_session
from dotlatch.throttle import Throttle


async def test_the_right_password_logs_in_and_a_wrong_one_does_not():
    with Cheap():
        house = await Household.build()
        browser = Client(house.app)
        res = await house.try_password(browser, 'anna', 'a wrong one altogether')
        assert (res.status_code, res.text) == (401, 'Name or password is wrong.')
        assert await house.who(browser) == 'None anonymous'
        res = await house.try_password(browser, 'anna', url='/login?next=/private')
        assert (res.status_code, res.headers['Location']) == (302, '/private')
        assert await house.who(browser) == 'anna fresh'


async def test_B5_unknown_name_and_wrong_password_look_the_same():
    with Cheap():
        house = await Household.build()
        answers = []
        for name in ('anna', 'nobody'):
            res = await house.try_password(Client(house.app), name, 'a wrong one altogether')
            answers.append((res.status_code, res.text, sorted(res.headers)))
        assert answers[0] == answers[1]


async def test_H3_what_was_typed_for_a_name_is_in_no_event():
    with Cheap():
        house = await Household.build()
        await house.try_password(Client(house.app), PASSWORDS['anna'], 'anna')
        await house.try_password(Client(house.app), 'anna', 'a wrong one altogether')
        failures = house.told('login_failed')
        assert [one.get('name') for one in failures] == [None, 'anna']
        assert 'annas own' not in repr(failures) and 'altogether' not in repr(failures)


async def test_an_old_hash_is_made_anew():
    with Cheap():
        house = await Household.build()
        old = house.user('anna').password_hash
        with Cheap(3):
            await house.log_in('anna')
        assert house.user('anna').password_hash.split('$')[1] == '3' and '$2$' in old


async def test_a_user_who_is_not_active_is_not_let_in():
    with Cheap():
        house = await Household.build()
        house.users.disable(house.user('anna'))
        assert (await house.try_password(Client(house.app), 'anna')).status_code == 401


# --- the throttle ---------------------------------------------------------------------------------

async def test_L4_who_has_to_wait_is_told_so_and_no_password_is_hashed():
    with Cheap(), FakeClock() as clock:
        house = await Household.build(throttle=Throttle(free=3))
        browser = Client(house.app)
        for _ in range(4):
            await house.try_password(browser, 'anna', 'a wrong one altogether')
        hashed = []
        verify, passwords.verify_password = passwords.verify_password, lambda *args: hashed.append(args)
        try:
            res = await house.try_password(browser, 'anna')
        finally:
            passwords.verify_password = verify
        assert (res.status_code, res.headers['Retry-After'], hashed) == (429, '1', [])
        assert [one['seconds'] for one in house.told('login_failed') if one['reason'] == 'throttled'] == [1]
        clock.advance(2)
        assert (await house.try_password(browser, 'anna')).status_code == 302


async def test_L1_the_right_password_ends_the_count():
    with Cheap():
        house = await Household.build(throttle=Throttle(free=3))
        for _ in range(5):
            browser = Client(house.app)
            for _ in range(2):
                assert (await house.try_password(browser, 'anna', 'wrong')).status_code == 401
            assert (await house.try_password(browser, 'anna')).status_code == 302


async def test_users_that_cannot_be_asked_are_a_503_and_no_failure_of_anybody():
    with Cheap(), FakeClock():
        house = await Household.build(throttle=Throttle(free=1))
        works = house.users.authenticate

        async def broken(name, password):
            raise OSError('down')

        house.users.authenticate = broken
        for _ in range(5):
            assert (await house.try_password(Client(house.app), 'anna')).status_code == 503
        house.users.authenticate = works
        assert (await house.try_password(Client(house.app), 'anna')).status_code == 302


class Remote:
    """A throttle on another machine, which cannot be asked when it is to fail at that."""
    def __init__(self, *broken):
        self.broken = broken
        self.told = []

    async def _ask(self, what):
        if what in self.broken:
            raise OSError('down')
        self.told.append(what)
        return 0

    async def attempt(self, account, source):
        return await self._ask('attempt')

    async def succeeded(self, account, source):
        await self._ask('succeeded')

    async def undecided(self, account, source):
        await self._ask('undecided')


async def test_S11_a_throttle_that_cannot_be_asked_lets_nobody_guess():
    with Cheap():
        house = await Household.build(throttle=Remote('attempt'))
        browser = Client(house.app)
        assert (await house.try_password(browser, 'anna')).status_code == 503
        assert await house.who(browser) == 'None anonymous'


async def test_a_throttle_that_cannot_be_told_takes_no_login_back():
    with Cheap():
        house = await Household.build(throttle=Remote('succeeded', 'undecided'))
        browser = Client(house.app)
        assert (await house.try_password(browser, 'anna')).status_code == 302
        assert await house.who(browser) == 'anna fresh'
        house.guards = [lambda request, user: False]
        assert (await house.try_password(Client(house.app), 'anna')).status_code == 401
        assert house.login.throttle.told == ['attempt', 'attempt']


# --- guards ---------------------------------------------------------------------------------------

async def test_a_guard_refuses_with_its_own_words():
    with Cheap():
        house = await Household.build()

        async def office_hours(request, user):
            raise LoginRefused('Come back at nine.')

        house.guards = [office_hours]
        res = await house.try_password(Client(house.app), 'anna')
        assert (res.status_code, res.text) == (401, 'Come back at nine.')
        assert [one['reason'] for one in house.told('login_failed')] == ['guard']


async def test_guards_are_plain_or_async_and_false_is_a_no():
    with Cheap():
        house = await Household.build()
        asked = []

        async def yes(request, user):
            asked.append(user.name)

        for guards, code in (([yes, lambda request, user: True], 302), ([lambda request, user: False, yes], 401),
                             ([yes, lambda request, user: False], 401)):
            house.guards = guards
            assert (await house.try_password(Client(house.app), 'anna')).status_code == code
        assert asked == ['anna', 'anna']


async def test_guards_are_not_asked_about_a_wrong_password():
    with Cheap():
        house = await Household.build()
        asked = []
        house.guards = [lambda request, user: asked.append(user)]
        await house.try_password(Client(house.app), 'anna', 'a wrong one altogether')
        assert asked == []


async def test_what_is_no_verdict_lets_nobody_in():
    with Cheap():
        house = await Household.build()
        house.guards = [lambda request, user: ('no', 403)]
        browser = Client(house.app)
        assert (await house.try_password(browser, 'anna')).status_code == 500
        assert await house.who(browser) == 'None anonymous'


# --- the session ----------------------------------------------------------------------------------

async def test_S2_a_login_begins_another_session_and_drops_what_was_in_it():
    with Cheap():
        house = await Household.build(('anna', 'bert'))

        @house.app.get('/cart')
        @with_session
        async def cart(request, session):
            session['cart'] = session.get('cart', 0) + 1
            session.save()
            return str(session['cart'])

        browser = Client(house.app)
        await browser.texts('/cart', '/cart')
        before = browser.value('session')
        await house.try_password(browser, 'anna')
        assert before not in (None, browser.value('session'))
        assert await browser.texts('/cart', '/cart') == ['1', '2']
        await house.try_password(browser, 'anna')         # the same person proves the password again
        assert (await browser.get('/cart')).text == '3'
        await house.try_password(browser, 'bert')         # and this is another one
        assert (await browser.get('/cart')).text == '1'


async def test_who_is_logged_in_proves_the_password_without_the_name():
    with Cheap(), FakeClock() as clock:
        house = await Household.build(('anna', 'bert'), fresh_age=60)
        browser = await house.log_in('anna')
        clock.advance(61)
        assert await house.who(browser) == 'anna remembered'
        assert (await house.try_password(browser, None, PASSWORDS['bert'])).status_code == 401
        assert (await house.try_password(browser, None, PASSWORDS['anna'])).status_code == 302
        assert await house.who(browser) == 'anna fresh'
        assert (await house.try_password(Client(house.app), None, PASSWORDS['anna'])).status_code == 401


# --- users of another kind ------------------------------------------------------------------------

class Directory:
    """Users with nothing but two ways to look them up, and a place for a better hash."""
    def __init__(self, *users):
        self.users = users

    async def get_by_id(self, user_id):
        return ([user for user in self.users if user['id'] == user_id] or [None])[0]

    async def get_by_name(self, name):
        return ([user for user in self.users if user['name'] == name] or [None])[0]

    async def set_password_hash(self, user, hashed):
        user['password_hash'] = hashed


async def test_users_that_are_only_looked_up_are_verified_and_their_hash_made_anew():
    with Cheap():
        house = await Household.build()
        hashed = house.user('anna').password_hash
        house.login.users = users = Directory({'id': 7, 'name': 'anna', 'password_hash': hashed},
                                              {'id': 8, 'name': 'gone', 'password_hash': hashed, 'is_active': False},
                                              {'id': 9, 'name': 'none', 'password_hash': None})
        house.login.user_loader(users.get_by_id)
        with Cheap(3):
            assert (await house.try_password(Client(house.app), 'anna')).status_code == 302
        assert users.users[0]['password_hash'].split('$')[1] == '3'
        for name in ('gone', 'none', 'nobody'):
            assert (await house.try_password(Client(house.app), name, PASSWORDS['anna'])).status_code == 401


async def test_a_login_without_users_says_what_is_missing():
    house = await Household.build(())
    house.login.users = None
    res = await house.try_password(Client(house.app), 'anna')
    assert res.status_code == 500
    try:
        await Login().login(None, 'anna', 'x')
    except RuntimeError as error:
        assert 'Login(users=...)' in str(error)
    else:
        raise AssertionError('no error')


async def test_H3_every_login_and_logout_is_told_of():
    with Cheap():
        house = await Household.build()
        browser = await house.log_in('anna')
        await browser.post('/a/b/logout')
        assert house.told() == ['login', 'logout']
        event = house.told('login')[0]
        assert (event['name'], event['method'], event['user']) == ('anna', 'password', house.user('anna').id)
        assert await status(browser, '/private') == [302]


async def test_a_session_that_says_who_it_is_is_the_users_own():
    with Cheap():
        house = await Household.build()
        browser = await house.log_in('anna')

        @house.app.get('/id')
        async def session_id(request):
            await house.login.get_current_user(request)
            return str(session_of(request).get(request)['_user_id'])

        assert (await browser.get('/id')).text == house.user('anna').id
