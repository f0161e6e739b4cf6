"""How a command talks with the terminal or the program that has started it.

::

    password = read_password('Password: ')
    return Answer({'name': name}, [name + ' was added'])
"""
import json
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from getpass import GetPassWarning, getpass
from typing import Any

from ...passwords import MAX_PASSWORD, is_password
from ...portable import compare_digest

DONE, NO, TROUBLE, NOT_THERE = 0, 1, 2, 3  # exit codes


class Refused(Exception):
    """The answer is no: no such user, a name that is taken."""


class Trouble(Exception):
    """It could not be asked: wrong usage, a damaged file, a server that is down."""
    code = TROUBLE


class NotThere(Trouble):
    """No board answers, or not any more."""
    code = NOT_THERE


@dataclass(repr=False)  # it may hold a new key
class Answer:
    """What a command has found or done.

    :param result: what ``--json`` shows.
    :param lines: what people are shown instead.
    :param undo: called when nobody could be told, where that is the only time that something is told.
    """
    result: 'dict[str, Any]'
    lines: 'Sequence[str]'
    code: int = DONE
    undo: 'Callable[[], object] | None' = None

    def write(self, as_json: bool) -> None:
        """Show it; Trouble when it cannot be written."""
        lines = [json.dumps(self.result)] if as_json else map(plain, self.lines)
        text = ''.join([line + '\n' for line in lines])
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError as error:
            if self.undo is not None:
                self.undo()
            undone = ', so what was made is gone again' if self.undo is not None else ''
            raise Trouble(f'the answer could not be written{undone}: {error.strerror}') from None


# --- passwords ------------------------------------------------------------------------------------

def read_password(prompt: str = 'Password: ') -> str:
    """Return the password that is typed, without being shown, or the one line of standard input."""
    return _read(prompt) if sys.stdin is not None and sys.stdin.isatty() else _piped()


def read_new_password(check: 'Callable[[str], object]') -> str:
    """Return the same; who types has to type it twice, the second time once ``check`` has not raised anything."""
    password = read_password('New password: ')
    check(password)
    if sys.stdin.isatty() and not compare_digest(password.encode(), _read('Once more: ').encode()):
        raise Refused('these two differ: nothing was changed')
    return password


def _read(prompt: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('error', GetPassWarning)
            return _checked(getpass(prompt))
    except GetPassWarning:
        raise Trouble('this terminal would show the password: pipe it in instead') from None
    except EOFError:
        return _checked('')
    except UnicodeDecodeError:
        raise Trouble('what was typed is not text in the encoding of this terminal') from None


def _piped() -> str:
    line = b'' if sys.stdin is None else sys.stdin.buffer.read(MAX_PASSWORD + 3)
    line = line[:-1] if line.endswith(b'\n') else line
    line = line[:-1] if line.endswith(b'\r') else line
    if b'\n' in line:
        raise Trouble('standard input has more than one line: a password is one')
    try:
        return _checked(line.decode('utf-8-sig'))  # editors on Windows begin a file with that mark
    except UnicodeDecodeError:
        raise Trouble('standard input is not UTF-8') from None


def _checked(password: str) -> str:
    if not password:
        raise Trouble('no password was given: type it, or pipe it in as one line')
    if not is_password(password):
        raise Trouble(f'a password is text of at most {MAX_PASSWORD} bytes that does not end with a NUL')
    return password


# --- text for people --------------------------------------------------------------------------------

def table(head: 'Sequence[str]', rows: 'Sequence[Sequence[str]]') -> 'list[str]':
    """Return lines with the columns below each other."""
    cells = [[cell or '-' for cell in row] for row in (head, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    return ['  '.join([cell.ljust(width) for cell, width in zip(row, widths)]).rstrip() for row in cells]


def plain(text: object) -> str:
    """Return the text without what a terminal would obey: a browser sends whatever it likes as its name."""
    return ''.join([c if c.isprintable() else '?' for c in str(text)])


def moment(seconds: object) -> str:
    """Return a time in Unix seconds as people read it, in UTC; '' for none."""
    if type(seconds) is not int or not 0 < seconds < 10 ** 11:
        return ''
    return datetime.fromtimestamp(seconds, timezone.utc).strftime('%Y-%m-%d %H:%M UTC')
