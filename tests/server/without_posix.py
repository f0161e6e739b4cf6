"""The command line where there is nothing of POSIX, as on Windows. Run as a program, with its arguments.

What the standard library needs of it here is loaded before it goes: those imports have no other use.
"""
# ruff: noqa: F401
import asyncio
import fcntl
import getpass
import os
import subprocess
import sys
import tempfile
import types

POSIX = ("fcntl", "grp", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty")
OF_OS = ("chown", "fchmod", "fchown", "fork", "getegid", "geteuid", "getgid", "getuid", "killpg", "register_at_fork",
         "setsid", "statvfs", "uname", "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK")


def locking(file, mode, size):
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise PermissionError(13, "Permission denied") from None


def rename(old, new, to=os.rename):
    if os.path.exists(new):
        raise FileExistsError(17, "File exists", new)
    to(old, new)


if __name__ == "__main__":
    for module in POSIX:
        sys.modules[module] = None
    for one in OF_OS:
        delattr(os, one)
    os.rename = rename
    sys.modules["msvcrt"] = types.ModuleType("msvcrt")
    sys.modules["msvcrt"].LK_NBLCK, sys.modules["msvcrt"].locking = 2, locking
    from dotlatch.server.cli.main import main
    sys.exit(main())
