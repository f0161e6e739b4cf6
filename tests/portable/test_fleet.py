"""One login for a fleet: a token is for one board, one purpose and a few minutes, and a stolen board opens no other."""
import binascii

from client import KEY, OTHER_KEY, Client, bearer, make_app, raises
from clock import START, UNSET, FakeClock
from microdot import Microdot

from dotlatch import fleet, fleetlogin, portable, tokens
from dotlatch.auth import any_of
from dotlatch.csrf import CSRF
from dotlatch.fleet import FleetAuth, board_key, issue
from dotlatch.fleetlogin import FleetLogin, handover, issue_login, origin_of
from dotlatch.login import Login
from dotlatch.session import Session
from dotlatch.stores import MemoryStore

MASTER = bytes(range(32))
ANNA = {'id': 7, 'name': 'Anna', 'password_hash': 'x'}
CENTRAL = 'https://central.lan/boards/pump-7'
ORIGIN = {'Origin': 'https://central.lan'}


def board_app(key=None, board_id='pump-7', **options):
    """A board with one page for scripts."""
    app = Microdot()
    auth = FleetAuth(key or board_key(MASTER, board_id), board_id, **options)

    @app.get('/')
    @auth
    async def index(request):
        user = request.g.current_user
        return '%r %s %s' % (user['id'], user['name'], user['scopes'])

    @app.get('/write')
    @auth.requires('write')
    async def write(request):
        return 'written'

    return app


async def visit(app, token, path='/'):
    return await Client(app).get(path, bearer(token))


# --- keys -----------------------------------------------------------------------------------------

def test_a_boards_key_is_HKDF_expand():
    """RFC 5869 section 2.3, written out for one block; cryptography's is asked in tests/server."""
    expected = portable.hmac_sha256(MASTER, b'dotlatch fleet board\npump-7\x01')
    assert board_key(MASTER, 'pump-7') == portable.b64url_encode(expected)
    assert len(board_key(MASTER, 'pump-7')) == 43


def test_every_board_and_every_master_key_has_another():
    keys = [board_key(master, name) for master in (MASTER, KEY, OTHER_KEY) for name in ('a', 'b', 'A', 'a.', 'a:b')]
    assert len(set(keys)) == len(keys)


def test_T9_a_short_master_key_is_refused():
    for master in (b'', 'top-secret', bytes(31)):
        raises(ValueError, board_key, master, 'pump-7')
        raises(ValueError, issue, master, 'pump-7', ANNA)
    raises(TypeError, board_key, None, 'pump-7')


def test_the_id_of_a_board_is_a_short_word():
    for board_id in ('', 'a b', 'a\n', 'a\x01', 'ü', 'a/b', 'x' * 65, None, 7, b'pump-7'):
        raises(ValueError, board_key, MASTER, board_id)
        raises(ValueError, FleetAuth, board_key(MASTER, 'pump-7'), board_id)
    for board_id in ('x' * 64, 'pump-7', 'AA:BB:0c', 'a.b_c'):
        assert board_key(MASTER, board_id)


def test_a_board_takes_nothing_but_a_boards_key():
    key = board_key(MASTER, 'pump-7')
    for wrong in (key + '\n', key[:-1], '', 'top-secret', 'x' * 44, [key, '']):
        raises(ValueError, FleetAuth, wrong, 'pump-7')
    FleetAuth(key.encode(), 'pump-7')


# --- tokens ---------------------------------------------------------------------------------------

async def test_a_token_opens_its_board_and_says_who_comes_and_what_for():
    res = await visit(board_app(), issue(MASTER, 'pump-7', ANNA, ['read', 'log']))
    assert (res.status_code, res.text) == (200, "7 Anna ['read', 'log']")
    res = await visit(board_app(), issue(MASTER, 'pump-7', 'anna'))
    assert (res.status_code, res.text) == (200, "'anna' anna []")


async def test_T8_a_token_of_one_board_is_refused_by_another():
    token = issue(MASTER, 'pump-7', ANNA)
    for board_id in ('pump-8', 'pump-', 'pump-77', 'Pump-7'):
        assert (await visit(board_app(board_id=board_id), token)).status_code == 401, board_id


