"""Which files a board gets: what the modules import, read from them and held against what MicroPython loads."""
import json
import subprocess

import pytest

from dotlatch.server.board import needs
from dotlatch.server.board.needs import FEATURES, UnknownModule, closure, loaded_with, modules_of, needs_of
from tests.harness.interpreters import ROOT, SOURCE, micropython, newest_microdot_folder

ALWAYS = {'__init__', 'portable', 'on_micropython', 'viper', 'noviper', 'jsongrammar'}
# Of two files that do the same, a port takes the one that it can run, which does not show in the source.
EITHER = {'viper', 'noviper', 'on_micropython_files', 'sha1', 'pbkdf2_hashlib'}
LOADED = '''
import json, sys
sys.path[:] = %r
import dotlatch.%s
print(json.dumps([name[9:] for name in sys.modules if name.startswith('dotlatch.')]))
'''


def on_micropython(program):
    return subprocess.run([micropython(), '-X', 'heapsize=8M', '-c', program], capture_output=True, text=True)


def copied(folder, modules):
    """A folder in which there is nothing of dotlatch but these modules."""
    (folder / 'dotlatch').mkdir()
    for name in modules:
        (folder / 'dotlatch' / f'{name}.py').write_bytes((SOURCE / 'dotlatch' / f'{name}.py').read_bytes())
    return [str(folder), str(newest_microdot_folder()), '.frozen']


def app(folder, **files):
    for name, text in files.items():
        path = folder / f'{name}.py'
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder / 'main.py'


@pytest.mark.parametrize('module', [name for name in needs.all_modules() if name not in ('__init__', 'pbkdf2_thumb')])
def test_what_a_module_is_said_to_load_is_what_it_loads(module, tmp_path):
    folders = copied(tmp_path, ['__init__', *loaded_with([module]), *EITHER])
    result = on_micropython(LOADED % (folders, module))
    assert result.returncode == 0, result.stdout + result.stderr
    assert set(json.loads(result.stdout)) - EITHER == set(loaded_with([module])) - EITHER


@pytest.mark.parametrize('feature', FEATURES)
def test_a_feature_loads_from_its_files_alone(feature, tmp_path):
    folders = copied(tmp_path, modules_of([feature]))
    for module in FEATURES[feature][1]:
        result = on_micropython(LOADED % (folders, module))
        assert result.returncode == 0, result.stdout + result.stderr


def test_every_module_is_of_some_feature():
    assert set(needs.all_modules()) == set(modules_of(FEATURES))


def test_a_board_gets_nothing_of_a_computers():
    assert not {'on_cpython', '__main__'} & set(needs.all_modules())
    assert ALWAYS <= set(modules_of(['tokens']))


def test_a_feature_comes_without_those_that_were_not_chosen():
    assert not {'halflogin', 'stored', 'totp'} & set(modules_of(['login']))
    assert {'halflogin', 'totp', 'recovery'} <= set(modules_of(['login', 'second-factor']))


# What a module loads only where the program, or an account it keeps, asks for a feature that was not chosen.
BY_THE_PROGRAM = {
    'entry': {'halflogin', 'trusted'}, 'login': {'formlogin', 'halflogin'}, 'loginpages': {'halflogin', 'totp'},
    'accountpages': {'totp'}, 'remember': {'series'}, 'session': {'stored'}, 'passwords': {'hashers'},
    'users': {'userfactor'}, 'throttle': {'throttlefile'},
    'pages': {'html_account', 'html_claim', 'html_code'}, 'keyowner': {'apikeys'},
}


@pytest.mark.parametrize('feature', FEATURES)
def test_no_request_can_ask_for_a_file_that_is_not_there(feature):
    modules = set(modules_of([feature]))
    for module in modules:
        assert needs.read(module).later - modules <= BY_THE_PROGRAM.get(module, set()), module


VISIT = '''
import asyncio, sys
sys.path[:] = %r
from microdot import Microdot
from microdot.test_client import TestClient
from dotlatch.login import Login
from dotlatch.session import Session

class User:
    id = name = 'anna'
    password_hash = ''

async def main():
    app = Microdot()
    Session(app, secret_key='a secret of thirty-two characters')
    login = Login()
    login.user_loader(lambda user_id: User())
    app.get('/in')(lambda request: login.login_user(request, User()))
    app.get('/')(login(lambda request: request.g.current_user.name))
    stranger = TestClient(app)
    answer = await stranger.get('/', headers={'Cookie': '_remember=e30.e30.AAAA'})
    print(answer.status_code)
    client = TestClient(app)
    await client.get('/in')
    for headers in ({}, {'Upgrade': 'websocket', 'Connection': 'Upgrade'}):
        print((await client.get('/', headers=headers)).status_code)

asyncio.run(main())
'''


