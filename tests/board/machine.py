"""Where the board's parts are kept, and how set-up talks to who watches it."""
from tests.harness import debian

# The other files of the board take these from here.
from tests.harness.debian import SetupError, run  # noqa: F401

CACHE = debian.CACHE / 'board'
VENV = CACHE / 'venv'
PYTHON = VENV / 'bin' / 'python'


def say(message):
    print('board: ' + message, flush=True)
