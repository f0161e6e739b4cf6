"""The Pythons and the Microdot releases that portable tests run on."""

import atexit
import os
import shutil
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tools.sources import oldest_microdot

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
VENV = Path(sys.prefix)

# Generous beside a board's 200 KB: what must fit there is tested there.
MICROPYTHON_HEAP = "64M"


@dataclass(frozen=True)
class Variant:
    """One Python with one Microdot: `name` is what stands between brackets in a test's id."""

    name: str
    micropython: bool
    oldest: bool = False

    def command(self):
        if not self.micropython:
            return [sys.executable]
        return [micropython(), "-X", f"heapsize={MICROPYTHON_HEAP}"]

    def microdot(self):
        """A folder with the package microdot in it and nothing else to import."""
        return oldest_microdot_folder() if self.oldest else newest_microdot_folder()


PLAIN = (Variant("cpython", micropython=False), Variant("micropython", micropython=True))


@cache
def all_variants():
    suffix = f"-microdot-{oldest_microdot()}"
    old = [Variant(v.name + suffix, v.micropython, oldest=True) for v in PLAIN]
    return (*PLAIN, *old)


class Missing(Exception):
    """Something the tests need is not installed: their failure, never a skip."""


def micropython():
    beside_python = Path(sysconfig.get_path("scripts")) / "micropython"
    found = str(beside_python) if beside_python.exists() else shutil.which("micropython")
    if not found:
        raise Missing("there is no MicroPython here; `make setup` installs it")
    return found


@cache
def newest_microdot_folder():
    """MicroPython must not see site-packages: a module missing there would be found in it."""
    try:
        import microdot
    except ImportError as exc:
        raise Missing("microdot is not installed; `make setup` does that") from exc
    folder = tempfile.mkdtemp(prefix="microdot-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.symlink(Path(microdot.__file__).parent, Path(folder) / "microdot")
    return Path(folder)


def oldest_microdot_folder():
    folder = VENV / f"microdot-{oldest_microdot()}"
    if not (folder / "microdot").is_dir():
        raise Missing(f"there is no {folder}; `make setup` makes it")
    return folder
