"""Oracles of CPython against dotlatch on both Pythons: `python` answers questions in one of them."""
import subprocess

import pytest
from hypothesis import HealthCheck, settings

from tests.harness.interpreters import PLAIN, ROOT, SOURCE

settings.register_profile(
    'interop', deadline=None, database=None, derandomize=True, max_examples=700,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
settings.load_profile('interop')


class Crash(Exception):
    """Another exception than the documented ones, or the end of the interpreter."""


class Python:
    """A dotlatch in an interpreter of its own, asked by name: bytes in, bytes or the name of the error out."""
    def __init__(self, name, variant, flag):
        self.name = name
        self.process = subprocess.Popen(
            [*variant.command(), str(ROOT / 'tests' / 'interop' / 'worker.py'), flag, str(SOURCE),
             str(variant.microdot())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.label = f'{self("python").decode()} asked by CPython'

    def __call__(self, function, *args):
        coded = [arg if isinstance(arg, bytes) else str(arg).encode() for arg in args]
        self.process.stdin.write(' '.join([function, *[arg.hex() for arg in coded]]).encode() + b'\n')
        self.process.stdin.flush()
        line = self.process.stdout.readline().decode(errors='replace').rstrip('\n')
        kind, _, value = line.partition(' ')
        if kind == '=':
            return bytes.fromhex(value)
        if kind not in ('TokenError', 'ValueError', 'TypeError'):
            raise Crash(f'{self.name}: {function}({", ".join(map(repr, coded))[:2000]}): {line}')
        return kind

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


CPYTHON, MICROPYTHON = PLAIN
PYTHONS = {'cpython': (CPYTHON, '-'), 'micropython': (MICROPYTHON, '-'),
           'micropython-no-viper': (MICROPYTHON, 'no-viper')}


@pytest.fixture(scope='session')
def pythons():
    """All of them, by name."""
    started = {name: Python(name, *PYTHONS[name]) for name in PYTHONS}
    yield started
    for python in started.values():
        python.close()


@pytest.fixture(params=PYTHONS)
def python(request, pythons):
    request.node.user_properties.append(('python', pythons[request.param].label))
    return pythons[request.param]
