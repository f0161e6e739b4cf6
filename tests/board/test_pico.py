"""What the board tests rely on: an emulated Pico behaves as a real one on a USB cable."""
import pytest

from .pico import BoardError, Pico


@pytest.fixture(scope='module')
def pico(board):
    with Pico({'/lib/greet.py': b'def hello(): print("hello")', '/notes.txt': b'kept'}) as pico:
        yield pico


def test_it_is_an_rp2040_with_micropython(pico):
    printed = pico.exec('import sys; print(sys.implementation[0], sys.platform, sys.maxsize)')
    assert printed == 'micropython rp2 2147483647\n'


def test_files_are_there_and_survive_a_power_cut(pico):
    assert pico.exec('import greet; greet.hello()') == 'hello\n'
    pico.exec("f = open('new.txt', 'w'); f.write('written on the board'); f.close()")
    pico.power_off()
    pico.power_on()
    assert pico.read('/notes.txt') == 'kept'
    assert pico.read('/new.txt') == 'written on the board'


def test_a_file_can_be_copied_to_it(pico, tmp_path):
    (tmp_path / 'more.py').write_text('MORE = 42\n')
    pico.copy(tmp_path / 'more.py', '/more.py')
    assert pico.exec('import more; print(more.MORE)') == '42\n'


def test_an_error_on_the_board_is_an_error_here(pico):
    with pytest.raises(BoardError, match='ZeroDivisionError'):
        pico.run('1 // 0')


@pytest.mark.parametrize('program', ['while True: pass', 'while True: print("x" * 100)'])
def test_a_program_that_never_ends_is_stopped(pico, program):
    with pytest.raises(BoardError, match='no end after 3 s'):
        pico.run(program, timeout=3)
    assert pico.exec('print("alive")') == 'alive\n'


def test_exec_goes_on_where_the_last_one_left_off_until_a_soft_reset(pico):
    pico.exec('x = 1')
    assert pico.exec('print(x)') == '1\n'
    pico.soft_reset()
    with pytest.raises(BoardError, match='NameError'):
        pico.exec('print(x)')


def test_its_clock_is_not_set_until_somebody_sets_it(pico):
    year = 'import time; print(time.localtime()[0])'
    pico.reset()
    assert pico.exec(year) == '2021\n'
    pico.set_clock()
    assert int(pico.exec(year)) >= 2026


def test_main_runs_at_a_reset(board):
    # What a board prints before its USB port is up, nobody ever sees.
    with Pico({'/main.py': b'import time; time.sleep(1); print("main is running")'}) as pico:
        pico.wait_for('main is running')
        pico.reset()
        pico.wait_for('main is running')


def test_its_programs_can_talk_over_sockets(pico):
    printed = pico.run('''
import asyncio

async def answer(reader, writer):
    writer.write(b'you said ' + await reader.readline())
    await writer.drain()
    await writer.wait_closed()

async def main():
    server = await asyncio.start_server(answer, '127.0.0.1', 8000)
    reader, writer = await asyncio.open_connection('127.0.0.1', 8000)
    writer.write(b'hello' + bytes([10]))
    await writer.drain()
    print((await reader.read()).decode())
    server.close()

asyncio.run(main())
''')
    assert printed.strip() == 'you said hello'
