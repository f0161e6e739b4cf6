"""Remember-me where sessions have a store: another secret after each use, and an end for what was copied."""
from client import KEY, OTHER_KEY, parse_cookie
from clock import START, UNSET, FakeClock
from household import Cheap, Client, Household, status, together

from dotlatch.headers import HeaderTransport
from dotlatch.stores import MemoryStore

DAY = 86400


async def home(store=None, names=('anna', 'bert'), session=None, **options):
    session = session or {}
    session['store'] = store or MemoryStore()
    house = await Household.build(names, session=session, **options)
    house.store = session['store']
    return house


async def test_M1_each_use_hands_out_another_secret():
    with Cheap(), FakeClock():
        house = await home()
        browser = await house.log_in('anna', remember='on')
        values = []
        for _ in range(4):
            values.append(browser.value('_remember'))
            browser.restart()
            assert await house.who(browser) == 'anna remembered'
        assert len({value.split('.')[1] for value in values}) == 4
        assert len({value.split('.')[0] for value in values}) == 1


async def test_M1_a_secret_that_comes_again_ends_the_family():
    with Cheap(), FakeClock() as clock:
        house = await home()
        browser = await house.log_in('anna', remember='on')
        thief = browser.copy()
        thief.restart()
        browser.restart()
        assert await house.who(thief) == 'anna remembered'
        clock.advance(31)
        assert await house.who(browser) == 'None anonymous'     # the owner's is the old one now
        told = house.told('remember_stolen')
        assert [(one['user'], one['source']) for one in told] == [(house.user('anna').id, '127.0.0.1')]
        assert await house.who(thief) == 'None anonymous'       # with the session that the thief has made of it
        thief.restart()
        assert await house.who(thief) == 'None anonymous'
        assert browser.names() == [] and await house.store.list_user(house.user('anna').id) == []


async def test_M1_a_theft_ends_nothing_else():
    with Cheap(), FakeClock() as clock:
        house = await home()
        phone, bert = await house.log_in('anna', remember='on'), await house.log_in('bert', remember='on')
        browser = await house.log_in('anna', remember='on')
        thief = browser.copy()
        for each in (thief, browser):
            each.restart()
            await house.who(each)
            clock.advance(31)
        assert house.told('remember_stolen') != []
        for each, name in ((phone, 'anna'), (bert, 'bert')):
            assert await house.who(each) == name + ' fresh'
            each.restart()
            assert await house.who(each) == name + ' remembered'


async def test_M1_requests_that_were_under_way_together_all_pass():
    with Cheap(), FakeClock() as clock:
        house = await home()
        browser = await house.log_in('anna', remember='on')
        browser.restart()
        tabs = [browser.copy() for _ in range(5)]
        assert await together(*[house.who(tab) for tab in tabs]) == ['anna remembered'] * 5
        assert len({tab.value('_remember') for tab in tabs}) == 1
        clock.advance(29)
        late = browser.copy()
        assert await house.who(late) == 'anna remembered'
        assert late.value('_remember') == tabs[0].value('_remember')
        assert house.told('remember_stolen') == []
        clock.advance(60)
        tabs[0].restart()
        assert await house.who(tabs[0]) == 'anna remembered'


class SharedStore(MemoryStore):
    """One on a server that has a clock of its own."""
    seconds = START

    async def time(self):
        if self.seconds is None:
            raise OSError('away')
        return self.seconds


async def test_M1_with_a_store_that_has_a_clock_requests_are_together_by_that_one():
    with Cheap(), FakeClock() as clock:
        for skew in (60, -60):
            house = await home(SharedStore())
            browser = await house.log_in('anna', remember='on')
            browser.restart()
            tab, thief, late = browser.copy(), browser.copy(), browser.copy()
            assert await house.who(browser) == 'anna remembered'
            clock.advance(skew)  # the other machine, whose clock is another
            assert await house.who(tab) == 'anna remembered'
            assert tab.value('_remember') == browser.value('_remember')
            house.store.seconds = None
            assert (await late.get('/who')).status_code == 503
            house.store.seconds = START + 31
            clock.advance(-skew)
            assert await house.who(thief) == 'None anonymous'
            assert len(house.told('remember_stolen')) == 1


