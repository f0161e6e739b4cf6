"""The two lists by which boards get dotlatch: package.json for mip, and the manifest to freeze."""
import json
import os

import pytest

from . import library
from .pico import Pico

OURS = 'github:dotlatch/dotlatch/'
MICRODOT = '/src/microdot/'  # in the address of one of Microdot's files


def package_urls():
    return json.loads((library.ROOT / 'package.json').read_text())['urls']


class Options:
    """A manifest's options, as MicroPython's manifest tool has them."""
    def __init__(self, given):
        self.given = given

    def defaults(self, **options):
        self.__dict__.update({**options, **self.given})


def manifest_packages(**options):
    """{package: files} as MicroPython's manifest tool would be told them."""
    path = library.ROOT / 'micropython_manifest.py'
    packages = {}

    def package(name, files, base_path):
        assert (path.parent / base_path / name).is_dir()
        packages[name] = sorted(files)

    names = {'package': package, 'metadata': dict, 'options': Options(options)}
    exec(compile(path.read_text(), path, 'exec'), names)
    return packages


def test_the_manifest_freezes_exactly_the_portable_files():
    assert manifest_packages() == {'dotlatch': library.portable_files()}


def test_the_manifest_leaves_arm_instructions_out_for_other_boards():
    without = [name for name in library.portable_files() if name != 'pbkdf2_thumb.py']
    assert manifest_packages(arm=False) == {'dotlatch': without}


def test_mip_installs_exactly_the_portable_files_and_microdot():
    urls = package_urls()
    dotlatch = [target for target, _ in urls if target.startswith('dotlatch/')]
    assert dotlatch == [f'dotlatch/{name}' for name in library.portable_files()]
    microdot = {target for target, _ in urls} - set(dotlatch)
    assert microdot == {f'microdot/{stem}.py' for stem in library.MICRODOT_CORE}
    for target, url in urls:
        assert url.endswith('/src/' + target)
        assert url.startswith(OURS) or MICRODOT in url


@pytest.fixture
def offline_package(tmp_path):
    """package.json with this machine's files in place of the addresses."""
    urls = []
    for target, url in package_urls():
        if url.startswith(OURS):
            path = library.ROOT / url.removeprefix(OURS)
        else:
            path = library.microdot_folder() / url.split(MICRODOT)[1]
        urls.append([target, os.path.relpath(path, tmp_path)])
    package = tmp_path / 'package.json'
    package.write_text(json.dumps({'urls': urls}))
    return package


def test_what_mip_installed_runs(board, offline_package):
    with Pico() as pico:
        pico.mpremote('mip', 'install', offline_package, timeout=300)
        assert pico.exec('import microdot, dotlatch.tokens; print(dotlatch.tokens.encode)') != ''
        installed = pico.exec("import os; print(sorted(os.listdir('/lib/dotlatch')))")
    assert installed == f'{library.portable_files()}\n'
