"""How MicroPython keeps files: see portable.py, which loads it for the first module that asks for one of these names.

Needs no other file.
"""
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO


def temporary_name(path: str) -> str:
    """Return a name beside ``path``."""
    return path + '.new'


def renames_whole(new: str) -> bool:
    """Tell whether the file system of a file renames onto another in one step.

    littlefs does. FAT removes the other one first, and is known by this: it finds a file by its name in capitals.
    """
    start = new.rfind('/') + 1
    name = new[start:].upper()
    try:
        os.stat(new[:start] + name)
    except OSError:
        return True
    return name == new[start:]


def name_new_file(new: str, path: str) -> None:
    """Give a file that was just written its name."""
    os.rename(new, path)


def followed(path: str) -> str:
    """Return the path: a board has no links."""
    return path


class FileLock:
    """Nothing to hold: a board has one process."""
    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        pass


def open_private(path: str) -> 'BinaryIO':
    """Open a file to write; a board has one user."""
    return open(path, 'wb')


def sync(file: 'BinaryIO', path: str) -> None:
    """Have what was written reach the medium."""
    file.flush()
    if hasattr(os, 'sync'):
        os.sync()


def message(at: int, *values: object) -> str:
    """Return a message of a module that was made smaller for a board: the line that begins there in a file beside it.

    :param values: what ``%`` puts into it.
    """
    try:
        with open(__file__[:__file__.rfind('/') + 1] + 'messages', 'rb') as file:
            file.seek(at)
            text = file.readline()[:-1].decode()
    except OSError:  # it was not copied along
        return 'message %d of dotlatch/messages' % at
    return text % values[0] if values else text


def file_version(path: str) -> 'tuple[int, ...] | None':
    """Return ``None``: nobody else writes a board's files."""
    return None


def unload(*names: str) -> None:
    """Take files of this package out of memory, unless somebody holds on to them; who needs them loads them again."""
    package = __name__[:__name__.rfind('.')]
    for name in names:
        sys.modules.pop(package + '.' + name, None)
        if hasattr(sys.modules[package], name):
            delattr(sys.modules[package], name)
