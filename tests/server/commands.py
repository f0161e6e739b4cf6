"""The command line as a script uses it: arguments and standard input in, exit code and two outputs out."""

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest import mock

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
    left = {name: value for name, value in os.environ.items() if not name.startswith("DOTLATCH_")}
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


def run_here(*arguments, given="", shows_secret=False, **more):
    """The same in this process, in a thread that has no event loop: for what takes longer to start than to do."""
    from dotlatch.server.cli.main import main
    out, err = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
    stdin = io.TextIOWrapper(io.BytesIO(given.encode()))
    with mock.patch.dict(os.environ, more), mock.patch.object(sys, "stdin", stdin), redirect_stdout(out), \
            redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    said = [stream.buffer.getvalue() for stream in (out, err) if stream.flush() is None]
    leaks.check("stderr of the command line", said[1])
    if not shows_secret:
        leaks.check("stdout of the command line", said[0])
    return Done(code, said[0].decode(), said[1].decode())
