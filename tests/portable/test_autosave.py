"""Sessions that save themselves, and messages for the next page."""
from client import KEY, Client, make_app
from clock import START, FakeClock
from microdot import abort

from dotlatch.login import Login
from dotlatch.session import MAX_FLASHES, with_session
from dotlatch.stores import MemoryStore


def site(**options):
    app = make_app(**options)

    @app.get('/show')
    @with_session
    async def show(request, session):
        return dict(session.items())

    return app


async def after(change, start=None, **options):
    """What a visitor's session is once a handler has done ``change(session)``, and the cookies of that response."""
    app = site(**options)

    @app.get('/start')
    @with_session
    async def begin(request, session):
        session.update(start)
        session.save()
        return 'begun'

    @app.get('/change')
    @with_session
    async def run(request, session):
        change(session)
        return 'done'

    browser = Client(app)
    if start:
        await browser.get('/start')
    res = await browser.get('/change')
    assert res.status_code == 200
    return (await browser.get('/show')).json, res.cookies


BOTH = (None, MemoryStore)


async def test_a_change_is_kept_without_being_told():
    for store in BOTH:
        options = {'autosave': True, 'store': store and store()}
        assert (await after(lambda s: s.update({'a': 1}), **options))[0] == {'a': 1}
        assert (await after(lambda s: s.update({'a': 2}), {'a': 1}, **options))[0] == {'a': 2}
        assert (await after(lambda s: s.pop('a'), {'a': 1, 'b': 2}, **options))[0] == {'b': 2}


async def test_a_change_deep_inside_is_kept():
    start = {'cart': {'items': [{'id': 1, 'count': 1}]}}
    for store in BOTH:
        changes = [
            lambda s: s['cart']['items'][0].update({'count': 2}),
            lambda s: s['cart']['items'].append(3),
            lambda s: s['cart'].pop('items'),
            lambda s: s['cart']['items'].clear(),
        ]
        wanted = [{'items': [{'id': 1, 'count': 2}]}, {'items': [{'id': 1, 'count': 1}, 3]}, {}, {'items': []}]
        for i in range(len(changes)):
            found, _ = await after(changes[i], start, autosave=True, store=store and store())
            assert found == {'cart': wanted[i]}, i


async def test_a_value_of_another_type_is_a_change():
    pairs = ((1, True), (True, 1), (0, False), (1, '1'), ('', None), ([], {}), ([1], [True]), (0, None))
    for was, new in pairs:
        found, cookies = await after(lambda s, new=new: s.update({'a': new}), {'a': was}, autosave=True)
        assert cookies and type(found['a']) is type(new) and found['a'] == new, (was, new)


async def test_what_was_only_read_is_not_written():
    for store in BOTH:
        for read in (lambda s: s['a'], lambda s: s.get('b'), lambda s: s.update({'a': [1]}),
                     lambda s: s.pop('b', None)):
            _, cookies = await after(read, {'a': [1]}, autosave=True, store=store and store())
            assert cookies == []


async def test_an_empty_session_is_no_session():
    _, cookies = await after(lambda s: None, autosave=True)
    assert cookies == []
    found, cookies = await after(lambda s: s.clear(), {'a': 1}, autosave=True)
    assert found == {} and len(cookies) == 1 and cookies[0].startswith('session=;')


async def test_saving_stays_explicit_unless_asked_otherwise():
    for store in BOTH:
        found, cookies = await after(lambda s: s.update({'a': 2}), {'a': 1}, store=store and store())
        assert found == {'a': 1} and cookies == []


async def test_a_session_that_was_saved_is_not_saved_twice():
    def change(session):
        session['a'] = 2
        session.save()

    found, cookies = await after(change, {'a': 1}, autosave=True)
    assert found == {'a': 2} and len(cookies) == 1


async def test_a_change_after_a_save_is_kept_too():
    def change(session):
        session['a'] = 2
        session.save()
        session['a'] = 3

    assert (await after(change, {'a': 1}, autosave=True))[0] == {'a': 3}


async def test_a_change_is_kept_when_the_handler_aborts():
    app = site(autosave=True)

    @app.get('/fail')
    @with_session
    async def fail(request, session):
        session['failures'] = session.get('failures', 0) + 1
        abort(403)

    browser = Client(app)
    for count in (1, 2):
        assert (await browser.get('/fail')).status_code == 403
        assert (await browser.get('/show')).json == {'failures': count}


