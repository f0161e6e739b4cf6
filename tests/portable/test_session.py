"""A session belongs to one visitor, survives what the handler does, and ends when it is said to end."""
import asyncio

from client import JSON, KEY, OTHER_KEY, THIRD_KEY, Client, Warnings, make_app, parse_cookie, raises, shapes, signed
from clock import START, UNSET, FakeClock
from microdot import Microdot, Request, Response, abort

from dotlatch import tokens
from dotlatch.session import Session, SessionDict, session_of, with_session

DAY = 86400


def counter(app=None, **options):
    """An app that counts visits, shows the session without touching it, and ends it."""
    if app is None:
        app = make_app(**options)

    @app.get('/')
    @with_session
    async def index(request, session):
        session['n'] = session.get('n', 0) + 1
        session.save()
        return str(session['n'])

    @app.get('/show')
    @with_session
    async def show(request, session):
        return session.copy()

    @app.get('/logout')
    @with_session
    async def logout(request, session):
        session.delete()
        return 'bye'

    return app


# --- the surface of Microdot's ------------------------------------------------------------------------

async def test_a_saved_session_comes_back():
    browser = Client(counter())
    assert await browser.texts('/', '/', '/') == ['1', '2', '3']


async def test_two_browsers_have_two_sessions():
    app = counter()
    a, b = Client(app), Client(app)
    assert await a.texts('/', '/') == ['1', '2']
    assert await b.texts('/') == ['1']
    assert await a.texts('/') == ['3']


async def test_a_session_that_is_not_saved_is_not_kept():
    app = make_app()

    @app.get('/')
    @with_session
    async def index(request, session):
        session['x'] = 1
        return 'ok'

    res = await Client(app).get('/')
    assert res.cookies == []


async def test_the_session_can_be_attached_later():
    app = Microdot()
    ext = Session()
    ext.initialize(app, secret_key=KEY, cookie_options={'path': '/app', 'max_age': 60})
    res = await Client(counter(app)).get('/')
    _, _, options = parse_cookie(res.cookies[0])
    assert options['path'] == '/app' and options['max-age'] == '60', res.cookies


async def test_the_key_can_be_set_on_the_object_later():
    app = Microdot()
    ext = Session(app)
    counter(app)
    ext.secret_key = KEY
    browser = Client(app)
    await browser.get('/')
    assert (await browser.get('/')).text == '2'


async def test_a_session_without_a_key_says_so():
    for empty in (None, '', b''):
        app = Microdot()
        seen = []

        @app.errorhandler(ValueError)
        async def error(request, exc):
            seen.append(str(exc))  # noqa: B023
            return 'no key', 500

        try:
            Session(app, secret_key=empty)
        except ValueError as exc:
            assert 'key' in str(exc)
            continue
        counter(app)
        assert (await Client(app).get('/')).status_code == 500, empty
        assert 'key' in seen[0], empty


async def test_with_session_without_a_session_says_what_to_do():
    app = counter(Microdot())
    seen = []

    @app.errorhandler(RuntimeError)
    async def error(request, exc):
        seen.append(str(exc))
        return 'no session', 500

    await Client(app).get('/')
    assert 'Session(app' in seen[0]


async def test_get_update_and_delete_of_the_extension_work_as_microdots():
    app = Microdot()
    ext = Session(app, secret_key=KEY)

    @app.get('/update')
    async def update(request):
        ext.update(request, {'who': 'anna'})
        return ext.get(request).copy()

    @app.get('/show')
    async def show(request):
        return ext.get(request).copy()

    @app.get('/delete')
    async def delete(request):
        ext.delete(request)
        return ext.get(request).copy()

    browser = Client(app)
    assert (await browser.get('/update')).json == {'who': 'anna'}
    assert (await browser.get('/show')).json == {'who': 'anna'}
    assert (await browser.get('/delete')).json == {}
    assert browser.names() == []
    assert (await browser.get('/show')).json == {}


def test_encode_and_decode_are_each_others_inverse():
    ext = Session(secret_key=KEY)
    for payload in ({}, {'a': 1}, {'a': [1, {'b': None}], 'c': 'caf\xe9 \u2603'}, {'exp': 1, 'data': 2, 'jti': 3}):
        assert ext.decode(ext.encode(payload)) == payload, payload


def test_decode_of_anything_else_is_empty():
    ext = Session(secret_key=KEY)
    for junk in ('', 'x', 'a.b.c', '..', None, 5, b'\xff', signed('{}', '{}'), 'e30.e30.AAAA'):
        assert ext.decode(junk) == {}, junk


def test_encode_and_decode_take_another_key():
    ext = Session(secret_key=KEY)
    token = ext.encode({'a': 1}, OTHER_KEY)
    assert ext.decode(token) == {}
    assert ext.decode(token, OTHER_KEY) == {'a': 1}


