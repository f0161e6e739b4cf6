"""Where the board's parts are kept, and how set-up talks to who watches it."""
from tests.harness import machine

# The other files of the board take these from here.
from tests.harness.machine import SetupError, run  # noqa: F401

CACHE = machine.CACHE / 'board'
VENV = CACHE / 'venv'
PYTHON = VENV / 'bin' / 'python'


def say(message):
    print('board: ' + message, flush=True)
