"""Growing delays for who guesses: per account, per source and overall, in tables of fixed size.

Needs portable.py, and throttlefile.py to keep the counts in a file::

    throttle = Throttle()
    wait = await throttle.attempt(name, source)     # before the password is looked at
    if wait:
        return 'Try again in %d seconds' % wait, 429, {'Retry-After': str(wait)}
    if right:
        await throttle.succeeded(name, source)

An attempt counts when it begins, so that many at once are no way round. The times are on the clock that never jumps.
"""
from array import array

from .portable import Key, Lock, alike, random_bytes, uptime_ms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Times are tenths of a second of uptime: small integers on a board for three years.
_HOUR = 36000
_DAY = 24 * _HOUR
_SHIFT = 30 * _DAY  # what was counted before the start has a time too
_MOST = 100         # failures in a row (SP 800-63B-4 section 3.2.2): the next attempt is a day away
_ONE = b'\xff' * 8  # the key of a table with one entry


class Throttle:
    """Counts attempts that did not succeed, and says how long the next one has to wait.

    After ``free`` of them, the wait is 1, 2, 4 and so on up to ``longest`` seconds; after the hundredth it is a
    day. Nobody is shut out for good: a wait ends, and a source from which an account was opened before has a count of
    its own, which others cannot drive up. In a day without an attempt an account's count goes down by ``free``.

    :param free: failures of one account without a wait, 1 to 80.
    :param source_free: the same for one source, behind which many people may sit, 1 to 240. In each day as many are
        taken off.
    :param overall_free: the same for all together, 1 to 60000, in each hour. Their wait is at most 5 seconds.
    :param longest: seconds, 1 to 3600.
    :param max_entries: for how many accounts there is room, at least 8; for half as many sources, and for a quarter as
        many pairs of both that went together before. 35 bytes each on a board, taken at the start. When there is no
        room for another account, it takes the place of the one with the fewest failures, and these with it; who has to
        wait is never put out.
    :param path: a file that keeps the counts for the next start. It is for one process.
    :param events: a :class:`dotlatch.events.Events` that is told when the file is damaged: ``throttle_reset``.
    :raises ValueError: for a number that is out of these bounds.
    """
    def __init__(self, free: int = 10, source_free: int = 30, overall_free: int = 300, longest: int = 900,
                 max_entries: int = 64, path: 'str | None' = None, events: 'Any' = None) -> None:
        if not (0 < free <= 80 and 0 < source_free <= 240 and 0 < overall_free <= 60000 and 0 < longest <= 3600
                and max_entries >= 8):
            raise ValueError('a number of the throttle is out of bounds')
        self._lock = Lock()
        accounts = _Counts(max_entries, 8, free, longest, _DAY, True)
        sources = _Counts(max_entries // 2, 8, source_free, longest, _DAY)
        overall = _Counts(1, 8, overall_free, 5, _HOUR)
        rest = _Counts(1, 8, free, longest, _DAY, True)  # the accounts for which there is no room
        known = _Counts(max_entries // 4, 16, free, longest, _DAY, True)
        self._tables = (accounts, sources, overall, rest, known)
        self._file: 'Any' = None
        if path:
            from .throttlefile import ThrottleFile  # loaded by those who have one
            self._file = ThrottleFile(path, self._tables, events, self._now())
        self._key = Key(self._file.key if path else random_bytes(32))
        self._last: 'tuple[str, str, bytes]' = ('', '', b'')

    async def attempt(self, account: str, source: str) -> int:
        """Return 0 when an attempt may go on, and count it; or else the seconds to wait, and count nothing.

        :param account: the name that was given, whether there is such an account or not; ``''`` for none. Capitals,
            and spaces at its ends, make no difference; nor does the form of a letter, on CPython.
        :param source: where it comes from, such as a network address; ``''`` when nobody knows.
        """
        with self._lock:
            now = self._now()
            places = self._places(account, source, now)
            wait = max([table.ends[i] - now for table, _, i in places])
            file = self._file
            table, _, i = places[0]
            locks = account != '' and table.counts[i] >= table.free
            if file and wait <= 0 and locks:  # what is not in the file by the time of the verdict, a restart undoes
                wait = file.delay(now)
            if wait > 0:
                if file:
                    file.save(now, -_HOUR)  # so much of the wait is over
                return (wait + 9) // 10
            is_noted = locks or (file and file.is_new)
            for table, key, i in places:
                count = table.add(key, i, now)
                # One failure alone is not worth a write, but after a restart it may be one of many such.
                is_noted = is_noted or count > (max(1, table.floors[i]) if table.restarts else table.free)
            if file and is_noted:  # from a known place, it is mostly several at once that are right
                file.save(now, file.BURST if locks else -_HOUR if places[0][0] is self._tables[4] else 0)
            return 0

    async def succeeded(self, account: str, source: str) -> None:
        """Take the attempt back that has just succeeded: the account's count ends, the source's goes back by one."""
        with self._lock:
            now = self._now()
            places = self._places(account, source, now)
            known = self._tables[4]
            changed = False
            for table, key, i in places:
                if account and table.restarts:
                    changed = table.counts[i] > (table.free if table is known else table.floors[i] + 1)
                    table.back(key, i, 255 if table.size > 1 else 1)
                else:
                    table.back(key, i, 1)
            if source:
                pair = self._pair(account, source)
                changed = known.find(pair) < 0 or changed
                known.learn(pair, now)
            if self._file and changed:
                self._file.save(now, self._file.BURST)

    async def undecided(self, account: str, source: str) -> None:
        """Take an attempt back of which nobody knows whether it was right, since what would know could not be asked."""
        with self._lock:
            for table, key, i in self._places(account, source, self._now()):
                table.back(key, i, 1)

    def _now(self) -> int:
        return uptime_ms() // 100 + _SHIFT

    def _places(self, account: str, source: str, now: int) -> 'list[tuple[_Counts, bytes, int]]':
        """Return where an attempt is counted: tables, keys, and the entries that these have or would take.

        Where an account was opened before, its attempts have no part in what others have brought about.
        """
        accounts, sources, overall, rest, known = self._tables
        pair = self._pair(account, source)
        i = known.find(pair)
        if i >= 0:
            known.drain(i, now)
            if account:
                return [(known, pair, i)]
        places = []
        if account:
            where = accounts.slot(pair[:8], now)
            if where >= 0:
                places.append((accounts, pair[:8], where))
            else:  # no fewer than it would have taken over
                places.append((rest, _ONE, rest.slot(_ONE, now)))
                rest.counts[0] = max(rest.counts[0], min(min(accounts.counts), accounts.free + 10))
        if source:
            where = sources.slot(pair[8:], now)
            if where >= 0:
                places.append((sources, pair[8:], where))
        if i < 0 or not places:
            places.append((overall, _ONE, overall.slot(_ONE, now)))
        return places

    def _pair(self, account: str, source: str) -> bytes:
        """Return two keys of fixed size: names are as long as a stranger likes."""
        last = self._last  # mostly who was asked about a moment ago: it takes a board 1 ms
        if last[0] != account or last[1] != source or not last[2]:
            sign = self._key.sign  # repr: half a character has no UTF-8
            pair = (sign(b'a' + repr(alike(account)).encode())[:8]
                    + sign(b's' + repr(source.lower()).encode())[:8])
            if len(account) + len(source) > 128:
                return pair
            self._last = last = (account, source, pair)
        return last[2]


class _Counts:
    """Failures by key. An entry is a key, its failures, those it took over, the end of its wait, and a time.

    Who takes another's place takes its failures over: so no entry is ever below the failures of its account, whatever
    comes in between (Metwally and others 2005, "Space-Saving").

    :param restarts: whether time counts against failures from the last one on, and their number has an upper bound;
        or from the first one on.
    """
    def __init__(self, size: int, key_size: int, free: int, longest: int, period: int, restarts: bool = False) -> None:
        self.size = size
        self.free = free
        self.longest = longest
        self.period = period  # in which as many as are free are taken off
        self.restarts = restarts
        self.keys = bytearray(size * key_size)
        # The smallest of many bytes is found at once, and one entry alone may need a larger number.
        self.counts: 'Any' = bytearray(size) if size > 1 else array('H', [0])
        self.floors = bytearray(size)
        self.ends = array('I', bytes(4 * size))
        self.marks = array('I', bytes(4 * size))
        self._next = 0
        self._swept = 0
        if size == 1:
            self.keys[:] = _ONE

    def find(self, key: bytes) -> int:
        """Return the entry of a key, or -1."""
        size = len(key)
        i = self.keys.find(key)
        while i > 0 and i % size:
            i = self.keys.find(key, i + 1)
        return i // size

    def slot(self, key: bytes, now: int) -> int:
        """Return the entry of a key, or the one it may take; -1 when all have to wait."""
        i = self.find(key)
        if i >= 0:
            self.drain(i, now)
            return i
        counts = self.counts
        least = min(counts)
        if least and now - self._swept > _HOUR:
            self._swept = now
            for i in range(self.size):
                self.drain(i, now)
            least = min(counts)
        if least <= self.free:  # it has no wait
            least = bytes((least,))
            i = counts.find(least, self._next)
            return int(i if i >= 0 else counts.find(least))
        i = -1
        for j in range(self.size):
            if self.ends[j] <= now and (i < 0 or counts[j] < counts[i]):
                i = j
        return i

    def drain(self, i: int, now: int) -> None:
        """Take off what time has taken off."""
        count = self.counts[i]
        if count and now >= self.ends[i]:
            off = (now - self.marks[i]) * self.free // self.period
            if off > 0:
                self.marks[i] += off * self.period // self.free
                self.counts[i] = max(0, count - off)
                self.floors[i] = max(0, self.floors[i] - off)

    def add(self, key: bytes, i: int, now: int) -> int:
        """Count an attempt in the entry that :meth:`slot` has returned, and return how many it has."""
        at = i * len(key)
        counts = self.counts
        if self.keys.find(key, at) != at:
            self.keys[at:at + len(key)] = key
            # Not so many that one mistake of its owner is a day; a source has no need of them.
            counts[i] = self.floors[i] = min(counts[i], self.free + 10) if self.restarts else 0
            self._next = i + 1
        count = counts[i]
        if self.restarts or not count:
            self.marks[i] = now
        count = counts[i] = min(count + 1, 255 if self.size > 1 else 65535)
        if count > self.free:
            wait = min(self.longest, 1 << min(count - self.free - 1, 12))
            self.ends[i] = now + (_DAY if self.restarts and count >= _MOST else 10 * wait)
        return int(count)

    def back(self, key: bytes, i: int, off: int) -> None:
        """Take attempts back; no wait was under way when the last one began."""
        at = i * len(key)
        if self.keys.find(key, at) == at:
            self.counts[i] = max(self.floors[i], self.counts[i] - off)
            self.ends[i] = 0

    def learn(self, pair: bytes, now: int) -> None:
        """Make room for a pair: of the account that has most of them, the one that was used least lately goes."""
        i = self.find(pair)
        if i < 0:
            accounts = [bytes(self.keys[at:at + 8]) for at in range(0, len(self.keys), 16)]
            most = dict.fromkeys(accounts, 0)
            for account in accounts:
                most[account] += 1
            i = 0
            for j in range(self.size):
                if self.marks[j] == 0:
                    i = j  # nobody's
                    break
                if (most[accounts[j]], -self.marks[j]) > (most[accounts[i]], -self.marks[i]):
                    i = j
            self.keys[16 * i:16 * i + 16] = pair
        self.counts[i] = self.floors[i] = self.ends[i] = 0
        self.marks[i] = now
