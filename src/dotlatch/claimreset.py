"""A device forgets its owner, and all that it keeps, when somebody who is at it says so: see claim.py.

Needs portable.py::

    if not button.value():   # held while the board starts
        from dotlatch.claimreset import reset
        reset('users.json', 'secret.key', 'keys.json', 'sessions', 'revoked.json', 'throttle.bin')
"""
import os

from .portable import followed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LEFT = ('.copy', '.new', '.old', '.claim')  # what files.py, copies.py and claim.py put beside a file


def reset(users: str, *paths: str, events: 'Any' = None) -> None:
    """Forget the owner, and all that the device keeps. Restart it then: it has a code for the next owner.

    Have it called by who is at the device: by a button that is held while it starts, or a command at its console.

    :param users: the file of the users. It goes last: a cut of the power leaves the owner as he was, or none.
    :param paths: the other files, and folders of files: the session's key first, since what it has signed is worth
        nothing without it; then API keys, sessions, revoked sessions, counts of the throttle.
    :param events: a :class:`dotlatch.events.Events` that is told: ``reset``.
    :raises ValueError: for the root of the file system.
    :raises OSError: when something cannot be removed.
    """
    for path in paths + (users,):
        if not path.strip('/.'):
            raise ValueError('name the files: this would remove the program, too')
    for path in paths + (users,):
        _wipe(followed(path))
    if events is not None:
        events.emit('reset')


def _wipe(path: str) -> None:
    """Remove a file with its copies and leftovers, which have longer names, or what is in a folder."""
    path = path.rstrip('/')
    try:
        inside = os.listdir(path)
    except OSError:  # it is no folder
        at = path.rfind('/') + 1
        name = path[at:]
        try:
            beside = os.listdir(path[:at - 1] or '/') if at else os.listdir()
        except OSError as error:
            if error.errno in (2, 20):  # ENOENT, ENOTDIR: its folder is not there
                return
            raise
        for other in sorted(beside, reverse=True):  # the file itself at the end: it is what counts while it is there
            is_left = other.startswith(name + '.') and other[other.rfind('.'):] in _LEFT
            if is_left or (other == name and not name.endswith('.lock')):
                os.remove(path[:at] + other)
        return
    for name in inside:
        _wipe(path + '/' + name)
