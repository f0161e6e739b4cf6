"""The grammar of RFC 8259 in machine code, for ports whose compiler has viper: a tenth of a millisecond for a token.

Needs no other file. It takes the plain JSON that tokens are made of and says -1 to everything else, which is then read
by jsongrammar.py. Where there is no viper this file cannot be loaded, and all JSON is read there.
"""
import micropython

# What may come next: 0 a value, 1 a value or an end, 2 a name, 3 a name or an end, 4 a colon, 5 a comma or an end.


@micropython.viper
def count_names(text: ptr8, size: int) -> int:
    """Return how many names there are in ``size`` bytes of JSON; -1 for what is not JSON, or not so plain.

    Plain is ASCII, without ``\\u``, with whole numbers, and nested at most 31 deep.
    """
    names = 0
    depth = 0
    kinds = 0  # a bit for each open container, the innermost last: 1 for an object
    state = 0
    i = 0
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
                    # "  \  /  b  f  n  r  t
                    if c != 34 and c != 92 and c != 47 and c != 98 and c != 102 and c != 110 and c != 114 and c != 116:
                        return -1
        elif c == 58:  # :
            if state != 4:
                return -1
            state = 0
        elif c == 44:  # ,
            if state != 5 or depth == 0:
                return -1
            state = (kinds & 1) << 1
        elif c == 123 or c == 91:  # { [
            if state > 1 or depth == 31:
                return -1
            depth += 1
            kinds <<= 1
            state = 1
            if c == 123:
                kinds |= 1
                state = 3
        elif c == 125 or c == 93:  # } ]
            if depth == 0:
                return -1
            if c == 125:
                if kinds & 1 == 0 or (state != 5 and state != 3):
                    return -1
            elif kinds & 1 == 1 or (state != 5 and state != 1):
                return -1
            depth -= 1
            kinds >>= 1
            state = 5
        elif c == 32 or c == 10 or c == 13 or c == 9:
            pass
        else:
            if state > 1:
                return -1
            state = 5
            left = size - i
            if c == 116:  # true
                if left < 3 or text[i] != 114 or text[i + 1] != 117 or text[i + 2] != 101:
                    return -1
                i += 3
            elif c == 102:  # false
                if left < 4 or text[i] != 97 or text[i + 1] != 108 or text[i + 2] != 115 or text[i + 3] != 101:
                    return -1
                i += 4
            elif c == 110:  # null
                if left < 3 or text[i] != 117 or text[i + 1] != 108 or text[i + 2] != 108:
                    return -1
                i += 3
            else:
                if c == 45:
                    if left == 0:
                        return -1
                    c = text[i]
                    i += 1
                if c < 48 or c > 57:
                    return -1
                if c != 48:
                    while i < size and text[i] >= 48 and text[i] <= 57:
                        i += 1
                if i < size:
                    c = text[i]
                    if c == 46 or c == 101 or c == 69 or (c >= 48 and c <= 57):  # a fraction, or a digit after a 0
                        return -1
    if state != 5 or depth != 0:
        return -1
    return names