def test_a_token_that_another_key_has_verified_is_still_not_ours():
    ext = Session(secret_key=KEY)
    token = ext.encode({'a': 1}, OTHER_KEY)
    assert ext.decode(token, OTHER_KEY) == {'a': 1}
    assert ext.decode(token) == {}


def test_a_token_that_our_key_has_verified_is_not_another_keys():
    ext = Session(secret_key=KEY)
    token = ext.encode({'a': 1})
    assert ext.decode(token) == {'a': 1}
    assert ext.decode(token, OTHER_KEY) == {}


def test_a_session_dict_is_a_dictionary():
    session = SessionDict(None, {'a': 1})
    assert isinstance(session, dict) and session == {'a': 1} and len(session) == 1
    assert session.pop('a') == 1 and not session


async def test_with_session_passes_url_arguments_on_to_any_kind_of_handler():
    async def handler(request, session, name, number=None):
        session['who'] = name
        session.save()
        return '%s %s %s' % (type(session) is SessionDict, name, number)

    for shape, f in shapes(handler):
        app = make_app()
        app.get('/<name>/<int:number>')(with_session(f))
        browser = Client(app)
        assert (await browser.get('/anna/7')).text == 'True anna 7', shape
        assert browser.names() == ['session'], shape


async def test_a_plain_handler_can_save():
    app = make_app()

    @app.get('/')
    @with_session
    def index(request, session):
        session['n'] = session.get('n', 0) + 1
        session.save()
        return str(session['n'])

    browser = Client(app)
    await browser.get('/')
    assert (await browser.get('/')).text == '2'


async def test_all_of_a_request_share_one_session():
    app = make_app()

    @app.before_request
    async def before(request):
        session_of(request).get(request)['seen'] = ['before']

    @app.get('/')
    @with_session
    async def index(request, session):
        session['seen'].append('handler')
        session_of(request).get(request).save()
        return 'ok'

    @app.get('/show')
    async def show(request):
        return {}

    browser = Client(app)
    await browser.get('/')
    assert session_data(browser) == {'seen': ['before', 'handler']}


def session_data(browser, name='session', key=KEY):
    """What the visitor's cookie says."""
    return Session(secret_key=key).decode(browser.value(name) or '')


async def test_what_a_request_changes_without_saving_no_other_request_sees():
    app = make_app()

    @app.get('/set')
    @with_session
    async def begin(request, session):
        session['list'] = [1, {'deep': [2]}]
        session.save()
        return 'ok'

    @app.get('/change')
    @with_session
    async def change(request, session):
        before = repr(session['list'])
        session['list'][1]['deep'].append(3)
        session['list'].append(4)
        session['new'] = True
        return before + repr(sorted(session))

    browser = Client(app)
    await browser.get('/set')
    answers = await browser.texts('/change', '/change', '/change')
    assert answers[0] == answers[1] == answers[2]


# --- sub-applications ---------------------------------------------------------------------------------

async def test_sessions_work_in_mounted_and_nested_apps():
    for local in (False, True):
        app = make_app()
        outer, inner = Microdot(), counter(Microdot())
        outer.mount(inner, '/inner', local=local)
        app.mount(outer, '/outer', local=local)
        app.mount(counter(Microdot()), '/beside', local=local)
        browser = Client(app)
        numbers = await browser.texts('/outer/inner/', '/beside/', '/outer/inner/')
        assert numbers == ['1', '2', '3'], local


async def test_a_session_of_a_sub_app_alone_works():
    for local in (False, True):
        sub = make_app()
        app = Microdot()
        app.mount(counter(sub), '/sub', local=local)
        browser = Client(app)
        await browser.get('/sub/')
        assert (await browser.get('/sub/')).text == '2', local


async def test_a_sub_app_keeps_its_cookie_through_its_own_error_handler():
    for local in (False, True):
        app = make_app()
        sub = Microdot()

        @sub.get('/fail')
        @with_session
        async def fail(request, session):
            session['tries'] = session.get('tries', 0) + 1
            session.save()
            abort(403)

        @sub.errorhandler(403)
        async def forbidden(request):
            return 'tries: %d' % session_of(request).get(request)['tries'], 403

        app.mount(sub, '/sub', local=local)
        browser = Client(app)
        assert await browser.texts('/sub/fail', '/sub/fail') == ['tries: 1', 'tries: 2'], local


# --- before, after, abort, error ----------------------------------------------------------------------

async def test_a_before_request_handler_may_save_and_answer():
    app = make_app()

    @app.before_request
    @with_session
    async def before(request, session):
        session['n'] = session.get('n', 0) + 1
        session.save()
        if session['n'] > 1:
            return 'enough', 403

    @app.get('/')
    async def index(request):
        return 'ok'

    browser = Client(app)
    assert await browser.texts('/', '/', '/') == ['ok', 'enough', 'enough']
    assert session_data(browser) == {'n': 3}


