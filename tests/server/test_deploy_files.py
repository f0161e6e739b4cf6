"""What a deploy changes on a board and what it leaves alone, on MicroPython's own file systems: see unix_board.py."""
import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from dotlatch import __version__
from dotlatch.server.board import building, deploying
from dotlatch.server.board.connection import BoardTrouble, NoBoard
from dotlatch.server.board.copying import NEW, Change, prepare
from dotlatch.server.board.deploying import DoesNotLoad, Plan, add_modules
from dotlatch.server.board.facts import Facts, record_of
from dotlatch.server.board.frozen import Frozen
from dotlatch.server.board.needs import FOLDER, microdot_folder, needs_of, needs_of_features
from dotlatch.server.cli import deploy as deploy_command
from dotlatch.server.cli.main import main as run_command
from tests.harness.interpreters import oldest_microdot_folder

from .unix_board import UnixBoard

RECORD = '/lib/dotlatch/deployed.json'
BEFORE = {'/lib/dotlatch/a.mpy': b'a1' * 40, '/lib/dotlatch/gone.mpy': b'x', '/lib/microdot/m.mpy': b'm1' * 700,
          '/main.py': b'one', RECORD: b'{"version": 1}'}
AFTER = {'/lib/dotlatch/a.mpy': b'a2' * 40, '/lib/dotlatch/b.mpy': b'b' * 3000, '/lib/microdot/m.mpy': b'm2' * 700,
         '/main.py': b'two', RECORD: b'{"version": 2}'}
FEATURES = needs_of_features(['events'])


@pytest.fixture
def board(tmp_path):
    with UnixBoard(tmp_path / 'flash') as board:
        yield board


@pytest.fixture
def main(tmp_path):
    path = tmp_path / 'app' / 'main.py'
    path.parent.mkdir()
    path.write_text('import lamp\nfrom dotlatch.events import Events\n')
    (path.parent / 'lamp.py').write_text('LAMP = 1')
    return path


def carry_out(board, wanted):
    board.fresh()
    prepare(board)
    change = Change.between(board, wanted, ('/lib/dotlatch',))
    if change:
        change.carry_out(board, 10 ** 6, 4096, RECORD)
    return change


def deploy(board, needs=FEATURES, as_source=True):
    """What `dotlatch deploy` does; .py files need no compiler, which takes its time."""
    plan = Plan.of(board, needs, as_source)
    if plan.change:
        plan.carry_out(lambda done, total, path: None)
    plan.try_out()
    return plan


def named(files):
    """Without those that wait for their names."""
    return {path: contents for path, contents in files.items() if not path.endswith(NEW)}


# --- power ------------------------------------------------------------------------------------------

@pytest.mark.parametrize('kind', ['VfsLfs2', 'VfsFat'])
def test_H4_whenever_power_goes_each_file_is_whole_and_the_next_run_finishes(kind, tmp_path):
    flash = tmp_path / 'flash'
    with UnixBoard(flash, kind) as board:
        carry_out(board, BEFORE)
        before = flash.read_bytes()
        for writes in range(2, 100, 4):
            flash.write_bytes(before)
            board.power_goes_after(writes)
            try:
                carry_out(board, AFTER)
                break
            except NoBoard:
                board.power_on()
            found = named(board.files())
            assert {*found.items()} <= {*BEFORE.items(), *AFTER.items()}
            assert kind == 'VfsFat' or {*found} >= {*BEFORE} - {'/lib/dotlatch/gone.mpy'}  # FAT removes, then renames
            carry_out(board, AFTER)
            assert board.files() == AFTER
            assert not carry_out(board, AFTER)
        assert writes > 20


def test_while_files_get_their_names_no_version_is_claimed(board):
    deploy(board)
    assert record_of(board, Facts.of(board))['version']
    board.put({RECORD + NEW: b'{"version": "0.0.1"}'})
    facts = Facts.of(board)
    assert record_of(board, facts) == {}
    with pytest.raises(BoardTrouble, match='run `dotlatch deploy` first'):
        add_modules(board, facts, ['calibrate'])
    deploy(board)
    assert record_of(board, Facts.of(board))['version'] and RECORD + NEW not in board.files()


