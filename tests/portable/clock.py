"""A clock for tests: time passes when it is told to, on any port's epoch and with any port's ticks.

    clock = FakeClock()                  # 2026-11-20, Unix epoch, ticks that wrap as a board's do
    with clock:
        clock.advance(3600)              # both clocks: an hour passes
        clock.set(year_2021)             # the wall clock alone: somebody set it
"""
from dotlatch import portable

START = 1795132800            # 2026-11-20 00:00:00 UTC
UNSET = 1609459200            # 2021-01-01: an RP2040 that nobody told the time
EPOCH_2000 = 946684800


class FakeClock:
    def __init__(self, time=START, epoch=0, ticks=0, ticks_mask=(1 << 30) - 1):
        self.time = time       # Unix seconds, as the port believes
        self.epoch = epoch     # what the port counts from: 0 or EPOCH_2000
        self.ticks = ticks     # milliseconds, not wrapped
        self.mask = ticks_mask

    def advance(self, seconds):
        self.time += seconds
        self.ticks += int(seconds * 1000)

    def set(self, time):
        self.time = time

    def __enter__(self):
        self._kept = (portable._wall_clock, portable._epoch, portable._ticks_ms, portable._ticks_mask, portable._seen)
        portable._wall_clock = lambda: self.time - self.epoch
        portable._epoch = self.epoch
        portable._ticks_ms = lambda: self.ticks & self.mask
        portable._ticks_mask = self.mask
        portable._seen = (self.ticks & self.mask, self.ticks)
        return self

    def __exit__(self, *error):
        (portable._wall_clock, portable._epoch, portable._ticks_ms, portable._ticks_mask, portable._seen) = self._kept
