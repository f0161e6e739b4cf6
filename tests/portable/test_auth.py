"""Basic and Bearer: credentials are read strictly, refusals say how to get in, and only a user is a yes."""
from client import FORM, AsyncCallable, Client, Warnings, b64, basic, bearer, partial, raises, shapes
from microdot import Microdot, Request, Response, abort
from microdot.microdot import HTTPException

from dotlatch import passwords
from dotlatch.auth import BasicAuth, TokenAuth
from dotlatch.http import on_response
from dotlatch.portable import MICROPYTHON
from dotlatch.users import MemoryUsers

ANNA = ('anna', 'correct horse')


async def check_pair(request, username, password):
    return username if (username, password) == ANNA else None


async def check_token(request, token):
    return 'anna' if token == 'right-token' else None


def guarded(auth, check=None):
    """An app with a locked page, one that takes credentials or does without, and a count of what got through."""
    app = Microdot()
    app.calls = []
    if check is None:
        check = check_pair if isinstance(auth, BasicAuth) else check_token

    async def counted(request, *given):
        app.calls.append(given)
        return await check(request, *given)

    auth.authenticate(counted)

    @app.route('/', methods=['GET', 'POST'])
    @auth
    async def index(request):
        return 'in: ' + str(request.g.current_user)

    @app.get('/optional')
    @auth.optional
    async def optional(request):
        return 'user: ' + str(request.g.current_user)

    return app


def basic_app(**options):
    return guarded(BasicAuth(**options))


def bearer_app(**options):
    return guarded(TokenAuth(**options))


def challenge_of(res):
    return res.headers.get('WWW-Authenticate')


# --- the surface of Microdot's --------------------------------------------------------------------------

async def test_right_credentials_open_and_wrong_ones_do_not():
    for app, right, wrong in ((basic_app(), basic(*ANNA), basic('anna', 'wrong')),
                              (bearer_app(), bearer('right-token'), bearer('wrong-token'))):
        assert (await Client(app).get('/', right)).text == 'in: anna'
        for headers in (wrong, {}):
            res = await Client(app).get('/', headers)
            assert res.status_code == 401 and 'in:' not in res.text, headers


async def test_optional_runs_either_way():
    for app, right, wrong in ((basic_app(), basic(*ANNA), basic('anna', 'wrong')),
                              (bearer_app(), bearer('right-token'), bearer('wrong-token'))):
        for headers, expected in ((right, 'user: anna'), (wrong, 'user: None'), ({}, 'user: None'),
                                  ({'Authorization': 'junk'}, 'user: None'),
                                  ({'Authorization': 'Basic %'}, 'user: None')):
            res = await Client(app).get('/optional', headers)
            assert (res.status_code, res.text) == (200, expected), headers


async def test_url_arguments_reach_any_kind_of_handler():
    async def handler(request, name, number=None):
        return '%s %s %s' % (request.g.current_user, name, number)

    for shape, f in shapes(handler):
        auth = BasicAuth()
        auth.authenticate(check_pair)
        app = Microdot()
        app.get('/must/<name>/<int:number>')(auth(f))
        app.get('/may/<name>/<int:number>')(auth.optional(f))
        assert (await Client(app).get('/must/x/7', basic(*ANNA))).text == 'anna x 7', shape
        assert (await Client(app).get('/may/x/7')).text == 'None x 7', shape


async def test_a_response_is_the_same_whether_or_not_somebody_else_looks_at_it():
    answers = ('text', b'bytes', '', {'a': 1}, [1, 2], 204, ('text', 201), ('text', {'X-Own': '1'}),
               (202, {'X-Own': '1'}), Response('own', 203, {'Cache-Control': 'private'}), None)

    async def check(request, name, password):
        return name

    async def ask(answer, looked_at, is_wrapped, mounted):
        auth = BasicAuth(allow_http=True)
        auth.authenticate(check)
        app = Microdot()

        @auth
        async def page(request):
            return answer

        async def outer(request):
            return await page(request)

        async def look(request, response):
            seen.append(response.status_code)

        if looked_at:
            app.after_request(look)
        app.get('/')(outer if is_wrapped else page)
        if mounted:
            app, sub = Microdot(), app
            app.mount(sub, '/sub')
        found = await Client(app).get('/sub/' if mounted else '/', headers=basic('anna', 'x'))
        return found.status_code, found.body, {name: found.headers[name] for name in found.headers}

    for answer in answers:
        seen = []
        alone = await ask(answer, False, False, False)
        assert alone[2]['Vary'] == 'Authorization', answer
        for how in ((True, False, False), (False, True, False), (False, False, True), (True, True, True)):
            assert await ask(answer, *how) == alone, (answer, how)
        assert len(seen) == 2


