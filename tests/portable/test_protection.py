"""Sessions that come from another client than they began with."""
from household import Cheap, Household, status

from dotlatch.login import Login
from dotlatch.stores import MemoryStore

FIREFOX = {'User-Agent': 'Firefox'}
OTHER = {'User-Agent': 'Something else'}


async def test_without_protection_another_client_is_the_same():
    with Cheap():
        house = await Household.build()
        browser = await house.log_in('anna', FIREFOX)
        assert await house.who(browser, OTHER) == 'anna fresh'


async def test_basic_protection_makes_another_client_prove_the_password():
    with Cheap():
        house = await Household.build(protection='basic')
        browser = await house.log_in('anna', FIREFOX)
        assert await house.who(browser, OTHER) == 'anna remembered'
        for url, code in (('/private', 200), ('/fresh', 302), ('/fresh600', 302)):
            assert (await browser.get(url, OTHER)).status_code == code, url
            assert (await browser.get(url, FIREFOX)).status_code == 200, url


async def test_strong_protection_ends_the_session_and_what_was_remembered():
    with Cheap():
        for session in ({}, {'store': MemoryStore()}):
            house = await Household.build(protection='strong', session=session)
            browser = await house.log_in('anna', FIREFOX, remember='on')
            thief = browser.copy()
            assert await house.who(browser, FIREFOX) == 'anna fresh'
            assert await house.who(thief, OTHER) == 'None anonymous'
            assert [one['reason'] for one in house.told('session_ended')] == ['client']
            assert thief.names() == []
            assert await house.who(browser, FIREFOX) == 'None anonymous'


async def test_an_app_may_know_its_clients_by_something_else():
    with Cheap():
        house = await Household.build(protection='strong',
                                      fingerprint=lambda request: request.headers.get('X-Cert', ''))
        browser = await house.log_in('anna', {'X-Cert': '7'})
        assert await house.who(browser, {'X-Cert': '7', 'User-Agent': 'Something else'}) == 'anna fresh'
        assert await house.who(browser, {'X-Cert': '8'}) == 'None anonymous'


async def test_who_is_remembered_belongs_to_the_client_that_came_back():
    with Cheap():
        house = await Household.build(protection='strong')
        browser = await house.log_in('anna', FIREFOX, remember='on')
        browser.restart()
        assert await house.who(browser, OTHER) == 'anna remembered'
        assert await house.who(browser, OTHER) == 'anna remembered'
        assert await status(browser, '/private') == [302]


def test_there_are_two_levels_of_protection():
    for wrong in ('weak', True, ''):
        try:
            Login(protection=wrong)
        except ValueError as error:
            assert 'strong' in str(error)
        else:
            raise AssertionError(wrong)
