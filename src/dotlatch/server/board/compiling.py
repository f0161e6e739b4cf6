"""Compiles a module for a board; one of dotlatch's is made smaller before, see shrinking.py.

::

    compile_module(text, 'dotlatch/session.py', [mpy_cross], 'armv6m')     # the bytes of session.mpy
"""
import subprocess
import tempfile
from pathlib import Path

from .shrinking import shrunk


class CompileError(Exception):
    """mpy-cross does not take a file; the text is what it says."""


def compile_module(text: str, name: str, tool: 'list[str]', march: 'str | None') -> bytes:
    """Return the .mpy of a module.

    :param name: what tracebacks call it, such as ``dotlatch/session.py``.
    :param tool: how mpy-cross is started.
    :param march: the board's processor, for machine code; None for a board that takes none.
    :raises CompileError: when it cannot be compiled.
    """
    package, _, module = name.rpartition('/')
    if package == 'dotlatch':
        module = module.removesuffix('.py')
        name, text = module, shrunk(module, text)  # the module's own name is in memory anyway
    with tempfile.TemporaryDirectory(prefix='dotlatch-') as folder:
        source, output = Path(folder) / 'source.py', Path(folder) / 'output.mpy'
        source.write_text(text, encoding='utf-8')
        architecture = [f'-march={march}'] if march else []
        command = [*tool, *architecture, '-O3', '-s', name, '-o', str(output), str(source)]
        result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, errors='replace')
        if result.returncode or not output.is_file():
            raise CompileError(f'{name}: {result.stdout.strip() or "mpy-cross failed"}')
        return output.read_bytes()
