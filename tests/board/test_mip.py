"""mip gets dotlatch onto a board, compiled: from an index of packages on this machine. test_install.py has the rest."""
import functools
import http.server
import json
import threading

import pytest

from tools import mip_index

from . import library
from .pico import Pico

HERE = library.ROOT / 'tests' / 'board'
VISIT = '''
import asyncio
from microdot import Microdot
from dotlatch.auth import TokenAuth
from neighbour import PORT, ask

app = Microdot()
auth = TokenAuth(allow_http=True)

@auth.authenticate
async def check(request, token):
    return 'script' if token == 'a_token' else None

@app.get('/')
@auth
async def index(request):
    return 'in'

async def main():
    server = asyncio.create_task(app.start_server('127.0.0.1', PORT))
    await asyncio.sleep_ms(100)
    statuses = []
    for header in ('', 'Authorization: Bearer a_token'):
        statuses.append((await ask('GET', '/', header=header))[0])
    print(statuses)
    app.shutdown()
    await server

asyncio.run(main())
'''


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope='module')
def index(tmp_path_factory):
    """The address of an index of packages."""
    folder = tmp_path_factory.mktemp('index')
    mip_index.write(folder)
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


@pytest.fixture(autouse=True)
def on_micropython(record_property):
    record_property('python', 'MicroPython on an emulated Raspberry Pi Pico')


def test_a_package_of_an_index_is_installed_compiled_and_locks_a_page(board, index):
    neighbour = {'/neighbour.py': (HERE / 'neighbour.py').read_bytes()}
    with Pico(neighbour) as pico:
        for package in ('dotlatch-auth', 'dotlatch-tokens'):
            printed = pico.mpremote('mip', 'install', '--index', index, package, timeout=900)
            assert 'Done' in printed
        assert 'Exists: /lib/dotlatch/portable.mpy' in printed  # what is there already is not copied again
        assert pico.run(VISIT).splitlines()[-1] == '[401, 200]'
        files = json.loads(pico.exec("import json, os; print(json.dumps(sorted(os.listdir('/lib/dotlatch'))))"))
    assert 'auth.mpy' in files and 'session.mpy' not in files
    assert [name for name in files if name.endswith('.py')] == ['viper.py']  # machine code


def test_an_index_has_every_package(index, tmp_path):
    mip_index.write(tmp_path)
    packages = {path.name for path in (tmp_path / 'package' / '6').iterdir()}
    assert packages == {'dotlatch', *(f'dotlatch-{path.stem}' for path in (library.ROOT / 'packages').iterdir())}
    whole = json.loads((tmp_path / 'package/6/dotlatch/latest.json').read_text())
    assert len(whole['hashes']) == len(library.portable_files()) + len(library.MICRODOT_CORE) + 1  # and messages
    for _, short in whole['hashes']:
        assert (tmp_path / 'file' / short[:2] / short).stat().st_size
