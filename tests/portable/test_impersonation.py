"""Acting for somebody else: who may, what that opens, and that everybody can see who it was."""
from clock import FakeClock
from household import Cheap, Client, Household, status

from dotlatch.impersonation import Impersonation
from dotlatch.login import Login
from dotlatch.stores import MemoryStore

ALL = ('anna', 'bert', 'boss')


async def office(impersonation=None, names=ALL, **options):
    return await Household.build(names, impersonation=impersonation or Impersonation(), **options)


async def test_who_may_enters_acts_and_is_himself_again():
    with Cheap():
        house = await office()
        browser = await house.log_in('boss')
        res = await browser.post('/act/anna')
        assert res.status_code == 302
        assert await house.who(browser) == 'anna impersonator as boss'
        assert (await browser.get('/private')).text == 'private: anna'
        assert await status(browser, '/write') == [403]      # anna may not, so neither may who acts for her
        assert (await browser.post('/stop')).status_code == 302
        assert await house.who(browser) == 'boss fresh'
        assert await status(browser, '/write', '/fresh') == [200, 200]


async def test_who_lacks_the_scope_may_not():
    with Cheap():
        house = await office()
        browser = await house.log_in('bert')
        assert (await browser.post('/act/anna')).status_code == 403
        assert await house.who(browser) == 'bert fresh'
        refused = house.told('impersonation_refused')[0]
        assert (refused['name'], refused['actor']) == ('anna', 'bert')


async def test_a_guard_may_decide_and_only_true_is_a_yes():
    with Cheap():
        for verdict, code in ((True, 302), (False, 403), (None, 403), ('yes', 403), (1, 403)):
            house = await office(Impersonation(scope=None, guard=lambda request, actor, user, verdict=verdict: verdict))
            browser = await house.log_in('bert')
            assert (await browser.post('/act/anna')).status_code == code, verdict

        async def only_anna(request, actor, user):
            return user.name == 'anna'

        house = await office(Impersonation(guard=only_anna))
        boss = await house.log_in('boss')
        assert (await boss.post('/act/bert')).status_code == 403
        assert (await boss.post('/act/anna')).status_code == 302


async def test_nobody_acts_for_somebody_more_powerful_unless_told():
    with Cheap():
        house = await office(Impersonation(scope='write'))
        browser = await house.log_in('bert')
        assert (await browser.post('/act/boss')).status_code == 403
        house = await office(Impersonation(scope='write', more_powerful=True))
        browser = await house.log_in('bert')
        assert (await browser.post('/act/boss')).status_code == 302


async def test_nobody_acts_twice_at_once_nor_for_himself_or_for_nobody():
    with Cheap():
        house = await office()
        browser = await house.log_in('boss')
        assert (await browser.post('/act/boss')).status_code == 403
        assert (await browser.post('/act/nobody')).status_code == 403
        house.users.disable(house.user('bert'))
        assert (await browser.post('/act/bert')).status_code == 403
        await browser.post('/act/anna')
        house.users.enable(house.user('bert'))
        for name in ('bert', 'boss', 'anna'):
            assert (await browser.post('/act/' + name)).status_code == 403, name
        assert await house.who(browser) == 'anna impersonator as boss'


async def test_what_is_fresh_or_needs_a_code_is_refused():
    with Cheap():
        house = await office(fresh_age=None)
        browser = await house.log_in('boss')
        await browser.post('/act/anna')
        assert await status(browser, '/fresh', '/fresh600', '/second', '/second600') == [403] * 4
        assert await status(browser, '/private') == [200]


async def test_every_event_has_both_names():
    with Cheap():
        house = await office()
        browser = await house.log_in('boss')
        await browser.post('/act/anna')
        await browser.post('/stop')
        await browser.post('/act/anna')
        await browser.post('/a/b/logout')
        names = [(one['event'], one['name'], one.get('actor')) for one in reversed(house.events.recent())]
        assert names == [('login', 'boss', None), ('impersonation_started', 'anna', 'boss'),
                         ('impersonation_ended', 'anna', 'boss'), ('impersonation_started', 'anna', 'boss'),
                         ('logout', 'anna', 'boss')]
        assert await house.who(browser) == 'None anonymous'


async def test_S2_entering_and_leaving_end_the_session_before():
    with Cheap():
        house = await office()
        browser = await house.log_in('boss')
        own = browser.copy()
        await browser.post('/act/anna')
        acting = browser.copy()
        assert await house.who(own) == 'None anonymous'
        await browser.post('/stop')
        assert await house.who(acting) == 'None anonymous'
        assert await house.who(browser) == 'boss fresh'


