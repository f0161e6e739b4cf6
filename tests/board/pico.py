"""An emulated Raspberry Pi Pico on a serial port, driven as a real one is: by mpremote.

    with Pico({'/lib/greet.py': b'def hello(): print("hello")'}) as pico:
        assert pico.exec('import greet; greet.hello()') == 'hello\\n'
"""
import os
import pty
import select
import subprocess
import tempfile
import termios
import threading
import time
import tty
from pathlib import Path

from . import firmware
from .machine import PYTHON, VENV, run
from .setup import BOOTROM, EMULATOR

HERE = Path(__file__).resolve().parent
MPREMOTE = VENV / 'bin' / 'mpremote'


class BoardError(Exception):
    """A script failed on the board, or the board is silent; the message has what it printed."""


class Pico:
    """A board with `files`, {path on the board: bytes}, in its flash. Its clock is not set.

    The flash outlives `power_off()`: `power_on()` finds every file as it was.
    """

    def __init__(self, files=None, image=firmware.IMAGE):
        self.files = files or {}
        self.image = image
        self.emulator = None
        self.printed = bytearray()  # all since power_on(), also what nobody was there to see

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix='pico-')
        self.flash = Path(self.folder.name) / 'flash.img'
        self._write_flash()
        self.power_on()
        return self

    def __exit__(self, *exception):
        self.power_off()
        self.folder.cleanup()

    def _write_flash(self):
        root = Path(self.folder.name) / 'files'
        root.mkdir()
        for name, contents in self.files.items():
            path = root / name.lstrip('/')
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(contents)
        run(PYTHON, HERE / 'flash.py', root, self.flash, firmware.STORAGE_KIB)

    def power_on(self):
        """Plug it in: it boots, in about two seconds, and runs its boot.py and main.py."""
        self.printed.clear()
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.port = os.ttyname(self.slave)
        self.emulator = subprocess.Popen(
            ['node', EMULATOR, BOOTROM, self.image, self.flash],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.connected = False
        self.cable = threading.Thread(target=self._carry, daemon=True)
        self.cable.start()

    def power_off(self):
        if self.emulator is None:
            return
        self.emulator.terminate()  # it writes the flash back first
        try:
            self.emulator.wait(10)
        except subprocess.TimeoutExpired:
            self.emulator.kill()
            self.emulator.wait()
        self.cable.join()
        for stream in (self.emulator.stdin, self.emulator.stdout):
            stream.close()
        os.close(self.master)
        os.close(self.slave)
        self.emulator = None

    def _carry(self):
        """The USB cable: from the emulator's pipes to the serial port, until the emulator ends."""
        board = self.emulator.stdout.fileno()
        while True:
            for source in select.select([board, self.master], [], [])[0]:
                data = os.read(source, 4096)
                if not data:
                    return
                if source == self.master:
                    self._type(data)
                else:
                    self.printed += data
                    if self.connected:  # unread, they would fill the port and stop the board
                        os.write(self.master, data)

    def _type(self, data):
        try:
            self.emulator.stdin.write(data)
        except BrokenPipeError:
            pass  # it has just ended

    def wait_for(self, text, timeout=60):
        """Wait until the board itself has printed `text`; returns all it printed up to there."""
        deadline = time.monotonic() + timeout
        while text.encode() not in self.printed:
            if time.monotonic() > deadline or self.emulator.poll() is not None:
                raise BoardError(f'no {text!r} from the board, but:\n{self._tail()}')
            time.sleep(0.05)
        end = self.printed.index(text.encode()) + len(text)
        return self.printed[:end].decode(errors='replace')

    def mpremote(self, *arguments, timeout=60):
        """Run mpremote on the board's port and return what it printed."""
        self.connected = True
        process = subprocess.Popen(
            [MPREMOTE, 'connect', self.port, *(str(argument) for argument in arguments)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, 'TZ': 'UTC'})  # for `rtc --set`, which sets local time
        try:
            output = process.communicate(timeout=timeout)[0].decode(errors='replace')
        except subprocess.TimeoutExpired:
            raise BoardError(f'no end after {timeout} s:\n{self._tail()}') from None
        finally:
            process.kill()
            process.wait()
            self.connected = False
            termios.tcflush(self.slave, termios.TCIFLUSH)  # a full port would hold the cable up
        if process.returncode:
            raise BoardError(output)
        return output.replace('\r\n', '\n')

    def run(self, script, timeout=120):
        """Run a script, a path or its text, on a restarted interpreter; returns its output."""
        if isinstance(script, Path):
            return self.mpremote('run', script, timeout=timeout)
        path = Path(self.folder.name) / 'script.py'
        path.write_text(script)
        return self.mpremote('run', path, timeout=timeout)

    def exec(self, statement, timeout=60):
        """Execute a statement where the last one left off; a running program is interrupted."""
        return self.mpremote('resume', 'exec', statement, timeout=timeout)

    def copy(self, source, target):
        """Copy a file from here to a path on the board."""
        self.mpremote('resume', 'fs', 'cp', source, ':' + target)

    def read(self, path):
        """The text of a file on the board."""
        return self.mpremote('resume', 'fs', 'cat', ':' + path)

    def soft_reset(self):
        """Restart the interpreter: an empty heap, and no main.py."""
        self.mpremote('soft-reset')

    def reset(self):
        """Restart the board as its reset button does: main.py runs, the clock is unset."""
        self.printed.clear()
        self.mpremote('resume', 'reset')

    def set_clock(self):
        """Set the board's clock to this machine's, in UTC as a board's clock should be."""
        self.mpremote('resume', 'rtc', '--set')

    def _tail(self):
        return self.printed[-2000:].decode(errors='replace')
