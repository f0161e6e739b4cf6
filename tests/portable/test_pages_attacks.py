"""Attacks on the pages of a login and of an account, and on the second factor below them: what a client sees."""
from client import Client, make_app, raises
from clock import FakeClock
from household import together
from test_accountpages import (
    NEW,
    PASSWORD,
    Site,
    are_in,
    change,
    code_now,
    codes_of,
    fields,
    half,
    is_in,
    key_of,
    set_up,
)

from dotlatch.accountpages import AccountPages
from dotlatch.events import Events
from dotlatch.login import Login
from dotlatch.loginpages import LoginPages
from dotlatch.second import SecondFactor
from dotlatch.session import with_session
from dotlatch.stores import MemoryStore
from dotlatch.users import MemoryUsers

BOTH = (lambda: None, MemoryStore)


class Few:
    """Users that can do the least, and what is named beside it."""
    def __init__(self, users, *more):
        for name in ('get_by_id', 'get_by_name', 'authenticate') + more:
            setattr(self, name, getattr(users, name))


async def few(*more, **options):
    """An account page over such users, and somebody who is logged in there."""
    users = MemoryUsers()
    await users.create('anna', PASSWORD)
    app = make_app(**options)
    app.events = Events()
    AccountPages(LoginPages(app, Login(users=Few(users, *more), events=app.events)))
    visitor = Client(app)
    await visitor.post('/login', form=fields(username='anna', password=PASSWORD))
    return visitor


# --- forms that are half sent -----------------------------------------------------------------------

async def test_P6_a_form_for_the_password_that_is_half_sent_is_a_400():
    for store in BOTH:
        site = Site(store())
        visitor = await site.enter()
        right = 'current=' + PASSWORD.replace(' ', '+')
        for form in ('', 'again=', 'new=', 'current=x&again=', right, right + '&again=', right + '&new=', 'new&again',
                     right + '&new=&again=', right + '&new&again'):
            res = await visitor.post('/account/password', form=form)
            assert res.status_code == 400 and 'role="alert"' in res.text, form
        assert await is_in(await site.enter())


async def test_a_code_is_taken_from_either_field_with_its_spaces():
    with FakeClock() as clock:
        site = Site()
        secret, codes = await set_up(await site.enter())
        for i, form in enumerate(('code=CODE&recovery=+', 'recovery=CODE', 'recovery=CO+DE', 'code=' + codes[0],
                                  'code=&recovery=+' + codes[1].lower().replace('-', '+') + '+')):
            clock.advance(60)
            browser = await site.enter()
            code = code_now(secret)
            form = form.replace('CODE', code).replace('CO+DE', code[:3] + '+' + code[3:])
            assert (await browser.post('/login/code', form=form)).status_code == 302, (i, form)
            assert await is_in(browser)


async def test_who_took_too_long_for_the_code_still_comes_to_where_he_was_going():
    with FakeClock() as clock:
        browser, _, _ = await half(Site())
        clock.advance(400)
        assert (await browser.get('/login/code?next=/account')).headers['Location'] == '/login?next=/account'
        res = await browser.get('/login/code?next=//evil.example')
        assert res.headers['Location'] == '/login'


async def test_X6_no_form_of_a_login_sends_anybody_to_another_site():
    with FakeClock() as clock:
        site = Site()
        secret, _ = await set_up(await site.enter())
        for following in ('//evil.example', '/%5Cevil.example', '/%09/evil.example', '%2F%2Fevil.example',
                          '/%0D%0AX:%20y', 'https://evil.example', 'javascript:alert(1)', '/%00'):
            clock.advance(60)
            browser = Client(site.app)
            query = '?next=' + following
            assert (await browser.get('/login/code' + query)).headers['Location'] == '/login'
            res = await browser.post('/login' + query, form=fields(username='anna', password=PASSWORD))
            assert res.headers['Location'] == '/login/code', following
            res = await browser.post('/login/code' + query, form='code=' + code_now(secret))
            assert res.headers['Location'] == '/', following


# --- what is said is so -----------------------------------------------------------------------------