async def test_what_fails_while_a_response_is_finished_is_one_500():
    app, auth, calls = Microdot(), BasicAuth(allow_http=True), []

    @auth.authenticate
    async def check(request, name, password):
        return name

    def fail(request, response):
        calls.append(response.status_code)
        raise ValueError

    @app.get('/')
    @auth
    async def page(request):
        on_response(request, fail)
        return 'text'

    try:
        await Client(app).get('/', headers=basic('anna', 'x'))
    except ValueError:
        pass
    assert calls == [200, 500]


async def finished_by(calls, is_wrapped):
    app, auth = Microdot(), BasicAuth(allow_http=True)

    @auth.authenticate
    async def check(request, name, password):
        return name

    def first(request, response):
        calls.append(('first', response.status_code))

    async def kept(response):
        calls.append(('kept', response.status_code))
        if response.status_code == 200:
            abort(503)
        return Response(response.body, 503, {'X-Kept': '1'})

    def last(request, response):
        calls.append(('last', response.status_code))
        response.headers['X-Last'] = '1'

    @auth
    async def page(request):
        for f in (first, lambda request, response: kept(response), last):
            on_response(request, f)
        return 'text'

    async def outer(request):
        return await page(request)

    app.get('/')(outer if is_wrapped else page)
    return await Client(app).get('/', headers=basic('anna', 'x'))


async def test_those_who_finish_a_response_come_in_order_and_again_for_an_error():
    for is_wrapped in (False, True):  # with another decorator, Microdot calls them
        calls = []
        answer = await finished_by(calls, is_wrapped)
        assert calls == [('first', 200), ('kept', 200), ('first', 503), ('kept', 503), ('last', 503)], calls
        assert (answer.status_code, answer.headers['X-Kept'], answer.headers['X-Last']) == (503, '1', '1')


async def test_a_plain_handler_and_a_plain_callback_work():
    auth = BasicAuth()

    @auth.authenticate
    def check(request, username, password):
        return username if (username, password) == ANNA else None

    app = Microdot()

    @app.get('/')
    @auth
    def index(request):
        return 'in: ' + request.g.current_user

    assert (await Client(app).get('/', basic(*ANNA))).text == 'in: anna'
    assert (await Client(app).get('/', basic('anna', 'x'))).status_code == 401


async def test_mounted_apps_are_guarded():
    for local in (False, True):
        app, outer = Microdot(), Microdot()
        outer.mount(basic_app(), '/inner', local=local)
        app.mount(outer, '/outer', local=local)
        assert (await Client(app).get('/outer/inner/')).status_code == 401, local
        assert challenge_of(await Client(app).get('/outer/inner/')), local
        assert (await Client(app).get('/outer/inner/', basic(*ANNA))).text == 'in: anna', local


async def test_a_guard_for_a_whole_app_is_one_before_request_handler():
    auth = BasicAuth()
    auth.authenticate(check_pair)
    app = Microdot()

    @app.before_request
    @auth
    async def guard(request):
        return None

    @app.get('/')
    async def index(request):
        return 'in'

    assert (await Client(app).get('/')).status_code == 401
    assert (await Client(app).get('/', basic(*ANNA))).text == 'in'


async def test_every_method_is_guarded():
    app = basic_app()
    for method in ('GET', 'HEAD', 'POST', 'get', 'post', 'head'):
        res = await Client(app).request(method, '/')
        assert res.status_code == 401, method


async def test_what_a_handler_aborts_with_passes():
    auth = BasicAuth()
    auth.authenticate(check_pair)
    app = Microdot()

    @app.get('/')
    @auth
    async def index(request):
        abort(404)

    assert (await Client(app).get('/', basic(*ANNA))).status_code == 404


async def test_a_callback_may_abort_itself():
    async def check(request, *given):
        abort(503)

    for auth, headers in ((BasicAuth(), basic(*ANNA)), (TokenAuth(), bearer('x'))):
        assert (await Client(guarded(auth, check)).get('/', headers)).status_code == 503


async def test_a_callback_that_fails_opens_nothing():
    for error, status in ((OSError('database down'), 503), (ValueError('database down'), 500)):
        async def check(request, *given, error=error):
            raise error

        for auth, headers in ((BasicAuth(), basic(*ANNA)), (TokenAuth(), bearer('x'))):
            for url in ('/', '/optional'):
                res = await Client(guarded(auth, check)).get(url, headers)
                assert res.status_code == status and 'database' not in res.text, url
                assert res.headers.get('Retry-After') == ('2' if status == 503 else None)


async def test_flaw_F4_without_a_callback_the_error_says_what_is_missing():
    for auth, headers in ((BasicAuth(), basic(*ANNA)), (TokenAuth(), bearer('x')), (BasicAuth(), {})):
        seen = []
        app = Microdot()

        @app.errorhandler(RuntimeError)
        async def error(request, exc):
            seen.append(str(exc))  # noqa: B023
            return 'sorry', 500

        @app.get('/')
        @auth
        async def index(request):
            return 'in'

        assert (await Client(app).get('/', headers)).status_code == 500
        assert 'authenticate' in seen[0]