def test_a_login_alone_answers_a_strangers_remember_cookie_and_a_websocket(tmp_path):
    folders = copied(tmp_path, modules_of(['login']))
    result = on_micropython(VISIT % folders)
    assert [line for line in result.stdout.split() if line.isdigit()] == ['302', '200', '426'], result.stdout


def test_there_are_no_other_features():
    with pytest.raises(UnknownModule, match='there is no feature logon: there are session, login'):
        modules_of(['logon'])


# --- an app -----------------------------------------------------------------------------------------

def test_an_app_brings_what_it_imports_and_all_that_this_may_load(tmp_path):
    found = needs_of(app(tmp_path, main='from dotlatch.login import Login\nfrom microdot.sse import with_sse\n'))
    assert {'login', 'halflogin', 'remember', 'totp'} <= set(found.modules)
    assert {'csrf', 'digest'} & set(found.modules) == set()
    assert found.microdot == ['__init__', 'helpers', 'microdot', 'sse']
    assert found.starts == ['dotlatch.login']


@pytest.mark.parametrize('text, module', [
    ('from dotlatch.auth import APIKeyAuth', 'keyauth'),
    ('from dotlatch import auth\nauth.APIKeyAuth()', 'keyauth'),
    ('from dotlatch import passwords as p\np.check_strength', 'strength'),
    ('def later():\n    from dotlatch.origin import CSRF', 'csrf'),
    ('import dotlatch.headers', 'headers'),
    ('try:\n    from dotlatch import headers\nexcept ImportError:\n    pass', 'headers'),
])
def test_every_way_to_import_is_seen(text, module, tmp_path):
    assert module in needs_of(app(tmp_path, main=text)).modules


def test_names_that_a_module_passes_on_cost_only_those_who_use_them(tmp_path):
    found = needs_of(app(tmp_path, main='from dotlatch.auth import BasicAuth\n'))
    assert not {'keyauth', 'apikeys', 'csrf'} & set(found.modules)


def test_the_files_of_the_app_go_along(tmp_path):
    main = app(tmp_path, main='import wifi, machine\nfrom parts.lamp import Lamp\ntry:\n    import extra\nexcept '
                              'ImportError:\n    extra = None\n', wifi='', extra='', other='',
               **{'parts/__init__': '', 'parts/lamp': 'from . import wires', 'parts/wires': ''})
    names = ['extra.py', 'main.py', 'parts/__init__.py', 'parts/lamp.py', 'parts/wires.py', 'wifi.py']
    assert list(needs_of(main).files.values()) == names
    assert main.with_name('extra.py') not in needs_of(main, without=['extra.py']).files


def test_files_of_two_folders_have_to_differ(tmp_path):
    (tmp_path / 'pico').mkdir()
    boot = app(tmp_path / 'pico', boot='import wifi', wifi='').with_name('boot.py')
    main = app(tmp_path, main='')
    assert list(needs_of(boot, main).files.values()) == ['main.py', 'boot.py', 'wifi.py']
    with pytest.raises(UnknownModule, match=r'there are two files wifi\.py'):
        needs_of(boot, app(tmp_path, main='import wifi', wifi=''))


@pytest.mark.parametrize('text, problem', [
    ('from dotlatch.sesion import Session', 'imports dotlatch.sesion, and there is no such module'),
    ('from dotlatch.session import Sesion', 'imports Sesion from dotlatch.session, which has nothing of that name'),
    ('from dotlatch.server.redis import RedisStore', 'imports dotlatch.server.redis, which no board can run'),
])
def test_an_import_that_cannot_work_is_told_before_anything_is_copied(text, problem, tmp_path):
    with pytest.raises(UnknownModule, match=problem):
        needs_of(app(tmp_path, main=text))


def test_what_only_a_computer_imports_stays_there(tmp_path):
    found = needs_of(app(tmp_path, main='from dotlatch.portable import MICROPYTHON\nif not MICROPYTHON:\n    from '
                                        'dotlatch.server.redis import RedisStore\n    import dotlatch.digest\n'))
    assert 'digest' not in found.modules


@pytest.mark.parametrize('name', ['console/main.py', 'fleet/board.py'])
def test_an_example_imports_what_it_gets(name, tmp_path):
    found = needs_of(ROOT / 'examples' / name)
    folders = copied(tmp_path, found.modules)
    for module in found.starts:
        result = on_micropython(LOADED % (folders, module.partition('.')[2]))
        assert result.returncode == 0, result.stdout + result.stderr


def test_the_closure_of_nothing_is_the_package():
    assert closure([]) == ['__init__']