async def test_S3_a_deleted_session_is_not_saved_again():
    found, cookies = await after(lambda s: s.delete(), {'a': 1}, autosave=True)
    assert found == {} and cookies[0].startswith('session=;')


async def test_S2_regenerate_is_saved():
    for store in BOTH:
        app = site(autosave=True, store=store and store())

        @app.get('/set')
        @with_session
        async def put(request, session):
            session['a'] = 1
            return 'done'

        @app.get('/renew')
        @with_session
        async def renew(request, session):
            session.regenerate()
            return 'done'

        browser = Client(app)
        await browser.get('/set')
        thief = browser.copy()
        await browser.get('/renew')
        assert (await browser.get('/show')).json == {'a': 1}
        assert (await thief.get('/show')).json == {}


async def test_what_cannot_be_saved_is_one_500_and_keeps_the_old_session():
    app = site(autosave=True)

    @app.get('/good')
    @with_session
    async def good(request, session):
        session['a'] = 1
        return 'done'

    @app.get('/bad/<kind>')
    @with_session
    async def bad(request, session, kind):
        session['a'] = {'large': 'x' * 5000, 'bytes': b'x', 'object': object()}[kind]
        return 'done'

    browser = Client(app)
    await browser.get('/good')
    for kind in ('large', 'bytes', 'object'):
        res = await browser.get('/bad/' + kind)
        assert res.status_code == 500 and res.cookies == [], kind
        assert (await browser.get('/show')).json == {'a': 1}


async def test_a_page_that_only_reads_does_not_move_the_absolute_end():
    with FakeClock(START) as clock:
        app = site(autosave=True, max_age=100)

        @app.get('/set/<value>')
        @with_session
        async def put(request, session, value):
            session['a'] = value
            return 'done'

        browser = Client(app)
        await browser.get('/set/1')
        clock.advance(60)
        await browser.get('/set/2')
        clock.advance(40)
        assert (await browser.get('/show')).json == {}


# --- messages ---------------------------------------------------------------------------------------

def messages(**options):
    app = site(**options)
    login = Login()

    @login.user_loader
    async def load(user_id):
        return {'id': user_id}

    @app.get('/say/<text>')
    @with_session
    async def say(request, session, text):
        session.flash(text, 'info')
        return 'said'

    @app.get('/read')
    @with_session
    async def read(request, session):
        return [list(pair) for pair in session.flashes()]

    @app.get('/login')
    @with_session
    async def log_in(request, session):
        return await login.login_user(request, 'anna')

    return app


async def test_a_message_is_shown_once():
    for store in BOTH:
        browser = Client(messages(store=store and store()))
        await browser.get('/say/hello')
        await browser.get('/say/world')
        assert (await browser.get('/read')).json == [['info', 'hello'], ['info', 'world']]
        assert (await browser.get('/read')).json == []


async def test_a_visitor_whose_session_had_nothing_but_messages_has_none_afterwards():
    browser = Client(messages())
    await browser.get('/say/hello')
    await browser.get('/read')
    assert browser.names() == []


async def test_reading_no_messages_writes_nothing():
    browser = Client(messages())
    res = await browser.get('/read')
    assert res.json == [] and res.cookies == []


async def test_messages_have_a_category():
    app = make_app(secret_key=KEY)

    @app.get('/')
    @with_session
    async def index(request, session):
        session.flash('plain')
        session.flash('careful', 'warning')
        return [list(pair) for pair in session.flashes()]

    assert (await Client(app).get('/')).json == [['message', 'plain'], ['warning', 'careful']]


async def test_so_many_messages_wait_and_no_more():
    browser = Client(messages())
    for number in range(MAX_FLASHES + 3):
        await browser.get('/say/%d' % number)
    waiting = (await browser.get('/read')).json
    assert [text for _, text in waiting] == [str(number) for number in range(3, MAX_FLASHES + 3)]


async def test_S2_messages_of_the_visitor_before_a_login_are_gone():
    browser = Client(messages())
    await browser.get('/say/planted')
    await browser.get('/login')
    assert (await browser.get('/read')).json == []
