"""What an iteration of PBKDF2-HMAC-SHA256 costs, by every engine there is, and how long others wait meanwhile.

    python -m benchmarks.pbkdf2

On the emulated Pico the board's own clock counts, at 125 MHz; on the computer times are those of a machine that others
use too. 'example' does what Microdot's login example does, written anew for this. The ratio is to C: a native C module
on an RP2040 (quoted), and hashlib.pbkdf2_hmac on the computer.
"""
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from tests.board import library
from tests.board.machine import SetupError
from tests.board.pico import BoardError, Pico
from tests.board.setup import set_up
from tests.harness.interpreters import SOURCE, micropython

MEASURES = Path(__file__).with_name('pbkdf2_measures.py')
QUOTED_C_US = 159        # a native C module on an RP2040
QUOTED_EXAMPLE_US = 5450  # Microdot's example itself on an RP2040
ITERATIONS = 600000      # of a verify under uvicorn
VERIFIES = 10            # there, one after another
PICO_ITERATIONS = 10000

APP = '''
from microdot.asgi import Microdot
from dotlatch.passwords import verify_password

app = Microdot()
HASHED = 'pbkdf2_sha256$%d$salt of the benchmark$' + 'A' * 43 + '='

@app.get('/ping')
async def ping(request):
    return 'pong'

@app.get('/verify')
async def verify(request):
    return str(await verify_password('wrong', HASHED))
''' % ITERATIONS


def on_pico():
    files = {**library.dotlatch(), '/lib/pbkdf2_measures.mpy': library.compiled_test(MEASURES, MEASURES.name)}
    with Pico(files) as pico:
        def measure(call):
            printed = pico.run(f'import pbkdf2_measures\npbkdf2_measures.{call}')
            return json.loads(printed.splitlines()[-1])
        costs = measure("engines(('thumb', 'viper', 'hashlib'), 20, 120)")
        costs['costs'].update(measure("engines(('example',), 2, 12)")['costs'])
        return costs, measure(f'waits({PICO_ITERATIONS})')


def on_computer(command, names, few, many):
    script = f'''
import sys
sys.path[:0] = {[str(MEASURES.parent), str(SOURCE)]!r}
import pbkdf2_measures
pbkdf2_measures.engines({names!r}, {few}, {many})
'''
    output = subprocess.run([*command, '-c', script], check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output.splitlines()[-1])


async def under_uvicorn():
    """(the worst ping while nothing else is asked, the worst beside a verify, a verify), in ms."""
    port = 8765
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / 'bench_app.py').write_text(APP)
        server = subprocess.Popen(
            [sys.executable, '-m', 'uvicorn', 'bench_app:app', '--port', str(port), '--log-level', 'warning'],
            cwd=folder, env={**os.environ, 'PYTHONPATH': str(SOURCE)})
        try:
            async with httpx.AsyncClient(base_url=f'http://127.0.0.1:{port}', timeout=60) as client:
                for _ in range(100):
                    try:
                        await client.get('/ping')
                        break
                    except httpx.ConnectError:
                        await asyncio.sleep(0.1)
                start = time.monotonic()
                beside = await worst_ping(client, asyncio.create_task(verify(client)))
                taken = time.monotonic() - start
                idle = await worst_ping(client, asyncio.create_task(asyncio.sleep(taken)))
                return idle, beside, taken / VERIFIES * 1000
        finally:
            server.terminate()
            server.wait()


async def verify(client):
    for _ in range(VERIFIES):
        assert (await client.get('/verify')).text == 'False'


async def worst_ping(client, beside):
    worst = 0
    while not beside.done():
        start = time.monotonic()
        await client.get('/ping')
        worst = max(worst, time.monotonic() - start)
        await asyncio.sleep(0.001)
    await beside
    return worst * 1000


def rows(where, figures, c_us):
    for name, (us, used) in figures['costs'].items():
        mark = '*' if name == figures['engine'] else ''
        heap = '' if used is None else f'{used:,.0f}'
        yield f'{where:20}{name + mark:14}{us:>10,.2f}{1e6 / us:>14,.0f}{heap:>10}{us / c_us:>10,.2f}'


def main(arguments=None):
    set_up()
    pico, waits = on_pico()
    unix = on_computer([micropython(), '-X', 'heapsize=64M'], ('viper', 'hashlib', 'example'), 100, 2100)
    cpython = on_computer([sys.executable], ('pbkdf2_hmac', 'hashlib', 'example'), 1000, 11000)
    cpython['engine'] = 'pbkdf2_hmac'
    c_us = cpython['costs']['pbkdf2_hmac'][0]
    print(f'{"":20}{"engine":14}{"us":>10}{"iterations/s":>14}{"heap, B":>10}{"to C":>10}')
    for where, figures, c in (('Pico', pico, QUOTED_C_US), ('unix port', unix, c_us), ('CPython', cpython, c_us)):
        print('\n'.join(rows(where, figures, c)))
    print('\n* in use. To C: a native module on an RP2040 (%d us, quoted), hashlib.pbkdf2_hmac on the computer.'
          % QUOTED_C_US)
    print("Microdot's example itself takes %s us on an RP2040 (quoted)." % f'{QUOTED_EXAMPLE_US:,}')
    ms = {name: us / 1000 for name, us in waits.items()}
    print('\nPico, %d iterations in %.0f ms: the loop stands still for %.0f ms at most; a ping over a socket takes '
          '%.0f ms at worst, %.0f ms when idle' % (PICO_ITERATIONS, ms['verify_us'], ms['block_us'], ms['beside_us'],
                                            ms['idle_us']))
    idle, beside, taken = asyncio.run(under_uvicorn())
    print('uvicorn, %d iterations in %.0f ms: a ping takes %.1f ms at worst, %.1f ms when idle'
          % (ITERATIONS, taken, beside, idle))


if __name__ == '__main__':
    try:
        main()
    except (SetupError, BoardError) as error:
        sys.exit(str(error))