async def test_an_after_request_handler_may_save():
    for when in ('before', 'after'):
        app = Microdot()
        if when == 'after':
            Session(app, secret_key=KEY)

        @app.after_request
        async def after(request, response):
            session = session_of(request).get(request)
            session['pages'] = session.get('pages', 0) + 1
            session.save()

        if when == 'before':
            Session(app, secret_key=KEY)

        @app.get('/plain')
        async def plain(request):
            return 'ok'

        counter(app)
        browser = Client(app)
        for url in ('/plain', '/', '/plain'):
            res = await browser.get(url)
            assert len(res.cookies) == 1, (when, url, res.cookies)
        assert session_data(browser) == {'pages': 3, 'n': 1}, when


async def test_a_handler_for_this_response_alone_may_save():
    app = make_app()

    @app.get('/')
    async def index(request):
        @request.after_request
        async def after(request, response):
            session = session_of(request).get(request)
            session['seen'] = response.status_code
            session.save()
        return 'ok'

    browser = Client(app)
    await browser.get('/')
    assert session_data(browser) == {'seen': 200}


async def test_an_after_error_request_handler_may_save():
    """One that was there before the sessions were, or that comes after a request that had one."""
    for when in ('before', 'after'):
        app = Microdot()
        if when == 'after':
            Session(app, secret_key=KEY)

        @app.after_error_request
        async def after(request, response):
            session = session_of(request).get(request)
            session['failed'] = response.status_code
            session.save()

        if when == 'before':
            Session(app, secret_key=KEY)

        @app.get('/fail')
        async def fail(request):
            abort(418)

        browser = Client(counter(app))
        await browser.get('/')
        await browser.get('/fail')
        assert session_data(browser) == {'n': 1, 'failed': 418}, when


async def test_the_cookie_survives_an_after_request_handler_that_answers_anew():
    app = make_app()

    @app.after_request
    async def replace(request, response):
        return Response('another', 200)

    @app.after_error_request
    async def replace_error(request, response):
        return Response('another error', 403)

    counter(app)

    @app.get('/fail')
    @with_session
    async def fail(request, session):
        session['failed'] = True
        session.save()
        abort(403)

    for url in ('/', '/fail'):
        res = await Client(app).get(url)
        assert 'another' in res.text
        assert len(res.cookies) == 1, url


async def test_the_cookie_survives_an_after_request_handler_that_fails():
    app = make_app()

    @app.after_request
    async def fail(request, response):
        raise RuntimeError('after')

    @app.errorhandler(RuntimeError)
    async def error(request, exc):
        return 'sorry', 500

    browser = Client(counter(app))
    res = await browser.get('/')
    assert (res.status_code, len(res.cookies)) == (500, 1), res.cookies


ENDINGS = ('return', 'abort', 'abort handled', 'exception', 'exception handled', 'status', 'response', 'tuple')


def endings_app(work):
    """An app with a route for each way that a handler can end, after doing ``work(session)``."""
    app = make_app()

    @app.get('/<path:ending>')
    @with_session
    async def route(request, session, ending):
        ending = ending.replace('-', ' ')
        work(session)
        if ending.startswith('abort'):
            abort(402 if 'handled' in ending else 403)
        if ending.startswith('exception'):
            raise KeyError('x') if 'handled' in ending else ArithmeticError('x')
        return {'return': 'text', 'status': 204, 'response': Response('r', 409), 'tuple': ('t', 401)}[ending]

    @app.errorhandler(402)
    async def handled(request):
        return 'handled', 402

    @app.errorhandler(KeyError)
    async def handled_exception(request, exc):
        return 'handled', 500

    return app


async def test_save_holds_however_the_handler_ends():
    def work(session):
        session['n'] = 1
        session.save()

    for ending in ENDINGS:
        browser = Client(endings_app(work))
        res = await browser.get('/' + ending.replace(' ', '-'))
        assert len(res.cookies) == 1, (ending, res.cookies)
        assert session_data(browser) == {'n': 1}, ending


async def test_delete_holds_however_the_handler_ends():
    token = Session(secret_key=KEY).encode({'n': 1})
    for ending in ENDINGS:
        browser = Client(endings_app(lambda session: session.delete()))
        browser.jar[('session', '/')] = (token, False, False)
        res = await browser.get('/' + ending.replace(' ', '-'))
        assert len(res.cookies) == 1, (ending, res.cookies)
        assert browser.names() == [], ending