def test_a_new_microdot_that_was_cut_off_in_the_middle_is_completed(board, monkeypatch):
    monkeypatch.setattr(deploying, 'installed_microdot', lambda: oldest_microdot_folder() / 'microdot')
    deploy(board)
    monkeypatch.undo()

    class Cut(Exception):
        pass

    def run(program, timeout=0, run=board.run):
        result = run(program, timeout)
        if 'microdot.py' in program and '_rename(_p)' in program:
            run('os.rename("/lib/microdot/helpers.py", "/lib/microdot/helpers.py.new")')  # as if it had not come so far
            run(f'with open("/lib/microdot/helpers.py", "wb") as f: f.write({old!r})')
            raise Cut
        return result

    old = (oldest_microdot_folder() / 'microdot' / 'helpers.py').read_bytes()
    monkeypatch.setattr(board, 'run', run)
    with pytest.raises(Cut):
        deploy(board)
    monkeypatch.undo()
    deploy(board)
    found = board.files()
    for name in ('__init__', 'helpers', 'microdot'):
        assert found[f'/lib/microdot/{name}.py'] == (microdot_folder() / f'{name}.py').read_bytes()


# --- what others have put there ---------------------------------------------------------------------

def test_a_microdot_that_somebody_has_changed_stays(board):
    deploy(board)
    mine = (microdot_folder() / 'microdot.py').read_bytes() + b'# mine'
    board.put({'/lib/microdot/microdot.py': mine})
    plan = deploy(board)
    assert board.files()['/lib/microdot/microdot.py'] == mine
    assert '/lib/microdot/microdot.py' not in plan.change.wanted


def test_a_source_file_beside_a_compiled_microdot_stays_and_is_what_loads(board):
    deploy(board, as_source=False)
    mine = (microdot_folder() / 'microdot.py').read_bytes() + b'# mine'
    board.put({'/lib/microdot/microdot.py': mine})
    deploy(board, as_source=False)
    found = board.files()
    assert found['/lib/microdot/microdot.py'] == mine and '/lib/microdot/microdot.mpy' not in found


def test_compiled_files_leave_when_source_comes_and_come_back(board):
    for as_source, end in ((False, '.mpy'), (True, '.py'), (False, '.mpy')):
        deploy(board, as_source=as_source)
        names = {path for path in board.files() if path.startswith(('/lib/microdot/', '/lib/dotlatch/e'))}
        assert {*map(str, names)} == {f'/lib/{name}{end}' for name in (
            'microdot/__init__', 'microdot/helpers', 'microdot/microdot', 'dotlatch/events')}
        assert not deploy(board, as_source=as_source).change


def test_microdots_modules_that_nothing_needs_any_more_leave(board, main):
    main.write_text('import lamp\nfrom microdot.websocket import with_websocket\nimport dotlatch.events\n')
    deploy(board, needs_of(main))
    assert '/lib/microdot/websocket.py' in board.files()
    deploy(board)
    found = board.files()
    assert '/lib/microdot/websocket.py' not in found and '/main.py' in found


def test_files_of_an_app_that_come_from_elsewhere_are_told(board, main):
    board.put({'/lamp.py': b'LAMP = 2  # of another program', '/notes.txt': b'mine'})
    assert Plan.of(board, needs_of(main), True).foreign == ['/lamp.py']
    deploy(board, needs_of(main))
    assert board.files()['/notes.txt'] == b'mine'
    main.with_name('lamp.py').write_text('LAMP = 3')
    assert deploy(board, needs_of(main)).foreign == []
    deploy(board)  # without the app, which is not forgotten
    main.with_name('lamp.py').write_text('LAMP = 5')
    assert deploy(board, needs_of(main)).foreign == []
    board.put({'/lamp.py': b'LAMP = 4  # changed on the board'})
    assert Plan.of(board, needs_of(main), True).foreign == ['/lamp.py']


