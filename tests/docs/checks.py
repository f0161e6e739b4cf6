"""What each example of the documentation is to do: a check has the example's name, with `_` for `-`.

`before_NAME`, when there is one, runs first, and `example.shows(text)` has the page searched for what was printed.
"""
import asyncio
import binascii
import builtins
import gc
import os
import sys

from dotlatch import passwords

GOOD = 'correct horse battery staple'
BETTER = 'copper ladder on a green barn'
CHEAP = 1000  # iterations: the defaults are a server's and take a while


class Namespace:
    """Stands in for a module or object of a board."""

    def __init__(self, **names):
        for name in names:
            setattr(self, name, names[name])


def basic(name, password):
    return {'Authorization': 'Basic ' + binascii.b2a_base64((name + ':' + password).encode())[:-1].decode()}


def cookie_of(client):
    return client.cookies.get('session')


async def add_anna(users):
    """The account that the page has its reader make."""
    return await users.create('anna', GOOD)


async def get(client, path, headers=None):
    return await client.get(path, headers=dict(headers or {}))


def cheap_hashes():
    passwords.ITERATIONS = CHEAP


# --- index, README, board ---------------------------------------------------------------------------

async def _basic_page(example):
    await add_anna(example['users'])
    client = example.client()
    refused = await get(client, '/')
    assert refused.status_code == 401
    assert refused.headers['WWW-Authenticate'] == 'Basic realm="Greenhouse", charset="UTF-8"'
    assert (await get(client, '/', basic('anna', 'a wrong guess'))).status_code == 401
    assert (await get(client, '/', basic('nobody', GOOD))).status_code == 401
    assert (await get(client, '/', basic('anna', GOOD))).text == 'Hello, anna'
    with open('users.json') as file:
        assert GOOD not in file.read()


async def index_login(example):
    await _basic_page(example)
    assert example.served == [{'port': 8000}]


async def readme_1(example):
    await _basic_page(example)
    assert example.served == [{'port': 8000}]


async def board_basic(example):
    await _basic_page(example)
    assert example.served == [{'host': '0.0.0.0', 'port': 80}]


class Wlan:
    def __init__(self, kind):
        self.asked = 0
        self.found = True

    def active(self, on):
        assert on

    def connect(self, ssid, password):
        self.found = password == 'its password'

    def isconnected(self):
        self.asked += 1
        return self.found and self.asked > 1

    def ifconfig(self):
        return ('192.168.1.50', '255.255.255.0', '192.168.1.1', '192.168.1.1')


def before_board_wifi():
    sys.modules['network'] = Namespace(WLAN=Wlan, STA_IF=0)


def before_first_hour_boot():
    before_board_wifi()


async def first_hour_boot(example):
    assert example.printed == ['Wi-Fi: 192.168.1.50']
    example.shows(example.printed[0])


async def deploy_app(example):
    await board_basic(example)


async def board_wifi(example):
    example.names['time'] = Namespace(sleep=lambda seconds: None)
    assert example['connect']('my network', 'its password') == '192.168.1.50'
    try:
        example['connect']('my network', 'another')
    except OSError as error:
        assert 'no Wi-Fi' in str(error)
    else:
        raise AssertionError('connected with a wrong password')


def before_board_main():
    before_board_wifi()
    if not hasattr(gc, 'threshold'):
        gc.threshold = lambda size: None
    _read_console()
    sys.modules['wifi'] = Namespace(connect=lambda ssid, password: '192.168.1.50')


_console = []


def _read_console():
    """Keep what modules print; what examples print is kept by who runs them."""
    shown = builtins.print

    def read(*values, **options):
        if 'type this code: ' in str(values):
            _console.append(values[0].strip())
        else:
            shown(*values, **options)

    builtins.print = read


async def _claim(client, code=None, name='anna', password=GOOD):
    return await client.post('/claim', headers={'Content-Type': 'application/x-www-form-urlencoded'}, body=(
        'code=%s&username=%s&password=%s&again=%s' % (code or _console[-1].split(': ')[1], name, password, password)))


async def board_main(example):
    assert example.printed == ['The page is on http://192.168.1.50']
    example.shows(example.printed[0])
    example.shows(_console[-1].split(': ')[0])
    assert example.served[-1] == {'host': '0.0.0.0', 'port': 80}
    client = example.client()
    assert (await get(client, '/')).headers['Location'] == '/claim'
    assert (await _claim(client)).status_code == 400  # the best known of all passphrases
    assert (await _claim(client, password=BETTER)).headers['Location'] == '/'
    assert 'Log out' in (await get(client, '/')).text
    assert (await client.post('/logout')).status_code == 303
    page = await get(client, '/login')
    assert 'type="password"' in page.text and page.headers['Content-Type'].startswith('text/html')
    await _log_in_and_out(example, client, BETTER)
    _errors_of_an_unfinished_app(example)
    os.remove('users.json.copy')
    with open('users.json', 'w') as file:
        file.write('{"users": 5}')
    example.fails(type(example['users']), 'users.json')


def _errors_of_an_unfinished_app(example):
    from dotlatch.login import Login
    from dotlatch.session import session_of
    request = Namespace(app=Namespace(), subapp=None)
    example.fails(session_of, request)
    load = Login()._load(None, None, 1, '')
    example.fails(load.send, None)


async def _log_in_and_out(example, client, password=GOOD):
    sent_away = await get(client, '/')
    assert (sent_away.status_code, sent_away.headers['Location']) == (302, '/login?next=/')
    for_a_program = await get(client, '/', {'Accept': 'application/json'})
    assert for_a_program.status_code == 401
    form = {'Content-Type': 'application/x-www-form-urlencoded'}
    wrong = await client.post('/login', headers=dict(form), body='username=anna&password=guess')
    assert wrong.status_code in (401, 403)
    malformed = await client.post('/login', headers=dict(form), body=b'username=%ff%zz\xff')
    assert malformed.status_code in (400, 401, 403)
    right = await client.post('/login?next=/', headers=dict(form), body='username=anna&password=' + password)
    assert (right.status_code, right.headers['Location']) == (302, '/')
    assert (await get(client, '/')).status_code == 200
    stolen = {'Cookie': 'session=' + cookie_of(client)}
    assert (await client.post('/logout')).status_code == 303
    assert cookie_of(client) is None
    assert (await get(client, '/', stolen)).status_code == 302


def before_board_account():
    before_board_main()
    answers = ['anna', GOOD]
    builtins.input = lambda prompt: answers.pop(0)


async def board_account(example):
    assert example.printed == ['<User anna>']
    example.shows(example.printed[0])
    assert await example['users'].authenticate('anna', GOOD) is not None
    await example.fails_later(example['users'].create('Anna', GOOD))


def before_board_clock():
    before_board_account()
    sys.modules['ntptime'] = Namespace(settime=lambda: None)


async def board_clock(example):
    assert int(example.printed[0]) > 1767225600
    from dotlatch import portable
    await _claim(example.client(), password=BETTER)  # on a board the program does not see what the prompt has written
    await example.client().post('/login', headers={'Content-Type': 'application/x-www-form-urlencoded'},
                                body='username=anna&password=' + GOOD)
    assert len(portable._warned) == 1
    example.shows('dotlatch: ' + portable._warned[0])


# --- claim ------------------------------------------------------------------------------------------

before_claim_basic = _read_console


async def claim_basic(example):
    cheap_hashes()
    code = _console[-1]
    assert len(code.split(': ')[1]) == 11
    example.shows(code.split(': ')[0])
    client = example.client()
    for path in ('/', '/login', '/nowhere'):
        assert (await get(client, path)).headers['Location'] == '/claim'
    assert (await get(client, '/', {'Accept': 'application/json'})).status_code == 503
    assert 'name="code"' in (await get(client, '/claim')).text
    assert (await _claim(client, 'aaaaa-aaaaa')).status_code == 403
    assert (await _claim(client)).headers['Location'] == '/'
    assert (await get(client, '/')).text == 'Hello, anna'
    assert (await get(client, '/claim')).status_code == 404
    if sys.implementation.name == 'micropython':
        assert 'dotlatch.claim' not in sys.modules