async def test_a_response_has_one_session_cookie_whatever_the_handler_did():
    def save(session):
        session['n'] = session.get('n', 0) + 1
        session.save()

    def delete(session):
        session.delete()

    def clear(session):
        session.clear()
        session.save()

    def regenerate(session):
        session.regenerate()
        session.save()

    table = [
        ('save', [save], {'n': 8}),
        ('save twice', [save, save], {'n': 9}),
        ('save and delete', [save, delete], {}),
        ('delete and save', [delete, save], {'n': 1}),
        ('save, delete, save', [save, delete, save], {'n': 1}),
        ('delete twice', [delete, delete], {}),
        ('clear and save', [clear], {}),
        ('save, then clear and save', [save, clear], {}),
        ('regenerate', [regenerate], {'n': 7}),
        ('save, regenerate, save, delete', [save, regenerate, save, delete], {}),
    ]
    for ending in ENDINGS:
        for name, steps, expected in table:
            def work(session):
                for step in steps:  # noqa: B023
                    step(session)

            app = endings_app(work)
            browser = Client(app)
            browser.jar[('session', '/')] = (Session(secret_key=KEY).encode({'n': 7}), False, False)
            res = await browser.get('/' + ending.replace(' ', '-'))
            assert len(res.cookies) == 1, (ending, name, res.cookies)
            assert session_data(browser) == expected, (ending, name)


async def test_a_visitor_without_a_cookie_gets_none_when_a_session_ends():
    def work(session):
        session['n'] = 1
        session.save()
        session.delete()

    res = await Client(endings_app(work)).get('/return')
    assert res.cookies == [] or parse_cookie(res.cookies[0])[2]['max-age'] == '0'


async def test_the_session_is_empty_after_delete():
    token = Session(secret_key=KEY).encode({'role': 'admin'})
    seen = []

    def work(session):
        session.delete()
        seen.append((session.copy(), session_of(session.request).get(session.request).copy()))

    await Client(endings_app(work)).get('/return', {'Cookie': 'session=' + token})
    assert seen == [({}, {})]


async def test_what_is_put_into_a_session_after_save_is_not_kept():
    def work(session):
        session['a'] = 1
        session.save()
        session['b'] = 2

    browser = Client(endings_app(work))
    await browser.get('/return')
    assert session_data(browser) == {'a': 1}


async def test_other_cookies_of_the_handler_stay():
    app = make_app()

    @app.get('/')
    @with_session
    async def index(request, session):
        session['a'] = 1
        session.save()
        response = Response('ok')
        response.set_cookie('theme', 'dark')
        return response

    res = await Client(app).get('/')
    assert [parse_cookie(line)[0] for line in res.cookies] == ['theme', 'session']


# --- what a session can carry -------------------------------------------------------------------------

class Thing:
    pass


NOT_JSON = [
    ('bytes', b'x'), ('bytearray', bytearray(b'x')), ('set', {1}), ('object', Thing()), ('class', Thing),
    ('function', raises), ('infinity', float('inf')), ('-infinity', float('-inf')), ('nan', float('nan')),
    ('complex', 1j), ('number as a name', {1: 2}), ('None as a name', {None: 2}), ('tuple as a name', {(1,): 2}),
    ('bytes in a list', [b'x']), ('set deep down', {'a': [{'b': {1}}]}), ('generator', range(3)), ('ellipsis', ...),
    ('lone surrogate', chr(0xd800)),
]


async def test_data_that_json_cannot_carry_is_a_type_error_at_save():
    for name, value in NOT_JSON:
        seen = []

        def work(session):
            session['x'] = value  # noqa: B023
            try:
                session.save()
            except TypeError as exc:
                seen.append(str(exc))  # noqa: B023

        app = endings_app(work)
        res = await Client(app).get('/return')
        assert len(seen) == 1, name
        assert res.cookies == [], name


async def test_a_failed_save_leaves_the_session_that_was_saved_before():
    app = counter()

    @app.get('/bad')
    @with_session
    async def bad(request, session):
        session['x'] = b'bytes'
        session.save()

    browser = Client(app)
    await browser.get('/')
    assert (await browser.get('/bad')).status_code == 500
    assert (await browser.get('/')).text == '2'


async def test_endless_data_is_a_type_error_and_not_a_crash():
    seen = []

    def work(session):
        loop = []
        loop.append(loop)
        session['x'] = loop
        try:
            session.save()
        except TypeError:
            seen.append(True)

    assert (await Client(endings_app(work)).get('/return')).status_code == 200
    assert seen == [True]


async def test_everything_json_has_comes_back_as_it_was():
    values = [0, -1, 2 ** 40, True, False, None, '', 'caf\xe9', '\u2603 \U0001f512', [], {}, [1, [2, {'a': None}]],
              'quote " backslash \\ newline \n tab \t nul \0 ', 1.5, '</script>', 'a;b,c=d']
    for value in values:
        def work(session):
            session['x'] = value  # noqa: B023
            session.save()

        browser = Client(endings_app(work))
        await browser.get('/return')
        back = session_data(browser)['x']
        assert back == value and type(back) is type(value), value