async def test_M1_the_store_holds_no_secret():
    with Cheap():
        house = await home()
        browser = await house.log_in('anna', remember='on')
        browser.restart()
        await house.who(browser)
        secret = browser.value('_remember').split('.')[1].encode()
        for text in house.store._records.values():
            assert secret not in text


async def test_M1_whoever_copies_a_secret_cannot_compute_the_next():
    with Cheap(), FakeClock():
        browsers = []
        for key in (KEY, OTHER_KEY):
            house = await home(session={'secret_key': key})
            browser = await house.log_in('anna', remember='on')
            kept = {record.get('kind'): (name, record)
                    for name, record in await house.store.list_user(house.user('anna').id)}
            series, record = kept['remember']
            browsers.append((house, browser, series, record))
        house, browser, series, record = browsers[0]
        other, _, _, _ = browsers[1]
        other.users._users[house.user('anna').id] = house.user('anna')
        await other.store.save(series, record, True)            # the same record in front of another key
        twin = browser.copy(other.app)
        for each, at in ((browser, house), (twin, other)):
            each.restart()
            await at.who(each)
        assert browser.value('_remember') != twin.value('_remember')


async def test_M1_junk_in_the_cookie_is_no_theft():
    with Cheap():
        house = await home()
        browser = await house.log_in('anna', remember='on')
        session = browser.value('session')
        for junk in ('', '.', 'x', 'a.b', 'A' * 22, 'A' * 22 + '.' + 'B' * 22, '../' * 7 + 'x.' + 'B' * 22, session,
                     browser.value('_remember') + 'x', browser.value('_remember').split('.')[0]):
            res = await Client(house.app).get('/who', {'Cookie': '_remember=' + junk})
            assert res.text == 'None anonymous', junk
        assert house.told('remember_stolen') == []
        browser.restart()
        assert await house.who(browser) == 'anna remembered'


async def test_T7_a_series_is_no_session_and_a_session_no_series():
    with Cheap():
        house = await home()
        browser = await house.log_in('anna', remember='on')
        for name, value in (('session', browser.value('_remember')), ('_remember', browser.value('session'))):
            res = await Client(house.app).get('/who', {'Cookie': name + '=' + value})
            assert res.text == 'None anonymous', name


async def test_M2_a_series_has_an_absolute_end():
    with Cheap(), FakeClock() as clock:
        house = await home(session={'max_age': DAY})
        browser = await house.log_in('anna', remember='on')
        for _ in range(29):
            clock.advance(DAY)
            browser.restart()
            assert await house.who(browser) == 'anna remembered'
        clock.advance(DAY - 1)
        browser.restart()
        res = await browser.get('/who')
        assert res.text == 'anna remembered'
        cookie, = [line for line in res.cookies if line.startswith('_remember=')]
        assert parse_cookie(cookie)[2]['max-age'] == '1'
        clock.advance(1)
        assert await house.who(browser) == 'None anonymous'


async def test_M2_a_session_ends_with_the_series_it_came_of():
    with Cheap():
        house = await home()
        browser = await house.log_in('anna', remember='on')
        thief = browser.copy()
        browser.restart()
        await house.who(browser)
        other = browser.copy()
        await browser.post('/a/b/logout')
        for each in (browser, other, thief):
            assert await house.who(each) == 'None anonymous'
            each.restart()
            assert await house.who(each) == 'None anonymous'
        assert browser.names() == []


async def test_M2_a_new_password_ends_what_was_remembered():
    with Cheap():
        house = await home()
        browser = await house.log_in('anna', remember='on')
        await house.users.set_password(house.user('anna'), 'some other words of hers')
        browser.restart()
        assert await house.who(browser) == 'None anonymous'


async def test_M2_who_is_remembered_is_neither_fresh_nor_has_a_code():
    with Cheap():
        house = await home()
        browser = await house.log_in('anna', remember='on')
        browser.restart()
        assert await status(browser, '/private', '/fresh', '/fresh600', '/second') == [200, 302, 302, 403]


async def test_S6_devices_that_are_remembered_stand_in_the_list_and_end_with_the_others():
    with Cheap():
        house = await home()
        browser = await house.log_in('anna', remember='on')
        assert (await browser.get('/sessions')).text == 'remember session'
        other = await house.log_in('anna', remember='on')
        await house.store.delete_user(house.user('anna').id)
        for each in (browser, other):
            each.restart()
            assert await house.who(each) == 'None anonymous'