async def test_T8_a_board_with_the_same_key_refuses_it_too():
    shared = board_key(MASTER, 'pump-7')
    assert (await visit(board_app(shared, 'pump-8'), issue(MASTER, 'pump-7', ANNA))).status_code == 401


async def test_T8_a_stolen_board_makes_no_token_for_another():
    stolen = portable.b64url_decode(board_key(MASTER, 'pump-7'))
    for key in (stolen, board_key(MASTER, 'pump-7'), portable.b64url_decode(board_key(stolen, 'pump-8'))):
        forged = tokens.encode({'sub': 7, 'aud': 'pump-8', 'jti': 'x', 'scope': 'write'}, key, fleet.TYP, 300)
        assert (await visit(board_app(board_id='pump-8'), forged)).status_code == 401
        assert (await visit(board_app(board_id='pump-8'), forged, '/write')).status_code == 401


async def test_T8_one_audience_and_no_list():
    key = portable.b64url_decode(board_key(MASTER, 'pump-7'))
    claims = {'sub': 7, 'jti': 'x', 'aud': 'pump-7', 'scope': ''}
    assert (await visit(board_app(), tokens.encode(claims, key, fleet.TYP, 300))).status_code == 200
    for aud in (['pump-7'], ['pump-7', 'pump-8'], None, 7, ''):
        changed = claims.copy()
        changed['aud'] = aud
        assert (await visit(board_app(), tokens.encode(changed, key, fleet.TYP, 300))).status_code == 401, aud
    for missing in ('aud', 'jti', 'sub', 'scope'):
        changed = claims.copy()
        changed.pop(missing)
        assert (await visit(board_app(), tokens.encode(changed, key, fleet.TYP, 300))).status_code == 401, missing
    assert (await visit(board_app(), tokens.encode(claims, key, fleet.TYP))).status_code == 401  # without an end


async def test_T7_a_token_for_another_purpose_is_refused():
    key = portable.b64url_decode(board_key(MASTER, 'pump-7'))
    claims = {'sub': 7, 'jti': 'x', 'aud': 'pump-7', 'scope': ''}
    assert (await visit(board_app(), tokens.encode(claims, key, fleet.TYP, 300))).status_code == 200
    for typ in ('JWT', 'at+jwt', 'dl-session+jwt', 'dl-remember+jwt', fleetlogin.TYP):
        assert (await visit(board_app(), tokens.encode(claims, key, typ, 300))).status_code == 401, typ
    assert (await visit(board_app(), issue_login(MASTER, 'pump-7', ANNA))).status_code == 401


async def test_a_token_ends_after_minutes():
    with FakeClock() as clock:
        token = issue(MASTER, 'pump-7', ANNA)
        clock.advance(299)
        assert (await visit(board_app(), token)).status_code == 200
        clock.advance(1)
        assert (await visit(board_app(), token)).status_code == 401
        assert (await visit(board_app(leeway=60), token)).status_code == 200
    for ttl in (0, -1, 3601, 10 ** 9):
        raises(ValueError, issue, MASTER, 'pump-7', ANNA, (), ttl)


async def test_T5_a_board_whose_clock_is_behind_takes_no_token():
    with FakeClock() as clock:
        token, login = issue(MASTER, 'pump-7', ANNA), issue_login(MASTER, 'pump-7', ANNA)
        for behind, leeway, is_taken in ((60, 0, True), (61, 0, False), (90, 30, True), (91, 30, False),
                                         (3 * 24 * 3600, 0, False)):
            clock.set(START - behind)
            res = await visit(board_app(leeway=leeway), token)
            assert res.status_code == (200 if is_taken else 401), (behind, leeway)
            client = Client(browser_app(leeway=leeway))
            res = await enter(client, login)
            assert res.status_code == (303 if is_taken else 401) and bool(client.jar) is is_taken, (behind, leeway)


async def test_every_changed_character_of_a_token_is_refused():
    token = issue(MASTER, 'pump-7', ANNA, ['read'])
    app = board_app()
    for i in range(0, len(token), 7):
        other = 'A' if token[i] != 'A' else 'B'
        assert (await visit(app, token[:i] + other + token[i + 1:])).status_code in (400, 401), i
    for broken in (token + 'A', token[:-1], token + '.', token.upper()):
        assert (await visit(app, broken)).status_code == 401


