"""The Valkey that the tests start beside Redis: this machine's own, or else one that is built from Debian's source.

    python -m tests.stores.valkey

Debian has Valkey from release 13 on, and that program wants a newer C library than Debian 12's. So its source is
compiled, without TLS, and the program kept in the cache folder, which may be deleted: DOTLATCH_CACHE or
~/.cache/dotlatch. A failure is an error, never a skip.
"""

import fcntl
import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

from tests.harness.debian import CACHE, LaterSuites, SetupError, install, run, unpack

FOLDER = CACHE / "valkey"
PROGRAM = FOLDER / "valkey-server"
STAMP = FOLDER / "stamp.json"
WORK = FOLDER / "build"
SUITE = "trixie"  # Debian 13
DEBIAN_PACKAGES = ("gcc", "libc6-dev", "make", "xz-utils")
# Only what the tests need, and compiled soon rather than well.
OPTIONS = ("MALLOC=libc", "BUILD_TLS=no", "USE_SYSTEMD=no", "OPTIMIZATION=-O1", "DEBUG=")


def set_up():
    """The path of a valkey-server that runs here; where there is none yet, it is made."""
    installed = shutil.which("valkey-server")
    if installed:
        return installed
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "lock", "w") as lock:  # two test runs may start at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_current():
            build()
    return str(PROGRAM)


def is_current():
    """Whether the program is the one that was built, by this file as it is."""
    if not PROGRAM.is_file() or not STAMP.is_file():
        return False
    stamp = json.loads(STAMP.read_text())
    return (stamp["recipe"], stamp["program"]) == (_sha256(Path(__file__)), _sha256(PROGRAM))


def build():
    STAMP.unlink(missing_ok=True)
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir()
    install(DEBIAN_PACKAGES, why="Valkey is compiled with them")
    source = fetch()
    say(f"compiling {source}, about a minute")
    run("make", "-C", WORK / "valkey" / "src", f"-j{os.cpu_count() or 2}", "valkey-server", *OPTIONS)
    # A server that runs has the old file; it keeps that.
    (WORK / "valkey" / "src" / "valkey-server").replace(PROGRAM)
    version = run(PROGRAM, "--version").strip()
    shutil.rmtree(WORK)
    STAMP.write_text(json.dumps(
        {"recipe": _sha256(Path(__file__)), "program": _sha256(PROGRAM), "source": source, "version": version}))
    say(f"ready in {FOLDER}: {version}")


def fetch():
    """Lay out Valkey's tree; returns the name of the source package's archive."""
    say(f"fetching its source from Debian ({SUITE})")
    debian = LaterSuites(WORK / "apt", SUITE, types="deb-src")
    debian.update()
    debian.apt("source", "--download-only", f"valkey/{SUITE}", cwd=WORK)
    unpack(WORK, "valkey", WORK / "valkey")
    return next(WORK.glob("valkey_*.orig.tar.*")).name


def say(message):
    print("valkey: " + message, flush=True)


def _sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    try:
        set_up()
    except SetupError as error:
        sys.exit(f"valkey: {error}")
