"""Where the board's parts are kept, and how set-up talks to the machine and to who watches it."""
import os
import shlex
import subprocess
from pathlib import Path

_CACHES = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
CACHE = Path(os.environ.get('DOTLATCH_CACHE') or _CACHES / 'dotlatch').resolve() / 'board'
VENV = CACHE / 'venv'
PYTHON = VENV / 'bin' / 'python'


class SetupError(Exception):
    """The board could not be set up; the message says what to do about it."""


def say(message):
    print('board: ' + message, flush=True)


def run(*command, **options):
    """Run a command and return what it printed; its last lines are shown when it fails."""
    command = [str(part) for part in command]
    result = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors='replace', **options)
    if result.returncode:
        tail = '\n'.join(result.stdout.splitlines()[-40:])
        raise SetupError(f'{shlex.join(command)} failed ({result.returncode}):\n{tail}')
    return result.stdout
