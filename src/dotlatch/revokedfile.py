"""The list of ended tokens in a file, for the next start and for other processes: see revoked.py, which loads it.

Needs portable.py, strictjson.py and files.py.
"""
from . import files, strictjson
from .portable import FileLock, file_version, warn_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class RevokedFile:
    """What is in the file, and in the tables of a :class:`~dotlatch.revoked.Revoked`.

    :param ends: its table of ids, which is filled from the file.
    :param floors: its list of the ends below which all have ended; the first is for tokens that end by the clock.
    """
    def __init__(self, path: str, ends: 'dict[str, int]', floors: 'list[int]') -> None:
        self.path = path
        self._ends = ends
        self._floors = floors
        self._lock = FileLock(path)
        self._version: 'tuple[int, ...] | None' = None
        self._load()

    def add(self, add: 'Callable[[str, int, bool], None]', token_id: str, end: int) -> None:
        """Add an id to the table with ``add``, and write the file."""
        try:
            with self._lock:
                self.refresh()
                add(token_id, end, False)
                content = {'format': 1, 'ends': self._ends, 'floor': self._floors[0]}
                files.replace(self.path, strictjson.dumps(content))
                self._version = file_version(self.path)
        except (OSError, ValueError):
            add(token_id, end, False)
            raise

    def refresh(self) -> None:
        """Take in what another process has added."""
        if file_version(self.path) != self._version:
            self._load()

    def is_fresh(self) -> bool:
        """Take in what another process has added, and tell whether that could be done."""
        try:
            self.refresh()
        except (OSError, ValueError):
            warn_once('the list of ended tokens cannot be read: no token is taken until it can')
            return False
        return True

    def _load(self) -> None:
        version = file_version(self.path)
        data = files.read(self.path)
        if data is not None:
            try:
                content: 'Any' = strictjson.loads(data)
                ends, floor = content['ends'], content['floor']
                if content['format'] != 1 or type(floor) is not int or not isinstance(ends, dict):
                    raise ValueError()
                for token_id in ends:
                    if type(ends[token_id]) is not int:
                        raise ValueError()
            except (ValueError, TypeError, KeyError):
                raise ValueError(self.path + ' is not a list of ended tokens: put a copy back. Without it, sessions '
                                 'that were ended may come back; if that is no harm, move it away') from None
            self._ends.update(ends)
            self._floors[0] = floor = max(self._floors[0], floor)
            for token_id in [i for i in self._ends if self._ends[i] <= floor]:  # what made room there makes room here
                del self._ends[token_id]
        self._version = version
