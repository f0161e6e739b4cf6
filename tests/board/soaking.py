"""Soaks a server: on the emulated Pico and on MicroPython's unix port, with 100 KB of heap and words of 32 bits.

On both, dotlatch and Microdot are frozen in. On the Pico the rest of the heap is taken away first, and what asks runs
on the same board, in the same heap.
"""
import ast
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import frozen, library, unix32
from .pico import Pico

HERE = Path(__file__).resolve().parent
FILES = ('greenhouse', 'neighbour', 'soak', 'soak_serve', 'soak_server', 'soak_small')
FEATURES = 'login pages users throttle patience'
HEAP = 100 * 1024
UNIX_PORT = 8794
GROWTH = 8 * 1024  # bytes of heap: what tables with a bound fill up to, such as sessions that were logged out

ON_PICO = '''
import gc
gc.threshold(20000)
gc.collect()
taken_away = bytearray(gc.mem_free() - {heap})
import asyncio, random
import greenhouse, neighbour, soak, soak_server

async def main():
    random.seed(1)
    run = soak.Soak(random, 1)  # its network has room for five connections, and both ends of each are here
    async def visit():
        await run.run({count})
    await greenhouse.serve(await soak_server.create_app(), visit, neighbour.PORT)
    print((run.statuses, run.free, run.pages))

asyncio.run(main())
'''


class Soaked:
    """What came of it.

    :param statuses: ``{kind of request: {status: how many}}``.
    :param free: bytes of heap, each time the server was asked.
    :param pages: that came behind a login.
    :param printed: all that the server has printed.
    """
    def __init__(self, statuses, free, pages, printed):
        self.statuses = statuses
        self.free = free
        self.pages = pages
        self.printed = printed

    def count(self, *statuses):
        return sum(number for counts in self.statuses.values() for status, number in counts.items()
                   if status in statuses)

    def problems(self):
        """What should not have been, in words."""
        if self.count(500, 503):
            yield f'answers of 500 or 503: {self.statuses}'
        if 'MemoryError' in self.printed:
            yield self.printed[-3000:]
        if self.free[-1] < self.free[0] - GROWTH:
            yield f'the heap grows: {self.free} bytes were free'
        if not self.pages:
            yield f'no login worked: {self.statuses}'


def on_pico(count, timeout=1200):
    files = {f'/{name}.mpy': library.compiled_test(HERE / f'{name}.py', f'{name}.py') for name in FILES}
    with Pico(files, image=frozen.image(FEATURES)) as pico:
        printed = pico.run(ON_PICO.format(heap=HEAP, count=count), timeout)
        return Soaked(*ast.literal_eval(printed.splitlines()[-1]), printed)


def on_unix(count, server='soak_server', heap=HEAP):
    program = unix32.program(FEATURES)
    with tempfile.TemporaryDirectory(prefix='soak-') as folder:
        for name in FILES:
            (Path(folder) / f'{name}.py').write_bytes((HERE / f'{name}.py').read_bytes())
        told = Path(folder) / 'printed'
        with open(told, 'w') as printed:
            process = subprocess.Popen(
                [program, '-X', f'heapsize={heap}', Path(folder) / f'{server}.py', str(UNIX_PORT)],
                stdout=printed, stderr=subprocess.STDOUT, env={'MICROPYPATH': f'{folder}{os.pathsep}.frozen'})
            try:
                while 'serving' not in told.read_text():
                    if process.poll() is not None:
                        raise RuntimeError(told.read_text())
                    time.sleep(0.05)
                run = asyncio.run(visit(count))
            finally:
                process.terminate()
                process.wait()
        return Soaked(run.statuses, run.free, run.pages, told.read_text())


async def visit(count):
    if str(HERE) not in sys.path:
        sys.path.append(str(HERE))  # as on a board, these import each other from the root
    import neighbour
    import soak
    neighbour.PORT = UNIX_PORT
    await asyncio.sleep(0.3)  # until it listens
    run = soak.Soak(random.Random(1))
    await run.run(count)
    return run
