"""MicroPython's unix port for a processor of 32 bits, as a board's is, with dotlatch and Microdot frozen into it.

The one that PyPI has is for 64 bits: each object takes twice what it takes on a board.
"""
import fcntl
import os
import shutil

from . import firmware, frozen
from .machine import CACHE, run

BUILD = CACHE / 'unix32'
PROGRAM = BUILD / 'micropython'
OPTIONS = (
    'MICROPY_FORCE_32BIT=1', 'MPY_CROSS_FLAGS=-march=x86',
    # What would need libraries, and is not asked for.
    'MICROPY_PY_FFI=0', 'MICROPY_PY_BTREE=0', 'MICROPY_PY_SSL=0', 'MICROPY_SSL_MBEDTLS=0', 'MICROPY_PY_THREAD=0',
)


def program(features):
    """The path of it, with these features; it is made anew, for the first time in half a minute."""
    manifest = CACHE / 'unix32_manifest.py'
    with open(CACHE / 'lock', 'w') as lock:  # the tree is one for all
        fcntl.flock(lock, fcntl.LOCK_EX)
        manifest.write_text('include("$(MPY_DIR)/extmod/asyncio")\n' + frozen.included(features, arm=False))
        shutil.rmtree(BUILD / 'frozen_mpy', ignore_errors=True)  # it would go by the files' dates alone
        mpy_cross = firmware.environment()['MICROPY_MPYCROSS']
        run('make', '-C', firmware.SOURCE / 'ports' / 'unix', f'-j{os.cpu_count() or 2}', f'BUILD={BUILD}', *OPTIONS,
            f'FROZEN_MANIFEST={manifest}', f'MICROPY_MPYCROSS={mpy_cross}', f'MICROPY_MPYCROSS_DEPENDENCY={mpy_cross}')
    return PROGRAM
