"""How many iterations this board does in the time that its owner is ready to wait for a login.

Needs portable.py, passwords.py, strictjson.py and files.py::

    from dotlatch import passwords
    from dotlatch.calibrate import load_iterations

    passwords.ITERATIONS = asyncio.run(load_iterations('hashing.json'))   # measured once, then read

Call it when the program starts, before it answers requests: what else runs meanwhile is measured too.
"""
from . import files, passwords, strictjson
from .portable import MICROPYTHON, uptime_ms

# SP 800-132 section 5.2 and RFC 8018 section 4.2 recommend at least 1,000; the docs say what little that is worth. A
# server has no reason to go below what OWASP asks for.
FLOOR = 1000 if MICROPYTHON else 600000


async def calibrate(ms: int = 1000) -> int:
    """Return the iterations that take about ``ms`` milliseconds here, rounded down to two digits.

    Never below :data:`FLOOR`, however long that takes, nor above :data:`~dotlatch.passwords.MAX_ITERATIONS`. To find
    out takes no longer than a login will.

    :raises ValueError: unless ``ms`` is from 1 to 60000.
    """
    if not 0 < ms <= 60000:
        raise ValueError('a login takes from 1 to 60000 milliseconds')
    rounds = FLOOR // 10
    spent = 0
    while spent < ms // 4 and rounds < passwords.MAX_ITERATIONS:
        rounds *= 2
        start = uptime_ms()
        await passwords.pbkdf2_hmac_sha256(b'a password as long as most', b'a salt of 22 characters', rounds)
        spent = uptime_ms() - start
    fitting = rounds * ms // max(spent, 1)
    unit = 1
    while fitting >= 100 * unit:
        unit *= 10
    return max(FLOOR, min(fitting // unit * unit, passwords.MAX_ITERATIONS))


async def load_iterations(path: str, ms: int = 1000) -> int:
    """Return the iterations that the file keeps; where there is none, :func:`calibrate` and write it.

    A file that is damaged, was made for another time or holds a count out of bounds is made anew. Remove it after an
    update of the firmware, which may hash faster.

    :param path: a small file of JSON, kept for this alone.
    :raises OSError: when it can be neither read nor written.
    """
    try:
        kept = strictjson.loads(files.read(path) or b'null')
        iterations: int = kept['iterations']
        if type(iterations) is int and kept['ms'] == ms and FLOOR <= iterations <= passwords.MAX_ITERATIONS:
            return iterations
    except (ValueError, TypeError, KeyError):  # of another kind, or damaged
        pass
    iterations = await calibrate(ms)
    files.replace(path, strictjson.dumps({'iterations': iterations, 'ms': ms}))
    return iterations
