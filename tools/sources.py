"""Fetch the code the tests run against and the repository does not carry.

    .venv/microdot-X.Y.Z/microdot   the oldest release that pyproject.toml admits
    .venv/sources/microdot-X.Y.Z/   the newest release's sdist, for Microdot's own tests
    .venv/sources/utemplate/        the template engine of MicroPython
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
UTEMPLATE = "utemplate==1.4.1"


def oldest_microdot():
    return re.search(r'"microdot>=([\d.]+)', PYPROJECT.read_text()).group(1)


def install_oldest_microdot(python, venv):
    target = venv / f"microdot-{oldest_microdot()}"
    if target.is_dir():
        return
    _pip(python, "install", "--no-deps", "--target", target, f"microdot=={oldest_microdot()}")


def unpack_microdot_tests(python, venv):
    """The sdist of the microdot that .venv holds: its tests are not in the wheel."""
    ask = "import importlib.metadata as m; print(m.version('microdot'))"
    version = subprocess.run(
        [str(python), "-c", ask], check=True, capture_output=True, text=True
    ).stdout.strip()
    target = venv / "sources" / f"microdot-{version}"
    if target.is_dir():
        return
    with tempfile.TemporaryDirectory() as folder:
        _pip(python, "download", "--no-deps", "--no-binary", "microdot",
             "--dest", folder, f"microdot=={version}")
        shutil.unpack_archive(next(Path(folder).glob("*.tar.gz")), folder)
        target.parent.mkdir(exist_ok=True)
        shutil.move(Path(folder) / target.name, target)


def unpack_utemplate(python, venv):
    """utemplate's sdist has no setup.py, so pip refuses it; but pip unpacks before it refuses,
    and with --no-clean leaves what it unpacked."""
    target = venv / "sources" / "utemplate"
    if target.is_dir():
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [str(python), "-m", "pip", "download", "--quiet", "--no-clean", "--no-deps",
                   "--no-binary", "utemplate", "--dest", folder, UTEMPLATE]
        subprocess.run(command, capture_output=True, env=dict(os.environ, TMPDIR=folder))
        found = list(Path(folder).glob("pip-*/*/utemplate/source.py"))
        if not found:
            # Fail the same way again, but in the open: the reader needs pip's own words.
            subprocess.run(command, check=True)
            raise RuntimeError("pip no longer leaves what it unpacked: unpack utemplate anew")
        target.parent.mkdir(exist_ok=True)
        shutil.copytree(found[0].parent, target / "utemplate")


def _pip(python, *arguments):
    command = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    command += [str(argument) for argument in arguments]
    print("setup:", *command, flush=True)
    subprocess.run(command, check=True)