async def test_T11_data_named_as_claims_is_only_data():
    data = {'exp': 1, 'nbf': 9999999999, 'iat': 'yesterday', 'aud': 'x', 'sub': 5, 'iss': 5, 'jti': 5, 'typ': 'x',
            'data': {'data': 1}, 'alg': 'none', 'crit': ['x'], 'dl_boot': ['x', 1]}
    for name in sorted(data):
        def work(session):
            session[name] = data[name]  # noqa: B023
            session.save()

        browser = Client(endings_app(work))
        await browser.get('/return')
        assert session_data(browser) == {name: data[name]}, name
        assert (await browser.get('/return')).status_code == 200, name


async def test_T11_a_date_under_exp_does_not_lock_the_visitor_out():
    def work(session):
        session['exp'] = '2026-01-01'
        session['n'] = session.get('n', 0) + 1
        session.save()

    browser = Client(endings_app(work))
    for _ in range(3):
        await browser.get('/return')
    assert session_data(browser) == {'exp': '2026-01-01', 'n': 3}


# --- size ---------------------------------------------------------------------------------------------

def filler(app=None, **options):
    """An app that saves as many characters as the URL says."""
    app = counter(app, **options)

    @app.get('/fill/<int:size>')
    @with_session
    async def fill(request, session, size):
        session['x'] = 'x' * size
        try:
            session.save()
        except ValueError as exc:
            return str(exc), 413
        return 'saved'

    return app


async def test_S14_a_session_of_1600_bytes_is_refused_at_save_and_the_visitor_goes_on():
    browser = Client(filler())
    await browser.get('/')
    res = await browser.get('/fill/1600')
    assert res.status_code == 413
    assert 'bytes' in res.text and 'fit' in res.text
    assert (await browser.get('/')).text == '2'


async def test_S14_an_error_that_nobody_catches_keeps_the_old_session():
    app = counter()

    @app.get('/big')
    @with_session
    async def big(request, session):
        session['x'] = 'x' * 1600
        session.save()

    browser = Client(app)
    await browser.get('/')
    res = await browser.get('/big')
    assert (res.status_code, res.cookies) == (500, [])
    assert (await browser.get('/')).text == '2'


async def test_S14_whatever_was_saved_the_next_request_is_served():
    app = filler()
    accepted = []
    for size in range(900, 1400, 7):
        browser = Client(app)
        if (await browser.get('/fill/%d' % size)).text == 'saved':
            accepted.append(size)
            assert (await browser.get('/show')).status_code == 200, size
    assert accepted and accepted[-1] < 1390, accepted


async def test_S14_the_other_cookies_of_the_host_count():
    app = filler()
    verdicts = []
    for size in range(600, 800):
        browser = Client(app)
        browser.jar[('other', '/')] = ('o' * size, False, False)
        res = await browser.get('/fill/820')
        verdicts.append(res.status_code)
        assert (await browser.get('/show')).status_code == 200, (size, len(browser.cookie_header('/')))
    assert 200 in verdicts and 413 in verdicts


async def test_S14_other_cookies_of_one_name_and_several_paths_all_count():
    app = filler()
    verdicts = []
    for size in range(300, 400, 3):
        browser = Client(app)
        for path in ('/', '/fill', '/show'):
            browser.jar[('other', path)] = ('o' * size, False, False)
        verdicts.append((await browser.get('/fill/820')).status_code)
        assert (await browser.get('/show')).status_code == 200, (size, len(browser.cookie_header('/show')))
    assert 200 in verdicts and 413 in verdicts


async def test_S14_the_limit_can_be_set():
    app = filler(max_cookie=400)
    assert (await Client(app).get('/fill/300')).status_code == 413
    assert (await Client(app).get('/fill/20')).status_code == 200


async def test_S14_the_limit_counts_bytes_and_not_characters():
    app = counter()

    @app.get('/fill')
    @with_session
    async def fill(request, session):
        session['x'] = '\u2603' * 550
        try:
            session.save()
        except ValueError:
            return 'too big'
        return 'saved'

    browser = Client(app)
    await browser.get('/fill')
    assert (await browser.get('/')).status_code == 200


# --- ids, login, logout -------------------------------------------------------------------------------

async def test_S1_no_two_sessions_are_alike():
    app = counter()
    values = []
    with FakeClock():
        for _ in range(50):
            browser = Client(app)
            await browser.get('/')
            values.append(browser.value('session'))
    assert len(set(values)) == 50


async def test_S2_regenerate_keeps_the_data_and_ends_the_old_cookie():
    app = counter()

    @app.get('/renew')
    @with_session
    async def renew(request, session):
        session.regenerate()
        session.save()
        return 'ok'

    browser = Client(app)
    await browser.get('/')
    thief = browser.copy()
    await browser.get('/renew')
    assert (await browser.get('/show')).json == {'n': 1}
    assert (await thief.get('/show')).json == {}


