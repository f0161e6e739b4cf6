"""The lists by which boards get dotlatch: package.json and packages/ for mip, and the manifest to freeze."""
import json
import os
import re

import pytest

from dotlatch.server.board.needs import FEATURES
from tools import lists

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


def manifest_packages(monkeypatch, **options):
    """{package: files} as MicroPython's manifest tool would be told them."""
    path = library.ROOT / 'micropython_manifest.py'
    packages = {}

    def package(name, files, base_path, opt):
        assert all((path.parent / base_path / name / file).is_file() for file in files)
        packages[name] = sorted(files)

    monkeypatch.chdir(path.parent)  # as the tool does
    names = {'package': package, 'options': Options(options)}
    exec(compile(path.read_text(), path, 'exec'), names)
    return packages


def test_the_lists_are_what_the_files_need():
    # When this fails: .venv/bin/python tools/lists.py
    texts = lists.texts()
    packages = {path.relative_to(library.ROOT).as_posix() for path in (library.ROOT / 'packages').iterdir()}
    assert packages | {'package.json', lists.TABLE} == set(texts)
    for name, text in texts.items():
        assert (library.ROOT / name).read_text() == text, name


def test_the_manifest_freezes_exactly_the_portable_files(monkeypatch):
    assert manifest_packages(monkeypatch) == {'dotlatch': library.portable_files()}


def test_the_manifest_leaves_arm_instructions_out_for_other_boards(monkeypatch):
    without = [name for name in library.portable_files() if name != 'pbkdf2_thumb.py']
    assert manifest_packages(monkeypatch, arm=False) == {'dotlatch': without}


def test_the_manifest_freezes_the_features_that_are_asked_for(monkeypatch):
    files = manifest_packages(monkeypatch, features='tokens throttle')['dotlatch']
    assert {'__init__.py', 'portable.py', 'tokens.py', 'throttle.py'} <= set(files)
    assert not {'session.py', 'login.py', 'auth.py', 'http.py'} & set(files)


@pytest.mark.parametrize('features, told', [
    ('', "features='' names none"), (' ', "features=' ' names none"), (None, 'features=None names none'),
    (('login', 'users'), "features=('login', 'users') names none"), ('login, users', 'has login, in it'),
    ('second factor', 'has second, factor in it'), ('logon', 'has logon in it'), ('login All', 'has All in it'),
    ('../package', 'has ../package in it')])
def test_the_manifest_refuses_features_that_freeze_nothing(monkeypatch, features, told):
    with pytest.raises(ValueError, match=re.escape(told)) as error:
        manifest_packages(monkeypatch, features=features)
    assert all(name in str(error.value) for name in ('all', *FEATURES))


def test_the_manifest_can_be_included_by_one_that_has_metadata():
    # MicroPython's tool takes metadata() once, and gives that version to every file of the firmware.
    assert 'metadata(' not in re.sub('#.*', '', (library.ROOT / 'micropython_manifest.py').read_text())


def test_the_manifest_freezes_microdot_where_it_is_told_to(monkeypatch):
    packages = manifest_packages(monkeypatch, features='login', microdot=library.microdot_folder().parent)
    assert packages['microdot'] == [f'{stem}.py' for stem in sorted(library.MICRODOT_CORE)]


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