def test_flaw_F5_decorators_give_back_what_they_decorate():
    async def check(request, *given):
        pass

    for auth in (BasicAuth(), TokenAuth()):
        assert auth.authenticate(check) is check
        assert auth.errorhandler(check) is check


def test_flaw_F5_a_guarded_handler_keeps_its_name_where_functions_have_one_to_set():
    async def index(request):
        """The front page."""

    for auth in (BasicAuth(), TokenAuth()):
        for wrapped in (auth(index), auth.optional(index)):
            assert MICROPYTHON or (wrapped.__name__, wrapped.__doc__) == ('index', 'The front page.')


async def test_users_may_be_objects_dictionaries_names_and_numbers():
    class User:
        def __str__(self):
            return 'an object'

    for user, expected in ((User(), 'in: an object'), ({'id': 1}, "in: {'id': 1}"), ('anna', 'in: anna'), (7, 'in: 7'),
                           (0, 'in: 0')):
        async def check(request, *given):
            return user  # noqa: B023

        assert (await Client(guarded(BasicAuth(), check)).get('/', basic(*ANNA))).text == expected
        assert (await Client(guarded(TokenAuth(), check)).get('/', bearer('x'))).text == expected


async def test_S6_a_user_who_is_not_active_is_nobody():
    class User:
        is_active = False

    for user in (User(), {'id': 1, 'is_active': False}):
        async def check(request, *given):
            return user  # noqa: B023

        for auth, headers in ((BasicAuth(), basic(*ANNA)), (TokenAuth(), bearer('x'))):
            app = guarded(auth, check)
            assert (await Client(app).get('/', headers)).status_code == 401
            assert (await Client(app).get('/optional', headers)).text == 'user: None'


# --- verdicts: A1 and A2 ----------------------------------------------------------------------------------

async def test_flaw_A1_a_wrong_password_stays_wrong_whatever_kind_of_callback_checks_it():
    for shape, check in shapes(check_pair):
        auth = BasicAuth()
        auth.authenticate(check)
        app = guard_of(auth)
        assert (await Client(app).get('/', basic(*ANNA))).text == 'in: anna', shape
        assert (await Client(app).get('/', basic('anna', 'wrong'))).status_code == 401, shape


async def test_flaw_A1_a_wrong_token_stays_wrong_whatever_kind_of_callback_checks_it():
    for shape, check in shapes(check_token):
        auth = TokenAuth()
        auth.authenticate(check)
        app = guard_of(auth)
        assert (await Client(app).get('/', bearer('right-token'))).text == 'in: anna', shape
        assert (await Client(app).get('/', bearer('wrong'))).status_code == 401, shape


def guard_of(auth):
    app = Microdot()

    @app.get('/')
    @auth
    async def index(request):
        return 'in: ' + str(request.g.current_user)

    return app


async def test_flaw_A1_a_callback_that_returns_a_coroutine_of_a_coroutine_opens_nothing():
    async def nested(request, *given):
        return check_pair(request, *given)  # somebody forgot an await

    res = await Client(guarded(BasicAuth(), nested)).get('/', basic('anna', 'wrong'))
    assert res.status_code in (401, 500) and 'in:' not in res.text


async def test_flaw_A1_partial_arguments_come_first():
    async def check(users, request, username, password):
        return username if users.get(username) == password else None

    auth = BasicAuth()
    auth.authenticate(AsyncCallable(partial(check, {'anna': 'pw'})))
    app = guard_of(auth)
    assert (await Client(app).get('/', basic('anna', 'pw'))).text == 'in: anna'
    assert (await Client(app).get('/', basic('anna', 'no'))).status_code == 401


async def test_flaw_A2_what_only_looks_like_a_yes_opens_nothing():
    def function():
        pass

    class Someone:
        pass

    for verdict in (True, (None, 'bad password'), ('Forbidden', 403),
                    ('anna',), ['anna'], [], (), {'anna'}, b'anna', 1.5,
                    Response('Forbidden', 403), ValueError('wrong'), HTTPException(401), Someone, function,
                    lambda: None, check_pair):
        async def check(request, *given):
            return verdict  # noqa: B023

        for auth, headers in ((BasicAuth(), basic(*ANNA)), (TokenAuth(), bearer('x'))):
            for url in ('/', '/optional'):
                res = await Client(guarded(auth, check)).get(url, headers)
                assert res.status_code == 500 and 'in:' not in res.text, (verdict, url)


async def test_flaw_A2_a_no_is_a_401():
    for verdict in (None, False, '', {}):
        async def check(request, *given):
            return verdict  # noqa: B023

        assert (await Client(guarded(BasicAuth(), check)).get('/', basic(*ANNA))).status_code == 401, verdict
        assert (await Client(guarded(TokenAuth(), check)).get('/', bearer('x'))).status_code == 401, verdict