async def test_it_ends_when_either_of_the_two_may_no_more():
    with Cheap():
        for change in (lambda users, user: users.disable(user('boss')), lambda users, user: users.remove(user('boss')),
                       lambda users, user: users.set_scopes(user('boss'), ['read', 'write']),
                       lambda users, user: users.end_sessions(user('boss')),
                       lambda users, user: users.disable(user('anna')),
                       lambda users, user: users.end_sessions(user('anna'))):
            house = await office()
            browser = await house.log_in('boss')
            await browser.post('/act/anna')
            change(house.users, house.user)
            assert (await house.who(browser)).split()[0] == 'None'
            assert await status(browser, '/private') == [302]


async def test_it_ends_within_its_time_and_the_login_with_its_own():
    with Cheap(), FakeClock() as clock:
        house = await office(Impersonation(max_age=600), session={'max_age': 5000})
        browser = await house.log_in('boss')
        clock.advance(100)
        await browser.post('/act/anna')
        clock.advance(599)
        assert await house.who(browser) == 'anna impersonator as boss'
        back = browser.copy()
        await back.post('/stop')
        clock.advance(1)
        assert await house.who(browser) == 'None anonymous'
        clock.advance(4299)
        assert await house.who(back) == 'boss remembered'   # 4,999 seconds after the password
        clock.advance(1)
        assert await house.who(back) == 'None anonymous'


async def test_S8_who_has_not_typed_the_password_lately_may_not_enter():
    with Cheap(), FakeClock() as clock:
        house = await office()
        browser = await house.log_in('boss', remember='on')
        clock.advance(3600)
        assert (await browser.post('/act/anna')).status_code == 403
        browser.restart()
        assert (await browser.post('/act/anna')).status_code == 403


async def test_M1_who_is_acted_for_is_not_remembered_in_that_browser():
    with Cheap():
        for session in ({}, {'store': MemoryStore()}):
            house = await office(session=session)
            browser = await house.log_in('boss', remember='on')
            await browser.post('/act/anna')
            browser.restart()
            assert await house.who(browser) == 'boss remembered'


async def test_sessions_of_impersonators_are_in_the_list_of_who_it_really_is():
    with Cheap():
        store = MemoryStore()
        house = await office(session={'store': store})
        browser = await house.log_in('boss')
        await browser.post('/act/anna')
        assert len(await store.list_user(house.user('boss').id)) == 1
        assert await store.list_user(house.user('anna').id) == []


async def test_protection_holds_for_who_acts_too():
    with Cheap():
        house = await office(protection='strong')
        browser = await house.log_in('boss', {'User-Agent': 'Firefox'})
        await browser.post('/act/anna', {'User-Agent': 'Firefox'})
        assert await house.who(browser, {'User-Agent': 'Firefox'}) == 'anna impersonator as boss'
        assert (await house.who(browser, {'User-Agent': 'else'})).split()[0] == 'None'


async def test_a_login_in_place_of_it_is_a_new_one():
    with Cheap():
        house = await office()
        browser = await house.log_in('boss')
        await browser.post('/act/anna')
        await house.try_password(browser, 'anna')
        assert await house.who(browser) == 'anna fresh'
        assert (await browser.post('/stop')).status_code == 302
        assert await house.who(browser) == 'anna fresh'


async def test_without_an_impersonation_nobody_may():
    with Cheap():
        house = await Household.build(ALL)
        browser = await house.log_in('boss')
        assert (await browser.post('/act/anna')).status_code == 500
        assert await house.who(browser) == 'boss fresh'
        try:
            Impersonation(scope=None)
        except ValueError as error:
            assert 'scope or a guard' in str(error)
        else:
            raise AssertionError('no error')


def test_an_impersonation_without_an_end_is_refused():
    for max_age in (0, -1, None, 0.5, '3600', True):
        try:
            Impersonation(max_age=max_age)
        except ValueError as error:
            assert 'max_age' in str(error)
        else:
            raise AssertionError(max_age)


async def test_a_session_that_was_begun_with_it_is_nobodys_without_it():
    with Cheap():
        house = await office()
        browser = await house.log_in('boss')
        await browser.post('/act/anna')
        house.login.impersonation = None
        assert await house.who(browser) == 'None anonymous'
        assert isinstance(house.login, Login)
        assert await status(Client(house.app), '/private') == [302]
