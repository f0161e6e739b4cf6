"""What JSON can carry, looked at value by value: strictjson.py loads it for what is not plain, such as floats.

Needs no other file. MicroPython writes bytes, sets, objects and infinities as something that nobody can read back, and
names that are numbers as text.
"""
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_DEPTH = 32
_LEAVES = (str, int, bool, type(None))


def check(value: 'Any', depth: int) -> None:
    """Raise TypeError unless JSON can carry the value and give it back.

    :param depth: how many levels of it may be nested.
    """
    if type(value) in _LEAVES:
        return
    if isinstance(value, float):
        if value - value != 0:
            raise TypeError('JSON cannot carry an infinite number')
        return
    is_dict = isinstance(value, dict)
    if not is_dict and type(value) is not list and type(value) is not tuple:
        raise TypeError('JSON cannot carry ' + type(value).__name__)
    if depth <= 0:
        raise TypeError('nested deeper than 32')
    for item in value:
        if is_dict:
            if not isinstance(item, str):
                raise TypeError('JSON names are strings, not ' + type(item).__name__)
            item = value[item]
        if type(item) not in _LEAVES:  # most are, and a call costs a board more than the look
            check(item, depth - 1)
