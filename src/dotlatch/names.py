"""What may be the name of a user or a key, which is shown in lists and logs, and which names are the same.

Needs portable.py::

    check_name('anna')       # nothing
    check_name('an\\nna')     # ValueError
    folded('Anna')           # 'anna'
"""
from .portable import utf8


def check_name(name: str, most: int = 64) -> None:
    """Raise ValueError unless ``name`` is text of 1 to ``most`` characters that looks like what it is."""
    if not isinstance(name, str) or not 0 < len(name) <= most or name != name.strip(' '):
        raise ValueError('a name has 1 to %d characters and no space at its ends' % most)
    for c in name:
        # Also those that turn the direction of what follows, or begin a line: the name is shown in lists and logs.
        if c < ' ' or '\x7f' <= c <= '\x9f' or '\u2028' <= c <= '\u202e' or '\u2066' <= c <= '\u2069':
            raise ValueError('a name has no control characters')
    try:
        utf8(name.encode())
    except ValueError:
        raise ValueError('a name has no half of a character') from None


def folded(text: str) -> str:
    """Return the text with ASCII letters in lower case: both Pythons' ``lower()`` differ for others."""
    return ''.join([c.lower() if 'A' <= c <= 'Z' else c for c in text])
