"""Cookies are written so that browsers guard them, and read one way whatever a client sends."""
from client import KEY, OTHER_KEY, Client, Warnings, make_app, parse_cookie, raises
from microdot import Microdot, Response

from dotlatch import cookies
from dotlatch.login import Login
from dotlatch.session import Session, with_session


def saving(app=None, **options):
    """An app that saves, shows and ends a session, deep in its tree."""
    if app is None:
        app = make_app(**options)

    @app.get('/save/<path:who>')
    @with_session
    async def save(request, session, who):
        session['who'] = who
        session.save()
        return 'saved'

    @app.get('/show')
    @with_session
    async def show(request, session):
        return str(session.get('who'))

    @app.get('/a/b/delete')
    @with_session
    async def delete(request, session):
        session.delete()
        return 'deleted'

    return app


async def set_cookie(https=False, **options):
    """Name and attributes of the session cookie."""
    res = await Client(saving(**options), https).get('/save/x')
    assert len(res.cookies) == 1
    name, _, attributes = parse_cookie(res.cookies[0])
    return name, attributes


# --- what is written ------------------------------------------------------------------------------------

async def test_C1_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites():
    for https in (False, True):
        _, attributes = await set_cookie(https)
        assert 'httponly' in attributes, https
        assert attributes['samesite'] == 'Lax', https


async def test_C1_same_site_can_be_chosen():
    for same_site in ('Lax', 'Strict', 'None'):
        _, attributes = await set_cookie(cookie_options={'same_site': same_site})
        assert attributes['samesite'] == same_site
        assert 'httponly' in attributes and attributes['path'] == '/'
    _, attributes = await set_cookie(cookie_options={'same_site': None})
    assert 'samesite' not in attributes


def test_C1_a_same_site_that_browsers_do_not_know_is_refused():
    for same_site in ('Laxx', '', 'Lax; Domain=x', 5, True):
        raises(ValueError, Session, secret_key=KEY, cookie_options={'same_site': same_site})


async def test_C1_the_options_that_were_passed_in_stay_the_callers():
    options = {'same_site': 'Strict', 'max_age': 60}
    await set_cookie(cookie_options=options)
    assert options == {'same_site': 'Strict', 'max_age': 60}


async def test_C3_over_https_the_cookie_is_secure_and_bound_to_the_host():
    name, attributes = await set_cookie(https=True)
    assert name == '__Host-session'
    assert 'secure' in attributes and attributes['path'] == '/' and 'domain' not in attributes


async def test_C3_over_http_browsers_would_drop_either_so_there_is_neither():
    with Warnings():
        name, attributes = await set_cookie(https=False)
    assert name == 'session' and 'secure' not in attributes


async def test_C3_plain_http_is_warned_about_once():
    with Warnings() as given:
        for _ in range(3):
            await set_cookie(https=False)
        await set_cookie(https=True)
    assert len(given) == 1 and 'HTTP' in given[0], given


async def test_C3_the_host_prefix_is_left_out_where_browsers_would_refuse_it():
    for options in ({'path': '/app'}, {'domain': 'device.lan'}, {'secure': False}):
        name, _ = await set_cookie(https=True, cookie_options=options)
        assert name == 'session', options
    name, attributes = await set_cookie(https=True, host_prefix=False)
    assert name == 'session' and 'secure' in attributes


async def test_C3_secure_can_be_forced_for_a_proxy_that_does_not_say_https():
    _, attributes = await set_cookie(https=False, cookie_options={'secure': True})
    assert 'secure' in attributes


async def test_C3_the_jar_is_empty_after_an_end_far_from_the_beginning():
    table = [(https, options) for https in (False, True)
             for options in ({}, {'path': '/a'}, {'domain': 'device.lan'}, {'max_age': 60}, {'same_site': 'Strict'})]
    for https, options in table:
        app = saving(cookie_options=options)

        @app.get('/a/save')
        @with_session
        async def save(request, session):
            session['x'] = 1
            session.save()
            return 'ok'

        browser = Client(app, https)
        await browser.get('/a/save')
        assert len(browser.names()) == 1, (https, options)
        await browser.get('/a/b/delete')
        assert browser.names() == [], (https, options)


