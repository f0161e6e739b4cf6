"""What tokens need in machine code, where a port's compiler has viper: a look at them and JSON, base64url, comparison.

Needs no other file. A Pico looks at a byte in a microsecond here, and makes no garbage on the way. Where there is no
viper this file cannot be loaded: noviper.py has the same functions then, and jsongrammar.py reads all JSON.
"""
import micropython

_LEAVES = (str, int, bool, type(None))

# What may come next: 0 a value, 1 a value or an end, 2 a name, 3 a name or an end, 4 a colon, 5 a comma or an end.


@micropython.viper
def count_names(text: ptr8, size: int) -> int:
    """Return how many names there are in ``size`` bytes of plain JSON; -1 for what is not JSON, or not so plain.

    Plain is ASCII, without ``\\u``, with whole numbers, and nested at most 31 deep. The letters of ``true``, ``false``
    and ``null`` and the digit after a minus are left to ``json.loads``, which is strict about them.
    """
    i = 0
    c = 0
    state = 0
    names = 0
    depth = 0
    kinds = 0  # a bit for each open container, the innermost last: 1 for an object
    while i < size:
        c = text[i]
        i += 1
        if c == 34:  # a string
            if state <= 1:
                state = 5
            elif state <= 3:
                state = 4
                names += 1
            else:
                return -1
            while True:
                if i >= size:
                    return -1
                c = text[i]
                i += 1
                if c == 34:
                    break
                if c < 32 or c > 127:
                    return -1
                if c == 92:
                    if i >= size:
                        return -1
                    c = text[i]
                    i += 1
                    if c != 34 and c != 92 and c != 47:  # "  \  /, and by their bits b  f  n  r  t
                        if c < 98 or c > 116 or 0x51011 >> (c - 98) & 1 == 0:
                            return -1
        elif c == 58:  # :
            if state != 4:
                return -1
            state = 0
        elif c == 44:  # ,
            if state != 5 or depth == 0:
                return -1
            state = (kinds & 1) << 1
        elif c | 32 == 123:  # { [
            if state > 1 or depth == 31:
                return -1
            depth += 1
            kinds = kinds << 1 | c >> 5 & 1
            state = (kinds & 1) * 2 + 1
        elif c | 32 == 125:  # } ]
            if depth == 0 or kinds & 1 != c >> 5 & 1 or (state != 5 and state != (kinds & 1) * 2 + 1):
                return -1
            depth -= 1
            kinds >>= 1
            state = 5
        elif c != 32 and c != 10 and c != 13 and c != 9:
            if state > 1:
                return -1
            state = 5
            if c == 116 or c == 110:  # true, null
                i += 3
            elif c == 102:  # false
                i += 4
            else:
                if c == 45 and i < size:
                    c = text[i]
                    i += 1
                if c < 48 or c > 57:
                    return -1
                first = i
                while i < size and text[i] >= 48 and text[i] <= 57:
                    i += 1
                if c == 48 and i > first:  # a digit after a 0
                    return -1
    if state != 5 or depth != 0:
        return -1
    return names


@micropython.native
def is_plain(value, depth):
    """Tell whether a value is made of exact dicts, lists, strings, integers, booleans and ``None``, not too deep."""
    kind = type
    text = str
    leaves = _LEAVES
    if kind(value) is dict:
        for name in value:
            if kind(name) is not text:
                return False
        value = value.values()
    elif kind(value) is not list:
        return kind(value) in leaves
    for item in value:
        if kind(item) not in leaves and (depth == 0 or not is_plain(item, depth - 1)):
            return False
    return True


def b64url_bytes(data):
    """Return base64url without padding (RFC 7515 section 2), as bytes."""
    size = len(data)
    text = bytearray((size * 4 + 2) // 3)
    _encode(text, data, size)
    return bytes(text)


@micropython.viper
def _encode(target: ptr8, source: ptr8, size: int):
    c = 0
    bits = 0
    held = 0  # how many of them are still to be written
    i = 0
    o = 0
    while i < size or held > 0:
        if held < 6:
            if i < size:
                bits = bits << 8 | source[i]
                i += 1
                held += 8
            else:
                bits <<= 6 - held
                held = 6
        held -= 6
        c = bits >> held & 63
        if c < 26:
            c += 65
        elif c < 52:
            c += 71
        elif c < 62:
            c -= 4
        elif c == 62:
            c = 45
        else:
            c = 95
        target[o] = c
        o += 1


def b64url_decode(text):
    """Decode canonical base64url: no padding, no other character, unused bits zero (RFC 4648 section 3.3, 3.5).

    :raises ValueError: for anything else.
    """
    size = len(text)  # of a str the characters: the first that is not ASCII is met before they end
    data = bytearray(size * 3 // 4)
    if _decode(data, text, size):
        raise ValueError('not canonical base64url')
    return bytes(data)


@micropython.viper
def _decode(target: ptr8, source: ptr8, size: int) -> int:
    """Return what is left over: bits that have to be zero, or 1 for anything that is not base64url."""
    c = 0
    bits = 0
    held = 0  # how many of them are still to be written
    i = 0
    o = 0
    while i < size:
        c = source[i]
        i += 1
        if c >= 97 and c <= 122:
            c -= 71
        elif c >= 65 and c <= 90:
            c -= 65
        elif c >= 48 and c <= 57:
            c += 4
        elif c == 45:
            c = 62
        elif c == 95:
            c = 63
        else:
            return 1
        bits = bits << 6 | c
        held += 6
        if held >= 8:
            held -= 8
            target[o] = bits >> held
            o += 1
    return 1 if held == 6 else bits & ((1 << held) - 1)


def is_token68(text):
    """Tell whether ``text`` is a token68 (RFC 9110 section 11.2), which RFC 6750 calls a b64token."""
    coded = text.encode()  # with as many bytes as are to be looked at
    return bool(_is_token68(coded, len(coded)))


@micropython.viper
def _is_token68(text: ptr8, size: int) -> int:
    c = 0
    i = 0
    while size > 0 and text[size - 1] == 61:  # =
        size -= 1
    while i < size:
        c = text[i]
        i += 1
        if c < 43 or c > 126 or c == 44 or (c > 57 and c < 65) or (c > 90 and c < 97 and c != 95) or (
                c > 122 and c != 126):
            return 0
    return 1 if size > 0 else 0


def compare_digest(a, b):
    """Tell whether two byte strings are equal, in a time that does not depend on where they differ."""
    a = b'' + a  # bytes, which is nothing to do for bytes: the length of a str would be that of its characters
    b = b'' + b
    size = len(a)
    return size == len(b) and not _difference(a, b, size)


@micropython.viper
def _difference(a: ptr8, b: ptr8, size: int) -> int:
    difference = 0
    i = 0
    while i < size:
        difference |= a[i] ^ b[i]
        i += 1
    return difference