# --- challenges -------------------------------------------------------------------------------------------

async def test_B1_every_401_carries_its_challenge():
    for app, expected in ((basic_app(), 'Basic realm="Please login", charset="UTF-8"'),
                          (basic_app(realm='Greenhouse'), 'Basic realm="Greenhouse", charset="UTF-8"'),
                          (basic_app(scheme='xBasic'), 'xBasic realm="Please login", charset="UTF-8"'),
                          (bearer_app(), 'Bearer realm="Please login"'),
                          (bearer_app(realm='Greenhouse'), 'Bearer realm="Greenhouse"'),
                          (bearer_app(scheme='Token'), 'Token realm="Please login"')):
        res = await Client(app).get('/')
        assert (res.status_code, challenge_of(res)) == (401, expected)


async def test_B1_the_realm_is_quoted_and_escaped():
    for realm, quoted in (('my "dev"', '"my \\"dev\\""'), ('a\\b', '"a\\\\b"'), ('\\"', '"\\\\\\""'), ('', '""'),
                          ('a, b=c; d', '"a, b=c; d"'), ("'", '"\'"')):
        for app in (basic_app(realm=realm), bearer_app(realm=realm)):
            assert 'realm=' + quoted in challenge_of(await Client(app).get('/')), realm


def test_B1_a_realm_that_no_header_can_carry_is_refused_at_the_start():
    for realm in ('a\r\nSet-Cookie: x=y', 'a\nb', 'a\rb', 'a\0b', 'a\x7f', 'caf\xe9', '\u2603', 'a\tb'):
        for auth in (BasicAuth, TokenAuth):
            raises(ValueError, auth, realm=realm)
    raises(ValueError, BasicAuth, charset='UTF-8\r\nX: y')


async def test_B1_an_app_in_place_of_the_realm_shows_no_object():
    challenge = challenge_of(await Client(guarded(BasicAuth(Microdot()))).get('/'))
    assert challenge == 'Basic realm="Please login", charset="UTF-8"'


async def test_B1_another_status_may_be_chosen_but_never_407():
    for app in (basic_app(error_status=403), bearer_app(error_status=403)):
        for headers in ({}, basic('anna', 'wrong'), bearer('wrong')):
            assert (await Client(app).get('/', headers)).status_code == 403, headers
    for auth in (BasicAuth, TokenAuth):
        raises(ValueError, auth, error_status=407)


async def test_B1_an_error_page_of_the_apps_own_carries_the_challenge_too():
    for app in (basic_app(), bearer_app()):
        @app.errorhandler(401)
        async def page(request):
            return 'a page of its own', 401

        res = await Client(app).get('/')
        assert (res.status_code, res.text) == (401, 'a page of its own')
        assert challenge_of(res)


async def test_flaw_F2_both_schemes_have_an_errorhandler_of_any_kind():
    async def page(request):
        return 'no entry', 401, {'X-Reason': 'test'}

    for shape, handler in shapes(page):
        for auth in (BasicAuth(), TokenAuth()):
            auth.errorhandler(handler)
            res = await Client(guarded(auth)).get('/')
            assert (res.status_code, res.text, res.headers.get('X-Reason')) == (401, 'no entry', 'test'), shape
            assert challenge_of(res), shape


async def test_an_errorhandler_may_answer_as_it_likes():
    async def redirecting(request):
        return '', 302, {'Location': '/login'}

    async def own_challenge(request):
        return '', 401, {'WWW-Authenticate': 'Custom x="y"'}

    async def aborting(request):
        abort(418)

    for auth in (BasicAuth(), TokenAuth()):
        auth.errorhandler(redirecting)
        res = await Client(guarded(auth)).get('/')
        assert (res.status_code, challenge_of(res)) == (302, None)
        auth.errorhandler(own_challenge)
        assert challenge_of(await Client(guarded(auth)).get('/')) == 'Custom x="y"'
        auth.errorhandler(aborting)
        assert (await Client(guarded(auth)).get('/')).status_code == 418


async def test_a_sub_apps_error_page_carries_the_challenge():
    for local in (False, True):
        app, sub = Microdot(), basic_app()

        @sub.errorhandler(401)
        async def page(request):
            return 'page of the sub-app', 401

        app.mount(sub, '/sub', local=local)
        res = await Client(app).get('/sub/')
        assert (res.text, res.status_code) == ('page of the sub-app', 401), local
        assert challenge_of(res), local


# --- Basic ------------------------------------------------------------------------------------------------