def before_claim_button():
    _read_console()
    sys.modules['machine'] = Namespace(Pin=_Button)


class _Button:
    IN = PULL_UP = 1
    level = 1

    def __init__(self, number, mode, pull):
        pass

    def value(self):
        return _Button.level


async def claim_button(example):
    cheap_hashes()
    told = len(_console)
    example['wait_for_owner']()
    assert len(_console) == told  # there is no code
    client = example.client()
    assert (await _claim(client)).status_code == 403
    _Button.level = 0
    assert (await _claim(client)).headers['Location'] == '/'


async def claim_reset(example):
    cheap_hashes()
    client = example.client()
    assert (await _claim(client)).headers['Location'] == '/'
    key = open('secret.key').read()
    example['forget_owner']()
    assert 'users.json' not in os.listdir() and 'users.json.copy' not in os.listdir()
    assert len(example['FileUsers']('users.json')) == 0
    assert example['load_or_create']('secret.key').decode() != key


before_claim_reset = before_claim_access_point = before_claim_button


async def claim_access_point(example):
    cheap_hashes()
    example['wait_for_owner']()
    client = example.client()
    for host in ('connectivitycheck.gstatic.com', 'captive.apple.com'):
        answer = await get(client, '/generate_204', {'Host': host})
        assert answer.headers['Location'] == 'http://192.168.4.1/claim'
        example.shows(answer.headers['Location'])
    for host in ('192.168.4.1', 'greenhouse.local'):
        assert (await get(client, '/claim', {'Host': host})).status_code == 200


# --- CPython ----------------------------------------------------------------------------------------

async def cpython_app(example):
    client = example.client()
    assert (await get(client, '/')).text == 'Visit number 1'
    assert (await get(client, '/')).text == 'Visit number 2'
    assert (await get(client, '/?x=1')).text == 'Visit number 3'


async def cpython_logout(example):
    app, login, users = example.app, example['login'], example['users']
    anna = await add_anna(users)

    @app.get('/in')
    async def log_in(request):
        return await login.login_user(request, anna)

    @app.get('/who')
    @login
    async def who(request):
        return request.g.current_user.name

    phone, desk = example.client(), example.client()
    for client in (phone, desk):
        await get(client, '/in')
        assert (await get(client, '/who')).text == 'anna'
    assert (await phone.post('/logout')).status_code == 303
    assert (await get(desk, '/who')).status_code == 302


async def cpython_test(example):
    from dotlatch.csrf import CSRF
    with_forms = example['Microdot']()
    CSRF(with_forms)

    @with_forms.post('/')
    async def take(request):
        return 'taken'

    client = example['TestClient'](with_forms, cookies={'session': 'a session'})
    assert (await client.post('/')).status_code == 403
    assert (await client.post('/', headers={'Origin': 'http://example.com:1234'})).text == 'taken'


# --- coming from Microdot ---------------------------------------------------------------------------

async def microdot_import(example):
    from dotlatch.session import _SHORT_KEY
    example.shows(_SHORT_KEY)
    assert example.app._session.decode(example.app._session.encode({'x': 1})) == {'x': 1}
    assert example['BasicAuth'] and example['TokenAuth'] and example['with_session']


async def microdot_order(example):
    app, login = example.app, example['login']

    @app.get('/in')
    async def log_in(request):
        return await login.login_user(request, {'id': 0})

    client = example.client()
    assert (await get(client, '/account')).status_code == 302
    await get(client, '/in')
    assert (await get(client, '/account')).text == 'Hello, Anna'


# --- sessions ---------------------------------------------------------------------------------------

async def session_counter(example):
    app, client, with_session = example.app, example.client(), example['with_session']
    first = await get(client, '/')
    assert first.text == 'Visit number 1'
    assert (await get(client, '/')).text == 'Visit number 2'
    attributes = first.headers['Set-Cookie'][0].split('; ')[1:]
    assert sorted(attributes) == ['HttpOnly', 'Path=/', 'SameSite=Lax']
    # The figures of "What fits".
    seen = []

    @app.get('/fill/<int:size>')
    @with_session
    async def fill(request, session, size):
        session.clear()
        session['x'] = 'x' * (size - len('{"x":""}'))
        try:
            session.save()
        except ValueError as error:
            seen.append(str(error))
        return ''

    await get(example.client(), '/fill/1608')
    example.shows('ValueError: ' + seen.pop())
    await get(example.client(), '/fill/1180')
    assert not seen
    await get(example.client(), '/fill/1210')
    assert seen

    @app.get('/bytes')
    @with_session
    async def put_bytes(request, session):
        session['x'] = b'bytes'
        example.fails(session.save)
        return 'failed as it should'

    assert (await get(example.client(), '/bytes')).text == 'failed as it should'


async def session_delete(example):
    client = example.client()
    await get(client, '/')
    stolen = {'Cookie': 'session=' + cookie_of(client)}
    assert (await get(example.client(), '/', stolen)).text == 'Visit number 2'
    assert (await client.post('/forget')).text == 'Forgotten'
    assert cookie_of(client) is None
    assert (await get(example.client(), '/', stolen)).text == 'Visit number 1'


async def session_regenerate(example):
    client = example.client()
    await get(client, '/')
    stolen = {'Cookie': 'session=' + cookie_of(client)}
    assert (await client.post('/pin')).text == 'Open'
    assert (await get(client, '/')).text == 'Visit number 2'
    assert (await get(example.client(), '/', stolen)).text == 'Visit number 1'


async def session_autosave(example):
    client = example.client()
    assert (await client.post('/cart/pear')).text == '1 in the cart'
    assert (await client.post('/cart/plum')).text == '2 in the cart'


async def session_flash(example):
    client = example.client()
    assert (await client.post('/save')).status_code == 302
    assert (await get(client, '/done')).text == 'info: Saved'
    assert (await get(client, '/done')).text == ''


async def session_header(example):
    client = example.client()
    token = (await client.post('/begin')).json['token']
    assert cookie_of(client) is None
    assert (await get(client, '/')).text == 'Visits: None'
    assert (await get(client, '/', {'Authorization': 'Bearer ' + token})).text == 'Visits: 0'


async def session_rotation(example):
    from dotlatch.session import Session
    before = Session(secret_key=example['old'])
    client = example.client()
    client.cookies['session'] = before.encode({'visits': 6})
    assert (await get(client, '/')).text == 'Visit number 7'
    after = Session(secret_key=example['new'])
    assert after.decode(cookie_of(client)) == {'visits': 7}
    assert before.decode(cookie_of(client)) == {}
    example.fails(lambda: Session(secret_key='short', require_strong_key=True))


# --- auth -------------------------------------------------------------------------------------------

async def auth_basic(example):
    records = []
    if sys.implementation.name != 'micropython':
        import logging
        handler = logging.Handler()
        handler.emit = records.append
        logging.getLogger('dotlatch').addHandler(handler)
    await _basic_page(example)
    refused = await get(example.client(), '/')
    example.shows('WWW-Authenticate: ' + refused.headers['WWW-Authenticate'])
    from dotlatch.identity import as_user
    example.fails(as_user, True)
    for record in records[:1]:
        example.shows(record.getMessage())
    assert records or sys.implementation.name == 'micropython'


async def auth_bearer(example):
    client = example.client()
    token = example.printed[0]
    right = await get(client, '/temperature', {'Authorization': 'bearer ' + token})
    assert right.json == {'celsius': 21, 'for': 'pump-7'}
    for given, status in ((None, 401), (token[:-2], 401), ('no token', 400)):
        answer = await get(client, '/temperature', {'Authorization': 'Bearer ' + given} if given else {})
        assert answer.status_code == status
        example.shows(answer.headers['WWW-Authenticate'])


async def auth_optional(example):
    await add_anna(example['users'])
    client = example.client()
    assert (await get(client, '/hello')).text == 'Hello, stranger'
    assert (await get(client, '/hello', basic('anna', GOOD))).text == 'Hello, anna'
    refused = await get(client, '/')
    assert (refused.status_code, refused.json) == (401, {'error': 'log in first'})
    assert 'Basic' in refused.headers['WWW-Authenticate']


