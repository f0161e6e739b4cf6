"""Growing delays for who guesses: per account, per source and overall, in a table of fixed size.

Needs portable.py::

    throttle = Throttle()
    wait = throttle.attempt(name, source)     # before the password is looked at
    if wait:
        return 'Try again in %d seconds' % wait, 429, {'Retry-After': str(wait)}
    if right:
        throttle.succeeded(name, source)

An attempt counts when it begins, so that many at once are no way round. The times are on the clock that never jumps.
"""
from .portable import Key, Lock, random_bytes, uptime_ms

_DAY_MS = 24 * 3600 * 1000
_OVERALL = b'*'


class Throttle:
    """Counts attempts that did not succeed, and says how long the next one has to wait.

    After ``free`` of them, the wait is 1, 2, 4 and so on up to ``longest`` seconds. Nobody is shut out for good: a wait
    ends, and a source from which an account was opened before has a count of its own, which others cannot drive up.
    A day without an attempt clears a count.

    :param free: failures of one account without a wait (SP 800-63B-4 section 3.2.2 allows at most 100 in a row).
    :param source_free: the same for one source, behind which many people may sit.
    :param overall_free: the same for all together; their wait is at most 5 seconds, so that it stops no owner.
    :param longest: seconds.
    :param max_entries: how many accounts and sources are counted at once; about 100 bytes each on a board. When the
        table is full the one with the fewest failures makes room, and one that has to wait never does.
    """
    def __init__(self, free: int = 10, source_free: int = 30, overall_free: int = 300, longest: int = 900,
                 max_entries: int = 64) -> None:
        self.free = free
        self.source_free = source_free
        self.overall_free = overall_free
        self.longest = longest
        self.max_entries = max_entries
        self._key = Key(random_bytes(32))
        self._lock = Lock()
        self._entries: 'dict[bytes, list[int]]' = {}  # digest of a name -> [failures, end of the wait, last attempt]
        self._known: 'list[bytes]' = []               # account and source that went together before

    def attempt(self, account: str, source: str) -> int:
        """Return 0 when an attempt may go on, and count it; or else the seconds to wait, and count nothing.

        :param account: the name that was given, whether there is such an account or not; ``''`` for none.
        :param source: where it comes from, such as a network address.
        """
        with self._lock:
            return self._attempt(self._counts(account, source))

    def _attempt(self, counts: 'list[tuple[bytes, int, int]]') -> int:
        now = uptime_ms()
        wait = 0
        for key, _, _ in counts:
            entry = self._entries.get(key)
            if entry is not None:
                if now - entry[2] > _DAY_MS:
                    del self._entries[key]
                else:
                    wait = max(wait, entry[1] - now)
        if wait > 0:
            return (wait + 999) // 1000
        for key, free, longest in counts:
            entry = self._entries.get(key) or self._new_entry(key, now)
            entry[0] += 1
            entry[2] = now
            if entry[0] > free:
                entry[1] = now + 1000 * min(longest, 1 << min(entry[0] - free - 1, 20))
        return 0

    def succeeded(self, account: str, source: str) -> None:
        """Take the attempt back that has just succeeded: the account's count ends, the source's goes back by one."""
        with self._lock:
            for key, _, _ in self._counts(account, source)[:1 if account else 0]:
                self._entries.pop(key, None)
            for key in (self._digest('', source), _OVERALL):
                entry = self._entries.get(key)
                if entry is not None:
                    entry[0] = max(0, entry[0] - 1)
                    entry[1] = 0
            pair = self._digest(account, source)
            if account and pair not in self._known:
                self._known = self._known[-15:] + [pair]

    def undecided(self, account: str, source: str) -> None:
        """Take an attempt back of which nobody knows whether it was right, since what would know could not be asked."""
        with self._lock:
            for key, _, _ in self._counts(account, source):
                entry = self._entries.get(key)
                if entry is not None:
                    entry[0] = max(0, entry[0] - 1)
                    entry[1] = 0  # no wait was under way, or the attempt would not have been one

    def _counts(self, account: str, source: str) -> 'list[tuple[bytes, int, int]]':
        counts = [(self._digest('', source), self.source_free, self.longest),
                  (_OVERALL, self.overall_free, 5)]
        if account:
            pair = self._digest(account, source)
            counts.insert(0, (pair if pair in self._known else self._digest(account, ''), self.free, self.longest))
        return counts

    def _digest(self, kind: str, name: str) -> bytes:
        """Return a key of fixed size: names are as long as a stranger likes."""
        return self._key.sign(repr((kind.lower(), name)).encode())[:8]

    def _new_entry(self, key: bytes, now: int) -> 'list[int]':
        entry = [0, 0, now]
        entries = self._entries
        if len(entries) >= self.max_entries:
            idle = [k for k in entries if entries[k][1] <= now and k != _OVERALL]
            if not idle:
                return entry  # all of them wait: this one is counted with the rest, under its source and overall
            del entries[min(idle, key=lambda k: entries[k][:1] + entries[k][2:])]
        entries[key] = entry
        return entry
