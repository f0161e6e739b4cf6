"""Soaks a server: on the emulated Pico with 100 KB of heap, and on MicroPython's unix port.

On the Pico, dotlatch and Microdot are frozen into the firmware, and the rest of the heap is taken away first; what asks
runs on the same board, in the same heap. The unix port loads .mpy files; its words are twice as wide as a board's.
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

from dotlatch.server.board.shrinking import shrunk
from tests.harness.interpreters import micropython

from . import frozen, library
from .pico import Pico

HERE = Path(__file__).resolve().parent
FILES = ('greenhouse', 'neighbour', 'soak', 'soak_server')
PICO_HEAP = 100 * 1024
UNIX_HEAP = 300 * 1024
UNIX_PORT = 8794
GROWTH = 8 * 1024  # bytes of heap: what tables with a bound fill up to, such as sessions that were logged out

ON_PICO = '''
import gc
gc.threshold(4096)
gc.collect()
taken_away = bytearray(gc.mem_free() - {heap})
import asyncio, random
import greenhouse, neighbour, soak, soak_server

async def main():
    random.seed(1)
    run = soak.Soak(random)
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
    with Pico(files, image=frozen.image('login pages users throttle patience')) as pico:
        printed = pico.run(ON_PICO.format(heap=PICO_HEAP, count=count), timeout)
        return Soaked(*ast.literal_eval(printed.splitlines()[-1]), printed)


def on_unix(count, heap=UNIX_HEAP):
    with tempfile.TemporaryDirectory(prefix='soak-') as folder:
        lay_out(Path(folder))
        path = os.pathsep.join([folder, '.frozen'])
        with open(Path(folder) / 'printed', 'w+') as printed:
            server = subprocess.Popen(
                [micropython(), '-X', f'heapsize={heap}', Path(folder) / 'soak_server.py', str(UNIX_PORT)],
                stdout=printed, stderr=subprocess.STDOUT, env={'MICROPYPATH': path})
            try:
                while 'serving' not in (Path(folder) / 'printed').read_text():
                    if server.poll() is not None:
                        raise RuntimeError((Path(folder) / 'printed').read_text())
                    time.sleep(0.05)
                run = asyncio.run(visit(count))
            finally:
                server.terminate()
                server.wait()
            return Soaked(run.statuses, run.free, run.pages, (Path(folder) / 'printed').read_text())


def lay_out(folder):
    """A folder for the unix port: .mpy files, but source where machine code would be made for the board."""
    for files in (library.dotlatch(), library.microdot()):
        for name, contents in files.items():
            path = folder / name.removeprefix('/lib/')
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(contents)
    for path in (folder / 'dotlatch').glob('*.mpy'):
        if path.read_bytes()[2] >> 2:  # the processor that it is for
            source = (library.DOTLATCH / path.name).with_suffix('.py')
            path.with_suffix('.py').write_text(shrunk(path.stem, source.read_text()))
            path.unlink()
    for name in FILES:
        (folder / f'{name}.py').write_bytes((HERE / f'{name}.py').read_bytes())


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
