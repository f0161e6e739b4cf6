"""All sorts of requests, one after the other, to the greenhouse behind its login: what a board meets in its life.

    soak = Soak(random.Random(1))
    await soak.run(1000)
    soak.statuses     # {kind of request: {status: how many}}

Runs on CPython, against a server in another process, and on a board, against a server on the same board. A status of 0
stands for a connection that was closed without an answer.
"""
import asyncio

import neighbour
from greenhouse import PASSWORD
from neighbour import ask, close, cookie_in, request, send

LONG = 'x' * 3000

GARBAGE = (
    b'\r\n\r\n', b'GET\r\n\r\n', b'GET / HTTP/1.1\r\nno colon\r\n\r\n', b'\x00\xff\xfe\r\n\r\n',
    b'GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n',
    b'POST /login HTTP/1.1\r\nContent-Length: 900000\r\n\r\nuser', b'BREW / HTTP/1.1\r\n\r\n',
    b'GET /%ff%00%zz?a=%ff HTTP/1.1\r\n\r\n', b'GET / HTTP/1.1\r\nAuthorization: Basic !!\r\n\r\n',
    b'GET / HTTP/1.1\r\nCookie: session=a.b.c; session=; _remember=e30.e30.AAAA\r\n\r\n',
    b'POST /login HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]',
    b'POST /login HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 4\r\n\r\n%ff=',
    b'GET /' + LONG[:1800].encode() + b' HTTP/1.1\r\n\r\n',
)


class Soak:
    """What was asked, and what came of it.

    :param dice: has ``getrandbits(n)``.
    :param most: connections that are kept open with half a request on them.
    """
    def __init__(self, dice, most=6):
        self.dice = dice
        self.most = most
        self.statuses = {}
        self.cookie = ''
        self.held = []
        self.pages = 0    # that a login was needed for, and that came
        self.free = []    # bytes, each time it was asked for

    async def run(self, count):
        for _, name in SHARES:  # what is loaded when it is first needed
            await self.one(name)
        for data in GARBAGE:
            self.note('garbage', await self.try_to_send(data))
        await self.rest()
        every = max(count // 10, 1)
        for number in range(1, count):
            if number % every == 0:
                await self.look()
            await self.one(self.kind())
        await self.rest()

    async def rest(self):
        """Look at a server that has nothing to do: connections that were cut off may take it a few seconds."""
        while self.held:
            await self.let_go()
        looks = len(self.free)
        for _ in range(6):
            await asyncio.sleep(1)
            await self.look()
        self.free[looks:] = [max(self.free[looks:])]

    async def one(self, kind):
        self.note(kind, await getattr(self, kind)())

    def note(self, kind, status):
        counts = self.statuses.setdefault(kind, {})
        counts[status] = counts.get(status, 0) + 1

    def kind(self):
        number = self.roll(100)
        for share, name in SHARES:
            number -= share
            if number < 0:
                return name

    def roll(self, sides):
        return self.dice.getrandbits(20) % sides

    async def look(self):
        """Ask the server what is free of its heap."""
        self.free.append(int((await ask('GET', '/free'))[2]))

    async def log_in(self):
        status, head, _ = await ask('POST', '/login', {'username': 'anna', 'password': PASSWORD})
        if status == 302:
            self.cookie = cookie_in(head)
        return status

    async def page(self):
        status, head, body = await ask('GET', '/', cookie=self.cookie)
        self.pages += body == 'Hello, anna'
        self.cookie = cookie_in(head) or self.cookie
        return status

    async def log_out(self):
        return (await ask('POST', '/logout', {}, cookie=self.cookie))[0]

    async def wrong_password(self):
        name = 'anna' if self.roll(10) == 0 else 'user{}'.format(self.roll(1000))
        return (await ask('POST', '/login', {'username': name, 'password': LONG[:self.roll(200)]}))[0]

    async def form(self):
        return (await ask('GET', '/login'))[0]

    async def lost(self):
        return (await ask('GET', '/no/such/page{}'.format(self.roll(100)), cookie=self.cookie))[0]

    async def changed_cookie(self):
        place = self.roll(len(self.cookie) + 1)
        return (await ask('GET', '/', cookie=self.cookie[:place] + 'A' + self.cookie[place + 1:]))[0]

    async def long_header(self):
        return await self.try_to_send(request('GET', '/', header='X-Long: ' + LONG))

    async def websocket(self):
        return (await ask('GET', '/', cookie=self.cookie, header='Connection: Upgrade\r\nUpgrade: websocket'))[0]

    async def garbage(self):
        return await self.try_to_send(GARBAGE[self.roll(len(GARBAGE))])

    async def cut(self):
        """Begin a request, and go away."""
        whole = request('POST', '/login', {'username': 'anna', 'password': PASSWORD}, self.cookie)
        _, writer = await self.connect()
        writer.write(whole[:1 + self.roll(len(whole) - 1)])
        await writer.drain()
        await close(writer)
        await asyncio.sleep(0.05)  # the server is to see it before the next one comes
        return 0

    async def hold(self):
        """Begin a request, and say nothing more for a while."""
        if len(self.held) == self.most:
            await self.let_go()
        whole = request('POST', '/login', {'username': 'anna', 'password': PASSWORD}, self.cookie)
        _, writer = await self.connect()
        writer.write(whole[:self.roll(len(whole))])
        await writer.drain()
        self.held.append(writer)
        return 0

    async def let_go(self):
        await close(self.held.pop(0))

    async def connect(self):
        return await asyncio.open_connection(neighbour.HOST, neighbour.PORT)

    async def try_to_send(self, data):
        try:
            return (await send(data))[0]
        except OSError:  # closed while it was still being sent
            return 0


# Of a hundred requests.
SHARES = (
    (10, 'log_in'), (34, 'page'), (6, 'log_out'), (8, 'wrong_password'), (8, 'form'), (6, 'lost'),
    (8, 'changed_cookie'), (3, 'long_header'), (7, 'garbage'), (2, 'websocket'), (5, 'cut'), (3, 'hold'),
)
