"""Tokens ended before their time: a bounded list of ids, kept until the tokens would have ended anyway.

Needs portable.py, and revokedfile.py to keep the list in a file::

    ended = Revoked(limit=64, path='revoked.json')
    ended.add(token_id, 1795305600)
    ended.has(token_id, 1795305600)   # True, for good
"""
from .portable import now, uptime_ms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .revokedfile import RevokedFile


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
        # One of each for tokens that end by the clock, and for those that end by this boot's uptime.
        self._ends: 'tuple[dict[str, int], dict[str, int]]' = ({}, {})
        self._floors = [0, 0]
        self.is_empty = not path  # for who asks often: nothing was ended here yet, and nobody else ends anything
        self._file: 'RevokedFile | None' = None
        if path:
            from .revokedfile import RevokedFile  # loaded by those who have one
            self._file = RevokedFile(path, self._ends[0], self._floors)

    def add(self, token_id: str, end: int, by_uptime: bool = False) -> None:
        """End the token ``token_id``, which would have ended at ``end``: Unix seconds or seconds of uptime.

        :raises OSError: when the file cannot be written. The token is ended all the same, until a restart.
        :raises ValueError: when the file is no list any more; the same holds then.
        """
        if self._file is None or by_uptime:  # a boot's own tokens end with it
            self._add(token_id, end, by_uptime)
        else:
            self._file.add(self._add, token_id, end)

    def has(self, token_id: str, end: int, by_uptime: bool = False, floor: int = 0) -> bool:
        """Tell whether that token was ended. While the file cannot be read, all were: nobody knows which.

        :param floor: what :meth:`floor` said when the token was made.
        """
        if self.is_lost():
            return True
        # In both: a session that began before the clock was set goes on by the clock, under the same id.
        return token_id in self._ends[0] or token_id in self._ends[1] or end <= self._floors[by_uptime] > floor

    def is_lost(self) -> bool:
        """Tell whether there is a file that cannot be read now."""
        return self._file is not None and not self._file.is_fresh()

    def floor(self, end: int, by_uptime: bool = False) -> int:
        """Return what a new token that ends at ``end`` carries to be none of those that made room; mostly 0.

        To end it, give the later of its end and one second above that floor.
        """
        self.is_lost()  # it is what others have raised it to
        floor = self._floors[by_uptime]
        return floor if end <= floor else 0

    def _add(self, token_id: str, end: int, by_uptime: bool) -> None:
        ends = self._ends[by_uptime]
        if token_id not in ends and len(ends) >= self.limit:
            time = uptime_ms() // 1000 if by_uptime else now() or 0
            over = [i for i in ends if ends[i] <= time] or [min(ends, key=lambda i: ends[i])]
            if end < ends[over[0]]:  # it is itself the one that ends first
                self._floors[by_uptime] = max(self._floors[by_uptime], end)
                self.is_empty = False
                return
            for i in over:
                self._floors[by_uptime] = max(self._floors[by_uptime], ends.pop(i))
        ends[token_id] = end
        self.is_empty = False