async def test_nothing_is_said_to_have_ended_that_has_not():
    visitor = await few()
    for which in ('others', 'x', ''):
        await visitor.post('/account/end', form='end=' + which)
        assert 'role="status"' not in (await visitor.get('/account')).text, which
    visitor = await few(store=MemoryStore())
    for form in ('end=x', 'end=', '', 'end=' + 'A' * 22):
        await visitor.post('/account/end', form=form)
        assert 'role="status"' not in (await visitor.get('/account')).text, form
    await visitor.post('/account/end', form='end=others')
    assert 'everywhere else' in (await visitor.get('/account')).text.split('<h1>')[1].split('<div')[0]


async def test_H3_what_users_do_not_tell_of_is_told_once():
    for more, url, form, event in (
            ('change_password', '/account/password', fields(current=PASSWORD, new=NEW, again=NEW), 'password_changed'),
            ('end_sessions', '/account/end', 'end=others', 'sessions_ended')):
        visitor = await few(more)
        assert (await visitor.post(url, form=form)).status_code == 303
        site = Site()
        other = await site.enter()
        await other.post(url, form=form)
        for events in (visitor.app.events, site.events):
            assert [one['name'] for one in events.recent() if one['event'] == event] == ['anna'], event


# --- users that are down ----------------------------------------------------------------------------

async def down(*args):
    raise OSError('a secret path')


async def test_users_that_are_down_are_a_503_on_every_page_of_a_second_factor():
    with FakeClock():
        for store in BOTH:
            site = Site(store())
            visitor = await site.enter()
            secret = key_of((await visitor.get('/account/second')).text)
            kept, site.second._set = site.second._set, down
            res = await visitor.post('/account/second', form='code=' + code_now(secret))
            assert (res.status_code, res.headers['Retry-After']) == (503, '2') and 'secret path' not in res.text
            site.second._set = kept
            await set_up(visitor)
            site.second._set = site.second._swap = down
            for url in ('/account/remove', '/account/recovery'):
                assert (await visitor.post(url)).status_code == 503, url
            assert await is_in(visitor)


class Hooked(MemoryUsers):
    """Users to whom something happens while the password is changed."""
    meanwhile = site = None

    async def change_password(self, user, current, new):
        is_right = await super().change_password(user, current, new)
        self.meanwhile(self.site, user)
        return is_right


async def hooked(meanwhile, store=None):
    site = Site(store)
    users = Hooked()
    users.meanwhile, users.site = meanwhile, site
    site.users = users
    site.second = SecondFactor(users)
    site.app = make_app(store=store) if store else make_app()
    site.login = Login(users=users, second_factor=site.second)
    AccountPages(LoginPages(site.app, site.login))

    @site.app.get('/')
    @site.login
    async def index(request):
        return 'in'

    return site, await site.enter()


async def test_users_that_fail_once_the_password_is_changed_are_a_503():
    for store in BOTH:
        _, visitor = await hooked(lambda site, user: setattr(site.login, 'user_loader_callback', down), store())
        assert (await change(visitor)).status_code == 503


# --- what happens meanwhile -------------------------------------------------------------------------

async def test_S6_an_account_that_is_disabled_while_its_password_changes_stays_out():
    for store in BOTH:
        site, visitor = await hooked(lambda site, user: site.users.disable(user), store())
        assert (await change(visitor)).status_code == 303
        site.users.enable(site.users.get_by_name('anna'))
        assert not await is_in(visitor)


async def test_S6_an_account_that_is_removed_while_its_password_changes_is_gone():
    for store in BOTH:
        _, visitor = await hooked(lambda site, user: site.users.remove(user), store())
        assert (await change(visitor)).status_code == 303
        assert not await is_in(visitor)


async def test_O5_a_second_factor_that_is_switched_on_while_the_password_changes_is_asked_for():
    for store in BOTH:
        _, visitor = await hooked(
            lambda site, user: site.users.set_second_factor(user, site.second.begin(user).stored(), 1), store())
        assert (await change(visitor)).status_code == 303
        assert not await is_in(visitor)


