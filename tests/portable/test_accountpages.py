"""The pages of one's own account, as a browser sees them: sessions, password, second factor, recovery codes."""
from client import Client, make_app
from clock import FakeClock

from dotlatch import accountpages, passwords
from dotlatch.accountpages import AccountPages, ago, browser
from dotlatch.events import Events
from dotlatch.impersonation import Impersonation
from dotlatch.login import Login
from dotlatch.loginpages import LoginPages
from dotlatch.portable import now, uptime_ms
from dotlatch.second import SecondFactor
from dotlatch.stores import MemoryStore
from dotlatch.throttle import Throttle
from dotlatch.totp import Totp
from dotlatch.users import MemoryUsers

passwords.ITERATIONS = 2  # what a hash costs is tested elsewhere
PASSWORD = 'correct horse battery staple'
NEW = 'tulip harbour nine lantern'
FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
CHROME = 'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile'


def fields(**given):
    return '&'.join([name + '=' + given[name].replace(' ', '+') for name in given])


class Site:
    """A site with accounts, and everything that is under the account pages."""
    def __init__(self, store=None, check=None, qr=None, throttle=None, **options):
        self.events = Events()
        self.users = MemoryUsers(check_password=check, events=self.events)
        self.second = SecondFactor(self.users, issuer='Greenhouse')
        self.app = make_app(store=store) if store else make_app()
        self.login = Login(users=self.users, second_factor=self.second, events=self.events, throttle=throttle,
                           impersonation=Impersonation(scope='support'))
        AccountPages(LoginPages(self.app, self.login, title='Greenhouse', **options), qr=qr)

        @self.app.get('/')
        @self.login
        async def index(request):
            return 'Hello, ' + request.g.current_user.name

        @self.app.post('/act/<name>')
        async def act(request, name):
            return await self.login.impersonate(request, self.users.get_by_name(name))

    async def account(self, name, scopes=()):
        return await self.users.create(name, PASSWORD, scopes)

    async def enter(self, name='anna', client=FIREFOX, remember=False, password=PASSWORD):
        """A browser in which somebody has logged in."""
        if self.users.get_by_name(name) is None:
            await self.account(name)
        visitor = Client(self.app)
        form = fields(username=name, password=password)
        res = await visitor.post('/login', {'User-Agent': client}, form=form + '&remember=on' if remember else form)
        assert res.status_code == 302, res.text
        return visitor


async def is_in(visitor):
    return (await visitor.get('/')).status_code == 200


async def are_in(*visitors):
    found = []
    for visitor in visitors:
        found.append(await is_in(visitor))
    return found


def key_of(text):
    return text.split('<code>')[1].split('</code>')[0].replace(' ', '')


def codes_of(text):
    return [part.split('</code>')[0] for part in text.split('<li><code>')[1:]]