async def test_a_board_without_the_time_takes_no_token_and_says_why():
    with FakeClock() as clock:
        token = issue(MASTER, 'pump-7', ANNA)
        clock.set(UNSET)
        res = await visit(board_app(), token)
        assert res.status_code == 401
        assert res.headers['WWW-Authenticate'] == (
            'Bearer realm="pump-7", error="invalid_token", error_description="the clock of this device is not set"')
        clock.set(START)
        assert (await visit(board_app(), token)).status_code == 200


def test_a_central_app_without_the_time_issues_nothing():
    with FakeClock() as clock:
        clock.set(UNSET)
        raises(RuntimeError, issue, MASTER, 'pump-7', ANNA)


async def test_R3_what_the_token_was_not_given_for_is_a_403():
    res = await visit(board_app(), issue(MASTER, 'pump-7', ANNA, ['read']), '/write')
    assert res.status_code == 403 and 'insufficient_scope' in res.headers['WWW-Authenticate']
    assert (await visit(board_app(), issue(MASTER, 'pump-7', ANNA, ['read', 'write']), '/write')).text == 'written'


def test_a_scope_is_one_word():
    for scopes in (['read write'], [''], ['read', ' ']):
        raises(ValueError, issue, MASTER, 'pump-7', ANNA, scopes)
    for scopes in ('read', {'read': False}):
        raises(TypeError, issue, MASTER, 'pump-7', ANNA, scopes)


async def test_the_master_key_changes_while_boards_have_both_keys():
    new = bytes(range(100, 132))
    keys = [board_key(new, 'pump-7'), board_key(MASTER, 'pump-7')]
    for master in (new, MASTER):
        assert (await visit(board_app(keys), issue(master, 'pump-7', ANNA))).status_code == 200
        assert (await visit(board_app(keys[:1]), issue(master, 'pump-7', ANNA))).status_code == (
            200 if master is new else 401)


def test_no_two_tokens_are_alike():
    with FakeClock():
        assert issue(MASTER, 'pump-7', ANNA) != issue(MASTER, 'pump-7', ANNA)


async def test_a_token_that_would_not_fit_is_not_made_and_one_that_fits_opens_a_session():
    many = ['s%03d' % i for i in range(200)]
    raises(ValueError, issue, MASTER, 'pump-7', ANNA, many)
    few = many
    while True:
        try:
            token = issue_login(MASTER, 'pump-7', ANNA, few)
            break
        except ValueError:
            few = few[:-1]
    assert len(few) > 100
    client = Client(browser_app())
    assert (await enter(client, token)).status_code == 303
    assert (await client.get('/')).text == 'Anna'


async def test_a_login_with_claims_that_are_none_is_refused():
    key = portable.b64url_decode(board_key(MASTER, 'pump-7'))
    claims = {'sub': 7, 'jti': 'x', 'aud': 'pump-7', 'scope': '', 'name': 'Anna'}
    for changed in ({'sub': None}, {'sub': True}, {'sub': [7]}, {'scope': None}, {'scope': ['read']}, {'jti': 7},
                    {'aud': ['pump-7']}):
        bad = claims.copy()
        bad.update(changed)
        res = await enter(Client(browser_app()), tokens.encode(bad, key, fleetlogin.TYP, 60))
        assert res.status_code == 401, changed
    claims['name'] = {}
    client = Client(browser_app())
    assert (await enter(client, tokens.encode(claims, key, fleetlogin.TYP, 60))).status_code == 303
    assert (await client.get('/')).text == '7'


# --- browsers -------------------------------------------------------------------------------------

def browser_app(board_id='pump-7', key=None, with_local=False, store=None, with_csrf=False, **options):
    """A board with a page for people, and the door by which the central app sends them."""
    app = make_app(store=store) if store else make_app()
    login = FleetLogin(key or board_key(MASTER, board_id), board_id, CENTRAL, **options)
    csrf = CSRF(app) if with_csrf else None
    app.post('/fleet')(csrf.exempt(login.enter) if csrf else login.enter)
    auth = login
    if with_local:
        local = Login()

        @local.user_loader
        async def load_user(user_id):
            return {'id': user_id, 'name': 'the owner of number %s' % user_id, 'scopes': ['write']}

        auth = any_of(local, login)

    @app.get('/')
    @auth
    async def index(request):
        return request.g.current_user['name']

    @app.get('/write')
    @auth.requires('write')
    async def write(request):
        return 'written'

    @app.post('/logout')
    async def logout(request):
        await login.logout(request)
        return 'bye'

    return app