async def auth_any_of(example):
    anna = await add_anna(example['users'])
    client = example.client()
    refused = await get(client, '/state')
    assert refused.status_code == 401 and len(refused.headers['WWW-Authenticate']) == 2
    assert (await get(client, '/state', basic('anna', GOOD))).status_code == 403
    anna.scopes = ['read']
    assert (await get(client, '/state', basic('anna', GOOD))).status_code == 200
    token = example['tokens'].encode({'sub': 'pump-7'}, example['key'], typ='pump+jwt')
    forbidden = await get(client, '/state', {'Authorization': 'Bearer ' + token})
    assert forbidden.status_code == 403 and 'scope="read"' in forbidden.headers['WWW-Authenticate']


async def auth_cors(example):
    client = example.client()
    for path in ('/', '/state', '/temperature'):
        for origin, allowed in (('https://shop.example', 'https://shop.example'), ('https://evil.example', None)):
            refused = await get(client, path, {'Origin': origin})
            assert refused.status_code == 401 and refused.headers['WWW-Authenticate']
            assert refused.headers.get('Access-Control-Allow-Origin') == allowed


async def auth_events(example):
    await add_anna(example['users'])
    client = example.client()
    assert (await get(client, '/log', basic('anna', 'a guess'))).status_code == 401
    answer = await get(client, '/log', basic('anna', GOOD))
    told = [(event['event'], event['method'], event['reason']) for event in answer.json]
    assert told == [('login_failed', 'Basic', 'password')] and 'guess' not in answer.text


# --- login ------------------------------------------------------------------------------------------

async def login_form(example):
    anna = await add_anna(example['users'])
    client = example.client()
    assert 'type="password"' in (await get(client, '/login')).text
    await _log_in_and_out(example, client)
    _errors_of_an_unfinished_app(example)
    anna.is_active = False
    login = example['login']
    await example.fails_later(login.login_user(None, anna))
    login.users = None
    await example.fails_later(login.login(None, 'anna', GOOD))
    from dotlatch.identity import user_id
    example.fails(user_id, {'name': 'anna'})


async def login_mounted(example):
    await add_anna(example['users'])
    client = example.client()
    sent_away = await get(client, '/rooms/kitchen')
    assert (sent_away.status_code, sent_away.headers['Location']) == (302, '/login?next=/rooms/kitchen')
    form = {'Content-Type': 'application/x-www-form-urlencoded'}
    answer = await client.post('/login?next=/rooms/kitchen', headers=form, body='username=anna&password=' + GOOD)
    assert answer.headers['Location'] == '/rooms/kitchen'
    assert (await get(client, '/rooms/kitchen')).text == 'The kitchen of anna'


async def login_password(example):
    await add_anna(example['users'])
    form = {'Content-Type': 'application/x-www-form-urlencoded'}
    here, elsewhere = example.client(), example.client()
    for client in (here, elsewhere):
        await client.post('/login', headers=dict(form), body='username=anna&password=' + GOOD)
        assert (await get(client, '/')).text == 'Hello, anna'
    for body, status in (('current=guess&new=a+long+enough+one', 403), ('current=' + GOOD + '&new=short', 400),
                         ('current=' + GOOD + '&new=a+long+enough+one', 302)):
        assert (await here.post('/password', headers=dict(form), body=body)).status_code == status
    assert (await get(here, '/')).text == 'Hello, anna'
    assert (await get(elsewhere, '/')).status_code == 302


FORM = {'Content-Type': 'application/x-www-form-urlencoded'}


async def post(client, path, body=''):
    return await client.post(path, headers=dict(FORM), body=body)


async def login_loader(example):
    client = example.client()
    assert (await post(client, '/badge', 'badge=1')).status_code == 403
    await post(client, '/badge', 'badge=0042')
    login, app = example['login'], example.app

    @app.get('/badge-holder')
    @login
    async def holder(request):
        return request.g.current_user['name']

    assert (await get(client, '/badge-holder')).text == 'anna'


async def login_fresh(example):
    await add_anna(example['users'])
    client = example.client()
    await post(client, '/login', 'username=anna&password=' + GOOD)
    assert (await get(client, '/alarm')).text == 'The alarm is off'
    sent = await get(example.client(), '/alarm')
    assert (sent.status_code, sent.headers['Location']) == (302, '/login?next=/alarm')


async def login_guards(example):
    await example['users'].create('gardener', GOOD)
    await add_anna(example['users'])
    client = example.client()
    refused = await post(client, '/garden', 'username=gardener&password=' + GOOD)
    assert (refused.status_code, refused.text) == (401, 'The greenhouse is closed until March.')
    assert (await post(client, '/garden', 'username=anna&password=' + GOOD)).status_code == 302


async def login_token(example):
    await example['users'].create('anna', GOOD, ['pump'])
    client = example.client()
    assert (await get(client, '/menu')).text == 'Please log in'
    await post(client, '/login', 'username=anna&password=' + GOOD)
    assert (await get(client, '/menu')).text == 'anna (fresh), may pump'


async def impersonation_support(example):
    users, client = example['users'], example.client()
    await add_anna(users)
    await users.create('bob', GOOD, ['support'])
    login, app = example['login'], example.app

    @app.post('/enter/<name>')
    async def enter(request, name):
        return await login.login_user(request, users.get_by_name(name))

    await post(client, '/enter/bob')
    assert (await get(client, '/')).text == 'bob'
    assert (await post(client, '/support/anna')).status_code == 302
    assert (await get(client, '/')).text == 'anna, and really bob'
    assert (await post(client, '/support/anna')).status_code == 403
    await post(client, '/support-end')
    assert (await get(client, '/')).text == 'bob'


async def impersonation_guard(example):
    await impersonation_support(example)


# --- events -----------------------------------------------------------------------------------------

def before_events_list():
    cheap_hashes()


before_events_on = before_events_list


async def events_list(example):
    assert example.printed == ['user_disabled anna', 'user_created anna', 'now: user_created', 'now: user_disabled']
    event = example['events'].recent(1)[0]
    assert sorted(event) == ['event', 'name', 'time', 'uptime', 'user'] and event['time'] is not None


async def events_on(example):
    assert example.printed == ['now: login_failed', '1 192.168.1.23']


# --- throttle ---------------------------------------------------------------------------------------

async def throttle_basic(example):
    await add_anna(example['users'])
    client = example.client()
    for _ in range(11):
        assert (await get(client, '/', basic('anna', 'guess'))).status_code == 401
    refused = await get(client, '/', basic('anna', GOOD))
    example.shows('HTTP/1.0 %d %s' % (refused.status_code, refused.reason or refused.text))
    example.shows('Retry-After: ' + refused.headers['Retry-After'])
    await asyncio.sleep(1.1)
    assert (await get(client, '/', basic('anna', GOOD))).status_code == 200


async def throttle_form(example):
    await add_anna(example['users'])
    client = example.client()
    form = {'Content-Type': 'application/x-www-form-urlencoded'}
    answers = []
    for _ in range(12):
        answers.append((await client.post('/check', headers=dict(form), body='username=anna&password=x')).status_code)
    assert answers == [403] * 11 + [429]
    await asyncio.sleep(1.1)
    right = await client.post('/check', headers=dict(form), body='username=anna&password=' + GOOD)
    assert right.text == 'Welcome'


async def throttle_file(example):
    throttle = example['throttle']
    for _ in range(11):
        assert await throttle.attempt('anna', '192.168.1.23') == 0
    assert await throttle.attempt('anna', '192.168.1.23') == 1
    again = type(throttle)(path='throttle.bin')
    assert await again.attempt('anna', '192.168.1.24') == 1


async def throttle_own(example):
    throttle = example['auth'].throttle
    for end in (throttle.succeeded, throttle.undecided):
        assert await throttle.attempt('anna', 'here') == 0
        assert await throttle.attempt('bob', 'there') == 1
        await end('anna', 'here')
    assert await throttle.attempt('', '') == 0


before_throttle_basic = before_throttle_form = cheap_hashes


# --- passwords, users -------------------------------------------------------------------------------

