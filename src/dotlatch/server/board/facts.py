"""What a board is: its MicroPython, its heap and flash, its clock, and what of dotlatch is there.

::

    facts = Facts.of(board)
    facts.march            # 'armv6m'
    facts.library          # '/lib'
"""
import json
from dataclasses import dataclass
from typing import Any

from ...portable import CLOCK_FLOOR
from .connection import Board, BoardTrouble
from .copying import NEW

# The processors of .mpy files with machine code, by their number (py/persistentcode.h).
MARCHES = (None, 'x86', 'x64', 'armv6', 'armv6m', 'armv7m', 'armv7em', 'armv7emsp', 'armv7emdp', 'xtensa', 'xtensawin',
           'rv32imc', 'rv64imc')
ROM = '/rom/'             # part of the firmware: cannot be written, and comes before the folder that can
RECORD = 'deployed.json'  # beside the modules: what was put there, and by which version

_ASK = '''
def _facts():
    import time
    v, i = os.statvfs(os.getcwd()), sys.implementation
    gc.collect()
    return {'release': list(i[1][:3]), 'mpy': getattr(i, '_mpy', 0), 'machine': getattr(i, '_machine', sys.platform),
            'free': gc.mem_free(), 'heap': gc.mem_free() + gc.mem_alloc(), 'flash': v[1] * v[2],
            'room': v[1] * v[3], 'block': v[1], 'path': sys.path, 'root': os.getcwd(),
            'clock': time.time() + (946684800 if time.gmtime(0)[0] == 2000 else 0)}
def _where(name):
    try:
        return getattr(__import__(name), '__file__', '')
    except ImportError:
        return None
    except Exception:  # it is there, and broken: of another MicroPython, say
        for folder in sys.path:
            for end in ('', '.py', '.mpy'):
                path = (folder + '/' if folder else '') + name + end
                if _is_there(path):
                    return path
def _listed(path):
    try:
        return os.listdir(path)
    except OSError:
        return []
def _is_there(path):
    try:
        return bool(os.stat(path))
    except OSError:
        return False
def _text(path):
    try:
        with open(path) as file:
            return file.read(20000)
    except OSError:
        return None
'''


@dataclass
class Facts:
    """What a board says of itself.

    :param mpy: the version of the .mpy files that it loads, such as ``(6, 3)``; None when it loads none.
    :param march: its processor, for machine code; None when it takes none.
    :param library: the folder of what is installed.
    :param root: the folder of its programs.
    :param clock: Unix seconds; None while its clock is not set.
    """
    release: str
    machine: str
    mpy: 'tuple[int, int] | None'
    march: 'str | None'
    heap: int
    free: int
    flash: int
    room: int
    block: int
    library: str
    root: str
    clock: 'int | None'

    @classmethod
    def of(cls, board: Board) -> 'Facts':
        """Ask a board that is :meth:`~dotlatch.server.board.connection.Board.fresh`."""
        board.run(_ASK)
        said: 'dict[str, Any]' = board.ask('_facts()')
        number = said['mpy']
        march = number >> 10 & 15
        clock = said['clock']
        folders = [folder for folder in said['path'] if folder.endswith('/lib') and not folder.startswith(ROM)]
        if not folders:
            raise BoardTrouble('this board has no folder for what is installed in its sys.path')
        return cls(
            release='.'.join([str(part) for part in said['release']]), machine=said['machine'],
            mpy=(number & 255, number >> 8 & 3) if number else None,
            march=MARCHES[march] if march < len(MARCHES) else None,
            heap=said['heap'], free=said['free'], flash=said['flash'], room=said['room'], block=said['block'],
            library=folders[0], root=said['root'].rstrip('/'), clock=clock if clock >= CLOCK_FLOOR else None)


def where(board: Board, package: str) -> 'str | None':
    """Return the file that a board imports a package from; None when there is none. Frozen ones have no folder."""
    found: 'str | None' = board.ask(f'_where({package!r})', timeout=60)
    return found


def record_of(board: Board, facts: Facts) -> 'dict[str, Any]':
    """Return what the last ``dotlatch deploy`` has left as its record; nothing when there is none, or no whole one."""
    last, unfinished = records_of(board, facts)
    return {} if unfinished else last


def records_of(board: Board, facts: Facts) -> 'list[dict[str, Any]]':
    """Return the record of the last ``dotlatch deploy``, and that of one which was cut off."""
    return [_record(text_of(board, f'{facts.library}/dotlatch/{name}')) for name in (RECORD, RECORD + NEW)]


def _record(text: 'str | None') -> 'dict[str, Any]':
    try:
        record = json.loads(text or '{}')
    except ValueError:
        record = {'version': None}
    return record if isinstance(record, dict) else {}


def text_of(board: Board, path: str) -> 'str | None':
    """Return a short file of the board; None when there is none."""
    found: 'str | None' = board.ask(f'_text({path!r})')
    return found