async def test_S3_a_copy_of_the_cookie_is_worth_nothing_after_delete():
    browser = Client(counter())
    await browser.get('/')
    thief = browser.copy()
    await browser.get('/logout')
    assert browser.names() == []
    for _ in range(2):
        assert (await thief.get('/show')).json == {}
    assert (await thief.get('/')).text == '1'


async def test_S3_every_cookie_that_a_session_ever_had_ends_with_it():
    browser = Client(counter())
    thieves = []
    for _ in range(4):
        await browser.get('/')
        thieves.append(browser.copy())
    await browser.get('/logout')
    for i, thief in enumerate(thieves):
        assert (await thief.get('/show')).json == {}, i


async def test_S3_delete_holds_through_abort():
    app = counter()

    @app.get('/leave')
    @with_session
    async def leave(request, session):
        session.delete()
        abort(403)

    browser = Client(app)
    await browser.get('/')
    thief = browser.copy()
    assert (await browser.get('/leave')).status_code == 403
    assert browser.names() == []
    assert (await thief.get('/show')).json == {}


async def test_S3_one_visitors_logout_is_not_anothers():
    app = counter()
    a, b = Client(app), Client(app)
    await a.get('/')
    await b.get('/')
    await a.get('/logout')
    assert (await b.get('/show')).json == {'n': 1}


async def test_S3_more_logouts_than_are_remembered_bring_nobody_back():
    app = counter(max_revoked=4)
    thieves = []
    with FakeClock() as clock:
        for _ in range(20):
            browser = Client(app)
            await browser.get('/')
            thieves.append(browser.copy())
            await browser.get('/logout')
            clock.advance(1)
        for i, thief in enumerate(thieves):
            assert (await thief.get('/show')).json == {}, i
        clock.advance(1)
        fresh = Client(app)
        await fresh.get('/')
        assert (await fresh.get('/')).text == '2'


def gated(app):
    """A handler that waits with its session in hand until it is told to go on; saves before and after."""
    gate = asyncio.Event()

    @app.get('/slow')
    @with_session
    async def slow(request, session):
        session['slow'] = True
        await gate.wait()
        session.save()
        return 'done'

    @app.get('/slow-early')
    @with_session
    async def slow_early(request, session):
        session['slow'] = True
        session.save()
        await gate.wait()
        return 'done'

    return gate


async def interleaved(app, gate, browser, slow, between):
    """What the slow page answered, when something else was done while its handler waited."""
    task = asyncio.create_task(browser.copy().get(slow))
    for _ in range(5):
        await asyncio.sleep(0)
    answer = await between()
    gate.set()
    return await task, answer


async def test_S11_a_late_save_does_not_bring_a_session_back():
    for slow in ('/slow', '/slow-early'):
        app = counter()
        gate = gated(app)
        browser = Client(app)
        await browser.get('/')

        async def logout():
            return await browser.get('/logout')  # noqa: B023

        late, _ = await interleaved(app, gate, browser, slow, logout)
        assert late.status_code == 200, slow
        for line in late.cookies:
            name, value, _ = parse_cookie(line)
            res = await Client(app).get('/show', {'Cookie': name + '=' + value})
            assert res.json == {}, (slow, line)


async def test_S11_a_late_save_of_another_session_still_counts():
    app = counter()
    gate = gated(app)
    a, b = Client(app), Client(app)
    await a.get('/')
    await b.get('/')
    late, _ = await interleaved(app, gate, a, '/slow', lambda: b.get('/logout'))
    assert len(late.cookies) == 1


# --- lifetime -----------------------------------------------------------------------------------------

async def test_S4_a_session_ends_after_its_lifetime_however_often_it_is_used():
    with FakeClock() as clock:
        browser = Client(counter(max_age=10 * DAY))
        for day in range(10):
            assert (await browser.get('/')).text == str(day + 1), day
            clock.advance(DAY)
        assert (await browser.get('/')).text == '1'


async def test_S4_the_last_second_counts_and_the_next_does_not():
    for wait, expected in ((99, {'n': 1}), (100, {}), (101, {})):
        with FakeClock() as clock:
            browser = Client(counter(max_age=100))
            await browser.get('/')
            assert (await browser.get('/show')).json == {'n': 1}
            clock.advance(wait)
            assert (await browser.get('/show')).json == expected, wait


async def test_S4_by_default_a_stolen_cookie_does_not_live_for_ever():
    with FakeClock() as clock:
        browser = Client(counter())
        await browser.get('/')
        clock.advance(15 * DAY)
        assert (await browser.get('/show')).json == {}


async def test_S4_the_servers_end_is_the_cookies_when_only_that_is_given():
    with FakeClock() as clock:
        browser = Client(counter(cookie_options={'max_age': 60}))
        await browser.get('/')
        thief = browser.copy()
        clock.advance(61)
        assert (await thief.get('/show')).json == {}


