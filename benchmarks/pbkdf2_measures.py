"""What `benchmarks/pbkdf2.py` runs on each Python, a board's too; each function prints one line of JSON."""
import asyncio
import gc
import hashlib
import json
import time

PASSWORD = b'correct horse battery staple'
SALT = b'salt of 16 bytes'

ticks_us = getattr(time, 'ticks_us', None) or (lambda: time.perf_counter_ns() // 1000)
ticks_diff = getattr(time, 'ticks_diff', None) or (lambda a, b: a - b)
mem_alloc = getattr(gc, 'mem_alloc', None)


class Example:
    """Does what the PBKDF2 in Microdot's login example does, in words of our own: both pads are made anew for each
    HMAC, byte by byte, and so is the sum."""
    def __init__(self, password):
        self.password = password

    def start(self, first):
        self.last = self.total = first

    def run(self, count):
        for _ in range(count):
            key = self.password + bytes(64 - len(self.password))
            inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + self.last).digest()
            self.last = hashlib.sha256(bytes(byte ^ 0x5c for byte in key) + inner).digest()
            self.total = bytes(a ^ b for a, b in zip(self.last, self.total))


class OneCall:
    """CPython's own: it cannot be cut, so it is called with all iterations."""
    def start(self, first):
        pass

    def run(self, count):
        hashlib.pbkdf2_hmac('sha256', PASSWORD, SALT, count)


def cost(rounds, few, many):
    """Microseconds and bytes of heap of an iteration: what many take longer than few."""
    rounds.start(bytes(32))
    taken, used = [], []
    for count in (few, many):
        gc.collect()
        gc.disable()
        before = mem_alloc() if mem_alloc else 0
        start = ticks_us()
        rounds.run(count)
        taken.append(ticks_diff(ticks_us(), start))
        used.append(mem_alloc() - before if mem_alloc else 0)
        gc.enable()
    span = many - few
    return (taken[1] - taken[0]) / span, (used[1] - used[0]) / span if mem_alloc else None


def engines(names, few, many):
    """{engine: its cost}; 'example' and 'pbkdf2_hmac' are for comparison."""
    from dotlatch import pbkdf2
    costs = {}
    for name in names:
        if name == 'example':
            rounds = Example(PASSWORD)
        elif name == 'pbkdf2_hmac':
            rounds = OneCall()
        else:
            rounds = getattr(pbkdf2, '_' + name)()(pbkdf2._pads(PASSWORD))
        costs[name] = min([cost(rounds, few, many) for _ in range(3)])
    print(json.dumps({'engine': pbkdf2.ENGINE, 'costs': costs}))


def waits(iterations):
    """How long a ping over a socket takes, and the longest that the loop stands still: idle, and beside a verify."""
    from dotlatch import pbkdf2

    async def pong(reader, writer):
        while True:
            line = await reader.readline()
            if not line:
                break
            writer.write(line)
            await writer.drain()

    async def ping(streams, until):
        reader, writer = streams
        worst = 0
        while not until():
            start = ticks_us()
            writer.write(b'ping\n')
            await writer.drain()
            await reader.readline()
            worst = max(worst, ticks_diff(ticks_us(), start))
        return worst

    async def watch(longest):
        last = ticks_us()
        while True:
            await asyncio.sleep(0)
            tick = ticks_us()
            longest[0] = max(longest[0], ticks_diff(tick, last))
            last = tick

    async def main():
        server = await asyncio.start_server(pong, '127.0.0.1', 8000)
        streams = await asyncio.open_connection('127.0.0.1', 8000)
        start = ticks_us()
        idle = await ping(streams, lambda: ticks_diff(ticks_us(), start) > 1000000)
        hashing = asyncio.create_task(pbkdf2.derive(PASSWORD, SALT, iterations, 32))
        start = ticks_us()
        beside = await ping(streams, hashing.done)
        taken = ticks_diff(ticks_us(), start)
        longest = [0]
        watcher = asyncio.create_task(watch(longest))
        await pbkdf2.derive(PASSWORD, SALT, iterations, 32)
        watcher.cancel()
        server.close()
        print(json.dumps({'idle_us': idle, 'beside_us': beside, 'verify_us': taken, 'block_us': longest[0]}))

    asyncio.run(main())