async def test_B3_the_scheme_is_compared_whole_and_in_any_case():
    token = b64('anna:correct horse')
    for value, opens in (('Basic ' + token, True), ('basic ' + token, True), ('BASIC ' + token, True),
                         ('bAsIc ' + token, True), ('Basic   ' + token, True),
                         ('Basicx ' + token, False), ('xBasic ' + token, False), ('Basic' + token, False),
                         ('Basic\t' + token, False), ('Basic:' + token, False), ('Basic=' + token, False),
                         ('Bearer ' + token, False), ('Basic, ' + token, False), (token, False),
                         ('"Basic" ' + token, False),
                         ('Basic Basic ' + token, False), ('B\u0430sic ' + token, False),
                         ('Ba\u017fic ' + token, False)):
        res = await Client(basic_app()).get('/', {'Authorization': value})
        assert res.status_code == (200 if opens else 401), value


async def test_flaw_F1_a_scheme_of_another_name_is_answered_under_that_name():
    token = b64('anna:correct horse')
    for scheme, status in (('xBasic', 200), ('xbasic', 200), ('XBASIC', 200), ('Basic', 401)):
        res = await Client(basic_app(scheme='xBasic')).get('/', {'Authorization': scheme + ' ' + token})
        assert res.status_code == status, scheme


HOSTILE_BASIC = [
    b'', b' ', b'=', b'==', b'====', b'Og', b'Og=', b'A', b'AA', b'AAA', b'%', b'%3A', b':', b'anna:correct horse',
    b'YW5uYTpjb3JyZWN0IGhvcnNl=', b'YW5uYTpjb3JyZWN0IGhvcnNl====', b'YW5uYTpjb3JyZWN0IGhvcnNl!',
    b'YW5uYTpjb3JyZWN0IGhvcnNl YW5uYQ==', b'YW5uYTpj b3JyZWN0IGhvcnNl', b'YW5uYTpjb3JyZWN0IGhvcnNl, Basic YTpi',
    b'YW5uYTpjb3JyZWN0IGhvcnNl,YTpi', b'YW5uYTpjb3JyZWN0IGhvcnNl;x', b'YW5uYTpjb3JyZWN0IGhvcnNl realm="x"',
    b'\xff', b'YW5uYTpjb3JyZWN0IGhvcnNl\xe9', b'"YW5uYTpjb3JyZWN0IGhvcnNl"', b"b'YW5uYTpj'",
    b'=YW5uYTpjb3JyZWN0IGhvcnNl',
    b'YW5uYTpjb3JyZWN0IGhvcnNl\\n', b'YW5uYTpjb3JyZWN0\tIGhvcnNl', b'YW5uYTpjb3JyZWN0IGhvcnN', b'-_8=', b'~~~~',
    b'W' * 2000, b'////', b'null',
]


async def test_B4_malformed_credentials_are_a_401_and_never_reach_the_callback():
    app = basic_app()
    for given in HOSTILE_BASIC:
        res = await Client(app).get('/', [('Authorization', b'Basic ' + given)])
        assert res.status_code in (400, 401), (given, res.status_code)
        assert app.calls == [], given
        assert (await Client(app).get('/optional', [('Authorization', b'Basic ' + given)])).status_code in (200, 400)
        assert app.calls == [], given
    assert (await Client(app).get('/', basic(*ANNA))).text == 'in: anna'


async def test_flaw_F7_base64_is_canonical_or_refused():
    # The last character before the padding has bits that count for nothing: each of the others is a second spelling.
    alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
    for pair in ('a:', 'a:b', 'a:bc', 'user:p\xffw'):
        token = b64(pair)
        body = token.rstrip('=')
        pads = len(token) - len(body)
        for c in alphabet if pads else '':
            app = basic_app()
            spelled = body[:-1] + c + '=' * pads
            await Client(app).get('/', {'Authorization': 'Basic ' + spelled})
            if spelled == token:
                assert app.calls == [tuple(pair.split(':', 1))], spelled
            else:
                decoded = [given for given in app.calls if b64(given[0] + ':' + given[1]) != spelled]
                assert decoded == [], spelled
        if pads:
            app = basic_app()
            await Client(app).get('/', {'Authorization': 'Basic ' + body})
            assert app.calls == [], body


async def test_B4_what_is_no_utf8_is_refused_on_both_pythons():
    for raw in (b'anna:\xff', b'\xff:x', b'anna:\xc0\xba', b'an\xc0\xbana:x', b'anna\xc0\xbax', b'anna:\xed\xa0\x80',
                b'anna:\xf4\x90\x80\x80', b'anna:\xe2\x98', b'anna:\xe9', b'anna:\x80', b'anna:\xf8\x88\x80\x80\x80',
                b'anna:\xc1\x81', b'anna:\xe0\x80\x80', b'anna:\xf0\x80\x80\x80'):
        app = basic_app()
        res = await Client(app).get('/', {'Authorization': 'Basic ' + b64(raw)})
        assert (res.status_code, app.calls) == (401, []), raw


