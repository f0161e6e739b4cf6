"""What a session and a login cost a request, under real servers: dotlatch, Microdot, Starlette and Flask (CPython).

    python -m benchmarks sessions

Each site is a process of uvicorn, or of gunicorn for Flask, that a client keeps busy on several connections: one that
waits for each request finds its caches cold. What counts is the CPU time of that process, above its framework's own
bare route that is sent the same cookie. Redis is another process, whose time is not in it.
"""
import os
import socket
import subprocess
import sys
import tempfile
import time
from statistics import median, quantiles
from typing import Any, NoReturn

from tests.stores import servers

HOST = '127.0.0.1'
ROUNDS = 40
CONNECTIONS = 50
NUMBER = 4  # requests on each of them
PAUSE_SECONDS = 0.015
START_SECONDS = 30
UVICORN = ('uvicorn', '--lifespan', 'off', '--no-access-log', '--log-level', 'warning',
           '--host', HOST, '--port', '{port}')
GUNICORN = ('gunicorn', '--log-level', 'error', '--worker-class', 'gthread', '--threads', '1', '--keep-alive', '600',
            '--bind', HOST + ':{port}')
ROUTES = ('/read', '/write', '/login')
TITLES = {'/read': 'read', '/write': 'read + write', '/login': 'login'}
TARGETS = {'/read': 10, '/login': 12}  # microseconds
# Each site, its server and the routes it has.
SITES = {
    'dotlatch': (UVICORN, ROUTES),
    'dotlatch, MemoryStore': (UVICORN, ROUTES),
    'dotlatch, RedisStore': (UVICORN, ROUTES),
    'microdot.session': (UVICORN, ROUTES),
    'Starlette': (UVICORN, ('/read', '/write')),
    'Starlette-Login': (UVICORN, ('/login',)),
    'Flask': (GUNICORN, ('/read', '/write')),
    'Flask-Login': (GUNICORN, ('/login',)),
}


class Site:
    """A server process, and the connections to it."""

    def __init__(self, name: str, redis: str) -> None:
        self.name = name
        server, self.routes = SITES[name]
        self._port = servers.free_port()
        command = [part.format(port=self._port) for part in server]
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, '-m', *command, 'benchmarks.session_sites:app'],
            env=dict(os.environ, SITE=name, REDIS=redis), stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        self._connections: 'list[socket.socket]' = []
        self._cookie = ''

    def begin(self) -> None:
        """Connect, and log in."""
        self._connections.append(self._connect())
        for path in ('/enter', '/enter', '/begin'):  # twice: a site has ended sessions, too
            head, _ = self._exchange(self._request(path))
            for line in head.split('\r\n'):
                header, _, value = line.partition(': ')
                if header.lower() == 'set-cookie':
                    self._cookie = value.split(';')[0]
        for path in ('/bare', *self.routes):
            head, body = self._exchange(self._request(path))
            if ' 200 ' not in head or body != 'ok':
                self._fail('%s answers %s' % (path, head))
        for _ in range(CONNECTIONS - 1):
            self._connections.insert(0, self._connect())
            self._exchange(self._request('/bare'))  # gunicorn's one thread waits for the first of each

    def _connect(self) -> socket.socket:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                connection = socket.create_connection((HOST, self._port), START_SECONDS)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connection
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self._fail('does not start')
                time.sleep(0.05)

    def _request(self, path: str) -> bytes:
        cookie = 'Cookie: %s\r\n' % self._cookie if self._cookie else ''
        return ('GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: benchmark\r\nAccept: */*\r\n%s\r\n'
                % (path, HOST, cookie)).encode()

    def _exchange(self, request: bytes) -> 'tuple[str, str]':
        self._connections[0].sendall(request)
        return self._answer(self._connections[0])

    def _answer(self, connection: socket.socket) -> 'tuple[str, str]':
        answer = self._receive(connection)
        while b'\r\n\r\n' not in answer:
            answer += self._receive(connection)
        head, _, body = answer.partition(b'\r\n\r\n')
        length = int(head.lower().split(b'content-length:')[1].split(b'\r\n')[0])
        while len(body) < length:
            body += self._receive(connection)
        return head.decode(), body.decode()

    def _receive(self, connection: socket.socket) -> bytes:
        received = connection.recv(65536)
        if not received:
            self._fail('ended the connection')
        return received

    def _fail(self, why: str) -> 'NoReturn':
        self._log.seek(0)
        raise SystemExit('%s: %s\n%s' % (self.name, why, self._log.read()[-3000:].decode()))

    def time(self, path: str, number: int) -> float:
        """Return the CPU microseconds that the server takes for one request."""
        request, cpu = self._request(path), self._request('/cpu')
        start = int(self._exchange(cpu)[1])
        for _ in range(number):
            for connection in self._connections:
                connection.sendall(request)
            time.sleep(PAUSE_SECONDS)  # two processors may be one core: a client that reads slows the server down
            for connection in self._connections:
                self._answer(connection)
        return (int(self._exchange(cpu)[1]) - start) / number / CONNECTIONS / 1000

    def stop(self) -> None:
        for connection in self._connections:
            connection.close()
        self._process.terminate()
        self._process.wait(START_SECONDS)


def measure(sites: 'list[Site]') -> 'dict[tuple[str, str], list[float]]':
    """Return the times of each site and route, a list of one for each round."""
    times: 'dict[tuple[str, str], list[float]]' = {}
    for turn in range(ROUNDS + 1):
        for site in sites:
            site.time('/bare', 1)  # another site has had the processor until now
            paths = ('/bare', *site.routes)
            for i in range(len(paths)):
                path = paths[(i + turn) % len(paths)]  # each comes first in turn
                taken = site.time(path, NUMBER)
                if turn:  # the first requests fill caches
                    times.setdefault((site.name, path), []).append(taken)
    return times


def spread(values: 'list[float]') -> str:
    low, _, high = quantiles(values, n=4)
    return '%6.1f us (%.1f to %.1f)' % (median(values), low, high)


def table(times: 'dict[tuple[str, str], list[float]]') -> None:
    print('CPU time of the server for one request, above the bare route that is sent the same cookie:')
    print('medians of %d rounds of %d requests on %d connections, in brackets the middle half of the rounds\n'
          % (ROUNDS, NUMBER * CONNECTIONS, CONNECTIONS))
    for path in ROUTES:
        target = ', target %d us' % TARGETS[path] if path in TARGETS else ''
        print(TITLES[path] + target)
        ours = None
        for name, found in times:
            if found != path:
                continue
            bare = times[name, '/bare']
            added = [taken - of_bare for taken, of_bare in zip(times[name, path], bare)]
            ours = ours or median(added)
            print('  %-24s adds %-26s %5.2f x its bare route of %5.1f us, %5.2f x what dotlatch adds'
                  % (name, spread(added), median(times[name, path]) / median(bare), median(bare), median(added) / ours))
        print()


def main(arguments: 'list[str]') -> None:
    sites: 'list[Site]' = []
    try:
        redis: Any = servers.Redis()
        redis.start()
    except servers.Missing as reason:
        raise SystemExit(str(reason)) from None
    try:
        for name in SITES:
            sites.append(Site(name, redis.url))
            sites[-1].begin()
        table(measure(sites))
    finally:
        for site in sites:
            site.stop()
        redis.remove()


if __name__ == '__main__':
    main([])
