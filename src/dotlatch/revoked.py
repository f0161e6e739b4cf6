"""Tokens ended before their time: a bounded list of ids, kept until the tokens would have ended anyway.

Needs portable.py::

    ended = Revoked(limit=64)
    ended.add(token_id, 1795305600)
    ended.has(token_id, 1795305600)   # True, for good
"""
from .portable import now, uptime_ms


class Revoked:
    """The ids of ended tokens.

    When the list is full, the entry that ends first makes room, and with it every token that ends no later: sessions
    may end early then, and never come back.

    :param limit: how many ids are kept; about 60 bytes each on a board.
    """
    def __init__(self, limit: int = 64) -> None:
        if limit < 1:
            raise ValueError('a list of ended tokens needs room for one')
        self.limit = limit
        # One of each for tokens that end by the clock, and for those that end by this boot's uptime.
        self._ends: 'tuple[dict[str, int], dict[str, int]]' = ({}, {})
        self._floors = [0, 0]

    def add(self, token_id: str, end: int, by_uptime: bool = False) -> None:
        """End the token ``token_id``, which would have ended at ``end``: Unix seconds or seconds of uptime."""
        ends = self._ends[by_uptime]
        if token_id not in ends and len(ends) >= self.limit:
            time = uptime_ms() // 1000 if by_uptime else now() or 0
            over = [i for i in ends if ends[i] <= time] or [min(ends, key=lambda i: ends[i])]
            for i in over:
                self._floors[by_uptime] = max(self._floors[by_uptime], ends.pop(i))
        ends[token_id] = end

    def has(self, token_id: str, end: int, by_uptime: bool = False) -> bool:
        """Tell whether that token was ended."""
        return token_id in self._ends[by_uptime] or end <= self._floors[by_uptime]
