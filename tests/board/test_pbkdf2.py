"""PBKDF2's engines on an emulated Pico: right, without garbage, and never long between two turns of the event loop."""
import hashlib
import importlib.util
import json

import pytest

from . import library
from .pico import Pico

spec = importlib.util.spec_from_file_location('pbkdf2_engines', library.ROOT / 'tools' / 'pbkdf2_engines.py')
generator = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generator)

# The four-byte rows go over the edge of HMAC's block, and the counts over what an engine does at a time.
PASSWORDS = (b'', b'password', b'\0\xff', b'x' * 64, b'x' * 65, '\u2603\U0001f511'.encode())
COUNTS = (1, 2, 3, 64, 700)

ENGINES = '''
import asyncio, gc, json, time
from dotlatch import pbkdf2

def each():
    for name, engine in (('thumb', pbkdf2._thumb), ('viper', pbkdf2._viper), ('hashlib', pbkdf2._hashlib)):
        yield name, engine()
'''
RESULTS = ENGINES + '''
async def main():
    for name, engine in each():
        pbkdf2._engine = engine
        for password in %r:
            for count in %r:
                key = await pbkdf2.derive(password, b'salt', count, 40)
                print(json.dumps([name, password.hex(), count, key.hex()]))

print(pbkdf2.ENGINE)
asyncio.run(main())
''' % (PASSWORDS, COUNTS)
GARBAGE = ENGINES + '''
def garbage(rounds, count):
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    rounds.run(count)
    used = gc.mem_alloc() - before
    gc.enable()
    return used

for name, engine in each():
    rounds = engine(pbkdf2._pads(b'password'))
    rounds.start(bytes(32))
    print(json.dumps([name, garbage(rounds, 100)]))
'''
WAITS = ENGINES + '''
async def watch(longest):
    last = time.ticks_ms()
    while True:
        await asyncio.sleep(0)
        tick = time.ticks_ms()
        longest[0] = max(longest[0], time.ticks_diff(tick, last))
        last = tick

async def main():
    for name, engine in each():
        pbkdf2._engine = engine
        longest = [0]
        watcher = asyncio.create_task(watch(longest))
        await asyncio.sleep(0)
        await pbkdf2.derive(b'x' * 4096, b'salt', 2000, 32)
        watcher.cancel()
        print(json.dumps([name, longest[0]]))

asyncio.run(main())
'''


@pytest.fixture(scope='module')
def pico(board):
    with Pico(library.dotlatch()) as pico:
        yield pico


@pytest.mark.parametrize('name', generator.ENGINES)
def test_generated_code_is_what_the_generator_prints(name):
    assert (library.DOTLATCH / f'pbkdf2_{name}.py').read_text() == generator.source(name)


def test_P3_all_engines_are_right_and_a_pico_takes_the_assembler(pico):
    engine, *lines = pico.run(library.as_on_board(RESULTS)).splitlines()
    assert engine == 'thumb'
    assert len(lines) == 3 * len(PASSWORDS) * len(COUNTS)
    for line in lines:
        name, password, count, key = json.loads(line)
        expected = hashlib.pbkdf2_hmac('sha256', bytes.fromhex(password), b'salt', count, 40)
        assert key == expected.hex(), (name, password, count)


def test_an_iteration_in_machine_code_takes_no_heap(pico):
    used = dict(json.loads(line) for line in pico.run(library.as_on_board(GARBAGE)).splitlines())
    assert used['thumb'] == used['viper'] == 0
    assert used['hashlib'] > 10000, 'what it is compared with'


def test_P4_no_engine_keeps_other_tasks_waiting_for_50_ms(pico):
    longest = dict(json.loads(line) for line in pico.run(library.as_on_board(WAITS)).splitlines())
    assert set(longest) == {'thumb', 'viper', 'hashlib'}
    assert max(longest.values()) <= 50, longest


def test_only_the_engine_in_use_is_loaded(pico):
    loaded = "from dotlatch import pbkdf2; import sys; print(sorted(m for m in sys.modules if 'pbkdf2_' in m))"
    pico.soft_reset()
    assert pico.exec(loaded) == "['dotlatch.pbkdf2_blocks', 'dotlatch.pbkdf2_thumb']\n"


@pytest.mark.parametrize('missing, engine', [('thumb', 'viper'), ('blocks', 'hashlib')])
def test_without_a_file_the_next_engine_is_used(board, missing, engine):
    files = library.dotlatch()
    del files[f'/lib/dotlatch/pbkdf2_{missing}.mpy']
    with Pico(files) as pico:
        assert pico.exec('from dotlatch import pbkdf2; print(pbkdf2.ENGINE)') == f'{engine}\n'


def test_machine_code_of_another_processor_is_left_alone(board):
    files = library.dotlatch()
    for name in generator.ENGINES:
        path = f'/lib/dotlatch/pbkdf2_{name}.mpy'
        code = bytearray(files[path])
        code[2] = code[2] & 3 | 10 << 2  # Xtensa's, by its header
        files[path] = bytes(code)
    with Pico(files) as pico:
        assert pico.exec('from dotlatch import pbkdf2; print(pbkdf2.ENGINE)') == 'hashlib\n'


def test_a_board_can_compile_the_engines_itself(board):
    """From .py files, as mip installs them."""
    with Pico(library.dotlatch(mpy=False)) as pico:
        engine, *lines = pico.run(RESULTS, timeout=300).splitlines()
    assert engine == 'thumb' and len(lines) == 3 * len(PASSWORDS) * len(COUNTS)