async def test_C3_deletion_repeats_name_path_and_flags():
    for https in (False, True):
        browser = Client(saving(cookie_options={'max_age': 60}), https)
        set_name, _, as_set = parse_cookie((await browser.get('/save/x')).cookies[0])
        name, value, cleared = parse_cookie((await browser.get('/a/b/delete')).cookies[0])
        assert (name, value) == (set_name, ''), https
        assert cleared.pop('max-age') == '0' and '1970' in cleared.pop('expires'), https
        as_set.pop('max-age')
        assert cleared == as_set, https


async def test_C3_a_cookie_set_over_http_is_not_taken_over_https():
    app = saving()
    browser = Client(app)
    await browser.get('/save/anna')
    res = await Client(app, https=True).get('/show', {'Cookie': browser.cookie_header('/')})
    assert res.text == 'None'


async def test_C3_https_is_seen_where_the_server_itself_speaks_tls():
    app = saving()
    app.ssl = object()
    res = await Client(app).get('/save/x')
    name, _, attributes = parse_cookie(res.cookies[0])
    assert name == '__Host-session' and 'secure' in attributes


# --- C5: several of one name --------------------------------------------------------------------------

async def visitors(app, *names):
    """The cookie value of a visitor for each of the names."""
    values = []
    for name in names:
        browser = Client(app)
        await browser.get('/save/' + name)
        values.append(browser.value('session'))
    return values


async def test_C5_two_valid_sessions_are_nobody():
    app = saving()
    a, b = await visitors(app, 'anna', 'bob')
    for header in ('session=%s; session=%s' % (a, b), 'session=%s; session=%s' % (b, a),
                   'session=%s;session=%s' % (a, b), 'session=%s; x=1; session=%s; y=2' % (a, b),
                   'session=%s; session=junk; session=%s' % (a, b), 'session=%s; session=%s; session=%s' % (a, b, a)):
        assert (await Client(app).get('/show', {'Cookie': header})).text == 'None', header


async def test_C5_junk_beside_a_valid_session_does_not_hide_it():
    app = saving()
    a, = await visitors(app, 'anna')
    other, = await visitors(saving(secret_key=OTHER_KEY), 'mallory')
    for junk in ('junk', '', 'a.b.c', other, a[:-1]):
        for header in ('session=%s; session=%s' % (a, junk), 'session=%s; session=%s' % (junk, a)):
            assert (await Client(app).get('/show', {'Cookie': header})).text == 'anna', header


async def test_C5_the_same_session_twice_is_that_session():
    app = saving()
    a, = await visitors(app, 'anna')
    res = await Client(app).get('/show', {'Cookie': 'session=%s; session=%s' % (a, a)})
    assert res.text == 'anna'


async def test_C5_more_of_one_name_than_are_looked_at_never_choose_the_planted_one():
    app = saving()
    planted, own = await visitors(app, 'mallory', 'anna')
    for junk in range(8):
        middle = ''.join(['session=j%d; ' % i for i in range(junk)])
        header = 'session=%s; %ssession=%s' % (planted, middle, own)
        assert (await Client(app).get('/show', {'Cookie': header})).text == 'None', junk


async def test_C5_names_are_compared_whole_and_in_their_case():
    app = saving()
    a, = await visitors(app, 'anna')
    for name in ('Session', 'SESSION', 'xsession', 'my-session', 'session2', '__Host-session', 'session.', '"session"',
                 'session ', '$session', '=session'):
        assert (await Client(app).get('/show', {'Cookie': '%s=%s' % (name, a)})).text == 'None', name
        res = await Client(app).get('/show', {'Cookie': '%s=x; session=%s' % (name, a)})
        assert res.text == 'anna', name


