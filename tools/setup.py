"""Prepare everything `make` needs, with nothing but the Python it is run by.

    python3 tools/setup.py demo     .venv with dotlatch and microdot in it
    python3 tools/setup.py test     the same with every test's tools, servers and sources

A stamp in .venv remembers what was set up from, so that a second run costs nothing.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import debian
import sources

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
OLDEST_PYTHON = (3, 10)


def say(text):
    print(f"setup: {text}", flush=True)


def run(*command):
    command = [str(part) for part in command]
    say(" ".join(command))
    subprocess.run(command, check=True, cwd=ROOT)


def fingerprint():
    """What the environment depends on: change any of it and it is set up again."""
    digest = hashlib.sha256(f"{sys.version} {sys.prefix} {ROOT}".encode())
    for path in [ROOT / "pyproject.toml", *sorted((ROOT / "tools").glob("*.py"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_done(goal, mark):
    stamp = VENV / f"set-up-for-{goal}"
    return stamp.is_file() and stamp.read_text() == mark and works(VENV_PYTHON)


def works(python):
    """A .venv may outlive the Python it was made by."""
    probe = [str(python), "-m", "pip", "--version"]
    try:
        return subprocess.run(probe, capture_output=True).returncode == 0
    except OSError:
        return False


def make_venv():
    # The scripts in .venv/bin hold its path: it cannot be moved with the folder it is in.
    made_for = VENV / "made-for"
    wanted = f"{ROOT} {sys.version_info[0]}.{sys.version_info[1]}\n"
    if made_for.is_file() and made_for.read_text() == wanted and works(VENV_PYTHON):
        return
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        # Debian and Ubuntu leave this part of Python out of `python3`.
        debian.install(
            [f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"],
            why="this Python cannot make virtual environments (it has no ensurepip)",
        )
    run(sys.executable, "-m", "venv", "--clear", VENV)
    made_for.write_text(wanted)


def pip_install(*what):
    run(VENV_PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what)


def set_up_demo():
    make_venv()
    pip_install("--editable", ".[qr]")  # with the picture for a second factor


def set_up_test():
    make_venv()
    say("installing dotlatch and the tools its tests use; the first time this takes a minute")
    # The newest Microdot too, whatever an older .venv has: both ends of the range are tested.
    pip_install("--upgrade", "--editable", ".[dev]", "microdot")
    sources.install_oldest_microdot(VENV_PYTHON, VENV)
    sources.unpack_microdot_tests(VENV_PYTHON, VENV)
    sources.unpack_utemplate(VENV_PYTHON, VENV)
    debian.install_missing(debian.TEST_PROGRAMS, why="the tests start them")


def main():
    if sys.version_info < OLDEST_PYTHON:
        sys.exit(f"dotlatch needs Python 3.10 or newer, and this is {sys.version.split()[0]}. "
                 "Name another one: make PYTHON=python3.12 ...")
    goal = sys.argv[1] if len(sys.argv) == 2 else ""
    steps = {"demo": set_up_demo, "test": set_up_test}
    if goal not in steps:
        sys.exit(__doc__)
    mark = fingerprint()
    # What the tests have is enough for the demo.
    if is_done("test", mark) or is_done(goal, mark):
        return
    try:
        steps[goal]()
    except subprocess.CalledProcessError as failure:
        sys.exit(f"setup: this command failed with exit code {failure.returncode}: "
                 + " ".join(failure.cmd))
    except debian.CannotInstall as reason:
        sys.exit(f"setup: {reason}")
    (VENV / f"set-up-for-{goal}").write_text(mark)
    say("done")


if __name__ == "__main__":
    os.umask(0o022)
    main()
