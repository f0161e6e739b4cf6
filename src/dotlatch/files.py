"""Small files on flash or disk, replaced whole: a power cut leaves the old one or the new one.

Needs portable.py::

    from dotlatch import files

    key = files.load_or_create('secret.key', make_key)
    files.replace('users.json', text)
"""
import os

from .portable import (
    b64url_bytes,
    followed,
    name_new_file,
    open_private,
    random_bytes,
    renames_whole,
    sync,
    temporary_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

OLD = '.old'  # where the file waits meanwhile, on file systems that cannot rename onto it in one step (FAT)


def read(path: str) -> 'bytes | None':
    """Return what the file holds, or ``None`` when there is none. OSError for anything else that is wrong."""
    data = _read(path)
    return _read(followed(path) + OLD) if data is None else data  # that alone: the power went between two renames


def _read(path: str) -> 'bytes | None':
    try:
        with open(path, 'rb') as file:
            return file.read()
    except OSError as error:
        if error.errno != 2:  # ENOENT
            raise
    return None


def replace(path: str, data: bytes) -> None:
    """Write a file whole: beside the old one, through to the medium, then under its name.

    A symbolic link stays one: what is replaced is the file that it leads to.

    :raises OSError: when that is not possible (full, read-only); what :func:`read` returns is then as it was.
    """
    path = followed(path)
    new = _written(path, data)
    try:
        if not renames_whole(new) or not _renamed(new, path):
            if _is_there(path):
                remove(path + OLD)
                os.rename(path, path + OLD)
            os.rename(new, path)
    except OSError:
        remove(new)
        raise
    remove(path + OLD)


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
            sync(file, path)
    except Exception:  # whatever it was: it may hold secrets
        remove(new)
        raise
    return new


def remove(path: str) -> None:
    """Remove a file, if it is there and that can be done."""
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
        path = followed(path)
        new = _written(path, data)
        try:
            name_new_file(new, path)
        except OSError as error:
            remove(new)
            if error.errno != 17:  # EEXIST: another process that starts now was quicker
                raise
            data = read(path) or b''
    return data
