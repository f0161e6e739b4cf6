"""Make src/dotlatch/blocklist.py: the passwords that everybody tries first, as a Bloom filter of 4 KB.

    .venv/bin/python tools/blocklist.py

The words are the most frequent ones of the list that Django installs (`django/contrib/auth/common-passwords.txt.gz`,
made by Royce Williams from passwords that were leaked; BSD-3-Clause, as Django is), and `OURS` below. Of each, what is
left without digits and signs at its ends is kept, since strength.py looks at passwords in the same way; patterns are
left out, since it finds those by itself. The file holds bits only: no password can be read from it.
"""

import gzip
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "src" / "dotlatch" / "blocklist.py"
sys.path.insert(0, str(ROOT / "src"))

from dotlatch import names, strength  # noqa: E402 (found by the path above)

COUNT = 2270  # of 32768 bits, ten each: half of them are set, and one wrong answer in a thousand follows

# What people with a board, and readers of our own pages, come to think of.
OURS = """
raspberry raspberrypi raspberrypipico raspberry pi pico micropython circuitpython python microdot dotlatch arduino esp
esp8266 espressif admin administrator root toor user guest default changeme changeit letmein opensesame device iot
smarthome homeassistant webserver localhost wifi wireless router thermostat greenhouse doorbell camera sensor
mypassword thisismypassword yourpassword newpassword oldpassword secretpassword supersecret topsecret nopassword
passphrase passcode password password correcthorsebatterystaple thequickbrownfox loremipsum lorem ipsum
iloveyouforever tobeornottobe maytheforcebewithyou
"""
PHRASES = [
    "correct horse battery staple", "correct-horse-battery-staple", "the quick brown fox", "open sesame",
    "to be or not to be", "may the force be with you", "a much better horse battery", "raspberry pi", "i love you",
]


def django_list():
    import django

    path = Path(django.__file__).parent / "contrib" / "auth" / "common-passwords.txt.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [line.strip() for line in file]


def words():
    """The words of the filter: ours, then Django's from the most frequent one down."""
    chosen = {}
    for word in [*PHRASES, *OURS.split(), *django_list()]:
        text = names.folded(word)
        kept = strength.stem(text)
        if len(kept) < 4:  # digits, mostly
            kept = text if len(text) >= 8 else ""
        if kept.isascii() and not strength.is_pattern(kept, 4):
            chosen[kept] = None
        if len(chosen) == COUNT:
            break
    return list(chosen)


def source(chosen):
    bits = bytearray(4096)
    for word in chosen:
        for bit in strength.bits_of(word):
            bits[bit >> 3] |= 1 << (bit & 7)
    # In pieces: 4 KB in a row are hard to find on a board that has run for a while.
    lines = ["".join(f"\\x{byte:02x}" for byte in bits[i:i + 16]) for i in range(0, len(bits), 16)]
    pieces = [lines[i:i + 8] for i in range(0, len(lines), 8)]
    return "\n".join([
        '"""Passwords that everybody tries first, as a Bloom filter: strength.py looks them up. Needs no other file.',
        "",
        f"{len(chosen)} words, most of them from the list that Django has (BSD-3-Clause, by Royce Williams), the rest",
        "our own. Written by tools/blocklist.py, which says more.",
        '"""',
        "BITS = (",
        *["\n".join(f"    b'{line}'" for line in piece) + "," for piece in pieces],
        ")",
        "",
    ])


if __name__ == "__main__":
    chosen = words()
    TARGET.write_text(source(chosen))
    print(f"{TARGET.relative_to(ROOT)}: {len(chosen)} words")