def test_without_an_app_only_our_modules_change(board):
    others = {'/main.py': b'print(1)', '/boot.py': b'', '/lib/session.py': b'S = 1', '/lib/other/__init__.py': b'',
              '/lib/dotlatch/users.json': b'{}', '/lib/dotlatch/parts/__init__.py': b''}
    board.put(others)
    deploy(board)
    assert {*board.files().items()} >= {*others.items()}


def test_names_in_any_language_reach_the_board(board, tmp_path):
    folder = tmp_path / 'wohn küche'
    folder.mkdir()
    (folder / 'main.py').write_text('import wärme\nimport dotlatch.events\n')
    (folder / 'wärme.py').write_text('"""°C"""')
    deploy(board, needs_of(folder / 'main.py'))
    assert board.files()['/wärme.py'] == '"""°C"""'.encode()
    assert not deploy(board, needs_of(folder / 'main.py')).change


# --- boards that are odd ----------------------------------------------------------------------------

@pytest.mark.parametrize('file, contents', [
    ('__init__.mpy', b''), ('__init__.mpy', b'M\x05\x00\x1f'), ('__init__.py', b'def ('), ('portable.py', b'1 // 0')])
def test_a_broken_dotlatch_is_replaced(board, file, contents):
    board.put({f'/lib/dotlatch/{file}': contents})
    deploy(board, as_source=False)
    assert board.files().get(f'/lib/dotlatch/{file}') != contents


@pytest.mark.parametrize('path, told', [('/dotlatch.py', '/dotlatch.py'), ('/dotlatch/__init__.py', '/dotlatch')])
def test_what_would_hide_the_files_is_told(board, path, told):
    board.put({path: b''})
    with pytest.raises(BoardTrouble, match=f'^{told} on the board hides'):
        deploy(board)
    assert {*board.files()} == {path}


def test_a_firmware_with_a_file_system_in_it_is_not_written_to(board):
    board.path = ['', '.frozen', '/rom', '/rom/lib', '/lib']
    deploy(board)
    assert '/lib/dotlatch/events.py' in board.files()
    board.put({f'/rom/lib/dotlatch/{name}.py': (FOLDER / f'{name}.py').read_bytes() for name in FEATURES.modules})
    plan = Plan.of(board, FEATURES, True)
    assert plan.frozen.version == __version__
    assert '/lib/dotlatch/events.py' in plan.change.removed, 'nothing would load it'
    with pytest.raises(BoardTrouble, match=r'dotlatch is frozen into the firmware of this board, without .*session'):
        Plan.of(board, needs_of_features(['session']), True)
    with pytest.raises(BoardTrouble, match='without calibrate'):
        add_modules(board, plan.facts, ['calibrate'])


def test_a_broken_microdot_of_somebody_else_is_told(board):
    board.put({'/microdot.py': b'1 // 0'})
    with pytest.raises(DoesNotLoad, match='ZeroDivisionError'):
        deploy(board)
    assert board.files()['/microdot.py'] == b'1 // 0'


def test_a_folder_where_a_file_should_be_is_told_before_anything_changes(board):
    board.put({'/lib/dotlatch/events.py/x': b''})
    with pytest.raises(BoardTrouble, match=r'/lib/dotlatch/events\.py on the board is a folder'):
        deploy(board)
    assert {*board.files()} == {'/lib/dotlatch/events.py/x'}


def test_a_flash_that_cannot_be_written_is_told(board):
    board.is_read_only = True
    with pytest.raises(BoardTrouble, match='the board cannot write its files, and nothing was changed: OSError: 30'):
        deploy(board)


def test_a_micropython_that_is_too_old_is_told(board, monkeypatch):
    monkeypatch.setattr(deploying, 'OLDEST', (9, 9))
    with pytest.raises(BoardTrouble, match=r'runs MicroPython [\d.]+, and dotlatch needs 9\.9 or newer'):
        deploy(board)
    assert board.files() == {}


def test_firmware_with_all_of_it_needs_no_compiler(board, main, monkeypatch):
    monkeypatch.setattr(building, '_installed', lambda: None)
    monkeypatch.setattr(Frozen, 'of', lambda board, package: Frozen(package, None, None))
    plan = Plan.of(board, needs_of(main))
    assert {*plan.change.wanted} == {'/main.py', '/lamp.py', RECORD}
    plan.carry_out(lambda done, total, path: None)
    assert json.loads(board.files()[RECORD]).keys() == {'files'}
    assert not Plan.of(board, needs_of(main)).change


