"""The counts of a throttle in a file, for the next start: see throttle.py, which loads it.

Needs portable.py and files.py.
"""
from array import array

from . import files
from .portable import Key, compare_digest, random_bytes, warn_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FORMAT = b'dlt1'
_MINUTE = 600  # tenths of a second
_DAY = 864000
_NUMBERS = 11  # the time, and two sizes for each of five tables


class ThrottleFile:
    """What is in the file, and in the tables of a :class:`~dotlatch.throttle.Throttle`.

    :param tables: its tables, which are filled from the file.
    :param events: see :class:`~dotlatch.throttle.Throttle`.
    :param now: its time.
    """
    BURST = 7 * _MINUTE  # so far ahead of one write a minute an account's wait may be written

    def __init__(self, path: str, tables: 'Any', events: 'Any', now: int) -> None:
        self.path = path
        self._tables = tables
        self._due = now - 60 * _MINUTE  # one write a minute, from then on
        self.key = random_bytes(32)
        self.is_new = False  # there is no file yet: without one, a restart knows of nothing
        try:
            found = files.read(path)
            if found is None:
                self.is_new = True
                return
            self._take(found, now)
        except (OSError, ValueError):
            warn_once(path + ' is damaged: the throttle begins anew')
            if events is not None:
                events.emit('throttle_reset', path=path)
        # What was counted since the last write is not known, so no account has all its free failures again.
        accounts = tables[0]
        known = max(0, accounts.free - 2)
        for i in range(accounts.size):
            accounts.floors[i] = max(accounts.floors[i], known)
            if accounts.counts[i] < known:
                accounts.counts[i] = known
                accounts.marks[i] = now

    def delay(self, now: int) -> int:
        """Return the time until an account's wait may be written."""
        return max(0, self._due - now - self.BURST)

    def save(self, now: int, ahead: int) -> None:
        """Write the file, unless it was written too often: ``ahead`` is how far its next time may be away.

        When it cannot be written the counts are in memory alone.
        """
        if self._due > now + ahead:
            return
        self._due = max(self._due, now) + _MINUTE
        self.is_new = False
        numbers = array('I', [now])
        parts: 'list[Any]' = [numbers]
        for table in self._tables:
            numbers.append(table.size)
            numbers.append(len(table.keys) // table.size)
            parts += (table.keys, table.counts, table.floors, table.ends, table.marks)
        body = b''.join([bytes(part) for part in parts])
        try:
            files.replace(self.path, b''.join((_FORMAT, self.key, Key(self.key).sign(body), body)))
        except OSError:
            warn_once('the file of the throttle cannot be written: a restart forgets what was counted')

    def _take(self, data: bytes, now: int) -> None:
        """Take over what is in the file. ValueError when it is damaged."""
        key = data[4:36]
        body = data[68:]
        if not data.startswith(_FORMAT) or not compare_digest(Key(key).sign(body), data[36:68]):
            raise ValueError('damaged')
        self.key = key
        numbers = array('I', body[:4 * _NUMBERS])
        at = 4 * _NUMBERS
        for n, table in enumerate(self._tables):
            at = _fill(table, body, at, numbers[1 + 2 * n], numbers[2 + 2 * n], numbers[0], now)


def _fill(table: 'Any', body: bytes, at: int, size: int, key_size: int, written: int, now: int) -> int:
    """Fill a table from a file, whose own may have had another size; then those with most failures, and newest."""
    keys = at
    counts = keys + size * key_size
    width = 1 if size > 1 else 2
    floors = counts + width * size
    ends = array('I', body[floors + size:floors + 5 * size])
    marks = array('I', body[floors + 5 * size:floors + 9 * size])
    entries = []
    for i in range(size):
        if marks[i]:
            count = body[counts + i] if size > 1 else body[counts] + 256 * body[counts + 1]
            entries.append((count, marks[i], i))
    entries.sort(reverse=True)
    for j, (count, mark, i) in enumerate(entries[:table.size]):
        table.keys[j * key_size:(j + 1) * key_size] = body[keys + i * key_size:keys + (i + 1) * key_size]
        table.counts[j] = count
        table.floors[j] = min(count, body[floors + i])
        left = ends[i] - written
        table.ends[j] = now + min(left, _DAY) if left > 0 else 0
        table.marks[j] = max(1, now - max(0, written - mark))
    return floors + 9 * size