async def enter(client, token, next_url=None, headers=ORIGIN):
    form = 'token=' + token + ('&next=' + next_url if next_url else '')
    return await client.post('/fleet', headers, form=form)


async def test_a_person_is_sent_to_the_central_app_and_comes_back_with_a_session():
    client = Client(browser_app())
    res = await client.get('/log?day=3', {'Accept': 'text/html'})
    assert res.status_code == 404
    res = await client.get('/?day=3', {'Accept': 'text/html'})
    assert (res.status_code, res.headers['Location']) == (302, CENTRAL + '?next=/%3Fday%3D3')
    res = await enter(client, issue_login(MASTER, 'pump-7', ANNA, ['read']), '/%3Fday%3D3')
    assert (res.status_code, res.headers['Location']) == (303, '/?day=3')
    assert (await client.get('/')).text == 'Anna'
    assert (await client.get('/write')).status_code == 403


async def test_a_program_gets_a_401():
    res = await Client(browser_app()).get('/', {'Accept': 'application/json'})
    assert res.status_code == 401
    assert res.headers['WWW-Authenticate'].startswith('Cookie realm="login", form-action="https')


async def test_a_login_token_passes_once():
    app = browser_app()
    token = issue_login(MASTER, 'pump-7', ANNA)
    first, second = Client(app), Client(app)
    assert (await enter(first, token)).status_code == 303
    res = await enter(second, token)
    assert res.status_code == 401 and not second.jar
    assert res.headers['WWW-Authenticate'].startswith('Cookie ')
    assert (await first.get('/')).text == 'Anna'


async def test_used_tokens_take_no_more_room_than_they_may_and_none_comes_back():
    app = browser_app(max_used=4)
    with FakeClock() as clock:
        used = []
        for _ in range(12):
            used.append(issue_login(MASTER, 'pump-7', ANNA))
            assert (await enter(Client(app), used[-1])).status_code == 303
            clock.advance(1)
        for token in used:
            assert (await enter(Client(app), token)).status_code == 401


class Shared:
    """A list that several processes have."""
    def __init__(self):
        self.ends = {}
        self.is_away = False

    async def add(self, token_id, ttl):
        if self.is_away:
            raise OSError('away')
        assert 0 < ttl <= 70
        return self.ends.setdefault(token_id, self) is self and self.ends.update({token_id: ttl}) is None


async def test_a_login_token_passes_once_in_all_processes_that_share_a_list_and_after_a_restart_of_one():
    with FakeClock() as clock:
        shared = Shared()
        apps = [browser_app(used=shared, leeway=10) for _ in range(2)]
        used, unused = issue_login(MASTER, 'pump-7', ANNA), issue_login(MASTER, 'pump-7', ANNA)
        first = Client(apps[0])
        assert (await enter(first, used)).status_code == 303
        clock.advance(65)
        for app in apps + [browser_app(used=shared, leeway=10)]:
            client = Client(app)
            assert (await enter(client, used)).status_code == 401 and not client.jar
        assert (await enter(Client(browser_app(used=shared, leeway=10)), unused)).status_code == 303
        assert (await enter(Client(apps[1]), unused)).status_code == 401
        assert (await first.copy(apps[1]).get('/')).text == 'Anna'


async def test_a_shared_list_that_cannot_be_asked_is_a_503():
    shared = Shared()
    app, token = browser_app(used=shared), issue_login(MASTER, 'pump-7', ANNA)
    shared.is_away = True
    client = Client(app)
    assert (await enter(client, token)).status_code == 503 and not client.jar
    shared.is_away = False
    assert (await enter(client, token)).status_code == 303


