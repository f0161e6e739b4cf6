"""The command line as a script uses it: arguments and standard input in, exit code and two outputs out."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass

from tests.harness import leaks
from tests.harness.interpreters import SOURCE

SECONDS = 60
COMMAND = [sys.executable, "-m", "dotlatch"]


@dataclass
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


def environment(**more):
    left = {name: value for name, value in os.environ.items() if name != "DOTLATCH_STORE"}
    return {**left, "PYTHONPATH": str(SOURCE), **more}


def begin(folder, *arguments, command=COMMAND, stdout=subprocess.PIPE, **more):
    return subprocess.Popen(
        [*command, *map(str, arguments)], cwd=folder, env=environment(**more), stdin=subprocess.PIPE,
        stdout=stdout, stderr=subprocess.PIPE)


def end(process, given="", shows_secret=False):
    """Its ending. What it says is held against secrets, but for the one that it is asked for."""
    given = given.encode() if isinstance(given, str) else given
    try:
        out, err = leaks.communicate(process, given, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    leaks.check("stderr of the command line", err)
    if not shows_secret:
        leaks.check("stdout of the command line", out)
    assert b"Traceback" not in err, err.decode()
    return Done(process.returncode, (out or b"").decode(), err.decode())


def run(folder, *arguments, given="", shows_secret=False, **more):
    return end(begin(folder, *arguments, **more), given, shows_secret)
