"""The grammars of RFC 8259 and RFC 3629 for MicroPython, whose own readers are lenient: loaded when a text looks odd.

Needs no other file. on_micropython.py comes here when what was read does not come out as long as it went in. The
text is cut at its quotes with one call, so that the little between strings is all there is to look at.
"""
MAX_DEPTH = 32

# What may come next: the order matters, see the comparisons.
_VALUE, _VALUE_OR_END, _NAME, _NAME_OR_END, _COLON, _AFTER = range(6)


def checked(text: str) -> 'tuple[str, int]':
    """Return the text with surrogate pairs joined, which MicroPython's reader does not do, and its number of names.

    :raises ValueError: when it is not JSON, has an infinite number or a lone surrogate, or is nested deeper than 32.
    """
    plain = text
    if '\\' in text:
        text, plain = _unescaped(text)
    return text, _check_grammar(plain.split('"'))


def _check_grammar(parts: 'list[str]') -> int:
    """Check what stands between and inside the strings; return how many names there are."""
    if not len(parts) & 1:
        raise ValueError('a string without its end')
    names = 0
    stack: 'list[str]' = []
    state = _VALUE
    in_string = True
    for part in parts:
        in_string = not in_string
        if in_string:
            if state <= _VALUE_OR_END:
                state = _AFTER
            elif state <= _NAME_OR_END:
                state = _COLON
                names += 1
            else:
                raise ValueError('a string out of place')
            if part and min(part) < ' ':
                raise ValueError('a control character in a string')
        elif part == ':' and state == _COLON:  # most parts are one of these two
            state = _VALUE
        elif part == ',' and state == _AFTER and stack:
            state = _NAME if stack[-1] == '{' else _VALUE
        else:
            state = _check_between(part, state, stack)
    if state != _AFTER or stack:
        raise ValueError('JSON without its end')
    return names


def _check_between(part: str, state: int, stack: 'list[str]') -> int:
    i = 0
    while i < len(part):
        c = part[i]
        i += 1
        if c in ' \t\n\r':
            continue
        if c == ':' and state == _COLON:
            state = _VALUE
        elif c == ',' and state == _AFTER and stack:
            state = _NAME if stack[-1] == '{' else _VALUE
        elif c in '{[' and state <= _VALUE_OR_END and len(stack) < MAX_DEPTH:
            stack.append(c)
            state = _NAME_OR_END if c == '{' else _VALUE_OR_END
        elif c == '}' and state in (_AFTER, _NAME_OR_END) and stack and stack.pop() == '{':
            state = _AFTER
        elif c == ']' and state in (_AFTER, _VALUE_OR_END) and stack and stack.pop() == '[':
            state = _AFTER
        elif state <= _VALUE_OR_END:
            i -= 1
            scalar = part[i:].rstrip(',]}')
            if not scalar.isdigit():  # a plain number with nothing but ends behind it needs no search
                end = i
                while end < len(part) and part[end] not in ',]} \t\n\r':
                    end += 1
                scalar = part[i:end]
            _check_scalar(scalar)
            i += len(scalar)
            state = _AFTER
        else:
            raise ValueError('not JSON')
    return state


def _check_scalar(text: str) -> None:
    if text in ('true', 'false', 'null'):
        return
    number = text[1:] if text.startswith('-') else text
    digits = number
    is_float = False
    for mark in 'eE':
        if mark in digits:
            digits, exponent = digits.split(mark, 1)
            if not (exponent[1:] if exponent[:1] in ('+', '-') else exponent).isdigit():
                raise ValueError('not JSON')
            is_float = True
    if '.' in digits:
        digits, fraction = digits.split('.', 1)
        if not fraction.isdigit():
            raise ValueError('not JSON')
        is_float = True
    if not digits.isdigit() or (digits[0] == '0' and len(digits) > 1):
        raise ValueError('not JSON')
    if is_float:
        value = float(number)
        if value - value != 0:
            raise ValueError('a number too large')


def _unescaped(text: str) -> 'tuple[str, str]':
    """Return the text with surrogate pairs joined, which MicroPython does not do, and with no escape at all."""
    joined = []
    plain = []
    start = 0
    while True:
        at = text.find('\\', start)
        if at < 0:
            break
        before = text[start:at]
        start = at + 2
        kept = text[at:start]
        if kept == '\\u':
            code = _hex4(text, start)
            start += 4
            kept = text[at:start]
            if 0xd800 <= code < 0xe000:
                low = _hex4(text, start + 2) if text[start:start + 2] == '\\u' else 0
                if code >= 0xdc00 or not 0xdc00 <= low < 0xe000:
                    raise ValueError('a lone surrogate')
                kept = chr(0x10000 + ((code - 0xd800) << 10) + low - 0xdc00)
                start += 6
        elif len(kept) != 2 or kept[1] not in '"\\/bfnrt':
            raise ValueError('not a JSON escape')
        joined.append(before + kept)
        plain.append(before + 'x')
    return ''.join(joined) + text[start:], ''.join(plain) + text[start:]


def _hex4(text: str, at: int) -> int:
    digits = text[at:at + 4].lower()
    if len(digits) != 4:
        raise ValueError('not a JSON escape')
    for c in digits:
        if c not in '0123456789abcdef':
            raise ValueError('not a JSON escape')
    return int(digits, 16)


def check_utf8(data: bytes) -> None:
    """Raise ValueError when ``data`` is not UTF-8 (RFC 3629 section 4)."""
    more = 0                # continuation bytes still to come
    low, high = 0x80, 0xbf  # what the next of them may be
    for b in data:
        if more:
            if not low <= b <= high:
                raise ValueError('not UTF-8')
            low, high = 0x80, 0xbf
            more -= 1
        elif b > 127:
            if not 0xc2 <= b <= 0xf4:
                raise ValueError('not UTF-8')
            more = 1 if b < 0xe0 else 2 if b < 0xf0 else 3
            if b in (0xe0, 0xf0):    # overlong
                low = 0xa0 if b == 0xe0 else 0x90
            elif b in (0xed, 0xf4):  # surrogates, above U+10FFFF
                high = 0x9f if b == 0xed else 0x8f
    if more:
        raise ValueError('not UTF-8')