async def test_a_login_token_lasts_a_minute():
    with FakeClock() as clock:
        token = issue_login(MASTER, 'pump-7', ANNA)
        clock.advance(60)
        assert (await enter(Client(browser_app()), token)).status_code == 401


async def test_T8_a_login_token_is_for_one_board():
    token = issue_login(MASTER, 'pump-7', ANNA)
    assert (await enter(Client(browser_app('pump-8')), token)).status_code == 401
    shared = board_key(MASTER, 'pump-7')
    assert (await enter(Client(browser_app('pump-8', shared)), token)).status_code == 401


async def test_T7_a_scripts_token_starts_no_session():
    assert (await enter(Client(browser_app()), issue(MASTER, 'pump-7', ANNA))).status_code == 401


async def test_T8_a_session_of_one_board_is_none_on_another_that_shares_its_session_key():
    client = Client(browser_app())
    await enter(client, issue_login(MASTER, 'pump-7', ANNA))
    assert (await client.get('/')).status_code == 200
    assert (await client.copy(browser_app('pump-8')).get('/')).status_code == 302


async def test_X1_only_a_page_of_the_central_app_may_send_the_form():
    app = browser_app()
    for origin in ('https://evil.lan', 'null', 'http://central.lan', 'https://central.lan:8443', '',
                   'https://central.lan.evil.lan', 'https://central.lan/boards', 'http://device.lan'):
        client = Client(app)
        res = await enter(client, issue_login(MASTER, 'pump-7', ANNA), headers={'Origin': origin})
        assert res.status_code == 403 and not client.jar, origin
    assert (await enter(Client(app), issue_login(MASTER, 'pump-7', ANNA), headers={})).status_code == 403
    same = {'Origin': 'HTTPS://Central.LAN'}
    assert (await enter(Client(app), issue_login(MASTER, 'pump-7', ANNA), headers=same)).status_code == 303


async def test_X1_beside_CSRF_that_form_alone_comes_from_another_origin():
    app = browser_app(with_csrf=True)
    client = Client(app)
    token = issue_login(MASTER, 'pump-7', ANNA)
    assert (await enter(client, token, headers={'Origin': 'https://evil.lan'})).status_code == 403
    assert (await enter(client, token)).status_code == 303
    for origin, status in (('https://central.lan', 403), ('http://device.lan:81', 403), ('http://device.lan', 200)):
        assert (await client.post('/logout', {'Origin': origin})).status_code == status, origin


def test_the_origin_of_an_address_is_what_browsers_make_of_it():
    for url, origin in (('https://Central.lan/x', 'https://central.lan'), ('http://c.lan:80', 'http://c.lan'),
                        ('https://c.lan:443/', 'https://c.lan'), ('http://c.lan:443/', 'http://c.lan:443'),
                        ('http://[fe80::1]:8000/x', 'http://[fe80::1]:8000'), ('http://c.lan?x=/', 'http://c.lan')):
        assert origin_of(url) == origin, url
    for url in ('/boards', 'central.lan', '', 'ftp://c.lan', 'https://', 'https://a@c.lan/', 'javascript:1'):
        raises(ValueError, origin_of, url)


async def test_X6_the_way_on_stays_on_the_board():
    app = browser_app()
    for target in ('//evil.example', 'https://evil.example', '/%5Cevil.example', 'evil', '/%0D%0AX:%20y'):
        res = await enter(Client(app), issue_login(MASTER, 'pump-7', ANNA), target)
        assert (res.status_code, res.headers['Location']) == (303, '/'), target


async def test_a_malformed_form_is_refused():
    client = Client(browser_app())
    for form in ('token=', 'x=1', 'token=%C3%A9', 'token=a.b.c', 'token=' + 'A' * 5000):
        assert (await client.post('/fleet', ORIGIN, form=form)).status_code == 401, form
    assert (await client.post('/fleet', ORIGIN)).status_code == 401
    assert (await client.post('/fleet', ORIGIN, form=b'token=\xff')).status_code == 400
    assert not client.jar


async def test_without_the_time_nobody_enters():
    with FakeClock() as clock:
        token = issue_login(MASTER, 'pump-7', ANNA)
        clock.set(UNSET)
        res = await enter(Client(browser_app()), token)
        assert (res.status_code, res.text) == (503, 'The clock of this device is not set')