async def test_B4_control_characters_are_refused():
    for code in list(range(32)) + [127]:
        for pair in ('an%cna:x', 'anna:x%cy', '%canna:x', 'anna:x%c'):
            app = basic_app()
            res = await Client(app).get('/', {'Authorization': 'Basic ' + b64(pair % code)})
            assert (res.status_code, app.calls) == (401, []), (code, pair)


async def test_B4_the_first_colon_splits_and_the_rest_is_the_password():
    for pair, expected in (('anna:pw', ('anna', 'pw')), ('anna:p:w', ('anna', 'p:w')), ('anna::', ('anna', ':')),
                           (':pw', ('', 'pw')), (':', ('', '')), ('anna:', ('anna', '')),
                           (' anna : pw ', (' anna ', ' pw ')),
                           ('caf\xe9:\u2603\U0001f512', ('caf\xe9', '\u2603\U0001f512')),
                           ('a"b\\:c,d=', ('a"b\\', 'c,d=')),
                           ('a%3Ab:c', ('a%3Ab', 'c')), ('a:\ufeff\xa0', ('a', '\ufeff\xa0'))):
        app = basic_app()
        await Client(app).get('/', {'Authorization': 'Basic ' + b64(pair)})
        assert app.calls == [expected], pair
    for pair in ('', 'anna', 'a' * 500):
        app = basic_app()
        res = await Client(app).get('/', {'Authorization': 'Basic ' + b64(pair)})
        assert (res.status_code, app.calls) == (401, []), pair


async def test_B4_a_long_header_is_refused_and_not_an_error():
    kept = Request.max_readline
    Request.max_readline = 200000
    try:
        for size in (5000, 100000):
            for app, value in ((basic_app(), 'Basic ' + b64('a:' + 'x' * size)), (bearer_app(), 'Bearer ' + 'x' * size),
                               (bearer_app(header='X-API-Key'), 'x' * size)):
                for header in ('Authorization', 'X-API-Key'):
                    res = await Client(app).get('/', {header: value})
                    assert (res.status_code, app.calls) == (401, []), (size, header)
    finally:
        Request.max_readline = kept


async def test_B4_two_credentials_in_one_header_are_none():
    right = b64('anna:correct horse')
    for value in ('Basic %s, Basic %s', 'Basic %s,Basic %s', 'Basic %s Basic %s', 'Basic %s; Basic %s'):
        app = basic_app()
        res = await Client(app).get('/', {'Authorization': value % (right, right)})
        assert (res.status_code, app.calls) == (401, []), value


async def test_B4_the_header_is_found_in_any_case():
    token = 'Basic ' + b64('anna:correct horse')
    for name in ('Authorization', 'authorization', 'AUTHORIZATION'):
        assert (await Client(basic_app()).get('/', {name: token})).status_code == 200, name


async def test_B5_an_unknown_user_and_a_wrong_password_look_and_cost_the_same():
    users = MemoryUsers()
    kept = passwords.pbkdf2_hmac_sha256
    hashed = []

    async def counted(password, salt, iterations, dklen=32):
        hashed.append(iterations)
        return bytes(31) + bytes([sum(password) % 256])

    passwords.pbkdf2_hmac_sha256 = counted
    try:
        await users.create('anna', 'correct horse battery')
        await users.create('carl', 'correct horse battery')
        users.get_by_name('carl').is_active = False
        auth = BasicAuth()

        @auth.authenticate
        async def check(request, username, password):
            return await users.authenticate(username, password)

        app = guard_of(auth)
        seen = []
        for pair in (('anna', 'wrong'), ('nobody', 'wrong'), ('', 'wrong'), ('nobody' * 20, 'wrong'), ('carl', 'wrong'),
                     ('carl', 'correct horse battery'), ('anna\xe9', 'wrong')):
            del hashed[:]
            res = await Client(app).get('/', basic(*pair))
            seen.append((res.status_code, res.body, sorted(res.headers.items()), tuple(hashed)))
            assert seen[-1] == seen[0], pair
        assert len(seen[0][3]) == 1
        assert (await Client(app).get('/', basic('anna', 'correct horse battery'))).status_code == 200
    finally:
        passwords.pbkdf2_hmac_sha256 = kept


# --- B6: plain HTTP ---------------------------------------------------------------------------------------

async def test_B6_credentials_over_plain_http_are_warned_about_once():
    for make, headers in ((basic_app, basic(*ANNA)), (bearer_app, bearer('right-token'))):
        with Warnings() as given:
            app = make()
            for _ in range(3):
                assert (await Client(app).get('/', headers)).status_code == 200
        assert len(given) == 1 and 'HTTP' in given[0], given
        for secret in ('correct', 'right-token', 'anna'):
            assert secret not in given[0]