async def test_C5_what_stands_inside_another_cookies_value_is_no_session():
    app = saving()
    a, = await visitors(app, 'anna')
    for header in ('theme=session=%s', 'theme=dark session=%s', 'theme="session=%s"', 'theme=x&session=%s'):
        assert (await Client(app).get('/show', {'Cookie': header % a})).text == 'None', header


async def test_C5_spaces_around_a_cookie_do_not_matter():
    app = saving()
    a, = await visitors(app, 'anna')
    for header in ('session=%s', ' session=%s ', 'x=1;session=%s;y=2', 'x=1;   session=%s  ;y=2', 'x=1;\tsession=%s',
                   ';;session=%s;;', 'x; session=%s'):
        assert (await Client(app).get('/show', {'Cookie': header % a})).text == 'anna', header


async def test_C5_two_cookie_lines_never_merge_two_visitors():
    app = saving()
    a, b = await visitors(app, 'anna', 'bob')
    res = await Client(app).get('/show', [('Cookie', 'session=' + a), ('Cookie', 'session=' + b)])
    assert res.text in ('None', 'bob'), res.text
    res = await Client(app).get('/show', [('Cookie', 'session=' + a + ', session=' + b)])
    assert res.text == 'None', res.text


class AsgiRequest:
    """As much of a request as cookies are read from, with header lines as ASGI hands them out."""
    def __init__(self, *lines):
        self.asgi_scope = {'type': 'http', 'headers': [(b'cookie', line) for line in lines]}
        self.headers = {'Cookie': lines[-1].decode()} if lines else {}
        pairs = [pair.strip().split('=', 1) for pair in self.headers.get('Cookie', '').split(';')]
        self.cookies = {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def test_C5_cookie_lines_that_asgi_hands_out_are_joined():
    for lines, expected in (
            ((), []),
            ((b'a=1',), ['1']),
            ((b'a=1', b'a=2'), ['1', '2']),
            ((b'b=0; a=1', b'c=3'), ['1']),
            ((b'b=0', b'a=1; c=3'), ['1']),
            ((b'a=1', b'a=1'), ['1']),
            ((b'x=', b'a=1'), ['1'])):
        assert cookies.read(AsgiRequest(*lines), 'a') == expected, lines


def test_C5_lines_that_wsgi_joins_with_a_comma_are_taken_apart():
    class Request:
        environ = {}
        headers = {'Cookie': 'b=0; a=1,a=2, c=3'}

    assert cookies.read(Request, 'a') == ['1', '2']
    assert cookies.read(Request, 'c') == ['3']


def test_C5_reading_is_bounded():
    class Request:
        headers = {'Cookie': '; '.join(['a=%d' % i for i in range(1000)])}

    assert len(cookies.read(Request, 'a')) < 20


# --- C6: characters -----------------------------------------------------------------------------------

SEPARATORS = ['', ' ', 'a b', 'a;b', 'a,b', 'a=b', 'a"b', 'a\\b', 'a\tb', 'a\r\nb', 'a\nb', 'a\0b', 'a\x7fb', 'a/b',
              'a(b)', 'a[b]', 'a{b}', 'a<b>', 'a@b', 'a:b', 'a?b', 'caf\xe9', '\u2603', ' a', 'a ']


def test_C6_names_that_cookies_cannot_have_are_refused_at_the_start():
    for name in SEPARATORS + [None]:
        raises(ValueError, cookies.check_name, name)
        if name is not None:
            raises(ValueError, Session, secret_key=KEY, name=name)
            raises(ValueError, Login, remember_name=name)
    for name in ('session', '_remember', 'a-b.c_d', '!#$%&\'*+-.^_`|~09azAZ'):
        cookies.check_name(name)


def test_C6_values_that_cookies_cannot_carry_are_refused():
    for value in (' ', 'a b', 'a;b', 'a,b', 'a"b', 'a\\b', 'a\tb', 'a\r\nb', 'a\nb', 'a\rb', 'a\0b', 'a\x7fb',
                  'caf\xe9', '\u2603', 'x; Domain=evil.example'):
        response = Response('')
        raises(ValueError, cookies.write, response, 'a', value, {}, 'Lax')
        assert 'Set-Cookie' not in response.headers, value
    response = Response('')
    cookies.write(response, 'a', 'AZaz09-_.~!#$%&()*+/:<=>?@[]^`{|}\'', {}, 'Lax')


def test_C6_attributes_that_would_end_the_cookie_are_refused_at_the_start():
    for name in ('path', 'domain', 'expires'):
        for value in ('/; HttpOnly', '/\r\nX: y', '/\n', '/\0', '/caf\xe9', '/\x7f'):
            raises(ValueError, Session, secret_key=KEY, cookie_options={name: value})


async def test_C6_names_of_visitors_cannot_break_out_of_the_cookie():
    app = make_app()

    @app.get('/')
    @with_session
    async def index(request, session):
        session['who'] = 'x; Domain=evil.example\r\nSet-Cookie: a=b, "\\'
        session.save()
        return 'ok'

    res = await Client(app).get('/')
    assert len(res.cookies) == 1
    _, value, attributes = parse_cookie(res.cookies[0])
    assert 'domain' not in attributes
    for c in value:
        assert 'a' <= c <= 'z' or 'A' <= c <= 'Z' or '0' <= c <= '9' or c in '-_.', c


# --- C7: caches -----------------------------------------------------------------------------------------

async def test_C7_pages_with_a_session_stay_out_of_caches():
    browser = Client(saving())
    for url in ('/save/x', '/show', '/a/b/delete'):
        res = await browser.get(url)
        assert res.headers.get('Cache-Control') == 'no-store', url
        assert 'Cookie' in res.headers.get('Vary', ''), url


async def test_C7_a_page_that_looked_for_a_session_varies_by_cookie():
    res = await Client(saving()).get('/show')
    assert 'Cookie' in res.headers.get('Vary', '')


async def test_C7_a_page_that_never_looked_is_left_alone():
    app = saving()

    @app.get('/plain')
    async def plain(request):
        return 'plain'

    browser = Client(app)
    await browser.get('/save/x')
    res = await browser.get('/plain')
    assert 'Vary' not in res.headers and 'Cache-Control' not in res.headers and res.cookies == []


async def test_C7_what_a_handler_says_of_caching_and_varying_stays():
    for given in ('Accept', 'X-Cookie-Consent', 'Accept-Language, X-Cookies'):
        app = make_app()

        @app.get('/')
        @with_session
        async def index(request, session):
            session['x'] = 1
            session.save()
            return 'ok', 200, {'Vary': given, 'Cache-Control': 'private, max-age=5'}  # noqa: B023

        res = await Client(app).get('/')
        assert res.headers['Cache-Control'] == 'private, max-age=5'
        names = [name.strip() for name in res.headers['Vary'].split(',')]
        assert names.count('Cookie') == 1, names
        for name in given.split(', '):
            assert name in names, names


# --- several apps on one host ---------------------------------------------------------------------------

async def test_two_apps_with_names_of_their_own_share_a_host():
    for https in (False, True):
        one, two = saving(name='one'), saving(name='two', secret_key=OTHER_KEY)
        browser = Client(one, https)
        await browser.get('/save/anna')
        browser.app = two
        await browser.get('/save/bob')
        assert (await browser.get('/show')).text == 'bob', https
        browser.app = one
        assert (await browser.get('/show')).text == 'anna', https
        await browser.get('/a/b/delete')
        browser.app = two
        assert (await browser.get('/show')).text == 'bob', https


async def test_one_app_on_two_paths_keeps_two_sessions():
    app = Microdot()
    app.mount(saving(name='session', cookie_options={'path': '/one'}), '/one', local=True)
    app.mount(saving(name='session', cookie_options={'path': '/two'}), '/two', local=True)
    browser = Client(app)
    await browser.get('/one/save/anna')
    await browser.get('/two/save/bob')
    assert (await browser.get('/one/show')).text == 'anna'
    assert (await browser.get('/two/show')).text == 'bob'
