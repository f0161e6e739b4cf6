"""Firmware with dotlatch in it: it boots without a file on the board, serves a login, and leaves most of the heap."""
import json
from pathlib import Path

import pytest

from dotlatch import __version__
from dotlatch.server.board.image import room
from dotlatch.server.board.needs import modules_of

from . import firmware, frozen, library
from .commands import dotlatch
from .machine import CACHE
from .pico import Pico

HERE = Path(__file__).parent
FLASH_SIZE = 2 * 1024 * 1024
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


# --- `dotlatch firmware`, and what the other commands say of such a board -----------------------------

CHOSEN = ['login', 'pages', 'users', 'throttle']
JUNK = b'raise SystemExit("this should never run")'


@pytest.fixture(scope='module')
def made(board, tmp_path_factory):
    """What the command answers, and the image in its .uf2."""
    path = tmp_path_factory.mktemp('firmware') / 'my.uf2'
    with firmware.tree() as tree:
        result = dotlatch(None, 'firmware', '--features', ','.join(CHOSEN), '--micropython', tree.source,
                          '--board', tree.board, '--build', tree.folder, '--out', path)
        assert result.code == 0, result.errors
        blocks = path.read_bytes()
        image = CACHE / 'made.bin'
        image.write_bytes(b''.join(blocks[at + 32:at + 288] for at in range(0, len(blocks), 512)))
    return result.output, image


def test_the_image_says_where_the_boards_files_begin(made):
    assert room(made[1].read_bytes()) == FLASH_SIZE - firmware.STORAGE_KIB * 1024


@pytest.fixture(scope='module')
def on_firmware(made):
    """A board that had dotlatch in files before: one in /lib that would fail, and one that would be needed."""
    old = {'/lib/dotlatch/session.py': JUNK, '/lib/dotlatch/totp.py': b'', '/lib/microdot/__init__.py': JUNK}
    with Pico({**visitor(), **old}, image=made[1]) as pico:
        yield pico


def test_a_firmware_made_by_one_command_serves_a_login(made, on_firmware):
    assert 'then     dotlatch deploy --features login,pages,users,throttle' in made[0]
    assert [status for status, _ in last_line(on_firmware.run(VISIT))] == [302, 401, 302, 200, 303, 302]


def test_files_in_lib_neither_replace_nor_complete_what_is_frozen(on_firmware):
    assert on_firmware.exec("import dotlatch.session as s; print(s.__file__, hasattr(s, 'Session'))") == (
        'dotlatch/session.py True\n')
    assert on_firmware.exec('try: import dotlatch.totp\nexcept ImportError as e: print(e)') != ''


def test_info_says_that_it_is_frozen_and_what_of_it(on_firmware):
    told = dotlatch(on_firmware, 'board', 'info', on_firmware.port).output
    count = len(modules_of(CHOSEN))
    assert f'dotlatch  frozen into the firmware, {__version__}, {count} modules: session, login, pages, ' in told
    found = json.loads(dotlatch(on_firmware, 'board', 'info', on_firmware.port, '--json').output)['dotlatch']
    assert found['kind'] == 'frozen' and {*CHOSEN} <= {*found['features']}
    assert 'second-factor' not in found['features']


def test_deploy_copies_the_app_alone_and_clears_what_is_never_loaded(on_firmware, tmp_path):
    main = tmp_path / 'main.py'
    main.write_text('from dotlatch.session import Session\nprint("page on")\n')
    result = dotlatch(on_firmware, 'deploy', on_firmware.port, main)
    assert result.code == 0, result.errors
    assert 'copied   1 file, ' in result.output and 'removed  2 files' in result.output
    assert f'frozen   {__version__}: part of the firmware, which comes before files in /lib' in result.output
    told = f'without  stored, stores: what your program does with them fails. `dotlatch firmware {main}`'
    assert told in result.output
    on_firmware.wait_for('page on')
    assert on_firmware.exec("import os; print(os.listdir('/lib/dotlatch'))") == "['deployed.json']\n"


def test_deploy_says_what_the_firmware_is_without_and_changes_nothing(on_firmware, tmp_path):
    main = tmp_path / 'main.py'
    main.write_text('from dotlatch.totp import Totp\n')
    result = dotlatch(on_firmware, 'deploy', on_firmware.port, main)
    assert result.code == 2
    assert 'dotlatch is frozen into the firmware of this board, without' in result.errors and ' totp' in result.errors
    assert '`dotlatch firmware`' in result.errors


def test_a_folder_at_the_top_comes_before_what_is_frozen_and_is_told(made):
    with Pico({'/dotlatch/__init__.py': b''}, image=made[1]) as pico:
        result = dotlatch(pico, 'deploy', pico.port, '--features', 'login')
    assert result.code == 2 and 'mpremote rm -r :/dotlatch' in result.errors
