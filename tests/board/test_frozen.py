"""Firmware with dotlatch in it: it boots without a file on the board, serves a login, and leaves most of the heap."""
import json
from pathlib import Path

import pytest

from . import frozen, library
from .pico import Pico

HERE = Path(__file__).parent
FREE_BEFORE = 180 * 1024  # bytes, of the emulated Pico
MODULES = [name[:-3] for name in library.portable_files() if name != '__init__.py']

VISIT = '''
import asyncio, json
import greenhouse
from neighbour import PORT, ask, cookie_in

async def visit():
    steps = []
    async def step(*request, **more):
        status, head, body = await ask(*request, **more)
        steps.append((status, body.split('<main>')[-1]))
        return cookie_in(head)
    await step('GET', '/')
    await step('POST', '/login', {'username': 'anna', 'password': 'not ' + greenhouse.PASSWORD})
    cookie = await step('POST', '/login', {'username': 'anna', 'password': greenhouse.PASSWORD})
    await step('GET', '/', cookie=cookie)
    await step('POST', '/logout', {}, cookie=cookie)
    await step('GET', '/', cookie=cookie)
    print(json.dumps(steps))

async def main():
    await greenhouse.serve(await greenhouse.create_app(), visit, PORT)

asyncio.run(main())
'''
# Where each module comes from: a file in /lib would be taken in place of a frozen one only if it came first.
WHERE = '''
import gc, json
gc.collect()
before = gc.mem_free()
import microdot
for name in {modules}:
    __import__('dotlatch.' + name)
gc.collect()
print(json.dumps((before, gc.mem_free(), microdot.__file__)))
'''


def visitor():
    """What the board is told to do comes as files; dotlatch and Microdot do not."""
    return {f'/{name}.py': (HERE / f'{name}.py').read_bytes() for name in ('greenhouse', 'neighbour')}


def last_line(printed):
    return json.loads(printed.splitlines()[-1])


@pytest.fixture(autouse=True)
def on_micropython(record_property):
    record_property('python', 'MicroPython on an emulated Raspberry Pi Pico')


@pytest.fixture(scope='module')
def everything(board):
    with Pico(visitor(), image=frozen.image()) as pico:
        yield pico


def test_a_login_is_served_from_frozen_code(everything):
    steps = last_line(everything.run(VISIT))
    assert [status for status, _ in steps] == [302, 401, 302, 200, 303, 302]
    assert steps[3][1] == 'Hello, anna'
    assert everything.exec("import os; print(os.listdir('/'))").count('lib') == 0  # nothing of it is in a file


def test_everything_frozen_leaves_a_board_its_heap(everything):
    before, after, where = last_line(everything.run(WHERE.format(modules=MODULES)))
    assert where == 'microdot/__init__.py'
    print(f'figure: heap that all of dotlatch and Microdot take, frozen: {(before - after) // 1024} KB')
    assert before > FREE_BEFORE
    assert before - after < 64 * 1024


def test_features_that_are_asked_for_are_enough_for_a_login(board):
    with Pico(visitor(), image=frozen.image('login pages users throttle')) as pico:
        assert [status for status, _ in last_line(pico.run(VISIT))] == [302, 401, 302, 200, 303, 302]
        assert 'ImportError' in pico.exec('''
try:
    import dotlatch.totp
except ImportError:
    print('ImportError')
''')
