"""PBKDF2's iterations over hashlib, for every port: hashlib has no copy() there, so each hash begins anew.

Needs no other file; pbkdf2.py loads it where there is nothing faster.
"""
import hashlib


class Rounds:
    """The iterations for one password."""
    def __init__(self, pads: 'tuple[bytes, bytes]') -> None:
        self._pads = pads

    def start(self, first: bytes) -> None:
        """Begin with the result of the first iteration."""
        self._last = first
        self._total = int.from_bytes(first, 'big')

    def run(self, count: int) -> None:
        """Do ``count`` more iterations."""
        sha256 = hashlib.sha256
        from_bytes = int.from_bytes
        inner, outer = self._pads
        last = self._last
        total = self._total
        for _ in range(count):
            h = sha256(inner)
            h.update(last)
            last = h.digest()
            h = sha256(outer)
            h.update(last)
            last = h.digest()
            total ^= from_bytes(last, 'big')
        self._last = last
        self._total = total

    def result(self) -> bytes:
        """Return the 32 bytes of all iterations so far."""
        return self._total.to_bytes(32, 'big')
