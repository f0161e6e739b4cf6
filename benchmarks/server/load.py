"""A login-protected route with many users logged in, as a ratio to the bare route and to the stateless cookie.

Each site is one server process of uvicorn, or two. All are up at once and take turns, so that a machine that slows down
slows all of them.
"""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from tests.stores import servers

HERE = Path(__file__).parent
HOST = '127.0.0.1'
CONNECTIONS = 32
START_SECONDS = 180
WORKERS = (1, 2)
TICKS = os.sysconf('SC_CLK_TCK')
TITLES = {
    'cookie': 'dotlatch, cookie',
    'redis': 'dotlatch, Redis',
    'postgresql': 'dotlatch, PostgreSQL',
    'postgresql-users': 'dotlatch, PostgreSQL, users there too',
    'sqlite-users': 'dotlatch, SQLite, users there too',
    'starlette': 'Starlette-Login, cookie',
    'django': 'Django, SQLite, users there too',
}
# A site that has the sessions of another one: they are the same to it.
SAME_SESSIONS = {'postgresql': 'postgresql-users'}


class Site:
    """A server, and the cookies of those who are logged in there."""
    def __init__(self, name: str, workers: int, cookies: Path, environment: 'dict[str, str]') -> None:
        self.name = name
        self.workers = workers
        self._cookies = cookies
        self._port = servers.free_port()
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'benchmarks.server.serve', str(self._port), str(workers)],
            env=dict(os.environ, SITE=name, **environment), stdin=subprocess.DEVNULL, stdout=self._log,
            stderr=self._log)

    def wait(self) -> None:
        """Wait until it answers, and look at what it answers to somebody with and without a login."""
        cookie = self._cookies.read_text().splitlines()[-1]
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                asked = (('/bare', cookie), ('/login', cookie), ('/login', 'a=1'))
                told = [self._first_line(path, sent) for path, sent in asked]
                if [b' 200 ' in line for line in told] != [True, True, False]:
                    raise SystemExit('%s answers %s' % (self.name, told))
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    self._log.seek(0)
                    raise SystemExit('%s does not start:\n%s' % (
                        self.name, self._log.read()[-3000:].decode())) from None
                time.sleep(0.1)

    def _first_line(self, path: str, cookie: str) -> bytes:
        with socket.create_connection((HOST, self._port), 5) as connection:
            connection.sendall(('GET %s HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\nCookie: %s\r\n'
                                'Connection: close\r\n\r\n' % (path, HOST, cookie)).encode())
            return connection.recv(65536).partition(b'\r\n')[0]

    def run(self, path: str, seconds: float, backends: 'list[int]') -> 'dict[str, float]':
        """Return requests a second, the 99th percentile of the time that one takes, in milliseconds, and the CPU time
        of one in microseconds: of the server, and of the stores' processes.

        What else the machine does slows requests down, but has little part in CPU time.
        """
        before = cpu_us([self._process.pid]), cpu_us(backends)
        # wrk counts whole seconds
        done = subprocess.run(
            ['wrk', '-t', '1', '-c', str(CONNECTIONS), '-d', '%ds' % max(1, round(seconds)), '--timeout', '30s', '-s',
             str(HERE / 'wrk.lua'), 'http://%s:%d' % (HOST, self._port), '--', str(self._cookies), path],
            check=True, stdout=subprocess.PIPE, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        if found['refused'] or found['broken'] or not found['requests']:
            raise SystemExit('%s with %d workers: %s' % (self.name, self.workers, found))
        return {'rate': found['requests'] / found['us'] * 1e6, 'p99': found['p99'] / 1000,
                'cpu': (cpu_us([self._process.pid]) - before[0]) / found['requests'],
                'store': (cpu_us(backends) - before[1]) / found['requests']}

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()


def cpu_us(pids: 'list[int]') -> float:
    """Return the CPU time that processes and their children have taken, in microseconds."""
    ticks = 0
    for pid in pids:
        try:
            fields = Path('/proc/%d/stat' % pid).read_text().rpartition(')')[2].split()
            children = Path('/proc/%d/task/%d/children' % (pid, pid)).read_text().split()
        except OSError:  # it has ended meanwhile
            continue
        ticks += int(fields[11]) + int(fields[12])
        if children:
            ticks += int(cpu_us([int(child) for child in children]) * TICKS / 1e6 + 0.5)
    return ticks / TICKS * 1e6


def run(options: Any) -> None:
    if not shutil.which('wrk'):
        raise servers.Missing('wrk is not installed, and the load comes from it: apt-get install wrk')
    names = [name for name in TITLES if not options.only or name in options.only]
    backends: 'list[Any]' = [servers.Redis(), servers.PostgreSQL()]
    with tempfile.TemporaryDirectory() as folder:
        try:
            for backend in backends:
                backend.start()
            environment = {
                'USERS': str(options.users), 'REDIS': backends[0].url, 'POSTGRESQL': backends[1].url,
                'SQLITE': 'sqlite+aiosqlite:///%s/sessions.db' % folder}
            pids = [backend.pid for backend in backends]
            measure(names, options, Path(folder), environment, pids)
        finally:
            for backend in backends:
                backend.remove()


def measure(names: 'list[str]', options: Any, folder: Path, environment: 'dict[str, str]',
            pids: 'list[int]') -> None:
    begun = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        def fill(name: str) -> None:
            subprocess.run([sys.executable, '-m', 'benchmarks.server.sites', str(folder / name)], check=True,
                           env=dict(os.environ, SITE=name, **environment))
        list(pool.map(fill, dict.fromkeys(SAME_SESSIONS.get(name, name) for name in reversed(names))))
    print('all logged in after %.0f s' % (time.monotonic() - begun), flush=True)
    print('\n%d users logged in, %d connections; the best of %d rounds of %g s, since what else the machine does is in '
          'the others.\nCPU time of one request, in microseconds: of the server, and of the processes of the store.\n'
          % (options.users, CONNECTIONS, options.rounds, options.seconds))
    for workers in WORKERS:
        figures: 'dict[str, list[Any]]' = {}
        sites: 'list[Site]' = []
        try:
            for name in names:
                sites.append(Site(name, workers, folder / SAME_SESSIONS.get(name, name), environment))
            for site in sites:
                site.wait()
            for turn in range(options.rounds + 1):
                for site in sites:
                    paths = ('/bare', '/login') if turn % 2 else ('/login', '/bare')
                    taken = {path: site.run(path, options.seconds if turn else 1, pids) for path in paths}
                    if turn:  # the first fills caches and opens connections
                        figures.setdefault(site.name, []).append(taken)
        finally:
            for site in sites:
                site.stop()
        report(figures, workers)


def report(figures: 'dict[str, list[Any]]', workers: int) -> None:
    print('uvicorn, %d worker%s' % (workers, 's' if workers > 1 else ''))
    print('  %-38s%8s%8s%9s%10s%9s%9s%10s%9s%8s%9s' % (
        '', 'bare/s', 'login/s', 'to bare', 'to cookie', 'p99 ms', 'to bare', 'to cookie', 'CPU us', 'store',
        'to bare'))
    cookie = best(figures['cookie'], '/login') if 'cookie' in figures else None
    for name, rounds in figures.items():
        bare, login = best(rounds, '/bare'), best(rounds, '/login')
        other = cookie or login
        print('  %-38s%8.0f%8.0f%9.2f%10.2f%9.1f%9.2f%10.2f%9.0f%8.0f%9.2f' % (
            TITLES[name], bare['rate'], login['rate'], login['rate'] / bare['rate'], login['rate'] / other['rate'],
            login['p99'], login['p99'] / bare['p99'], login['p99'] / other['p99'], login['cpu'], login['store'],
            login['cpu'] / bare['cpu']))
    print(flush=True)


def best(rounds: 'list[Any]', path: str) -> 'dict[str, float]':
    taken = [found[path] for found in rounds]
    return {'rate': max(found['rate'] for found in taken), 'p99': min(found['p99'] for found in taken),
            'cpu': median(found['cpu'] for found in taken), 'store': median(found['store'] for found in taken)}
