"""The small programs for a Pico W and an ESP32, without a radio: on an emulated Pico and on MicroPython's unix port."""
import ast
import os
import subprocess

import pytest

from tests.harness.interpreters import micropython, newest_microdot_folder

from . import library
from .pico import Pico

HERE = library.ROOT / 'tests' / 'board'
EXAMPLES = library.ROOT / 'examples'
PASSWORD = 'tulip harbour nine lantern'
WIFI = '{"ssid": "my network", "password": "its password"}'

# Runs boot.py, and main.py with a visitor beside its server; the radio, the prompt and the port are ours.
START = '''
import asyncio, builtins, os, sys
sys.path.insert(0, '{folder}')
os.chdir('{folder}')
import fake_wifi
fake_wifi.plug_in()
builtins.input = lambda prompt: {password!r}
shown = []

class Hurried:
    def sleep_ms(pause):
        pass

def show(*values):
    shown.append(' '.join([str(value) for value in values]))

def start(name):
    with open(name) as file:
        exec(file.read(), dict(__name__='__main__', print=show))

import wifi
wifi.print = show
wifi.time = Hurried
'''
VISIT = '''
import neighbour
from microdot import Microdot
neighbour.PORT = {port}

def run(app, host, port):
    async def both():
        server = asyncio.create_task(app.start_server('127.0.0.1', neighbour.PORT))
        await asyncio.sleep(0)
        answers = []
        async def get(header=''):
            answer = await neighbour.ask('GET', {path!r}, header=header)
            answers.append((answer[0], answer[2]))
            return answer[1]
        await visit(get)
        app.shutdown()
        await server
        print(answers)
    asyncio.run(both())

Microdot.run = run
{visitor}
start('{main}')
'''
BASIC = '''
from binascii import b2a_base64

async def visit(get):
    await get()
    for password in ({password!r}, 'another one of some length'):
        await get('Authorization: Basic ' + b2a_base64(b'anna:' + password.encode()).decode().strip())
'''
TOKEN = '''
async def visit(get):
    await get()
    token = shown[-1].split(' ')[-1]
    await get('Authorization: Bearer ' + token)
    await get('Authorization: Bearer ' + token[1:])
'''
DIGEST = '''
import hashlib
from binascii import hexlify

def h(*parts):
    return hexlify(hashlib.sha256(':'.join(parts).encode()).digest()).decode()

async def visit(get):
    nonce = (await get()).split('nonce="')[1].split('"')[0]
    for count, password in (('00000001', {password!r}), ('00000002', 'another one')):
        response = h(h('anna', 'Greenhouse', password), nonce, count, 'abcdefgh', 'auth', h('GET', '/'))
        await get('Authorization: Digest username="anna", realm="Greenhouse", nonce="' + nonce + '", uri="/", '
                  'qop=auth, algorithm=SHA-256, nc=' + count + ', cnonce="abcdefgh", response="' + response + '"')
'''


class Unix:
    """MicroPython's unix port, with the methods of a Pico that are used here."""
    def __init__(self, folder):
        self.folder = folder

    def run(self, script, timeout):
        path = os.pathsep.join([str(library.DOTLATCH.parent), str(newest_microdot_folder()), '.frozen'])
        (self.folder / 'script.py').write_text(script)
        done = subprocess.run(
            [micropython(), self.folder / 'script.py'], timeout=timeout, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={'MICROPYPATH': path})
        assert done.returncode == 0, done.stdout
        return done.stdout


def example_files():
    files = {f'/example/{name}.py': HERE / f'{name}.py' for name in ('fake_wifi', 'neighbour')}
    files.update({f'/example/{path.name}': path for path in (EXAMPLES / 'pico_w').glob('*.py')})
    files['/example/boot_esp32.py'] = EXAMPLES / 'esp32' / 'boot.py'
    return {name: path.read_bytes() for name, path in files.items()}


@pytest.fixture(scope='module', params=['pico', 'unix'])
def device(request, tmp_path_factory):
    """(a device with the examples on it, the folder where they are)"""
    if request.param == 'pico':
        request.getfixturevalue('board')
        with Pico({**library.dotlatch(), **library.microdot(), **example_files()}) as pico:
            yield pico, '/example'
    else:
        folder = tmp_path_factory.mktemp('unix')
        (folder / 'example').mkdir()
        for name, contents in example_files().items():
            (folder / name[1:]).write_bytes(contents)
        yield Unix(folder), f'{folder}/example'


def run(device, script):
    """What a script prints last, as a value."""
    machine, folder = device
    printed = machine.run(START.format(folder=folder, password=PASSWORD) + script, timeout=600)
    return ast.literal_eval(printed.splitlines()[-1])


def visited(device, main, visitor, path='/', port=8795):
    visitor = visitor.format(password=PASSWORD)
    return run(device, VISIT.format(main=main, visitor=visitor, path=path, port=port))


def test_a_board_goes_into_its_network_and_asks_for_the_time(device):
    calls, shown = run(device, f'''
with open('wifi.json', 'w') as file:
    file.write({WIFI!r})
start('boot.py')
print((fake_wifi.CALLS, shown))
''')
    assert calls == [('hostname', 'greenhouse'), ('station', 'active', True), ('settime',)]
    assert shown[-1] == 'The board is at http://127.0.0.1'


@pytest.mark.parametrize('wifi', ['', '{"ssid": "another", "password": "its password"}'], ids=['no file', 'wrong'])
@pytest.mark.parametrize('boot, options', [('boot', ['key', 'ssid']), ('boot_esp32', ['key', 'security', 'ssid'])])
def test_without_a_network_a_board_opens_one_with_a_password_of_its_own(device, wifi, boot, options):
    calls, shown, key = run(device, f'''
with open('wifi.json', 'w') as file:
    file.write({wifi!r})
start('{boot}.py')
print((fake_wifi.CALLS, shown, open('wifi.key').read()))
''')
    assert calls[-3:] == [
        ('station', 'active', False), ('access point', 'config', options), ('access point', 'active', True)]
    assert len(key) == 16 and shown[-2].endswith(key)
    assert shown[-1] == 'The board is at http://192.168.4.1'


def test_just_a_password(device):
    answers = visited(device, 'just_a_password.py', BASIC)
    assert [status for status, _ in answers] == [401, 200, 401]
    assert answers[1][1] == 'Hello, anna'


def test_a_token_for_a_script(device):
    answers = visited(device, 'token_for_a_script.py', TOKEN, '/temperature', 8796)
    assert [status for status, _ in answers] == [401, 200, 401]
    assert answers[1][1] == '{"celsius": 21}'


def test_digest_for_curl(device):
    answers = visited(device, 'digest_for_curl.py', DIGEST, port=8797)
    assert [status for status, _ in answers] == [401, 200, 401]
    assert answers[1][1] == 'Hello, Anna'