async def test_B6_an_opt_in_says_that_it_is_known():
    for make, headers in ((basic_app, basic(*ANNA)), (bearer_app, bearer('right-token'))):
        with Warnings() as given:
            assert (await Client(make(allow_http=True)).get('/', headers)).status_code == 200
        assert given == []


async def test_B6_plain_http_may_be_refused_before_anything_is_looked_at():
    for make, headers in ((basic_app, basic(*ANNA)), (bearer_app, bearer('right-token'))):
        app = make(allow_http=False)
        for url in ('/', '/optional'):
            res = await Client(app).get(url, headers)
            assert (res.status_code, app.calls) == (403, []), url
        assert (await Client(app, https=True).get('/', headers)).status_code == 200


async def test_B6_https_needs_no_warning():
    for make, headers in ((basic_app, basic(*ANNA)), (bearer_app, bearer('right-token'))):
        with Warnings() as given:
            await Client(make(), https=True).get('/', headers)
            app = make()
            app.ssl = object()
            await Client(app).get('/', headers)
        assert given == []


# --- Bearer -----------------------------------------------------------------------------------------------

async def test_R1_without_credentials_the_challenge_has_no_error():
    for headers in ({}, basic(*ANNA), {'Authorization': 'Digest x="y"'}, {'X-API-Key': 'right-token'}):
        res = await Client(bearer_app()).get('/', headers)
        assert (res.status_code, challenge_of(res)) == (401, 'Bearer realm="Please login"'), headers


async def test_R1_a_wrong_token_is_an_invalid_token():
    res = await Client(bearer_app()).get('/', bearer('wrong'))
    assert (res.status_code, challenge_of(res)) == (401, 'Bearer realm="Please login", error="invalid_token"')


async def test_R1_a_malformed_token_is_an_invalid_request_and_never_reaches_the_callback():
    for given in (b'', b' ', b'a b', b'right-token x', b'right-token,', b'right-token, Bearer right-token',
                  b'"right-token"',
                  b'a=b', b'=', b'==', b'=a', b'<script>', b'a\x01', b'a\x7f', b'a\tb', 'caf\xe9'.encode(), b'a;b',
                  b'a:b',
                  b'a%b', b"a'b", b'{"a":1}', b'\\'):
        app = bearer_app()
        res = await Client(app).get('/', [('Authorization', b'Bearer ' + given)])
        assert res.status_code in (400, 401), given
        assert 'error="invalid_request"' in challenge_of(res), (given, challenge_of(res))
        assert app.calls == [], given
    res = await Client(bearer_app()).get('/', {'Authorization': 'Bearer'})
    assert res.status_code in (400, 401)


async def test_R1_all_characters_of_a_bearer_token_are_taken():
    token = 'azAZ09-._~+/=='
    app = bearer_app()
    res = await Client(app).get('/', bearer(token))
    assert (res.status_code, app.calls) == (401, [(token,)])


async def test_B3_the_bearer_scheme_is_compared_whole_and_in_any_case():
    for value, opens in (('bearer right-token', True), ('BEARER right-token', True), ('Bearer  right-token', True),
                         ('Bearerx right-token', False), ('xBearer right-token', False), ('Bearer\tright-token', False),
                         ('right-token', False), ('Basic right-token', False), ('Token right-token', False)):
        res = await Client(bearer_app()).get('/', {'Authorization': value})
        assert (res.status_code == 200) is opens, value
    for scheme in ('Token', 'token', 'TOKEN'):
        app = bearer_app(scheme='Token')
        assert (await Client(app).get('/', {'Authorization': scheme + ' right-token'})).status_code == 200, scheme
        assert (await Client(app).get('/', bearer('right-token'))).status_code == 401, scheme


async def test_flaw_F3_the_headers_name_may_be_written_in_any_case():
    for name in ('Authorization', 'authorization', 'AUTHORIZATION'):
        app = bearer_app(header=name)
        assert (await Client(app).get('/', bearer('right-token'))).status_code == 200, name
        assert (await Client(app).get('/', {'Authorization': 'right-token'})).status_code == 401, name


async def test_flaw_F3_a_token_401_says_how_to_get_in():
    assert challenge_of(await Client(bearer_app()).get('/'))
    assert challenge_of(await Client(bearer_app(header='X-API-Key')).get('/'))


async def test_a_header_of_its_own_carries_the_token_as_it_is():
    app = bearer_app(header='X-API-Key')
    for name in ('X-API-Key', 'x-api-key'):
        assert (await Client(app).get('/', {name: 'right-token'})).text == 'in: anna', name
    assert (await Client(app).get('/', {'X-API-Key': 'wrong'})).status_code == 401
    assert (await Client(app).get('/', bearer('right-token'))).status_code == 401
    assert (await Client(app).get('/', {'X-API-Key': ''})).status_code == 401


