"""What `benchmarks/pico.py` runs on the board: each function prints one line of JSON.

`package` is 'dotlatch' or 'microdot': what both have is used by the same names, so that the same
code measures both. Times exclude garbage collections, which are put between the measurements.
"""
import asyncio
import gc
import io
import json
import time

SECRET = 'a secret of thirty-two characters'
CLAIMS = {'_user_id': 'anna', '_fresh': True, 'exp': 2000000000}
ROUNDS = 10


def load(package, module):
    """Import a module: MicroPython has no importlib."""
    return getattr(__import__(package + '.' + module), module)


def mean_us(f):
    gc.collect()
    start = time.ticks_us()
    for _ in range(ROUNDS):
        f()
    return time.ticks_diff(time.ticks_us(), start) / ROUNDS


def garbage(f):
    """Bytes that one call leaves on the heap."""
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    f()
    after = gc.mem_alloc()
    gc.enable()
    return after - before


def heap(package, modules):
    """Bytes that each module adds to the heap, imported in this order after Microdot itself."""
    __import__('microdot')
    added = []  # a list of pairs: dictionaries have no order there
    for module in modules:
        gc.collect()
        before = gc.mem_free()
        load(package, module)
        gc.collect()
        added.append((module, before - gc.mem_free()))
    print(json.dumps(added))


def tokens(package):
    """One token of a session's size, encoded and decoded."""
    if package == 'microdot':
        session = load(package, 'session').Session(secret_key=SECRET)

        def encode():
            return session.encode(CLAIMS)

        def decode():
            return session.decode(token)
    else:
        tokens = load(package, 'tokens')
        key = load(package, 'portable').Key(SECRET)

        def encode():
            return tokens.encode(CLAIMS, key)

        def decode():
            return tokens.decode(token, key)

    token = encode()
    assert decode() == CLAIMS

    def pair():
        decode()
        encode()

    print(json.dumps({
        'bytes': len(token),
        'encode_us': mean_us(encode), 'decode_us': mean_us(decode), 'pair_us': mean_us(pair),
        'encode_garbage': garbage(encode), 'decode_garbage': garbage(decode),
        'pair_garbage': garbage(pair),
    }))


def pbkdf2(few, many):
    """One iteration of the key derivation, and for how long the event loop stood still."""
    derive = load('dotlatch', 'passwords').pbkdf2_hmac_sha256
    longest = 0
    running = True

    async def watch():
        nonlocal longest
        last = time.ticks_us()
        while running:
            await asyncio.sleep(0)
            tick = time.ticks_us()
            longest = max(longest, time.ticks_diff(tick, last))
            last = tick

    async def run(iterations):
        gc.collect()
        start = time.ticks_us()
        await derive(b'password', b'salt of 16 bytes', iterations)
        return time.ticks_diff(time.ticks_us(), start)

    async def main():
        nonlocal running
        # The difference: what is done once per password is in both.
        per_iteration = (await run(many) - await run(few)) / (many - few)
        watcher = asyncio.create_task(watch())
        await run(many)
        running = False
        await watcher
        return per_iteration

    per_iteration = asyncio.run(main())
    print(json.dumps({'iteration_us': per_iteration, 'longest_block_us': longest}))


class Client:
    """A connection that sends one request and keeps the answer."""

    def __init__(self, request):
        self.reader = io.BytesIO(request)
        self.answer = b''

    def get_extra_info(self, name):
        return ('127.0.0.1', 50000)

    async def readline(self):
        return self.reader.readline()

    async def readexactly(self, n):
        return self.reader.read(n)

    async def awrite(self, data):
        self.answer += data

    async def aclose(self):
        pass


class User:
    def __init__(self, id):
        self.id = id


def request(package):
    """A request with a login's cookie: to an app without sessions, and to routes with more and more of them."""
    from microdot import Microdot
    bare = Microdot()
    app = Microdot()
    session = load(package, 'session')
    session.Session(app, secret_key=SECRET)
    login = load(package, 'login').Login()

    @login.user_loader
    async def load_user(user_id):
        return User(user_id)

    @app.get('/login')
    async def log_in(request):
        return await login.login_user(request, User('anna'))

    @app.get('/open')
    @bare.get('/bare')
    async def is_open(request):
        return 'hello'

    @app.get('/read')
    @session.with_session
    async def read(request, session):
        return 'hello' if session['_user_id'] else ''

    @app.get('/write')
    @session.with_session
    async def write(request, session):
        session['n'] = session.get('n', 0) + 1
        session.save()
        return 'hello'

    @app.get('/locked')
    @login
    async def is_locked(request):
        return 'hello'

    answer = get(app, '/login')[0]
    start = answer.index('Set-Cookie: ') + 12
    cookie = 'Cookie: ' + answer[start:answer.index(';', start)] + '\r\n'
    figures = {'cookie_bytes': len(cookie) - len('Cookie: \r\n')}
    for name, server in (('bare', bare), ('open', app), ('read', app), ('write', app), ('locked', app)):
        # What a visitor's first request costs more is a figure of its own: dotlatch knows a token again.
        figures[name + '_first_us'] = get(server, '/' + name, cookie)[1]
        figures[name + '_us'], figures[name + '_garbage'] = mean_of_gets(server, '/' + name, cookie)
    print(json.dumps(figures))


def schemes(package):
    """A request with credentials: to a route that does not look at them, and to one that does, with a bare callback."""
    from microdot import Microdot
    auth = load(package, 'auth')
    options = {'allow_http': True} if package == 'dotlatch' else {}
    basic = auth.BasicAuth(**options)
    token = auth.TokenAuth(**options)
    user = User('anna')
    bare = Microdot()
    app = Microdot()

    @basic.authenticate
    async def check_password(request, username, password):
        return user

    @token.authenticate
    async def check_token(request, value):
        return user

    async def hello(request):
        return 'hello'

    figures = {}
    for name, scheme, header in (('basic', basic, 'Basic YW5uYTpjb3JyZWN0IGhvcnNl'),
                                 ('token', token, 'Bearer 4Hs8LqXe0Zk3VbNnP1rT7yUoW2a5cDfG')):
        path = '/' + name
        bare.get(path)(hello)
        app.get(path)(scheme(hello))
        header = 'Authorization: ' + header + '\r\n'
        for server in (bare, app):
            get(server, path, header)
        without, less = mean_of_gets(bare, path, header)
        checked, more = mean_of_gets(app, path, header)
        figures[name + '_us'] = checked - without
        figures[name + '_garbage'] = more - less
    print(json.dumps(figures))


def get(app, path, headers=''):
    """One request: its answer, microseconds and bytes of garbage."""
    async def serve():
        client = Client('GET {} HTTP/1.1\r\nHost: pico\r\n{}\r\n'.format(path, headers).encode())
        gc.collect()
        gc.disable()
        free = gc.mem_free()
        start = time.ticks_us()
        await app.handle_request(client, client)
        spent = time.ticks_diff(time.ticks_us(), start)
        used = free - gc.mem_free()
        gc.enable()
        return client.answer.decode(), spent, used
    return asyncio.run(serve())


def mean_of_gets(app, path, headers):
    spent = used = 0
    for _ in range(ROUNDS):
        answer, us, size = get(app, path, headers)
        assert answer.startswith('HTTP/1.0 200'), answer
        spent += us
        used += size
    return spent / ROUNDS, used // ROUNDS
