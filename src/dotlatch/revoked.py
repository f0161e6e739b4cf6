"""Tokens ended before their time: a bounded list of ids, kept until the tokens would have ended anyway.

Needs portable.py, strictjson.py and files.py::

    ended = Revoked(limit=64, path='revoked.json')
    ended.add(token_id, 1795305600)
    ended.has(token_id, 1795305600)   # True, for good
"""
from . import files, strictjson
from .portable import FileLock, file_version, now, uptime_ms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Revoked:
    """The ids of ended tokens.

    When the list is full, the entry that ends first makes room, and with it every token that ends no later: sessions
    may end early then, and never come back.

    :param limit: how many ids are kept; about 60 bytes each on a board.
    :param path: a file that keeps the list for the next start, and for other processes; written once for each id that
        is added. Without it a restart forgets what was ended.
    :raises ValueError: when ``limit`` is below 1, or the file is not one of these.
    """
    def __init__(self, limit: int = 64, path: 'str | None' = None) -> None:
        if limit < 1:
            raise ValueError('a list of ended tokens needs room for one')
        self.limit = limit
        self.path = path
        # One of each for tokens that end by the clock, and for those that end by this boot's uptime.
        self._ends: 'tuple[dict[str, int], dict[str, int]]' = ({}, {})
        self._floors = [0, 0]
        self.is_empty = not path  # for who asks often: nothing was ended here yet, and nobody else ends anything
        self._version: 'tuple[int, ...] | None' = None
        if path:
            self._lock = FileLock(path)
            self._load(path)

    def add(self, token_id: str, end: int, by_uptime: bool = False) -> None:
        """End the token ``token_id``, which would have ended at ``end``: Unix seconds or seconds of uptime.

        :raises OSError: when the file cannot be written. The token is ended all the same, until a restart.
        """
        if not self.path or by_uptime:  # a boot's own tokens end with it
            self._add(token_id, end, by_uptime)
            return
        try:
            with self._lock:
                self._refresh()
                self._add(token_id, end, False)
                content = {'format': 1, 'ends': self._ends[0], 'floor': self._floors[0]}
                files.replace(self.path, strictjson.dumps(content))
                self._version = file_version(self.path)
        except OSError:
            self._add(token_id, end, False)
            raise

    def has(self, token_id: str, end: int, by_uptime: bool = False) -> bool:
        """Tell whether that token was ended."""
        if self.path:
            self._refresh()
        # In both: a session that began before the clock was set goes on by the clock, under the same id.
        return token_id in self._ends[0] or token_id in self._ends[1] or end <= self._floors[by_uptime]

    def _add(self, token_id: str, end: int, by_uptime: bool) -> None:
        ends = self._ends[by_uptime]
        if token_id not in ends and len(ends) >= self.limit:
            time = uptime_ms() // 1000 if by_uptime else now() or 0
            over = [i for i in ends if ends[i] <= time] or [min(ends, key=lambda i: ends[i])]
            for i in over:
                self._floors[by_uptime] = max(self._floors[by_uptime], ends.pop(i))
        ends[token_id] = end
        self.is_empty = False

    def _refresh(self) -> None:
        if self.path and file_version(self.path) != self._version:  # another process has added to it
            self._load(self.path)

    def _load(self, path: str) -> None:
        version = file_version(path)
        data = files.read(path)
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
                raise ValueError(path + ' is not a list of ended tokens: put a copy back. Without it, sessions that '
                                 'were ended may come back; if that is no harm, move it away') from None
            self._ends[0].update(ends)
            self._floors[0] = max(self._floors[0], floor)
        self._version = version