async def test_a_log_out_under_another_path_ends_it_too():
    with Cheap():
        for session in ({}, {'store': MemoryStore()}):
            house = await Household.build(session=session, remember_options={'path': '/who', 'max_age': 5})
            browser = await house.log_in('anna', remember='on')
            assert ('_remember', '/who') in browser.jar
            thief = browser.copy()
            await browser.post('/a/b/logout')
            assert browser.names() == []
            thief.restart()
            assert await house.who(thief) == 'None anonymous'


async def test_all_attributes_of_the_cookie_can_be_set():
    with Cheap():
        options = {'path': '/app', 'domain': 'device.lan', 'secure': True, 'http_only': False, 'same_site': 'Strict'}
        for session in ({}, {'store': MemoryStore()}):
            house = await Household.build(session=session, remember_name='stay', remember_options=options)
            res = await house.try_password(Client(house.app), 'anna', remember='on')
            cookie, = [line for line in res.cookies if line.startswith('stay=')]
            given = parse_cookie(cookie)[2]
            assert given == {'path': '/app', 'domain': 'device.lan', 'secure': '', 'samesite': 'Strict',
                             'max-age': str(30 * DAY)}


async def test_it_is_http_only_and_same_site_unless_told():
    with Cheap():
        for session in ({}, {'store': MemoryStore()}):
            house = await Household.build(session=session)
            res = await house.try_password(Client(house.app), 'anna', remember='on')
            cookie, = [line for line in res.cookies if line.startswith('_remember=')]
            given = parse_cookie(cookie)[2]
            assert (given['httponly'], given['samesite'], given['path']) == ('', 'Lax', '/')


async def test_two_cookies_of_the_name_remember_nobody():
    with Cheap():
        house = await home()
        anna, bert = await house.log_in('anna', remember='on'), await house.log_in('bert', remember='on')
        cookies = '_remember=%s; _remember=%s' % (anna.value('_remember'), bert.value('_remember'))
        assert (await Client(house.app).get('/who', {'Cookie': cookies})).text == 'None anonymous'


async def test_a_board_without_a_clock_remembers_until_it_restarts():
    with Cheap(), FakeClock(UNSET) as clock:
        house = await home()
        browser = await house.log_in('anna', remember='on')
        clock.advance(3600)
        browser.restart()
        assert await house.who(browser) == 'anna remembered'
        clock.set(START)                                        # and goes on once the clock is set
        browser.restart()
        assert await house.who(browser) == 'anna remembered'
        clock.advance(29 * DAY)
        browser.restart()
        assert await house.who(browser) == 'anna remembered'
        clock.advance(DAY)
        browser.restart()
        assert await house.who(browser) == 'None anonymous'


class DownStore(MemoryStore):
    is_down = False

    async def load(self, session_id):
        if self.is_down:
            raise OSError('down')
        return await super().load(session_id)


async def test_S11_a_store_that_is_down_is_a_503_and_no_theft():
    with Cheap(), FakeClock() as clock:
        house = await home(DownStore())
        browser = await house.log_in('anna', remember='on')
        browser.restart()
        house.store.is_down = True
        assert await status(browser, '/who', '/private') == [503, 503]
        assert (await browser.get('/who')).headers['Retry-After'] == '2'
        assert (await house.try_password(Client(house.app), 'anna', remember='on')).status_code == 302
        house.store.is_down = False
        clock.advance(60)
        assert await house.who(browser) == 'anna remembered'
        assert house.told('remember_stolen') == []


async def test_an_error_of_the_page_does_not_lose_the_next_secret():
    with Cheap(), FakeClock() as clock:
        house = await home()

        @house.app.get('/broken')
        @house.login
        async def broken(request):
            raise ValueError('a bug')

        browser = await house.log_in('anna', remember='on')
        browser.restart()
        assert (await browser.get('/broken')).status_code == 500
        clock.advance(60)
        browser.restart()
        assert await house.who(browser) == 'anna remembered'


async def test_sessions_that_travel_in_a_header_can_be_remembered_by_a_cookie():
    with Cheap():
        house = await home(session={'transport': HeaderTransport()})
        res = await house.try_password(Client(house.app), 'anna', remember='on')
        assert [parse_cookie(line)[0] for line in res.cookies] == ['_remember']
