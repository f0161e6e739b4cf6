"""A disk that fails when a test says so: power cuts, full flash, a file system that renames onto nothing that is there.

    with Disk(fail_at=3, fat=True):   # the third step of writing goes wrong, and nothing works after it
        files.replace('x', b'new')
"""
import os

from dotlatch import files


class Cut(OSError):
    """The power went, or the medium refused."""


class Disk:
    """Counts the steps that change the disk. ``fail_at`` is the step that fails, ``dead`` whether all after it do too.

    ``fat``: rename refuses to replace a file, as FAT does. ``no_rename``: it never works.
    """
    def __init__(self, fail_at=0, dead=True, fat=False, no_rename=False):
        self.fail_at = fail_at
        self.dead = dead
        self.fat = fat
        self.no_rename = no_rename
        self.steps = 0

    def step(self):
        self.steps += 1
        if self.fail_at and (self.steps == self.fail_at or (self.dead and self.steps > self.fail_at)):
            raise Cut(5)

    def __enter__(self):
        self._kept = files.os, files.open_private
        files.os = _System(self)
        files.open_private = lambda path: _File(self, path)
        return self

    def __exit__(self, *error):
        files.os, files.open_private = self._kept


class _System:
    def __init__(self, disk):
        self._disk = disk

    def __getattr__(self, name):
        return getattr(os, name)

    def rename(self, old, new):
        self._disk.step()
        if self._disk.no_rename:
            raise Cut(5)
        if self._disk.fat and exists(new):
            raise OSError(17)  # EEXIST
        os.rename(old, new)

    def replace(self, old, new):
        self.rename(old, new)

    def remove(self, path):
        self._disk.step()
        os.remove(path)

    unlink = remove


class _File:
    """Writes half of what it is given when the cut comes in the middle of it."""
    def __init__(self, disk, path):
        self._disk = disk
        disk.step()
        self._file = open(path, 'wb')

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file.close()

    def write(self, data):
        try:
            self._disk.step()
        except Cut:
            self._file.write(data[:len(data) // 2])
            raise
        return self._file.write(data)

    def flush(self):
        self._disk.step()
        self._file.flush()

    def fileno(self):
        return self._file.fileno()


def exists(path):
    try:
        os.stat(path)
        return True
    except OSError:
        return False


def remove(*paths):
    """A disk without these files, to begin with."""
    for path in paths:
        if exists(path):
            os.remove(path)


def put(path, data):
    with open(path, 'wb') as file:
        file.write(data)


def held(path):
    """What the file itself holds; None when there is none."""
    if not exists(path):
        return None
    with open(path, 'rb') as file:
        return file.read()
