"""What set-ups share: where they keep what they make, and how they run commands and get Debian packages."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from tools import debian

_CACHES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
CACHE = Path(os.environ.get("DOTLATCH_CACHE") or _CACHES / "dotlatch").resolve()


class SetupError(Exception):
    """Something could not be set up; the message says what to do about it."""


def run(*command, **options):
    """Run a command and return what it printed; its last lines are shown when it fails."""
    command = [str(part) for part in command]
    result = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", **options)
    if result.returncode:
        tail = "\n".join(result.stdout.splitlines()[-40:])
        raise SetupError(f"{shlex.join(command)} failed ({result.returncode}):\n{tail}")
    return result.stdout


def install(packages, why):
    """Install those Debian packages that are not there yet."""
    known = ""
    if shutil.which("dpkg-query"):
        known = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *packages],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    missing = [name for name in packages if f"{name} installed\n" not in known]
    if not missing:
        return
    try:
        debian.install(missing, why)
    except debian.CannotInstall as reason:
        raise SetupError(str(reason)) from None


class LaterSuites:
    """Packages of later Debian suites, by lists and caches in a folder of their own: the system's are not touched."""

    def __init__(self, folder, suites, types="deb deb-src"):
        self.folder = folder
        self.suites = suites
        self._types = types

    def update(self):
        mirror = _debian_mirror()
        for name in ("lists/partial", "cache/archives/partial", "parts"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "parts" / "later.sources").write_text(
            f"Types: {self._types}\nURIs: {mirror}\nSuites: {self.suites}\nComponents: main\n"
            "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n")
        said = self.apt("update")
        if not list((self.folder / "lists").glob("*InRelease")):  # that was no error to apt-get
            raise SetupError(f"no package lists came from {mirror}:\n{said}")

    def apt(self, *arguments, **options):
        """apt-get with these lists."""
        settings = {
            "Dir::State::Lists": self.folder / "lists", "Dir::Cache": self.folder / "cache",
            "Dir::Etc::SourceList": "/dev/null", "Dir::Etc::SourceParts": self.folder / "parts",
            "APT::Sandbox::User": "root",  # the user _apt may not read a cache in root's home
            "Acquire::Check-Valid-Until": "false",  # a mirror may lag; its signatures still have to hold
        }
        words = [f"-o{name}={value}" for name, value in settings.items()]
        return run("apt-get", "-q", *words, *arguments, **options)


def unpack(work, package, folder):
    """Unpack the upstream archive of a source package that was downloaded to `work`, without its top folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    archives = sorted(work.glob(f"{package}_*.orig.tar.*"))  # the second would be its signature
    run("tar", "-xf", archives[0], "-C", folder, "--strip-components=1")


def _debian_mirror():
    """The mirror this machine's own package lists came from."""
    targets = run("apt-get", "indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)")
    for line in targets.splitlines():
        origin, label, uri = line.split(" ", 2)
        if (origin, label) == ("Debian", "Debian"):
            return uri
    raise SetupError("no list of Debian packages on this machine: run apt-get update (Debian 12)")