async def test_H1_sessions_work_and_end_while_the_clock_is_not_set():
    with FakeClock(time=UNSET) as clock:
        app = counter(max_age=100)
        browser = Client(app)
        await browser.get('/')
        clock.advance(99)
        assert (await browser.get('/show')).json == {'n': 1}
        clock.advance(1)
        assert (await browser.get('/show')).json == {}


async def test_H1_a_session_goes_on_and_ends_in_time_when_the_clock_gets_set():
    with FakeClock(time=UNSET) as clock:
        browser = Client(counter(max_age=100))
        await browser.get('/')
        clock.set(START)
        assert (await browser.get('/')).text == '2'
        clock.advance(99)
        assert (await browser.get('/show')).json == {'n': 2}
        clock.advance(1)
        assert (await browser.get('/show')).json == {}


async def test_H1_a_logout_holds_when_the_clock_gets_set_or_lost():
    for first, then in ((UNSET, START), (START, UNSET), (UNSET, UNSET)):
        with FakeClock(time=first) as clock:
            app = counter()
            browser = Client(app)
            await browser.get('/')
            thief = browser.copy()
            await browser.get('/logout')
            clock.set(then)
            assert (await thief.get('/show')).json == {}, (first, then)
            clock.set(first)
            assert (await thief.get('/show')).json == {}, (first, then)


async def test_H1_a_session_of_another_boot_is_not_accepted_without_a_clock():
    with FakeClock(time=UNSET):
        app = counter()
        browser = Client(app)
        await browser.get('/')
        kept = tokens.BOOT_ID
        tokens.BOOT_ID = 'another-boot'
        try:
            assert (await Client(counter()).get('/show', {'Cookie': browser.cookie_header('/')})).json == {}
        finally:
            tokens.BOOT_ID = kept


async def test_H1_a_session_that_ends_by_the_clock_is_not_accepted_without_one():
    with FakeClock() as clock:
        app = counter()
        browser = Client(app)
        await browser.get('/')
        clock.set(UNSET)
        assert (await browser.get('/show')).json == {}


# --- keys ---------------------------------------------------------------------------------------------

async def test_T9_keys_can_be_rotated_without_losing_a_session():
    browser = Client(counter(secret_key=KEY))
    await browser.get('/')
    both = counter(secret_key=[OTHER_KEY, KEY])
    browser.app = both
    assert (await browser.get('/')).text == '2'
    browser.app = counter(secret_key=OTHER_KEY)
    assert (await browser.get('/')).text == '3'


async def test_T9_a_key_that_was_removed_opens_nothing():
    browser = Client(counter(secret_key=KEY))
    await browser.get('/')
    browser.app = counter(secret_key=[OTHER_KEY, THIRD_KEY])
    assert (await browser.get('/show')).json == {}


async def test_T9_a_key_that_is_replaced_on_the_object_opens_nothing_any_more():
    app = Microdot()
    ext = Session(app, secret_key=KEY)
    browser = Client(counter(app))
    await browser.get('/')
    assert (await browser.get('/show')).json == {'n': 1}
    ext.secret_key = OTHER_KEY
    assert (await browser.get('/show')).json == {}


def test_T9_a_short_key_warns_once():
    with Warnings() as given:
        for _ in range(3):
            Session(Microdot(), secret_key='top-secret')
    assert len(given) == 1 and '32' in given[0], given
    assert 'top-secret' not in given[0]


def test_T9_a_short_key_is_refused_when_that_is_asked_for():
    for key in ('x', 'x' * 31, [KEY, 'short'], b'31 bytes are not quite enough..'):
        exc = raises(ValueError, Session, Microdot(), secret_key=key, require_strong_key=True)
        assert '32' in str(exc)
    with Warnings() as given:
        Session(Microdot(), secret_key=KEY, require_strong_key=True)
        Session(Microdot(), secret_key=[KEY, b'x' * 32])
    assert given == []


def test_T9_what_is_no_key_is_refused_at_the_start():
    for key, error in (([], ValueError), ('', ValueError), (b'', ValueError), ([KEY, ''], ValueError), (5, TypeError),
                       ([KEY, None], TypeError), ([KEY] * 100, ValueError)):
        def start():
            app = Microdot()
            Session(app, secret_key=key).keys  # noqa: B018, B023

        raises(error, start)


async def test_bytes_and_text_of_one_key_are_one_key():
    browser = Client(counter(secret_key=KEY))
    await browser.get('/')
    browser.app = counter(secret_key=KEY.encode())
    assert (await browser.get('/')).text == '2'


# --- what is not a session ----------------------------------------------------------------------------

