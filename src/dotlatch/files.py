"""Small files on flash or disk, replaced whole: a power cut leaves the old one or the new one.

Needs portable.py::

    from dotlatch import files

    key = files.load_or_create('secret.key', make_key)
    files.replace('users.json', text)
"""
import os

from .portable import b64url_bytes, name_new_file, open_private, random_bytes, renames_whole, sync, temporary_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

OLD = '.old'  # where the file waits meanwhile, on file systems that cannot rename onto it in one step (FAT)


def read(path: str) -> 'bytes | None':
    """Return what the file holds, or ``None`` when there is none. OSError for anything else that is wrong."""
    for name in (path, path + OLD):  # the old one alone: the power went between two renames
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
    new = _written(path, data)
    try:
        if not renames_whole(new) or not _renamed(new, path):
            if _is_there(path):
                _remove(path + OLD)
                os.rename(path, path + OLD)
            os.rename(new, path)
    except OSError:
        _remove(new)
        raise
    _remove(path + OLD)


def _renamed(new: str, path: str) -> bool:
    try:
        os.rename(new, path)
    except OSError:
        return False
    return True


def _is_there(path: str) -> bool:
    try:
        os.stat(path)
    except OSError:
        return False
    return True


def _written(path: str, data: bytes) -> str:
    new = temporary_name(path)
    try:
        with open_private(new) as file:
            file.write(data)
            sync(file)
    except OSError:
        _remove(new)
        raise
    return new


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
        new = _written(path, data)
        try:
            name_new_file(new, path)
        except OSError as error:
            _remove(new)
            if error.errno != 17:  # EEXIST: another process that starts now was quicker
                raise
            data = read(path) or b''
    return data
