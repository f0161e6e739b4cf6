"""`dotlatch firmware` with compilers that are not there or only pretend; tests/board/test_frozen.py builds one."""
import os
import re
import struct
import sys

import pytest

from dotlatch.server.board.firmware import TESTED, Build
from dotlatch.server.board.image import as_uf2, room
from dotlatch.server.board.needs import needs_of_features
from dotlatch.server.cli.main import main

FEATURES = ('--features', 'events')
VERSION = '''
#define MICROPY_VERSION_MAJOR {}
#define MICROPY_VERSION_MINOR {}
#define MICROPY_VERSION_MICRO {}
#define MICROPY_VERSION_PRERELEASE 0
'''
IMAGE = bytes(range(256)) * 3 + b'the end'
# It says by the SDK's table that the files begin at 2 KB.
SAYS = (bytes(256) + struct.pack('<5I', 0x7188EBF2, 0x10000200, 0x10000208, 0, 0xE71AA390)).ljust(512, b'\0') + (
    struct.pack('<2I', 0x10000220, 0x10000240)).ljust(32, b'\0') + struct.pack('<HHII', 5, 0, 1, 2).ljust(32, b'\0') + (
    struct.pack('<HH4I', 7, 0, 0x10000300, 0x10000800, 4096, 0))
# It notes how it was started, and makes what a build makes: for a chip, an image, and what it says.
CMAKE = '''#!{python}
import pathlib, sys
folder = pathlib.Path(sys.argv[sys.argv.index('--build' if '--build' in sys.argv else '-B') + 1])
with open(folder / 'started', 'a') as started:
    print(*sys.argv[1:], file=started)
if '--build' not in sys.argv:
    (folder / 'CMakeCache.txt').write_text('PICO_PLATFORM:STRING={chip}\\n')
    sys.exit()
(folder / 'firmware.bin').write_bytes({image!r})
(folder / 'firmware.uf2').write_bytes(b'of the SDK')
print({says!r})
sys.exit({code})
'''