async def test_T7_no_other_token_of_the_same_key_is_a_session():
    claims = {'jti': 'AAAAAAAAAAAAAAAAAAAAAA', 'data': {'role': 'admin'}}
    good = tokens.encode(claims, KEY, 'dl-session+jwt', 3600)
    assert Session(secret_key=KEY).decode(good) == {'role': 'admin'}
    for typ in ('JWT', 'dl-remember+jwt', 'csrf+jwt', 'reset+jwt', 'invite+jwt', 'session', 'dl-session+jwt2'):
        token = tokens.encode(claims, KEY, typ, 3600)
        res = await Client(counter()).get('/show', {'Cookie': 'session=' + token})
        assert res.json == {}, typ
    untyped = signed('{"alg":"HS256"}', '{"jti":"x","data":{"role":"admin"}}')
    assert Session(secret_key=KEY).decode(untyped) == {}


async def test_T7_claims_that_are_not_a_sessions_are_no_session_and_no_500():
    header = '{"alg":"HS256","typ":"dl-session+jwt"}'
    payloads = ['{}', '[]', '5', 'null', '"x"', '', '{', '{"data":{}}', '{"jti":"x"}', '{"data":[],"jti":"x"}',
                '{"data":{"role":"admin"},"jti":5}', '{"data":{"role":"admin"},"jti":null}', '{"data":null,"jti":"x"}',
                '{"data":"x","jti":"x"}', '{"data":{"role":"admin"},"jti":"x","exp":"9999999999"}',
                '{"data":{"role":"admin"},"jti":"x","exp":null}', '{"data":{"role":"admin"},"jti":"x","exp":true}',
                '{"data":{"role":"admin"},"jti":"x","exp":1e999}', '{"data":{"role":"admin"},"jti":"x","exp":-1}',
                '{"data":{"role":"admin"},"jti":"x","dl_boot":5}', '{"data":{"role":"admin"},"jti":"x","dl_boot":[]}',
                '{"data":{"role":"admin"},"jti":"x","dl_boot":null}', '{"data":{"a":1,"a":2},"jti":"x"}',
                '{"data":{"role":"admin"},"jti":"x","aud":"x","exp":9999999999}',
                '{"data":{"role":"admin"},"jti":"x","nbf":9999999999}', b'{"data":{"role":"\xff"},"jti":"x"}']
    app = counter()
    for payload in payloads:
        res = await Client(app).get('/show', {'Cookie': 'session=' + signed(header, payload)})
        assert (res.status_code, res.json) == (200, {}), payload


async def test_no_change_of_one_character_is_accepted():
    app = counter()
    browser = Client(app)
    await browser.get('/')
    token = browser.value('session')
    for i in range(0, len(token), 3):
        for c in ('A', 'B', '_', '+', '=', '.', '~', ' '):
            if token[i] != c:
                changed = token[:i] + c + token[i + 1:]
                res = await browser.get('/show', {'Cookie': 'session=' + changed})
                assert (res.status_code, res.json) == (200, {}), (i, c)
    for changed in (token + 'A', token + '=', token + '.', token[:-1], token[1:], '"' + token + '"', token.upper()):
        res = await browser.get('/show', {'Cookie': 'session=' + changed})
        assert (res.status_code, res.json) == (200, {}), changed


async def test_S12_junk_in_place_of_a_session_is_no_session_and_no_500():
    app = counter()
    for junk in (b'', b'x', b'.', b'..', b'...', b'a' * 1900, b'"', b'%', b'=', b'==', b'\t', b'\0', b'a\x01b', b'{}',
                 '\u2603'.encode(), b'../../etc/passwd', b'*', b"' or 1=1 --", b'null', b'None'):
        res = await Client(app).get('/show', [('Cookie', b'session=' + junk)])
        assert (res.status_code, res.json) == (200, {}), junk
    res = await Client(app).get('/show', [('Cookie', b'session=\xff\xfe')])
    assert res.status_code in (200, 400)


async def test_more_visitors_than_are_kept_in_mind_all_have_their_sessions():
    app = counter()
    browsers = [Client(app) for _ in range(40)]
    for turn in (1, 2, 3):
        for browser in browsers:
            assert (await browser.get('/')).text == str(turn)


async def test_a_header_that_any_client_can_send_makes_no_500():
    app = counter()
    for headers in ({'Upgrade': 'websocket'}, {'Upgrade': 'WebSocket', 'Connection': 'Upgrade'}, {'Upgrade': 'h2c'},
                    {'Content-Type': JSON}, {'Content-Type': ''}, {'Cookie': ''}, {'Cookie': ';;;=;'},
                    {'Cookie': '=;session;=session'}, {'Authorization': ''}, {'Accept': ''}):
        res = await Client(app).get('/', headers)
        assert res.status_code == 200, (headers, res.text)
        assert len(res.cookies) == 1, headers


async def test_a_session_is_kept_within_the_microdot_limit_of_the_line_even_when_that_is_smaller():
    kept = Request.max_readline
    Request.max_readline = 600
    try:
        browser = Client(filler())
        assert (await browser.get('/fill/400')).status_code == 413
        assert (await browser.get('/fill/100')).status_code == 200
        assert (await browser.get('/')).status_code == 200
    finally:
        Request.max_readline = kept