async def passwords_hash(example):
    assert example.printed == ['True', 'False', 'False']
    assert passwords.ITERATIONS == (2500 if sys.implementation.name == 'micropython' else 600000)
    assert passwords.MAX_ITERATIONS == (1000000 if sys.implementation.name == 'micropython' else 10000000)
    await example.fails_later(passwords.hash_password(b'bytes'))
    await example.fails_later(passwords.hash_password('x' * 4097))
    await example.fails_later(passwords.hash_password('x', iterations=0))
    hashed = (await passwords.hash_password('x', iterations=2500)).split('$')
    example.shows('$'.join(hashed[:2]))
    assert [len(part) for part in hashed[2:]] == [22, 44]


def before_users_file():
    cheap_hashes()


before_users_changes = before_users_judged = before_users_own = before_users_file


async def users_file(example):
    from dotlatch.users import FileUsers, MemoryUsers
    assert example.printed == ['<User anna>', 'None', 'True']
    users = FileUsers('users.json', max_users=2)
    await example.fails_later(users.create('Anna', GOOD))
    await example.fails_later(users.create(' ben', GOOD))
    await example.fails_later(users.create('b\nen', GOOD))
    await users.create('ben', GOOD)
    await example.fails_later(users.create('carl', GOOD))
    assert len(MemoryUsers()) == 0 and len(users) == 2
    os.remove('users.json.copy')
    with open('users.json', 'w') as file:
        file.write('not these')
    example.fails(FileUsers, 'users.json')


async def users_changes(example):
    assert example.printed == ['False', 'True', "['annette']", '0']


async def users_judged(example):
    from dotlatch.users import FileUsers
    assert example.printed == ['15 characters at least, and not the name of something']
    users = FileUsers('more.json', check_password=example['judge'])
    assert len(users) == 0
    await users.create('anna', GOOD)
    try:
        await users.create('fifteen letters', 'fifteen letters')
        raise AssertionError()
    except ValueError as error:
        assert str(error) == example.printed[0]


async def users_by_token(example):
    assert example.printed == ["anna ['read']"]


async def users_own(example):
    check = example['check']
    assert await check(None, 'anna', GOOD) == {'id': 'anna', 'name': 'anna'}
    assert await check(None, 'anna', 'guess') is None
    assert await check(None, 'nobody', GOOD) is None


# --- users in a database ----------------------------------------------------------------------------

before_database_users = before_database_login = before_database_own = cheap_hashes
before_database_keys = before_database_alembic = before_database_instances = cheap_hashes


async def database_users(example):
    assert example.printed == ['<User anna>', 'None', 'None']
    example.shows('``<User anna>``, ``None`` and ``None``')


async def database_login(example):
    users = example['users']
    await users.enable(await users.get_by_name('anna'))
    client = example.client()
    assert (await get(client, '/')).status_code == 302
    for password, status in (('a wrong guess', 401), (GOOD, 302)):
        body = 'username=anna&password=' + password.replace(' ', '+')
        res = await client.post('/login', headers={'Content-Type': 'application/x-www-form-urlencoded'}, body=body)
        assert res.status_code == status
    assert (await get(client, '/')).text == 'Hello, anna'
    await users.close()


async def database_keys(example):
    assert example.printed == ["Weather display ['read']"]
    example.shows(example.printed[0])
    client, text = example.client(), example['text']
    answer = await get(client, '/temperature', {'X-API-Key': text})
    assert answer.json == {'celsius': 21, 'for': 'bert'}
    assert (await get(client, '/temperature', {'X-API-Key': text[:-1] + '~'})).status_code == 401
    bert = await example['users'].get_by_name('bert')
    await example['users'].remove(bert)
    assert (await get(client, '/temperature', {'X-API-Key': text})).status_code == 401
    assert await example['keys'].revoke_user(bert) == 1
    await example['users'].close()


async def database_alembic(example):
    assert sorted(example['Base'].metadata.tables) == ['accounts', 'api_keys', 'logins']
    for name in ('members', 'logins', 'api_keys'):
        await example[name].create_all()
    ada = await example['members'].create('ada', GOOD)
    await example['api_keys'].create(ada, 'pump')
    await example['members'].close()


async def database_instances(example):
    assert example.printed == ['True Good morning, carla@example.com']
    example.shows(example.printed[0])
    assert type(await example['gardeners'].get_by_name('carla@example.com')) is example['Gardener']
    await example['gardeners'].close()


async def database_own(example):
    assert example.printed == ['True Graz']
    example.shows(example.printed[0])
    assert await example['accounts'].authenticate('bert@example.com', GOOD) is not None
    await example['accounts'].close()


# --- beside a Django project ------------------------------------------------------------------------