@pytest.fixture
def sources(tmp_path):
    """As much of MicroPython as is looked at before it is compiled."""
    folder = tmp_path / 'micropython'
    for name in ('RPI_PICO', 'RPI_PICO_W'):
        put(folder / 'ports/rp2/boards' / name / 'mpconfigboard.cmake')
    put(folder / 'ports/rp2/boards/RPI_PICO_W/manifest.py')
    put(folder / 'py/mpconfig.h', VERSION.format(*TESTED.split('.')))
    put(folder / 'lib/pico-sdk/README.md')
    return folder


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A folder with all programs that are found. Without one, it is missing."""
    folder = tmp_path / 'tools'
    monkeypatch.setenv('PATH', str(folder))
    monkeypatch.delenv('MICROPY_MPYCROSS', raising=False)
    for name in ('make', 'gcc'):
        program(folder / name, '#!/bin/sh\n')
    program(folder / 'arm-none-eabi-gcc', '#!/bin/sh\necho /usr/lib/nosys.specs\n')
    cmake(folder)
    return folder


@pytest.fixture
def build(sources, tools, tmp_path, capsys):
    """Run the command, and return its exit code and what it says."""
    def run(*arguments, out=tmp_path / 'my.uf2'):
        code = main(['firmware', *arguments, '--micropython', str(sources), '--out', str(out)])
        printed = capsys.readouterr()
        return code, printed.out + printed.err
    return run


def put(path, text=''):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def program(path, text):
    put(path, text)
    path.chmod(0o755)


def cmake(tools, chip='rp2040', says='', code=0, image=IMAGE):
    program(tools / 'cmake', CMAKE.format(python=sys.executable, chip=chip, image=image, says=says, code=code))


def contents(uf2):
    """The image in a .uf2 file, as the ROM of a Pico reads it."""
    image = b''
    blocks = [uf2[start:start + 512] for start in range(0, len(uf2), 512)]
    for number, block in enumerate(blocks):
        start, second, flags, address, size, at, count, family = struct.unpack('<8I', block[:32])
        assert (start, second, block[-4:]) == (0x0A324655, 0x9E5D5157, b'\x30\x6f\xb1\x0a')
        assert (flags, family, size) == (0x2000, 0xE48BFF56, 256)
        assert (at, count, address) == (number, len(blocks), 0x10000000 + len(image))
        image += block[32:32 + size]
    return image


# --- what it makes ----------------------------------------------------------------------------------

def test_it_says_how_the_firmware_gets_to_the_board(build, tmp_path):
    code, told = build(*FEATURES)
    assert code == 0
    assert f'made     {tmp_path / "my.uf2"}, 2 KB: MicroPython {TESTED} for RPI_PICO_W, with ' in told
    assert 'hold BOOTSEL' in told and 'then     dotlatch deploy --features events\n' in told
    assert contents((tmp_path / 'my.uf2').read_bytes()) == IMAGE.ljust(1024, b'\0')


def test_after_a_failure_it_begins_anew(build, sources, tools, tmp_path):
    program(tools / 'cmake', '#!/bin/sh\necho CMake Error: no SDK\nexit 1\n')
    assert build(*FEATURES)[0] == 2
    cmake(tools)
    assert build(*FEATURES)[0] == 0
    assert (tmp_path / 'my.uf2').is_file()


def test_what_a_pico_2_needs_is_left_to_its_sdk(build, sources, tools, tmp_path):
    cmake(tools, chip='rp2350-arm-s')
    assert build(*FEATURES)[0] == 0
    assert (tmp_path / 'my.uf2').read_bytes() == b'of the SDK'
    started = (sources / 'ports/rp2/build-dotlatch-RPI_PICO_W/started').read_text().splitlines()
    assert '-DPICO_NO_PICOTOOL=1' in started[0] and '-UPICO_NO_PICOTOOL' in started[1]


def test_the_second_build_only_compiles(build, sources):
    build(*FEATURES)
    build('--features', 'events,headers')
    started = (sources / 'ports/rp2/build-dotlatch-RPI_PICO_W/started').read_text().splitlines()
    assert [' --parallel ' in f' {line} ' for line in started] == [False, True, True]


def test_a_folder_of_another_board_is_made_ready_for_this_one(build, tmp_path):
    folder = tmp_path / 'build'
    for board in ('RPI_PICO', 'RPI_PICO_W'):
        assert build(*FEATURES, '--board', board, '--build', str(folder))[0] == 0
    started = (folder / 'started').read_text().splitlines()
    assert [line for line in started if '-DMICROPY_BOARD=RPI_PICO_W ' in line]


@pytest.mark.parametrize('board, first', [
    ('RPI_PICO_W', '$(BOARD_DIR)/manifest.py'), ('RPI_PICO', '$(PORT_DIR)/boards/manifest.py')])
def test_a_board_keeps_what_its_firmware_has_anyway(sources, board, first):
    frozen = Build(sources, board).manifest(needs_of_features(['events'])).splitlines()
    assert frozen[0] == f'include("{first}")'
    assert re.match(r"package\('dotlatch', files=\[.*'events.py'.*\], base_path='/.*', opt=3\)$", frozen[1])
    assert "'microdot.py'" in frozen[2] and 'session.py' not in frozen[1]


def test_an_app_says_itself_what_it_needs(build, sources, tmp_path):
    put(tmp_path / 'main.py', 'from dotlatch.events import Events\nimport lamp\n')
    put(tmp_path / 'lamp.py')
    code, told = build(str(tmp_path / 'main.py'), '--board', 'RPI_PICO')
    manifest = (sources / 'ports/rp2/build-dotlatch-RPI_PICO/dotlatch_manifest.py').read_text()
    assert code == 0 and f'dotlatch deploy {tmp_path / "main.py"}\n' in told
    assert "'events.py'" in manifest and 'lamp' not in manifest


def test_an_image_that_ends_within_a_page_is_filled_up():
    assert contents(as_uf2(b'')) == b''
    assert contents(as_uf2(b'\1' * 257)) == b'\1' * 257 + bytes(255)


def test_an_image_says_where_the_files_begin():
    assert room(SAYS) == 2048
    assert room(IMAGE) is None and room(SAYS[:530]) is None and room(b'') is None


@pytest.mark.parametrize('size, told', [(2048, 'made  '), (2049, 'this is 1 KB more than the board has room for')])
def test_a_firmware_that_would_lie_under_the_files_is_refused(build, tools, size, told):
    cmake(tools, image=SAYS.ljust(size, b'x'))
    assert told in build(*FEATURES)[1]


# --- what is missing --------------------------------------------------------------------------------

def test_without_sources_it_is_told_how_to_get_them(build, sources):
    (sources / 'py/mpconfig.h').unlink()
    code, told = build(*FEATURES)
    assert code == 2 and f'there are no sources of MicroPython in {sources}' in told
    assert f'git clone --depth 1 --branch v{TESTED} https://github.com/micropython/micropython' in told


def test_sources_that_are_too_old_are_told(build, sources):
    put(sources / 'py/mpconfig.h', VERSION.format(1, 23, 0))
    code, told = build(*FEATURES)
    assert code == 2 and 'is MicroPython 1.23.0, and dotlatch needs 1.24 or newer' in told


def test_boards_that_there_are_are_told(build):
    code, told = build(*FEATURES, '--board', 'PICO')
    assert code == 2 and f'MicroPython {TESTED} has no PICO: it has RPI_PICO, RPI_PICO_W' in told


@pytest.mark.parametrize('name', ['cmake', 'make', 'gcc', 'arm-none-eabi-gcc'])
def test_a_compiler_that_is_missing_is_told(build, tools, name):
    (tools / name).unlink()
    code, told = build(*FEATURES)
    assert code == 2 and f'to compile a firmware, {name} is missing on this computer' in told
    assert 'sudo apt install' in told and ' gcc-arm-none-eabi ' in told


def test_a_compiler_without_its_library_is_told(build, tools):
    program(tools / 'arm-none-eabi-gcc', '#!/bin/sh\necho nosys.specs\n')
    code, told = build(*FEATURES)
    assert code == 2 and 'newlib for arm-none-eabi-gcc is missing' in told


def test_sources_without_the_sdk_are_told(build, sources):
    (sources / 'lib/pico-sdk/README.md').unlink()
    code, told = build(*FEATURES)
    assert code == 2 and f'`make -C {sources}/ports/rp2 BOARD=RPI_PICO_W submodules`' in told


@pytest.mark.parametrize('arguments, told', [
    ((), 'say what the board is for'), (('/dev/ttyACM0', *FEATURES), '/dev/ttyACM0 is no file of an app'),
    (('--features', 'logon'), 'there is no feature logon'), (('none.py',), 'there is no none.py')])
def test_wrong_usage_is_told(build, monkeypatch, arguments, told):
    monkeypatch.setattr(sys, 'stdin', None)
    code, said = build(*arguments)
    assert code == 2 and told in said


def test_a_file_that_cannot_be_written_is_told_before_it_compiles(build, sources, tmp_path):
    code, told = build(*FEATURES, out=tmp_path / 'none' / 'my.uf2')
    assert code == 2 and 'name a file in a folder that there is' in told
    assert not (sources / 'ports/rp2/build-dotlatch-RPI_PICO_W').exists()


# --- what goes wrong --------------------------------------------------------------------------------

@pytest.mark.parametrize('says, told', [
    ("ld: region `FLASH' overflowed by 5000 bytes", 'this is 5 KB more than the board has room for'),
    ('Building C object error.c.o\nx.c:1: error: no y', 'it does not compile: x.c:1: error: no y (all of it is in '),
    ('CMake Error at a.txt:1:\n  No file:\n\n  b.c\n\n  Tried c', 'compile: CMake Error at a.txt:1: No file: b.c (all'),
    ('', 'the compiler says nothing')])
def test_why_it_does_not_compile_is_told(build, sources, tools, tmp_path, says, told):
    cmake(tools, says=says, code=2)
    code, said = build(*FEATURES)
    assert code == 2 and told in said
    assert not (tmp_path / 'my.uf2').exists()
    assert os.path.isfile(sources / 'ports/rp2/build-dotlatch-RPI_PICO_W/dotlatch.log')
