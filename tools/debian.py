"""Install Debian packages, only those that are missing, and say so."""

import os
import shutil
import subprocess
import sys

# program to look for -> the package that brings it
TEST_PROGRAMS = {
    "chromium": "chromium",
    "nginx": "nginx-light",
    "openssl": "openssl",
    "redis-server": "redis-server",
    # postgres itself is not on the PATH of a Debian system; this comes with it
    "pg_createcluster": "postgresql",
}


class CannotInstall(Exception):
    """A package is needed and this user, or this system, cannot install it."""


def install_missing(programs, why):
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin"  # where nginx is, and not everybody looks
    packages = [package for program, package in programs.items() if not shutil.which(program, path=path)]
    if packages:
        install(packages, why)


def install(packages, why):
    wanted = " ".join(packages)
    command = f"apt-get install {wanted}"
    if not shutil.which("apt-get"):
        raise CannotInstall(f"{why}. On Debian that is `{command}`; install the same here.")
    # Another program may be installing something: wait for it rather than fail.
    apt = [*_as_root(command, why), "env", "DEBIAN_FRONTEND=noninteractive",
           "apt-get", "-qq", "-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=600"]
    print(f"setup: {why}: {command}", flush=True)
    install_now = [*apt, "install", "-y", "--no-install-recommends", *packages]
    # A machine's package lists may be old or absent, so they are read anew first; should that
    # fail (one broken source of many is enough) the install itself decides.
    subprocess.run([*apt, "update"], stdout=sys.stderr)
    if subprocess.run(install_now, stdout=sys.stderr).returncode:
        raise CannotInstall(f"{why}, but `{command}` failed; try it as root.")


def _as_root(command, why):
    if os.geteuid() == 0:
        return []
    if not shutil.which("sudo"):
        raise CannotInstall(f"{why}. Become root and say `{command}`, then try again.")
    # Without a terminal nobody can type a password: fail at once rather than wait.
    return ["sudo"] if sys.stdin.isatty() else ["sudo", "-n"]