async def test_S6_sessions_that_end_while_this_one_goes_on_end_it_too():
    store = MemoryStore()
    site = Site(store)
    visitor = await site.enter()
    anna = site.users.get_by_name('anna')
    kept = store.load

    async def late(session_id):
        if anna.session_version == 1:  # its own change was made
            site.users.end_sessions(anna)
        return await kept(session_id)

    store.load = late
    assert (await visitor.post('/account/end', form='end=others')).status_code == 303
    assert anna.session_version == 2 and not await is_in(visitor)


async def test_a_clock_that_is_lost_while_the_password_changes_makes_no_session_last_longer():
    with FakeClock() as clock:
        _, visitor = await hooked(lambda site, user: clock.set(0))
        await change(visitor)
        for day in range(16):
            assert await is_in(visitor) is (day < 14), day
            clock.advance(24 * 3600)


async def test_of_two_tabs_that_confirm_or_change_at_once_one_does():
    with FakeClock():
        for store in BOTH:
            site = Site(store())
            visitor = await site.enter()
            secret = key_of((await visitor.get('/account/second')).text)
            tab = visitor.copy()
            form = 'code=' + code_now(secret)
            answers = await together(visitor.post('/account/second', form=form), tab.post('/account/second', form=form))
            assert len(codes_of(answers[0].text)) + len(codes_of(answers[1].text)) == 10
            assert sorted(await are_in(visitor, tab)) == [False, True]
            site = Site(store())
            browsers = await site.enter(), await site.enter()
            answers = await together(*[change(one) for one in browsers])
            assert sorted([res.status_code for res in answers]) == [303, 400]
            assert sorted(await are_in(*browsers)) == [False, True]


async def test_a_second_factor_that_is_off_already_brings_no_ended_session_back():
    with FakeClock():
        for store in BOTH:
            site = Site(store())
            visitor = await site.enter()
            await set_up(visitor)
            kept = site.second._set

            async def late(user, totp, step, recovery, kept=kept):
                kept(user, None)
                return kept(user, totp, step, recovery)

            site.second._set = late
            assert (await visitor.post('/account/remove')).status_code == 303
            assert not await is_in(visitor)


# --- what is planted --------------------------------------------------------------------------------

async def test_what_is_no_second_factor_is_not_confirmed():
    for planted in ('x', 'SHA1$6$', 'MD5$6$' + 'A' * 32, '$$', 5, ['SHA1'], {'a': 1}, True):
        site = Site()

        @site.app.get('/plant')
        @with_session
        async def plant(request, session, planted=planted):
            session['_totp'] = planted
            session.save()
            return 'ok'

        visitor = await site.enter()
        await visitor.get('/plant')
        res = await visitor.post('/account/second', form='code=123456')
        assert res.status_code in (303, 400), planted
        assert len(key_of((await visitor.get('/account/second')).text)) == 32


# --- what cannot be shown ---------------------------------------------------------------------------

async def test_a_picture_that_is_too_large_leaves_the_key():
    def qr(uri):
        raise ValueError('too much for a QR code')

    res = await (await Site(qr=qr).enter()).get('/account/second')
    assert res.status_code == 200 and len(key_of(res.text)) == 32 and '<img' not in res.text


def test_an_issuer_that_no_app_takes_is_an_error_at_the_start():
    for issuer in ('', 'a: b', 'x' * 65, None):
        assert 'issuer' in str(raises(ValueError, SecondFactor, MemoryUsers(), issuer=issuer)), issuer


async def test_a_message_for_which_there_is_no_room_undoes_nothing():
    app = make_app(autosave=True, max_cookie=460)
    users = MemoryUsers()
    await users.create('anna', PASSWORD)
    AccountPages(LoginPages(app, Login(users=users)))

    @app.get('/fill/<int:size>')
    @with_session
    async def fill(request, session, size):
        session['x'] = 'x' * size
        return 'ok'

    was_full = False
    for size in range(0, 200, 20):
        visitor = Client(app)
        await visitor.post('/login', form=fields(username='anna', password=PASSWORD))
        if (await visitor.get('/fill/%d' % size)).status_code != 200:
            break
        assert (await visitor.post('/account/end', form='end=others')).status_code == 303, size
        res = await visitor.get('/account')
        assert res.status_code == 200, size
        was_full = was_full or 'role="status"' not in res.text
    assert was_full and size