def code_now(secret, steps=0):
    return Totp(secret).code_at(now() // 30 + steps)


async def set_up(visitor):
    """Switch the second factor on, and return secret and recovery codes."""
    secret = key_of((await visitor.get('/account/second')).text)
    res = await visitor.post('/account/second', form='code=' + code_now(secret))
    assert res.status_code == 200, res.text
    return secret, codes_of(res.text)


# --- who gets there ---------------------------------------------------------------------------------

async def test_strangers_and_stale_visitors_are_sent_to_the_form():
    site = Site()
    with FakeClock() as clock:
        visitor = await site.enter()
        clock.advance(7200)
        for who in (Client(site.app), visitor):
            for url in ('/account', '/account/password', '/account/second'):
                res = await who.get(url)
                assert res.status_code == 302 and res.headers['Location'] == '/login?next=' + url
            for url in ('/account/end', '/account/password', '/account/second', '/account/recovery', '/account/remove'):
                res = await who.post(url, {'Referer': 'http://device.lan/account'}, b'')
                assert res.status_code == 302 and '/login' in res.headers['Location'], url
        assert await is_in(visitor)


async def test_who_acts_for_somebody_changes_nothing_there():
    site = Site()
    await site.account('anna')
    await site.account('helper', ['support'])
    visitor = await site.enter('helper')
    assert (await visitor.post('/act/anna')).status_code == 302
    for url in ('/account', '/account/password', '/account/second'):
        assert (await visitor.get(url)).status_code == 403, url
    for url in ('/account/end', '/account/password', '/account/second', '/account/recovery', '/account/remove'):
        assert (await visitor.post(url, form='end=others')).status_code == 403, url


async def test_the_account_leads_to_what_there_is():
    site = Site()
    text = (await (await site.enter()).get('/account')).text
    for expected in ('<b>anna</b>', 'href="/account/password"', 'href="/account/second"', 'action="/logout"',
                     'Log out everywhere else', '</a>: off'):
        assert expected in text, expected

    class Few:
        """Users that can do the least."""
        def __init__(self, users):
            self.get_by_id = users.get_by_id
            self.get_by_name = users.get_by_name
            self.authenticate = users.authenticate

    app = make_app()
    login = Login(users=Few(site.users))
    AccountPages(LoginPages(app, login), url='/me')
    visitor = Client(app)
    await visitor.post('/login', form=fields(username='anna', password=PASSWORD))
    text = (await visitor.get('/me')).text
    assert '<b>anna</b>' in text and '/me/' not in text
    assert (await visitor.get('/me/password')).status_code == 404


# --- sessions ---------------------------------------------------------------------------------------

async def test_each_session_is_shown_with_its_browser_place_and_time():
    site = Site(MemoryStore())
    with FakeClock() as clock:
        await site.enter(client=CHROME)
        clock.advance(3 * 3600)
        text = (await (await site.enter()).get('/account')).text
    rows = text.split('<div class="card row">')[1:]
    assert len(rows) == 2
    here = [row for row in rows if 'This browser' in row]
    other = [row for row in rows if 'name="end"' in row.split('</div>')[0]]
    assert len(here) == 1 and 'Firefox, Linux' in here[0] and 'just now' in here[0]
    assert len(other) == 1 and 'Chrome, Android' in other[0] and '3 hours ago' in other[0]


def ids(text):
    return [part.split('"')[0] for part in text.split('name="end" value="')[1:]]


async def test_one_session_is_ended_and_no_other():
    site = Site(MemoryStore())
    lost = await site.enter(client=CHROME)
    bert = await site.enter('bert')
    visitor = await site.enter()
    session_id = ids((await visitor.get('/account')).text)[0]
    assert not await is_ended_by(bert, session_id, lost)
    res = await visitor.post('/account/end', form='end=' + session_id)
    assert (res.status_code, res.headers['Location']) == (303, '/account')
    assert await are_in(lost, visitor, bert) == [False, True, True]
    assert 'That login has ended.' in (await visitor.get('/account')).text


async def is_ended_by(visitor, session_id, other):
    await visitor.post('/account/end', form='end=' + session_id)
    return not await is_in(other)


async def test_an_ended_session_does_not_come_back_as_a_remembered_one():
    site = Site(MemoryStore())
    lost = await site.enter(client=CHROME, remember=True)
    visitor = await site.enter()
    text = (await visitor.get('/account')).text
    assert 'remembered' in text and 'Forget' in text
    for row in text.split('<div class="card row">')[1:]:
        if 'Chrome' in row and 'Forget' not in row:
            await visitor.post('/account/end', form='end=' + ids(row)[0])
    assert not await is_in(lost)
    assert len((await visitor.get('/account')).text.split('<div class="card row">')) == 2


async def test_a_forgotten_device_is_logged_out_too():
    site = Site(MemoryStore())
    lost = await site.enter(client=CHROME, remember=True)
    visitor = await site.enter()
    text = (await visitor.get('/account')).text
    await visitor.post('/account/end', form='end=' + ids(text[:text.index('Forget')])[-1])
    assert not await is_in(lost) and await is_in(visitor)


async def test_all_others_are_logged_out_with_a_store_and_without():
    for store in (None, MemoryStore()):
        site = Site(store)
        others = [await site.enter(), await site.enter(remember=True), await site.enter(client=CHROME)]
        bert = await site.enter('bert')
        visitor = await site.enter()
        copied = visitor.copy()
        res = await visitor.post('/account/end', form='end=others')
        assert res.status_code == 303
        others[1].restart()
        assert await are_in(copied, *others) == [False] * 4
        assert await is_in(visitor) and await is_in(bert)
        assert 'everywhere else' in (await visitor.get('/account')).text  # and still fresh


async def test_what_is_no_session_of_ones_own_ends_nothing():
    for store in (None, MemoryStore()):
        site = Site(store)
        other = await site.enter('bert')
        visitor = await site.enter()
        for which in ('', 'x', 'A' * 22, '../x', 'all', '%00'):
            assert (await visitor.post('/account/end', form='end=' + which)).status_code == 303
        assert await is_in(visitor) and await is_in(other)


async def test_a_long_list_is_cut_and_says_so():
    site = Site(MemoryStore())
    for _ in range(accountpages.MAX_SHOWN + 3):
        await site.enter()
    text = (await (await site.enter()).get('/account')).text
    assert text.count('class="card row"') == accountpages.MAX_SHOWN and 'And 4 more.' in text
    assert len(text) < 12 * 1024


async def test_a_store_that_is_down_is_a_503():
    store = MemoryStore()
    site = Site(store)
    visitor = await site.enter()

    async def down(*args):
        raise OSError('down')

    store.list_user = down
    assert (await visitor.get('/account')).status_code == 503


async def test_a_hostile_user_agent_is_only_shown():
    site = Site(MemoryStore())
    await site.enter(client='"><script>alert(1)</script>')
    text = (await (await site.enter()).get('/account')).text
    assert '<script' not in text and '&lt;script&gt;' in text


def test_browsers_are_called_what_people_call_them():
    for client, name in ((FIREFOX, 'Firefox, Linux'), (CHROME, 'Chrome, Android'), ('', 'Unknown'),
                         ('curl/8.5.0', 'curl/8.5.0'), ('x' * 99, 'x' * 48),
                         ('Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X)', 'iPhone')):
        assert browser(client) == name


def test_times_are_told_with_a_clock_and_without():
    with FakeClock():
        for passed, text in ((0, 'just now'), (119, 'just now'), (120, '2 minutes ago'), (7200, '2 hours ago'),
                             (200000, '2 days ago'), (-5, 'some time ago')):
            assert ago(now() - passed) == text
        assert ago(None) == 'some time ago'
    with FakeClock(time=0, ticks=10000000):
        assert ago(uptime_ms() // 1000 - 300) == '5 minutes ago'


# --- the password -----------------------------------------------------------------------------------

async def change(visitor, current=PASSWORD, new=NEW, again=NEW):
    return await visitor.post('/account/password', form=fields(current=current, new=new, again=again))


async def test_a_new_password_logs_all_others_out_and_not_this_one():
    for store in (None, MemoryStore()):
        site = Site(store)
        other, visitor = await site.enter(remember=True), await site.enter()
        res = await change(visitor)
        assert (res.status_code, res.headers['Location']) == (303, '/account')
        assert 'Your password is changed.' in (await visitor.get('/account')).text
        other.restart()
        assert not await is_in(other)
        assert await is_in(await site.enter(password=NEW))


async def test_what_a_new_password_has_ended_is_not_listed_any_more():
    site = Site(MemoryStore())
    await site.enter(client=CHROME, remember=True)
    visitor = await site.enter(remember=True)
    await change(visitor)
    rows = (await visitor.get('/account')).text.split('<div class="card row">')[1:]
    assert len(rows) == 1 and 'This browser' in rows[0]


async def test_P6_the_current_password_is_needed():
    site = Site()
    visitor = await site.enter()
    for given in ({'current': 'wrong'}, {'current': ''}, {'again': 'another'}, {'new': ''}):
        res = await change(visitor, **given)
        assert res.status_code == 400 and 'role="alert"' in res.text, given
    assert (await visitor.post('/account/password', form='new=x&again=x')).status_code == 400
    assert await is_in(await site.enter())
    assert [event['reason'] for event in site.events.recent() if event['event'] == 'login_failed'][:1] == ['password']


async def test_a_password_that_will_not_do_is_refused_with_the_reason():
    async def check(password, context):
        if password != PASSWORD:
            raise ValueError('<too> short')

    visitor = await Site(check=check).enter()
    res = await change(visitor)
    assert res.status_code == 400 and 'That will not do: &lt;too&gt; short.' in res.text and NEW not in res.text


async def test_L4_guesses_of_the_current_password_are_throttled_with_all_others():
    site = Site(throttle=Throttle(free=1))
    with FakeClock():
        visitor = await site.enter()
        for _ in range(2):
            assert (await change(visitor, current='guess')).status_code == 400
        res = await change(visitor)
        assert res.status_code == 429 and 'Try again in 1 second.' in res.text
        res = await Client(site.app).post('/login', form=fields(username='anna', password=PASSWORD))
        assert res.status_code == 429


# --- the second factor ------------------------------------------------------------------------------

async def test_a_second_factor_is_switched_on_and_asked_for():
    with FakeClock() as clock:
        site = Site()
        visitor = await site.enter()
        page = (await visitor.get('/account/second')).text
        secret = key_of(page)
        assert len(secret) == 32 and 'href="otpauth://totp/Greenhouse:anna?secret=' + secret in page
        assert key_of((await visitor.get('/account/second')).text) == secret  # the app that has it goes on with it
        other = await site.enter(client=CHROME)
        res = await visitor.post('/account/second', form='code=' + code_now(secret))
        codes = codes_of(res.text)
        assert res.status_code == 200 and len(codes) == 10
        assert await is_in(visitor) and not await is_in(other)
        assert '</a>: on' in (await visitor.get('/account')).text
        assert 'left: 10' in (await visitor.get('/account/second')).text
        clock.advance(60)
        other = await site.enter(client=CHROME)
        assert not await is_in(other)
        code = code_now(secret)
        res = await other.post('/login/code', form='code=' + code[:3] + '+' + code[3:])
        assert res.status_code == 302 and await is_in(other)


async def test_the_secret_is_not_kept_once_it_is_set_up():
    with FakeClock():
        for store in (None, MemoryStore()):
            site = Site(store)
            visitor = await site.enter()
            secret, _ = await set_up(visitor)
            text = str(visitor.jar) + (await visitor.get('/account/second')).text
            assert secret not in text and '_totp' not in str(getattr(store, '_records', ''))


async def test_a_wrong_code_switches_nothing_on():
    with FakeClock():
        site = Site()
        visitor = await site.enter()
        secret = key_of((await visitor.get('/account/second')).text)
        for code in ('', '000', 'abcdef', code_now(secret, 5)):
            res = await visitor.post('/account/second', form='code=' + code)
            assert res.status_code == 400 and 'role="alert"' in res.text and key_of(res.text) == secret
        assert not site.second.is_on(site.users.get_by_name('anna'))
        assert (await Client(site.app).get('/login/code')).headers['Location'] == '/login'


async def test_a_code_without_a_page_before_it_leads_to_the_page():
    visitor = await Site().enter()
    res = await visitor.post('/account/second', form='code=123456')
    assert (res.status_code, res.headers['Location']) == (303, '/account/second')


async def test_O3_without_a_clock_the_page_says_so():
    with FakeClock(time=0):
        site = Site()
        visitor = await site.enter()
        await visitor.get('/account/second')
        res = await visitor.post('/account/second', form='code=123456')
        assert res.status_code == 503 and 'does not know what time it is' in res.text


async def test_on_a_computer_there_is_a_picture_which_is_no_html():
    def qr(uri):
        assert uri.startswith('otpauth://')
        return '<svg width="9"><path d="M1 1h7"/></svg>'

    async def later(uri):
        return 'data:image/png;base64,AAAA'

    page = (await (await Site(qr=qr).enter()).get('/account/second')).text
    assert '<img src="data:image/svg+xml,%3Csvg%20xmlns%3D%22http%3A//www.w3.org/2000/svg%22%20width' in page
    assert '<svg' not in page
    page = (await (await Site(qr=later).enter()).get('/account/second')).text
    assert 'src="data:image/png;base64,AAAA"' in page
    assert '<img' not in (await (await Site().enter()).get('/account/second')).text


async def test_new_recovery_codes_take_the_place_of_the_old_ones():
    with FakeClock() as clock:
        site = Site()
        visitor = await site.enter()
        _, old = await set_up(visitor)
        clock.advance(60)
        new = codes_of((await visitor.post('/account/recovery')).text)
        assert len(new) == 10 and new != old
        other = await site.enter()
        assert (await other.post('/login/code', form='recovery=' + old[0])).status_code == 401
        assert (await other.post('/login/code', form='code=&recovery=' + new[0])).status_code == 302
        assert await is_in(other)
        assert 'left: 9' in (await visitor.get('/account/second')).text


async def test_switching_it_off_takes_a_code_where_none_was_typed():
    with FakeClock() as clock:
        site = Site()
        visitor = await site.enter()
        secret, _ = await set_up(visitor)
        clock.advance(60)
        browser = await site.enter(client=CHROME)
        await browser.post('/login/code', form='trust=on&code=' + code_now(secret))
        await browser.post('/logout')
        clock.advance(60)
        await browser.post('/login', form=fields(username='anna', password=PASSWORD))
        assert await is_in(browser)  # it is trusted
        for url in ('/account/remove', '/account/recovery'):
            res = await browser.post(url, {'Referer': 'http://device.lan/account/second'}, b'')
            assert res.headers['Location'] == '/login/code?next=/account/second&again=lost', url
        page = (await browser.get(res.headers['Location'])).text
        assert 'was not carried out' in page and 'name="trust"' not in page
        res = await browser.post(res.headers['Location'], form='code=' + code_now(secret))
        assert res.headers['Location'] == '/account/second'
        assert (await browser.post('/account/remove')).status_code == 303
        assert not site.second.is_on(site.users.get_by_name('anna'))
        assert await is_in(browser) and not await is_in(visitor)
        assert await is_in(await site.enter())


async def test_nothing_of_a_second_factor_is_there_for_who_has_none():
    visitor = await Site().enter()
    for url in ('/account/remove', '/account/recovery'):
        assert (await visitor.post(url)).status_code == 403


# --- the code at the login --------------------------------------------------------------------------

async def half(site, **options):
    """A browser whose password was right, and the secret."""
    secret, codes = await set_up(await site.enter())
    return await site.enter(**options), secret, codes


async def test_O5_the_password_alone_opens_the_form_for_the_code_and_nothing_else():
    with FakeClock():
        browser, _, _ = await half(Site())
        assert (await browser.get('/login/code')).status_code == 200
        for url in ('/', '/account', '/account/second'):
            assert (await browser.get(url)).headers['Location'].startswith('/login/code'), url


async def test_a_wrong_code_is_a_401_with_the_form():
    with FakeClock():
        browser, _, _ = await half(Site())
        for form in ('code=000000', 'code=', '', 'recovery=0000-0000-0000-0000', 'code=%00'):
            res = await browser.post('/login/code', form=form)
            assert res.status_code == 401 and 'role="alert">That is not the code.<' in res.text, form
            assert 'WWW-Authenticate' in res.headers and 'one-time-code' in res.text
        assert not await is_in(browser)


async def test_guessing_codes_is_throttled():
    with FakeClock():
        site = Site(throttle=Throttle(free=1))
        browser, secret, _ = await half(site)
        for _ in range(2):
            assert (await browser.post('/login/code', form='code=000000')).status_code == 401
        res = await browser.post('/login/code', form='code=' + code_now(secret))
        assert res.status_code == 429 and 'Try again in' in res.text


async def test_a_login_that_waited_too_long_begins_anew():
    with FakeClock() as clock:
        browser, _, _ = await half(Site())
        clock.advance(400)
        assert (await browser.get('/login/code')).headers['Location'] == '/login'
        assert (await browser.post('/login/code', form='code=123456')).headers['Location'] == '/login'


async def test_O3_without_a_clock_a_recovery_code_still_opens():
    with FakeClock() as clock:
        site = Site()
        await site.account('anna')
        _, codes = await set_up(await site.enter())
        clock.set(0)
        browser = await site.enter()
        res = await browser.post('/login/code', form='code=123456')
        assert res.status_code == 503 and 'does not know what time it is' in res.text and 'name="recovery"' in res.text
        assert (await browser.post('/login/code', form='recovery=' + codes[0])).status_code == 302
        assert await is_in(browser)


async def test_a_trusted_browser_is_asked_for_no_code_unless_the_app_offers_none():
    for trust, expected in ((30, True), (0, False)):
        with FakeClock() as clock:
            site = Site(trust=trust)
            browser, secret, _ = await half(site)
            assert ('name="trust"' in (await browser.get('/login/code')).text) is expected
            clock.advance(60)
            await browser.post('/login/code', form='trust=on&code=' + code_now(secret))
            await browser.post('/logout')
            await browser.post('/login', form=fields(username='anna', password=PASSWORD))
            assert await is_in(browser) is expected


async def test_H3_no_event_holds_a_password_code_or_secret():
    with FakeClock() as clock:
        site = Site(MemoryStore())
        browser, secret, codes = await half(site)
        clock.advance(60)
        code = code_now(secret)
        await browser.post('/login/code', form='code=000000')
        await browser.post('/login/code', form='code=' + code)
        await change(browser, current='wrong guess')
        await change(browser)
        await browser.post('/account/end', form='end=others')
        text = str(site.events.recent())
        for hidden in (PASSWORD, NEW, secret, code, '000000', 'wrong guess') + tuple(codes):
            assert hidden not in text
        assert 'sessions_ended' in text and 'second_factor_set' in text and 'password_changed' in text


async def test_a_browser_is_trusted_at_a_login_alone():
    with FakeClock() as clock:
        site = Site()
        visitor = await site.enter()
        secret, _ = await set_up(visitor)
        clock.advance(60)
        res = await visitor.post('/login/code?next=/account', form='trust=on&code=' + code_now(secret))
        assert res.headers['Location'] == '/account' and visitor.names() == ['session']
