"""`python -m dotlatch` with an emulated Pico on its port."""
import os
import subprocess
import sys
import termios
import threading
from dataclasses import dataclass
from types import SimpleNamespace

from .library import ROOT

SECONDS = 600


@dataclass
class Result:
    code: int
    output: str
    errors: str


def dotlatch(pico, *arguments, path=(), **options):
    """Run a command on the board's port and return how it ended; on no board with None."""
    if pico is None:
        pico = SimpleNamespace(emulator=None)
    process = start(pico, *arguments, path=path, **options)
    return end(pico, process)


def start(pico, *arguments, path=(), **options):
    """Start one. `path` comes before what Python imports from."""
    pico.connected = True
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join([*map(str, path), str(ROOT / 'src')])}
    return subprocess.Popen(
        [sys.executable, '-m', 'dotlatch', *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=environment, **options)


def end(pico, process):
    try:
        output, errors = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
        process.wait()
        pico.connected = False
        if pico.emulator is not None:
            termios.tcflush(pico.slave, termios.TCIFLUSH)
    return Result(process.returncode, output, errors)


class Watched:
    """Tells when something has been typed to a board so many times."""

    def __init__(self, pico, text, count=1):
        self.seen = threading.Event()
        self._text, self._left, self._typed = text, count, b''
        self._type = pico._type
        pico._type = self._look

    def _look(self, data):
        self._type(data)
        self._typed += data
        while self._text in self._typed:
            self._typed = self._typed.partition(self._text)[2]
            self._left -= 1
        if self._left <= 0:
            self.seen.set()