async def test_S2_entering_ends_the_session_before_it():
    client = Client(browser_app())
    await enter(client, issue_login(MASTER, 'pump-7', ANNA))
    before = client.copy()
    await enter(client, issue_login(MASTER, 'pump-7', {'id': 8, 'name': 'Bert'}))
    assert (await client.get('/')).text == 'Bert'
    assert (await before.get('/')).status_code == 302


async def test_S3_a_logout_ends_the_session_on_the_board():
    client = Client(browser_app())
    await enter(client, issue_login(MASTER, 'pump-7', ANNA))
    thief = client.copy()
    await client.post('/logout')
    assert (await client.get('/')).status_code == 302
    assert (await thief.get('/')).status_code == 302


async def test_the_session_ends_after_an_hour():
    with FakeClock() as clock:
        client = Client(browser_app())
        await enter(client, issue_login(MASTER, 'pump-7', ANNA))
        clock.advance(3599)
        assert (await client.get('/')).text == 'Anna'
        clock.advance(1)
        assert (await client.get('/')).status_code == 302


async def test_the_fleets_number_7_is_not_the_boards_own():
    store = MemoryStore()
    client = Client(browser_app(with_local=True, store=store))
    await enter(client, issue_login(MASTER, 'pump-7', ANNA, ['read']))
    assert (await client.get('/')).text == 'Anna'
    assert (await client.get('/write')).status_code == 403
    # Nor does that one see it in the list of his sessions, or end it with them.
    assert await store.list_user(7) == [] and len(await store.list_user('fleet:7')) == 1
    await store.delete_user(7)
    assert (await client.get('/')).text == 'Anna'


# --- the page that hands over ---------------------------------------------------------------------

def test_the_page_takes_the_token_in_a_form():
    page, status, headers = handover('http://pump-7.lan/fleet?a=1&b=2', 'a.b.c', '/log?day=3&x="')
    assert status == 200
    assert 'action="http://pump-7.lan/fleet?a=1&amp;b=2"' in page
    assert 'value="a.b.c"' in page and 'method="post"' in page
    assert 'value="/log?day=3&amp;x=%22"' in page
    assert headers['Cache-Control'] == 'no-store'
    assert headers['Referrer-Policy'] == 'origin'  # else a browser sends no Origin from HTTPS to HTTP
    assert 'value="/"' in handover('http://pump-7.lan/fleet', 'a.b.c', '//evil.example')[0]
    for url in ('javascript:alert(1)', '/fleet', ''):
        raises(ValueError, handover, url, 'a.b.c')


def test_the_page_may_run_its_own_script_only():
    page, _, headers = handover('http://pump-7.lan/fleet', 'a.b.c')
    script = page.split('<script>')[1].split('</script>')[0]
    import hashlib
    digest = binascii.b2a_base64(hashlib.sha256(script.encode()).digest())[:-1].decode()
    assert "script-src 'sha256-%s'" % digest in headers['Content-Security-Policy']


def test_the_headers_of_one_page_are_its_own():
    handover('http://pump-7.lan/fleet', 'a.b.c')[2].clear()
    assert handover('http://pump-7.lan/fleet', 'a.b.c')[2]


async def test_a_token_of_the_second_in_which_the_board_has_started_is_taken_in_the_next_one():
    with FakeClock(START + 0.875) as clock:
        board = Client(browser_app())
        clock.advance(0.0625)
        token = issue_login(MASTER, 'pump-7', ANNA, ['read'])
        clock.advance(0.125)
        assert (await enter(board, token, '/log')).headers['Location'] == '/log'


async def test_a_central_app_can_be_a_microdot_app():
    app, board = Microdot(), Client(browser_app())
    Session(app, secret_key=KEY)

    @app.get('/boards/pump-7')
    async def to_the_pump(request):
        token = issue_login(MASTER, 'pump-7', ANNA, ['read'])
        return handover('http://pump-7.lan/fleet', token, request.args.get('next'))

    res = await Client(app).get('/boards/pump-7?next=/log')
    token = res.text.split('name="token" value="')[1].split('"')[0]
    assert (await enter(board, token, '/log')).headers['Location'] == '/log'