async def test_a_header_of_its_own_may_carry_what_no_bearer_token_has():
    for token in ('live:1234', 'a|b$c', 'key{1}', 'a@b!c', '#1', 'a%b', 'a,b'):
        app = bearer_app(header='X-API-Key')
        await Client(app).get('/', {'X-API-Key': token})
        assert app.calls == [(token,)], token


async def test_R4_a_token_travels_in_the_header_only():
    for url in ('/?access_token=right-token', '/?token=right-token', '/?Authorization=Bearer%20right-token'):
        app = bearer_app()
        assert (await Client(app).get(url)).status_code == 401, url
        assert app.calls == []
    app = bearer_app()
    for body in ('access_token=right-token', 'token=right-token'):
        assert (await Client(app).post('/', {'Content-Type': FORM}, body)).status_code == 401
    assert (await Client(app).get('/', {'Cookie': 'access_token=right-token'})).status_code == 401
    assert app.calls == []


async def test_R4_nothing_of_the_request_is_echoed():
    canary = 'CANARY'
    for app in (basic_app(), bearer_app(), bearer_app(header='X-API-Key'), basic_app(error_status=403)):
        for headers in (basic(canary, canary), bearer(canary), {'Authorization': canary},
                        {'Authorization': canary + ' x'},
                        {'Authorization': 'Basic ' + canary}, {'Authorization': 'Bearer "' + canary},
                        {'X-API-Key': canary}, {'X-API-Key': canary + ' "'}):
            res = await Client(app).get('/?' + canary, headers)
            assert res.status_code in (400, 401, 403), headers
            assert canary not in res.text and canary not in repr(res.headers), headers
            assert b64(canary + ':' + canary) not in repr(res.headers), headers


# --- C7: caches -------------------------------------------------------------------------------------------

async def test_C7_answers_vary_by_the_header_that_opens_them():
    for app, header, right in ((basic_app(), 'Authorization', basic(*ANNA)),
                               (bearer_app(), 'Authorization', bearer('right-token')),
                               (bearer_app(header='X-API-Key'), 'X-API-Key', {'X-API-Key': 'right-token'})):
        for url in ('/', '/optional'):
            for headers in (right, {}):
                res = await Client(app).get(url, headers)
                assert header in res.headers.get('Vary', ''), (header, url, headers)


async def test_C7_what_a_user_sees_and_a_401_stay_out_of_caches():
    for app, right in ((basic_app(), basic(*ANNA)), (bearer_app(), bearer('right-token'))):
        for url, headers in (('/', right), ('/optional', right), ('/', {})):
            res = await Client(app).get(url, headers)
            assert res.headers.get('Cache-Control') == 'no-store', (url, headers)


async def test_C7_a_refusal_with_a_challenge_of_its_own_stays_out_of_caches():
    async def own(request):
        return 'no', 401, {'WWW-Authenticate': 'Custom'}

    auth = BasicAuth()
    auth.errorhandler(own)
    assert (await Client(guarded(auth)).get('/')).headers.get('Cache-Control') == 'no-store'


# --- together -----------------------------------------------------------------------------------------------

async def test_two_schemes_on_one_app_do_not_mix():
    first, second = BasicAuth(), TokenAuth()
    first.authenticate(check_pair)
    second.authenticate(check_token)
    app = Microdot()

    @app.get('/basic')
    @first
    async def basic_page(request):
        return str(request.g.current_user)

    @app.get('/token')
    @second
    async def token_page(request):
        return str(request.g.current_user)

    @app.get('/both')
    @first
    @second.optional
    async def both(request):
        return str(request.g.current_user)

    assert (await Client(app).get('/basic', basic(*ANNA))).text == 'anna'
    assert (await Client(app).get('/basic', bearer('right-token'))).status_code == 401
    assert (await Client(app).get('/token', bearer('right-token'))).text == 'anna'
    assert (await Client(app).get('/token', basic(*ANNA))).status_code == 401
    assert (await Client(app).get('/both', basic(*ANNA))).text == 'anna'
    assert (await Client(app).get('/both', bearer('right-token'))).status_code == 401


async def test_an_optional_scheme_around_a_required_one_opens_nothing():
    first, second = BasicAuth(), TokenAuth()
    first.authenticate(check_pair)
    second.authenticate(check_token)
    app = Microdot()

    @app.get('/')
    @second.optional
    @first
    async def index(request):
        return 'in'

    assert (await Client(app).get('/', bearer('right-token'))).status_code == 401
    assert (await Client(app).get('/')).status_code == 401


async def test_a_websocket_upgrade_without_credentials_is_a_401():
    upgrade = [('Upgrade', 'websocket'), ('Connection', 'Upgrade'), ('Sec-WebSocket-Version', '13'),
               ('Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==')]
    for app in (basic_app(), bearer_app()):
        res = await Client(app).get('/', upgrade)
        assert res.status_code == 401 and challenge_of(res)
