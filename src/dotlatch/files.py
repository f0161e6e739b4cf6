"""Small files on flash or disk, replaced whole: a power cut leaves the old one or the new one.

Needs portable.py::

    from dotlatch import files

    key = files.load_or_create('secret.key', make_key)
    files.replace('users.json', text)
"""
import os

from .portable import b64url_bytes, open_private, random_bytes, sync

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_NEW = '.new'  # what is written first, whole, before it takes the file's name
_OLD = '.old'  # where the file waits meanwhile, on file systems that rename onto nothing that is there (FAT)


def read(path: str) -> 'bytes | None':
    """Return what the file holds, or ``None`` when there is none. OSError for anything else that is wrong."""
    for name in (path, path + _OLD):  # the old one alone: the power went between two renames
        try:
            with open(name, 'rb') as file:
                return file.read()
        except OSError as error:
            if error.errno != 2:  # ENOENT
                raise
    return None


def replace(path: str, data: bytes) -> None:
    """Write a file whole: beside the old one, through to the medium, then under its name.

    :raises OSError: when that is not possible (full, read-only); what :func:`read` returns is then as it was.
    """
    with open_private(path + _NEW) as file:
        file.write(data)
        sync(file)
    try:
        os.rename(path + _NEW, path)
    except OSError:
        _remove(path + _OLD)
        os.rename(path, path + _OLD)
        os.rename(path + _NEW, path)
    _remove(path + _OLD)


def _remove(path: str) -> None:
    try:
        os.remove(path)
    except OSError:
        pass


def load_or_create(path: str, make: 'Callable[[], bytes] | None' = None) -> bytes:
    """Return what the file holds; where there is none, make it and write it first.

    :param make: returns the content; the default is a signing key of 256 random bits.
    """
    data = read(path)
    if data is None:
        data = make() if make else b64url_bytes(random_bytes(32))
        replace(path, data)
        data = read(path)  # several processes may start at once: the last one to write has won
    return data or b''
