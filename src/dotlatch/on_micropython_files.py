"""How MicroPython keeps files: see portable.py, which loads it for the first module that asks for one of these names.

Needs no other file.
"""
import os

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


class FileLock:
    """Nothing to hold: a board has one process."""
    def __init__(self, path: str) -> None:
        pass

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        pass


def open_private(path: str) -> 'BinaryIO':
    """Open a file to write; a board has one user."""
    return open(path, 'wb')


def sync(file: 'BinaryIO') -> None:
    """Have what was written reach the medium."""
    file.flush()
    if hasattr(os, 'sync'):
        os.sync()


def message(at: int) -> str:
    """Return a message of a module that was made smaller for a board: the line that begins there in a file beside it.
    """
    try:
        with open(__file__[:__file__.rfind('/') + 1] + 'messages', 'rb') as file:
            file.seek(at)
            return file.readline()[:-1].decode()
    except OSError:  # it was not copied along
        return 'message %d of dotlatch/messages' % at


def file_version(path: str) -> 'tuple[int, ...] | None':
    """Return ``None``: nobody else writes a board's files."""
    return None
