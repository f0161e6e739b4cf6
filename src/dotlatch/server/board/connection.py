"""A board on a serial port, through mpremote.

::

    with Board.found(None) as board:            # the one that is plugged in
        board.fresh()                           # its program stopped, an empty heap
        board.ask('{"free": gc.mem_free()}')    # what an expression is there, by way of JSON
"""
import contextlib
import io
import json
import os
import struct
import time
from collections.abc import Iterator
from typing import Any

SECONDS = 30      # of silence, after which a board is given up
_TRIES = 2        # to stop its program
_STOPPING = 10    # seconds for one
_BOOTING = 60     # seconds for its boot.py, which may wait for a network


class BoardTrouble(Exception):
    """Something about the board that its owner has to know; the text says what to do."""


class NoBoard(BoardTrouble):
    """No board answers, or not any more."""


class RemoteError(BoardTrouble):
    """A program failed on the board; the text is the traceback from there."""

    @property
    def last_line(self) -> str:
        """The error without its traceback."""
        return str(self).strip().rpartition('\n')[2].strip()


class Board:
    """A board whose prompt takes our programs. Leave it by ``with``: what it does at power-on begins again."""

    def __init__(self, port: str) -> None:
        self.port = port
        with self._told():
            self._transport: Any = _serial_transport()(port)
            self._transport.serial.timeout = SECONDS  # as it comes, a read waits for good

    @classmethod
    def found(cls, port: 'str | None') -> 'Board':
        """Return the board on that port, or the only one that is plugged in."""
        return cls(port or only_port())

    def __enter__(self) -> 'Board':
        return self

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(NoBoard):
            self.restart()
        with contextlib.suppress(Exception):  # the port may be gone
            self._transport.close()

    def fresh(self) -> None:
        """Stop what runs and begin with an empty heap; main.py does not start, boot.py does."""
        for attempt in range(_TRIES):
            try:
                with self._told(), contextlib.redirect_stdout(io.StringIO()):  # it prints what it cannot read
                    self._transport.enter_raw_repl(soft_reset=False, timeout_overall=_STOPPING)
                    self._transport.enter_raw_repl(soft_reset=True, timeout_overall=_BOOTING)
                break
            except NoBoard as error:
                if attempt == _TRIES - 1 or isinstance(error.__cause__, OSError):
                    raise
        self.run('import gc, json, os, sys')

    def run(self, program: str, timeout: float = SECONDS) -> str:
        """Run a program there and return what it printed.

        :param timeout: seconds of silence.
        :raises RemoteError: when it ends by an exception.
        """
        with self._told():
            printed, error = self._transport.exec_raw(program, timeout=timeout)
        if error:
            raise RemoteError(error.decode(errors='replace').replace('\r\n', '\n'))
        return str(printed.decode(errors='replace').replace('\r\n', '\n'))

    def ask(self, expression: str, timeout: float = SECONDS) -> Any:
        """Return what an expression is there."""
        printed = self.run(f'print(json.dumps({expression}))', timeout)
        try:
            return json.loads(printed.strip().rpartition('\n')[2])  # something else may print there too
        except ValueError:
            raise BoardTrouble(f'the board on {self.port} answers something odd: press its reset button and try '
                               'again') from None

    def restart(self) -> None:
        """Leave the board to itself: it begins anew, with boot.py and main.py, and keeps its clock."""
        with self._told():
            if self._transport.in_raw_repl:
                self._transport.serial.write(b'\x03')  # what was being sent, when somebody has pressed Ctrl-C
                self._transport.exit_raw_repl()
                time.sleep(0.1)
                self._transport.serial.write(b'\x04')
                self._transport.serial.flush()

    @contextlib.contextmanager
    def _told(self) -> 'Iterator[None]':
        """Say what goes wrong in the words of who has plugged the board in."""
        from mpremote.transport import TransportError
        from serial import SerialException
        try:
            yield
        except (TransportError, struct.error) as error:
            raise NoBoard(self._reason(error)) from error
        except (SerialException, OSError, TypeError) as error:  # TypeError: pyserial, once the port is gone
            raise NoBoard(f'the board on {self.port} is gone: see to the cable, and run this again') from error

    def _reason(self, error: Exception) -> str:
        if 'failed to access' not in str(error):
            return (f'the board on {self.port} does not answer: something else may be on that port, or a program on '
                    'it that cannot be interrupted. Unplug it, plug it in and try again')
        if not _is_there(self.port):
            return f'there is no {self.port}: {_ports_there()}'
        if os.name == 'posix' and '://' not in self.port and not os.access(self.port, os.R_OK | os.W_OK):
            return f'you may not use {self.port}: join the group that it belongs to (dialout, on most systems)'
        return f'{self.port} is in use by another program: close what shows its console, such as mpremote or Thonny'


def only_port() -> str:
    """Return the port of the one board that is plugged in."""
    found = _ports()
    if len(found) != 1:
        raise NoBoard(f'no board was named: {_ports_there()}')
    return found[0]


def _ports_there() -> str:
    found = _ports()
    if not found:
        return 'none is plugged in, as far as this computer can see. Try another cable: some only charge'
    return f'there is one on {found[0]}' if len(found) == 1 else f'name one of {", ".join(found)}'


def _is_there(port: str) -> bool:
    if '://' in port:
        return True
    if os.name == 'posix':
        return os.path.exists(port)
    from serial.tools.list_ports import comports
    return port.upper() in [each.device.upper() for each in comports()]  # Windows: COM3 is no file


def _ports() -> 'list[str]':
    _serial_transport()
    from serial.tools.list_ports import comports
    return sorted(port.device for port in comports() if port.vid is not None)  # USB


def _serial_transport() -> Any:
    try:
        from mpremote.transport_serial import SerialTransport
    except ModuleNotFoundError:
        raise BoardTrouble("mpremote is not installed: pip install 'dotlatch[board]'") from None
    return SerialTransport