def _migrate():
    """The tables that Django has made, and an account of its own."""
    import subprocess
    from pathlib import Path
    project = Path(__file__).resolve().parents[2] / 'examples' / 'django_neighbour'
    os.environ.update(SHOP_DATA=os.getcwd(), SECRET_KEY='django-insecure-0123456789abcdefghijklmnopqrstuvw',
                      PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    for arguments in (['migrate', '--verbosity', '0'], ['shell', '--verbosity', '0', '-c', (
            'from django.contrib.auth.models import User\n'
            "User.objects.create_user('anna', 'anna@example.com', %r, is_staff=True)" % GOOD)]):
        subprocess.run([sys.executable, str(project / 'manage.py')] + arguments, check=True, timeout=60)


before_django_login = before_django_users = before_django_own = _migrate


async def django_login(example):
    users = example['users']
    client = example.client()
    assert (await get(client, '/')).status_code == 302
    for password, status in (('a wrong guess', 401), (GOOD, 302)):
        body = 'username=anna&password=' + password.replace(' ', '+')
        res = await client.post('/login', headers={'Content-Type': 'application/x-www-form-urlencoded'}, body=body)
        assert res.status_code == status
    assert list(client.cookies) == ['sessionid']
    assert (await get(client, '/')).text == 'Hello, anna'
    await users.close()


async def django_users(example):
    assert example.printed == ["anna anna@example.com True ['staff']", "['staff']"]
    example.shows("``anna anna@example.com True ['staff']`` and ``['staff']``")
    users = example['users']
    anna = await users.authenticate('anna', 'another horse battery staple')
    assert (anna.first_name, anna.email) == ('Anna', 'anna@example.com')
    await users.close()


async def django_own(example):
    assert example['accounts'].extra == ('city',)


# --- tokens, JSON, portable, helpers ----------------------------------------------------------------

async def tokens_encode(example):
    assert example.printed == ['anna', 'for another purpose']
    for line in example.printed:
        example.shows(line)
    tokens, key = example['tokens'], example['key']
    old = tokens.encode({'exp': 1}, key)
    for token, error in (('a.b', tokens.InvalidToken), ('a.b.c', tokens.InvalidSignature),
                         (old, tokens.ExpiredToken)):
        try:
            tokens.decode(token, key)
        except tokens.TokenError as found:
            assert type(found) is error
            example.shows(str(found))
        else:
            raise AssertionError(error)
    example.fails(tokens.encode, {'x': b'bytes'}, key)
    example.fails(tokens.encode, {'exp': 'tomorrow'}, key)


async def tokens_audience(example):
    assert example.printed == ['anna', 'for another audience']


async def tokens_links(example):
    client = example.client()
    link = (await get(client, '/share')).text
    assert link.startswith('/log.csv?day=3&expires=')
    assert (await get(client, link)).text == 'time,celsius\n'
    assert (await get(client, link.replace('day=3', 'day=4'))).status_code == 403
    assert (await get(client, '/log.csv?day=3')).status_code == 403


async def strictjson_refuses(example):
    line = example.printed.pop(0)
    assert example['loads'](eval(line)) == {'name': 'Anna', 'scopes': ['admin']}
    assert example.printed == ['refused'] * 4
    dumps = example['dumps']
    deep = []
    for _ in range(40):
        deep = [deep]
    for value in (b'', {1}, {1: 1}, 1e999, deep):
        example.fails(dumps, [value])


async def portable_clock(example):
    clock, uptime, code, same = example.printed
    assert int(clock) > 1767225600 and int(uptime) >= 0 and len(code) == 43 and same == 'True'


async def portable_call(example):
    assert example.printed == ['Hello, Anna'] * 3


async def helpers_all(example):
    assert example.printed == ['43', '/log?day=3', '/', 'None', 'True']


async def helpers_form(example):
    client = example.client()
    form = {'Content-Type': 'application/x-www-form-urlencoded'}
    assert (await client.post('/name', headers=dict(form), body='name=Anna')).text == 'Hello, Anna'
    assert (await client.post('/name', body={'name': 'Anna'})).text == 'Hello, Anna'
    assert (await client.post('/name', headers=dict(form), body=b'name=\xff')).status_code == 400
    assert (await client.post('/name', body={'name': 5})).status_code == 400
    assert (await client.post('/name')).text == 'Hello, stranger'


async def patience_basic(example):
    app = example.app
    assert example.served == [{'port': 8000}]
    assert (await example.client().get('/')).text == 'Hello'
    silent = [Silent() for _ in range(9)]
    tasks = [asyncio.create_task(app.handle_request(one, one)) for one in silent]
    for _ in range(20):
        await asyncio.sleep(0)
    assert [one.closed for one in silent] == [True] + [False] * 8  # eight on their way, the oldest closed
    for task in tasks[1:]:
        task.cancel()
    await asyncio.sleep(0)


class Silent:
    closed = False

    def get_extra_info(self, name):
        return ('192.168.1.20', 50000)

    async def readline(self):
        await asyncio.sleep(3600)

    async def aclose(self):
        self.closed = True


# --- about ------------------------------------------------------------------------------------------

async def security_stolen(example):
    assert example.printed == ['Anna', 'nobody']


def before_decisions_imports():
    for name in [name for name in sys.modules if name.startswith('dotlatch')]:
        del sys.modules[name]


async def decisions_imports(example):
    assert example.printed == ['auth', 'identity', 'portable']


async def benchmarks_count(example):
    assert any(line.startswith('100 tokens verified in ') for line in example.printed)


async def stores_memory(example):
    client = example.client()
    assert (await get(client, '/')).text == 'Visit number 1'
    assert (await get(client, '/')).text == 'Visit number 2'
    assert len(client.cookies['session'].split('=')[-1]) == 45


async def stores_list(example):
    app = example['app']

    @app.post('/enter')
    async def enter(request):
        return await example['login'].login_user(request, {'id': 'anna'})

    first, second = example.client(), example.client()
    for client in (first, second):
        await client.post('/enter')
    listed = (await get(first, '/sessions')).json
    assert len(listed) == 2 and listed[0]['id'] != listed[1]['id'], listed
    assert (await first.post('/sessions/end-others')).text == '1 ended'
    assert (await get(second, '/sessions')).status_code == 302


# --- redis ------------------------------------------------------------------------------------------

def before_redis_app():
    import atexit

    from stores import servers
    cheap_hashes()
    server = servers.Redis()
    atexit.register(server.remove)
    server.start()
    os.environ['REDIS_URL'] = server.url
    os.environ['SECRET_KEY'] = '0123456789abcdef' * 4


before_redis_cookies = before_redis_others = before_redis_numbers = before_redis_app


async def _anna_comes_and_goes(example):
    from dotlatch.server.redis import RedisBackend
    app = example['app']

    @app.post('/logout')
    async def log_out(request):
        await example['login'].logout_user(request)
        return 'bye'

    await add_anna(example['users'])
    client = example.client()
    fields = {'Content-Type': 'application/x-www-form-urlencoded', 'Accept': 'text/html'}
    assert (await client.post('/login', headers=dict(fields), body='username=anna&password=wrong')).status_code == 401
    body = 'username=anna&password=' + GOOD.replace(' ', '+')
    assert (await client.post('/login', headers=dict(fields), body=body)).status_code == 302
    assert (await get(client, '/')).text == 'Hello, anna'
    kept = dict(client.cookies)
    await client.post('/logout', headers=dict(fields))
    client.cookies.update(kept)
    assert (await get(client, '/', fields)).status_code == 302
    other = RedisBackend(os.environ['REDIS_URL'])
    await other.revoked.sync()
    assert other.revoked.is_empty is (app._session.store is not None)
    await other.close()


async def redis_app(example):
    await _anna_comes_and_goes(example)
    await example['redis'].close()


async def redis_cookies(example):
    await _anna_comes_and_goes(example)
    await example['redis'].close()


async def redis_others(example):
    app, digest, ticket = example['app'], example['digest'], example['ticket']
    digest.authenticate(lambda request, name: None)
    ticket.user_loader(lambda user_id: {'id': user_id})
    ticket.anywhere = True

    @app.get('/digest')
    @digest
    async def by_digest(request):
        return 'in'

    @app.get('/ticket')
    async def issue(request):
        request.g.current_user = {'id': 'anna'}
        return await ticket.issue(request)

    @app.get('/ticketed')
    @ticket
    async def by_ticket(request):
        return 'in'

    client = example.client()
    challenge = (await get(client, '/digest')).headers['WWW-Authenticate']
    assert len(challenge.partition('nonce="')[2].partition('"')[0]) == 40
    path = '/ticketed?ticket=' + (await get(client, '/ticket')).text
    assert (await get(client, path)).status_code == 200
    assert (await get(client, path)).status_code == 401
    await example['redis'].close()


async def redis_numbers(example):
    throttle = example['throttle']
    for i in range(7):
        assert await throttle.attempt('anna', 'far') == (1 if i == 6 else 0)
    await example['redis'].close()


# --- digest -----------------------------------------------------------------------------------------

def _digest(challenge, name, password, nc=1, **changed):
    """What a client answers to a challenge for GET /."""
    import hashlib

    def h(*parts):
        return binascii.hexlify(hashlib.sha256(':'.join(parts).encode()).digest()).decode()

    nonce = challenge.split('nonce="')[1].split('"')[0]
    count = '%08x' % nc
    response = h(h(name, 'Greenhouse', password), nonce, count, 'x', 'auth', h('GET', '/'))
    return {'Authorization': 'Digest username="%s", realm="Greenhouse", nonce="%s", uri="/", algorithm=SHA-256, '
                             'qop=auth, nc=%s, cnonce="x", response="%s"%s' % (
                                 changed.get('username', name), nonce, count, response, changed.get('more', ''))}


async def _digest_answer(example, password, **changed):
    client = example.client()
    challenge = (await get(client, '/')).headers['WWW-Authenticate']
    return await get(client, '/', _digest(challenge, 'anna', password, **changed))


async def digest_page(example):
    from dotlatch.digest import DigestAuth
    right = await _digest_answer(example, GOOD)
    assert right.text == 'Hello, Anna' and 'rspauth=' in right.headers['Authentication-Info']
    example.shows('$ curl --digest --user anna http://192.168.1.50/')
    example.shows(right.text)
    assert (await _digest_answer(example, 'a guess')).status_code == 401
    if sys.implementation.name == 'micropython':
        example.fails(lambda: DigestAuth(algorithms=('SHA-512-256',)))


async def digest_keep(example):
    example.shows(example.printed[0])
    assert (await _digest_answer(example, GOOD)).status_code == 401
    assert (await _digest_answer(example, 'another fine password')).text == 'Hello, anna'
    from dotlatch import files, portable, strictjson
    assert strictjson.loads(files.read('digest.json')) == example['users']
    portable._warned.clear()
    example['auth'].realm = 'Glasshouse'
    assert example['auth']._ha1(example['users']['anna'], b'SHA-256') == b''
    example.shows(portable._warned[0])


async def digest_hidden(example):
    hidden = example['make_userhash']('anna', 'Greenhouse')
    answer = await _digest_answer(example, 'another fine password', username=hidden, more=', userhash=true')
    assert answer.text == 'Hello, anna'


# --- totp -------------------------------------------------------------------------------------------

def _code(example):
    from dotlatch.totp import current_step
    return example['totp'].code_at(current_step())


async def _form(client, path, **fields):
    body = '&'.join(['%s=%s' % (name, fields[name]) for name in fields])
    return await client.post(path, headers={'Content-Type': 'application/x-www-form-urlencoded'}, body=body)


async def _opens_once(example, path):
    client = example.client()
    code = _code(example)
    wrong = '000000' if code[0] > '0' else '999999'
    for given, status in (('', 403), (wrong, 403), (code[:5], 403), (code, 200), (code, 403)):
        assert (await _form(client, path, code=given)).status_code == status, (given, status)


def before_totp_second():
    cheap_hashes()


before_totp_enrol = before_totp_account = before_totp_second


async def _log_in(example, code=None):
    """A browser that has sent anna's password, and the code; and where it was sent at last."""
    client = example.client()
    res = await _form(client, '/login', username='anna', password=GOOD.replace(' ', '+'))
    if code is not None:
        assert (res.status_code, res.headers['Location']) == (302, '/login/code')
        assert (await _form(client, '/login/code', code='000')).status_code == 401
        res = await _form(client, '/login/code', code=code)
    assert res.status_code == 302
    return client, res.headers['Location']


async def totp_second(example):
    from dotlatch.totp import current_step
    anna = await add_anna(example['users'])
    client = example.client()
    assert (await _form(client, '/login', username='anna', password='guess')).status_code == 401
    assert (await _log_in(example))[1] == '/'
    second = example['second']
    app = second.begin(anna)
    codes = await second.confirm(anna, app.stored(), app.code_at(current_step()))
    code = app.code_at(current_step() + 1)
    assert (await _log_in(example, code))[1] == '/'
    client, _ = await _log_in(example, codes[0].lower())
    await _log_in(example, codes[1])
    assert (await _form(client, '/login/code', code=code)).status_code == 401


async def _enrolled(example):
    """The app of anna's phone, and her recovery codes, by the two pages."""
    from dotlatch.totp import current_step, load
    await add_anna(example['users'])
    client, _ = await _log_in(example)
    assert (await _form(client, '/second', code='123456')).headers['Location'] == '/second'
    page = (await get(client, '/second')).text
    example.shows(page[page.index('otpauth:'):].split('?')[0])
    app = load('SHA1$6$' + page.split('secret=')[1].split('&')[0])
    assert (await _form(client, '/second', code='000')).status_code == 400
    answer = (await _form(client, '/second', code=app.code_at(current_step()))).text
    assert (await get(client, '/second')).status_code == 302          # logged out
    return app, answer.split(': ')[1].split(', ')


async def totp_enrol(example):
    from dotlatch.totp import current_step
    app, codes = await _enrolled(example)
    client, _ = await _log_in(example, app.code_at(current_step() + 1))
    assert len(codes) == 10 and example['second'].is_on(example['users'].get_by_name('anna'))
    assert (await get(client, '/second')).status_code == 200


async def totp_account(example):
    _, codes = await _enrolled(example)
    client, _ = await _log_in(example, codes[0])
    assert (await get(client, '/second/left')).text == '9 codes are left'
    answer = await _form(client, '/second/codes')
    assert len(answer.text.split(': ')[1].split(', ')) == 10 and codes[1] not in answer.text
    assert (await get(client, '/second/left')).text == '10 codes are left'
    other = example.client()
    assert (await _form(other, '/second/off')).status_code == 302 and example['second'].codes_left(
        example['users'].get_by_name('anna')) == 10
    assert (await _form(client, '/second/off')).headers['Location'] == '/login'
    assert not example['second'].is_on(example['users'].get_by_name('anna'))
    assert (await get(client, '/second/left')).status_code == 302      # its session has ended


async def totp_door(example):
    uri = example.printed[0]
    assert len(uri.split('secret=')[1].split('&')[0]) == 32
    example.shows(uri.split('?')[0])
    example.shows(uri[uri.index('&issuer='):])
    await _opens_once(example, '/door')


async def totp_setup(example):
    from dotlatch.totp import current_step, load
    user = {'id': 'bert'}
    uri, secret = example['begin'](user)
    assert secret in uri and 'totp' not in user
    assert example['confirm'](user, '') is False and 'totp' not in user
    code = load(user['totp_new']).code_at(current_step())
    assert example['confirm'](user, code) is True and 'totp_new' not in user
    assert load(user['totp']).verify(code, user['totp_step']) is None


async def totp_file(example):
    use = example['use_in_file']
    assert [use({'id': 'anna'}, step) for step in (5, 5, 4, 6, 6)] == [True, False, False, True, False]
    assert use({'id': 'bert'}, 5) is True


async def totp_memory(example):
    from dotlatch import portable
    client = example.client()
    assert (await _form(client, '/window', code=_code(example))).status_code == 403  # just started
    example['used']._began -= 90000
    await _opens_once(example, '/window')
    assert portable.now() is not None


async def totp_clock(example):
    from dotlatch import portable
    kept = portable._wall_clock
    portable._wall_clock = lambda: 0
    try:
        for path in ('/door', '/window'):
            assert (await _form(example.client(), path, code='123456')).status_code == 503
    finally:
        portable._wall_clock = kept


async def totp_recovery(example):
    codes = '\n'.join(example.printed).split('\n')[-10:]
    client = example.client()
    answer = await _form(client, '/recover', code=codes[3].lower())
    assert answer.status_code == 200 and answer.text == 'Welcome. 9 codes are left.'
    for code in (codes[3], 'ABCD-ABCD-ABCD-ABCD', ''):
        assert (await _form(client, '/recover', code=code)).status_code == 403
    assert (await _form(client, '/recover', code=codes[0])).text == 'Welcome. 8 codes are left.'


# --- fleet, jwks, tokens as logins ------------------------------------------------------------------

def _bearer(token):
    return {'Authorization': 'Bearer ' + token}


async def tokens_login(example):
    from microdot.test_client import TestClient
    client = TestClient(example['api'])
    token = example.printed[-1]
    assert (await get(client, '/temperature', _bearer(token))).json == {'celsius': 21, 'for': 'pump-7'}
    encode, claims, key = example['tokens'].encode, example['claims'], example['key']
    for other in (encode(claims, key, typ='at+jwt'), encode(claims, key, ttl=3600), encode({}, key, 'at+jwt', 3600)):
        assert (await get(client, '/temperature', _bearer(other))).status_code == 401


async def tokens_user(example):
    from microdot.test_client import TestClient
    client = TestClient(example['api'])
    for scope, status in (('read', 200), ('write', 403), (None, 200)):
        claims = {'sub': 'pump-7', 'aud': 'greenhouse'}
        if scope:
            claims['scope'] = scope
        token = example['tokens'].encode(claims, example['key'], typ='at+jwt', ttl=60)
        answer = await get(client, '/temperature', _bearer(token))
        assert answer.status_code == status and (status == 403 or answer.json['for'] == 7), scope


async def fleet_script(example):
    from dotlatch import fleet, portable
    client = example.client()
    answer = await get(client, '/pressure', _bearer(example['token']))
    assert answer.json == {'bar': 2, 'for': 'Anna'}
    example.shows('{"bar": 2, "for": "Anna"}')
    master = example['master_key']
    for key, board_id in ((master, 'pump-8'), (master + b'x', 'pump-7')):
        token = fleet.issue(key, board_id, 'anna', ['read'])
        assert (await get(client, '/pressure', _bearer(token))).status_code == 401
    example.fails(fleet.FleetAuth, example['key'] + '\n', 'pump-7')
    kept = portable._wall_clock
    portable._wall_clock = lambda: 0
    try:
        answer = await get(client, '/pressure', _bearer(example['token']))
        example.shows('WWW-Authenticate: ' + answer.headers['WWW-Authenticate'])
    finally:
        portable._wall_clock = kept


async def fleet_central(example):
    from microdot.test_client import TestClient
    central = example['central']

    @central.post('/enter')
    async def enter(request):
        return await example['login'].login_user(request, {'id': 7})

    client = TestClient(central)
    assert (await get(client, '/boards/pump-7')).headers['Location'] == '/login?next=/boards/pump-7'
    await client.post('/enter')
    page = (await get(client, '/boards/pump-7?next=/log')).text
    assert 'action="http://pump-7.lan/fleet"' in page and 'value="/log"' in page
    return page.split('name="token" value="')[1].split('"')[0]


async def fleet_board(example):
    from microdot.test_client import TestClient
    token = await fleet_central(example)
    client = example.client()
    answer = await get(client, '/', {'Accept': 'text/html'})
    assert answer.headers['Location'] == 'https://central.lan/boards/pump-7?next=/'
    for origin, status in (('http://evil.lan', 403), ('https://central.lan', 303), ('https://central.lan', 401)):
        answer = await client.post('/fleet', body='token=' + token, headers={
            'Origin': origin, 'Content-Type': 'application/x-www-form-urlencoded'})
        assert answer.status_code == status, origin
    for app in (example['app'], example['central']):
        @app.post('/change')
        async def change(request):
            return 'changed'

        for origin, status in (('http://evil.lan', 403), ('http://localhost:5000', 200)):
            answer = await TestClient(app).post('/change', headers={'Origin': origin, 'Host': 'localhost:5000'})
            assert answer.status_code == status, origin
    assert (await get(client, '/')).text == 'Hello, Anna'
    assert (await get(example.client(), '/', _bearer(example['token']))).text == 'Hello, Anna'
    assert (await get(example.client(), '/pressure', _bearer(token))).status_code == 401


def _published(example):
    """Stands in for the provider: publishes a key, and returns a function that makes tokens with it."""
    import json
    import time

    import jwt
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    entry = jwt.algorithms.ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    text = json.dumps({'keys': [{'kid': '1', 'kty': 'EC', 'crv': 'P-256', 'x': entry['x'], 'y': entry['y']}]}).encode()
    example['keys']._fetch = lambda url, timeout: text

    def make(**changed):
        claims = {'iss': 'https://login.example', 'aud': 'greenhouse', 'sub': 'anna@example', 'scope': 'read',
                  'exp': int(time.time()) + 60}
        claims.update(changed)
        return jwt.encode(claims, private, 'ES256', headers={'kid': '1'})
    return make


async def jwks_issuer(example):
    from dotlatch.server import jwks
    client = example.client()

    def refuse(url, timeout):
        raise ConnectionRefusedError(111, 'Connection refused')

    said = []
    jwks.warn = said.append
    example['keys']._fetch = refuse
    make = _published(example)
    example['keys']._fetch, good = refuse, example['keys']._fetch
    assert (await get(client, '/temperature', _bearer(make()))).status_code == 503
    example.shows(said[0])
    example['keys']._fetch, example['keys']._next = good, 0
    assert (await get(client, '/temperature', _bearer(make()))).json == {'celsius': 21, 'for': 'anna@example'}
    for token in (make(aud='doors'), make(iss='https://evil.example'), make(exp=1)):
        assert (await get(client, '/temperature', _bearer(token))).status_code == 401
    example.fails(jwks.Issuer, 'https://login.example', 'greenhouse', example['keys'], ['HS256'])


async def jwks_users(example):
    make = _published(example)
    answer = await get(example.client(), '/temperature', _bearer(make()))
    assert answer.json == {'celsius': 21, 'for': 7}
    assert (await get(example.client(), '/temperature', _bearer(make(scope='write')))).status_code == 403
    assert (await get(example.client(), '/temperature', _bearer(make(sub='bert@example')))).status_code == 401


async def jwks_claims(example):
    make = _published(example)
    app, bearer = example.app, example['bearer']

    @app.get('/name')
    @bearer
    async def name(request):
        return request.g.current_user

    assert (await get(example.client(), '/name', _bearer(make()))).text == 'anna@example'
    assert (await get(example.client(), '/name', _bearer(make(aud='doors')))).status_code == 401


# --- guard ------------------------------------------------------------------------------------------

async def guard_app(example):
    await _basic_page(example)
    client = example.client()
    assert (await get(client, '/health')).text == 'fine'
    assert (await get(client, '/nowhere')).status_code == 401
    assert (await get(client, '/nowhere', basic('anna', GOOD))).status_code == 404


async def guard_login(example):
    from microdot.test_client import TestClient
    await add_anna(example['users'])
    client = TestClient(example['site'])
    assert (await get(client, '/')).headers['Location'] == '/login?next=/'
    assert (await get(client, '/', {'Accept': 'application/json'})).status_code == 401
    assert (await get(client, '/login')).status_code == 200
    assert (await get(client, '/', basic('anna', GOOD))).text == 'Hello, anna'


# --- WebSockets, proxies ----------------------------------------------------------------------------

ORIGIN = 'http://example.com:1234'  # of Microdot's test client


async def _heard(client, path, headers, message):
    """What a WebSocket says first; None when it does not open."""
    heard = []

    def talk():
        heard.append((yield message))

    await client.websocket(path, talk, headers=dict(headers))
    return heard[0] if heard else None


async def websocket_live(example):
    anna = await add_anna(example['users'])
    login, client = example['login'], example.client()

    @example.app.get('/in')
    async def log_in(request):
        return await login.login_user(request, anna)

    @example.app.get('/out')
    async def log_out(request):
        await login.logout_user(request)
        return 'bye'

    await get(client, '/in')
    cookie = {'Cookie': 'session=' + cookie_of(client)}
    for origin, expected in ((ORIGIN, 'anna says hi'), ('http://evil.example', None), ('null', None)):
        assert await _heard(client, '/ws', dict(cookie, Origin=origin), 'hi') == expected, origin
    assert await _heard(client, '/ws', cookie, 'hi') is None
    await get(client, '/out')
    assert await _heard(client, '/ws', dict(cookie, Origin=ORIGIN), 'hi') is None


before_websocket_live = before_websocket_allow = before_websocket_ticket = cheap_hashes
before_websocket_hosts = cheap_hashes


async def websocket_allow(example):
    assert example.app._allowed_origins == ('https://app.example',)


async def websocket_ticket(example):
    from dotlatch import tokens
    anna = await add_anna(example['users'])
    client = example.client()
    token = tokens.encode({'sub': anna.id}, example['key'], typ='page+jwt')
    assert (await client.post('/ticket')).status_code == 401
    ticket = (await client.post('/ticket', headers={'Authorization': 'Bearer ' + token})).json['ticket']
    assert await _heard(client, '/ws?ticket=' + ticket, {}, 'water') is None
    for expected in ('water for anna', None):
        assert await _heard(client, '/feed?ticket=' + ticket, {}, 'water') == expected


async def websocket_hosts(example):
    for host, status in (('device.lan:5000', 401), ('192.168.1.50', 401), ('evil.example', 421)):
        answer = await get(example.client(), '/ws', {'Host': host, 'Accept': 'application/json'})
        assert answer.status_code == status, host


async def proxies_trust(example):
    from microdot import Request
    from microdot.microdot import NoCaseDict

    for peer, expected in (('10.1.2.3', '1.2.3.4, HTTPS'), ('127.0.0.1', '1.2.3.4, HTTPS'),
                           ('9.9.9.9', '9.9.9.9, plain HTTP')):
        headers = NoCaseDict()
        headers['X-Forwarded-For'] = '8.8.8.8, 1.2.3.4'
        headers['X-Forwarded-Proto'] = 'https'
        request = Request(example.app, (peer, 1), 'GET', '/', '1.1', headers)
        request.scheme = 'http'
        assert (await example.app.dispatch_request(request)).body == expected.encode()


# --- CSRF -------------------------------------------------------------------------------------------

before_csrf_basic = before_csrf_marks = before_csrf_wraps = before_csrf_allow = before_csrf_token = cheap_hashes
_OTHER_SITE = {'Host': 'device.lan', 'Origin': 'http://evil.lan'}
_OWN_SITE = {'Host': 'device.lan', 'Origin': 'http://device.lan'}


async def _post(client, path, headers, body=None):
    return await client.post(path, headers=dict(headers), body=body)


async def csrf_basic(example):
    await add_anna(example['users'])
    client = example.client()
    right = basic('anna', GOOD)
    assert (await _post(client, '/pump', dict(_OTHER_SITE, **right))).status_code == 403
    assert (await _post(client, '/pump', dict(_OWN_SITE, **right))).text == 'The pump runs'
    assert (await _post(client, '/pump', _OWN_SITE)).status_code == 401


async def csrf_marks(example):
    await add_anna(example['users'])
    client = example.client()
    right = basic('anna', GOOD)
    assert (await _post(client, '/doorbell', _OTHER_SITE)).text == 'Ding dong'
    assert (await get(client, '/valve/open', dict(_OTHER_SITE, **right))).status_code == 403
    assert (await get(client, '/valve/open', dict(_OWN_SITE, **right))).text == 'The valve is open'


async def csrf_wraps(example):
    assert (await _post(example.client(), '/hook', _OTHER_SITE)).text == 'Thanks'
    assert example.printed == ['/hook']


async def csrf_allow(example):
    from microdot.test_client import TestClient
    for app in (example.app, example['other']):
        app.post('/allowed')(_any)
        client = TestClient(app)
        for origin, status in (('https://app.example', 200), ('https://evil.example', 403)):
            answer = await _post(client, '/allowed', {'Host': 'device.lan', 'Origin': origin, 'Cookie': 'x=y'})
            assert answer.status_code == status, origin


async def _any(request):
    return 'done'


async def csrf_token(example):
    client = example.client()
    page = await get(client, '/lamp')
    token = page.text.split('value="')[1].split('"')[0]
    form = {'Content-Type': 'application/x-www-form-urlencoded', 'Origin': 'null'}
    assert (await _post(client, '/lamp', form)).status_code == 403
    assert (await _post(client, '/lamp', form, 'csrf_token=' + token)).text == 'The lamp is on'
    assert (await _post(client, '/lamp', {'X-CSRF-Token': token})).text == 'The lamp is on'


# --- API keys ---------------------------------------------------------------------------------------

async def apikeys_header(example):
    anna = await example['users'].create('anna', GOOD, ['read'])
    bert = await example['users'].create('bert', GOOD)
    client = example.client()
    for user, status in ((anna, 200), (bert, 403)):
        text = example['keys'].create(user, 'x', ['read'])
        assert text.startswith('greenhouse_')
        assert (await get(client, '/temperature', {'X-API-Key': text})).status_code == status
    stranger = await get(client, '/temperature')
    assert stranger.status_code == 401
    example.shows(stranger.headers['WWW-Authenticate'])


async def apikeys_make(example):
    text, line = example.printed
    assert line == "Weather display ['read'] None"
    assert (await get(example.client(), '/temperature', {'X-API-Key': text})).json == {'celsius': 21, 'for': 'anna'}
    prefix, key_id, secret = text.split('_')
    assert (prefix, len(key_id), len(secret)) == ('greenhouse', 12, 32)


async def apikeys_revoke(example):
    assert example.printed == ['0']


async def apikeys_expires(example):
    key = next(iter(example['keys']))
    assert key.name == 'for a week' and not key.is_expired() and 6 < (key.expires - key.created) / 86400 <= 7


async def apikeys_own(example):
    anna = example['users'].get_by_name('anna')
    text = example['table'].create(anna.id, 'pump', ['read'])
    client = example.client()
    assert (await get(client, '/temperature', {'X-API-Key': text})).status_code == 200
    assert (await get(client, '/temperature', {'X-API-Key': text[:-1] + '-'})).status_code == 401


# --- pages ------------------------------------------------------------------------------------------

def before_pages_login():
    cheap_hashes()


before_pages_choices = before_pages_account = before_pages_render = before_pages_login


async def _enter_by_form(client, url='/login', name='anna'):
    return await client.post(url, headers=dict(FORM), body='username=%s&password=%s' % (name, GOOD))


async def pages_login(example):
    await add_anna(example['login'].users)
    client = example.client()
    page = (await get(client, '/login')).text
    assert '<title>Log in - Greenhouse</title>' in page and 'name="csrf_token"' not in page
    assert (await get(client, '/login/style.css')).status_code == 200
    assert (await get(client, '/login/code')).status_code == 404
    assert (await client.post('/login', headers=dict(FORM), body='username=anna&password=x')).status_code == 401
    assert (await _enter_by_form(client)).status_code == 302
    assert (await get(client, '/')).text == 'Hello, anna'
    await client.post('/logout')
    assert (await get(client, '/')).status_code == 302
    for _ in range(20):  # the first waits are short
        answer = await client.post('/login', headers=dict(FORM), body='username=anna&password=x')
        if answer.status_code == 429:
            break
    assert answer.status_code == 429 and 'Try again in' in answer.text


async def pages_choices(example):
    from microdot.test_client import TestClient
    await add_anna(example['login'].users)
    await example['login'].users.create('gardener', GOOD)
    client = TestClient(example['site'])
    assert 'for 7 days' in (await get(client, '/login')).text
    assert 'Gardeners come by day.' in (await _enter_by_form(client, name='gardener')).text
    assert (await _enter_by_form(client)).headers['Location'] == '/plants'
    assert (await client.post('/leave')).status_code == 303


async def pages_account(example):
    from microdot.test_client import TestClient
    await add_anna(example['users'])
    client = TestClient(example['home'])
    assert (await get(client, '/account')).headers['Location'] == '/login?next=/account'
    await _enter_by_form(client)
    page = (await get(client, '/account')).text
    for url in ('/account/password', '/account/second'):
        assert url in page and (await get(client, url)).status_code == 200
    assert 'otpauth://totp/Greenhouse:anna' in (await get(client, '/account/second')).text


async def pages_render(example):
    from microdot.test_client import TestClient
    client = TestClient(example['mine'])
    answer = await client.post('/login', headers=dict(FORM), body='username=anna&password=x')
    assert answer.status_code == 401 and '<title>Mine</title><p>Name or password is wrong.<form' in answer.text


# --- the command line -------------------------------------------------------------------------------

async def cli_app(example):
    """Type what the page shows, in its order, and log in as its reader would."""
    import pages
    commands = [command for block in pages.page(pages.DOCS / 'cli.rst').blocks if block.language == 'console'
                for command in block.code.split('$ dotlatch')[1:]]
    client = example.client()
    with open('new-password.txt', 'w') as file:
        file.write('seven green bottles fall\n')
    _type(commands.pop(0), 'tulip harbour nine lantern')
    entered = await client.post('/login', headers=dict(FORM), body='username=anna&password=tulip+harbour+nine+lantern')
    assert entered.status_code == 302
    assert (await get(client, '/')).text == 'Hello, anna'
    for command in commands:
        _type(command)
        if ' sessions end ' in command:
            assert (await get(client, '/')).status_code == 302
    assert os.stat('other.key').st_mode & 0o77 == 0


def _type(shown, password=''):
    """Run a command that the page shows; what it answers is what the page shows below it."""
    import re
    import subprocess
    command, _, answer = shown.partition('\n')
    answer = re.sub('(New password|Once more):\n', '', answer)
    done = subprocess.run(['sh', '-c', 'dotlatch() { "$PYTHON" -m dotlatch "$@"; }; dotlatch' + command],
                          env=dict(os.environ, PYTHON=sys.executable, PYTHONPATH=os.pathsep.join(sys.path)),
                          input=password, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    pattern = '.*'.join([re.escape(' '.join(part.split())) for part in answer.split('...')])
    assert re.fullmatch(pattern.replace('\\ .*', '.*'), ' '.join(done.stdout.split())), (command, answer)


# --- scaling ----------------------------------------------------------------------------------------

def before_scaling_app():
    before_redis_app()
    os.environ['DATABASE_URL'] = 'sqlite+aiosqlite:///' + os.getcwd() + '/app.db'


before_scaling_sql = before_scaling_app


async def _log_in_by_form(example):
    await add_anna(example['users'])
    client = example.client()
    assert (await get(client, '/login')).status_code == 200
    res = await client.post('/login', headers={'Content-Type': 'application/x-www-form-urlencoded'},
                            body='username=anna&password=' + GOOD.replace(' ', '+'))
    assert (res.status_code, res.headers['Location']) == (302, '/')
    return client


async def scaling_app(example):
    await example['users'].create_all()
    client = await _log_in_by_form(example)
    assert (await get(client, '/')).text == 'Hello, anna'
    assert len(await example['app']._session.list_sessions((await example['users'].get_by_name('anna')).id)) == 1
    await example['redis'].close()
    await example['users'].close()


async def scaling_sql(example):
    await example['create_tables']()
    await _log_in_by_form(example)
    anna = await example['users'].get_by_name('anna')
    assert len(await example['app']._session.list_sessions(anna.id)) == 1
    assert await example['api'].keys.create(anna, 'a display')
    await example['store'].close()
    await example['redis'].close()