def test_modules_of_another_edition_are_not_put_beside_each_other(board, monkeypatch):
    deploy(board)
    monkeypatch.setattr(deploying, '_edition', lambda: 'of a newer checkout')
    with pytest.raises(BoardTrouble, match='another version than this computer'):
        add_modules(board, Facts.of(board), ['calibrate'])
    monkeypatch.undo()
    board.fresh()
    facts = Facts.of(board)
    add_modules(board, facts, ['calibrate'])
    assert '/lib/dotlatch/calibrate.py' in board.files()


def test_the_record_names_no_secret(board, main):
    Path(main).write_text('KEY = "a secret of thirty-two characters"\nimport dotlatch.events\n')
    plan = deploy(board, needs_of(main))
    assert b'thirty-two' not in board.files()[RECORD] and 'thirty-two' not in repr(plan)


# --- the command ------------------------------------------------------------------------------------

def command(board, monkeypatch, capsys, *arguments):
    """Its exit code, and what it prints in both places."""
    monkeypatch.setattr(deploy_command, 'Board', SimpleNamespace(found=lambda port: board))
    code = run_command(['deploy', *map(str, arguments), '--source'])
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def test_files_of_others_are_replaced_by_who_says_so(board, main, monkeypatch, capsys):
    board.put({'/lamp.py': b'LAMP = 2'})
    monkeypatch.setattr('sys.stdin', io.StringIO())
    code, told = command(board, monkeypatch, capsys, main, '--dry-run')
    assert code == 0 and 'would copy /lamp.py, and replace what is there\n' in told and 'would copy /main.py\n' in told
    code, told = command(board, monkeypatch, capsys, main)
    assert code == 2 and 'something else than `deploy` has put there, in /lamp.py: say --yes' in told
    assert board.files() == {'/lamp.py': b'LAMP = 2'}
    code, told = command(board, monkeypatch, capsys, main, '--yes')
    assert code == 0 and board.files()['/lamp.py'] == b'LAMP = 1'


def test_it_is_told_how_much_was_copied(board, main, monkeypatch, capsys):
    command(board, monkeypatch, capsys, main)
    main.with_name('lamp.py').write_text('LAMP = 3')
    code, told = command(board, monkeypatch, capsys, main, '--json')
    assert code == 0 and json.loads(told)['copied'] == ['/lamp.py']
    main.with_name('lamp.py').write_text('LAMP = 4')
    assert 'copied   1 file, ' in command(board, monkeypatch, capsys, main)[1]
    assert 'everything is there already' in command(board, monkeypatch, capsys, main, '--dry-run')[1]


def test_where_little_heap_is_left_it_is_told_what_leaves_more(board, main, monkeypatch, capsys):
    def try_out(plan):
        plan.facts.machine = 'Raspberry Pi Pico W with RP2040'
        return 190 * 1024, left * 1024

    monkeypatch.setattr(Plan, 'try_out', try_out)
    left = 40
    code, told = command(board, monkeypatch, capsys, main, '--without', 'lamp.py')
    assert code == 0
    assert f'leaves about 140 KB: `dotlatch firmware {main} --without lamp.py` builds one\n' in told
    assert '`dotlatch firmware --features events,headers`' in command(
        board, monkeypatch, capsys, '--features', 'events,headers')[1]
    left = 80
    assert 'firmware' not in command(board, monkeypatch, capsys, main)[1]


def test_a_firmware_that_has_it_all_already_is_told(board, main, monkeypatch, capsys):
    monkeypatch.setattr(Frozen, 'of', lambda board, package: Frozen(package, '0.0.9', None))
    monkeypatch.setattr(Plan, 'try_out', lambda plan: (40 * 1024, 30 * 1024))
    told = command(board, monkeypatch, capsys, main)[1]
    assert f'frozen   0.0.9 (this computer has {__version__}): part of the firmware' in told
    assert 'copied   2 files' in told and 'dotlatch firmware' not in told
