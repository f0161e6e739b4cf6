"""What the program at the end of docs/board.rst takes of a Pico's heap and time, as a table for that page.

    python -m benchmarks login_page      measures, and writes docs/_generated/login_page.inc

From .py files, from .mpy files as `dotlatch deploy` compiles them, and frozen. The visitor is on the same board, since
the emulated Pico has sockets between its own programs only; what it takes is not counted.
"""
import datetime
import json
import re

from tests.board import firmware, frozen, library
from tests.board.pico import Pico
from tests.board.setup import set_up
from tests.docs import pages

TABLE = library.ROOT / 'docs' / '_generated' / 'login_page.inc'
NEIGHBOUR = library.ROOT / 'tests' / 'board' / 'neighbour.py'
FEATURES = 'login pages users throttle claim'
PASSWORD = 'copper ladder on a green barn'
STUB = b"def connect(ssid, password):\n    return '127.0.0.1'\n"
IMPORTS = '''
import gc, json, time
def free():
    gc.collect()
    return gc.mem_free()
gc.threshold(16384)
before, start = free(), time.ticks_ms()
import microdot
middle, microdot = time.ticks_ms(), free()
begin = time.ticks_ms()
{imports}
end = time.ticks_ms()
print(json.dumps([before, before - microdot, microdot - free(),
                  time.ticks_diff(middle, start) + time.ticks_diff(end, begin)]))
'''
VISIT = '''
import gc, json, time, asyncio
gc.collect()
visitor = gc.mem_free()
import neighbour
from neighbour import ask, cookie_in
codes, served = [], []
gc.collect()
visitor -= gc.mem_free()
from microdot import Microdot
Microdot.run = lambda app, **options: served.append(app)
def printed(*words):
    codes.extend(words)
import builtins
keep, builtins.print = builtins.print, printed
import page
builtins.print = keep
from dotlatch import passwords
code = [words for words in codes if 'type this code' in words][0].split(': ')[1].strip()
async def main():
    server = asyncio.create_task(served[0].start_server('127.0.0.1', neighbour.PORT))
    await asyncio.sleep_ms(100)
    status = [(await ask('POST', '/claim', {{'code': code, 'username': 'anna', 'password': {password!r},
                                            'again': {password!r}}}))[0]]
    answer = await ask('POST', '/login', {{'username': 'anna', 'password': {password!r}}})
    status.append(answer[0])
    status.append((await ask('GET', '/', cookie=cookie_in(answer[1])))[0])
    start = time.ticks_ms()
    # A wrong one: what was right a moment ago is remembered.
    is_right = await passwords.verify_password('not the password', page.users.get_by_name('anna').password_hash)
    took = time.ticks_diff(time.ticks_ms(), start)
    del answer, start
    gc.collect()
    print(json.dumps([status, is_right, gc.mem_free() + visitor, took]))
    served[0].shutdown()
asyncio.run(main())
'''
HEAD = '''\
.. Written by `python -m benchmarks login_page`.

Measured on {date} on an emulated Pico with MicroPython 1.26.1, for the program at the end of this page. A real board
also waits for its flash, and its Wi-Fi driver takes memory of its own.

.. list-table::
   :header-rows: 1
   :widths: 49 17 17 17

   * -
     - ``.py`` files
     - ``.mpy`` files
     - frozen
'''
ROWS = ('Heap that is free before', 'Heap that Microdot takes', 'Heap that dotlatch takes',
        'Heap that is free once somebody has claimed the board, and logged in', 'Time to import both',
        'Time to check one password')


def program():
    """The program of the page; its text in the documentation, and what it imports of dotlatch."""
    text = next(block.code for block in pages.page(pages.DOCS / 'board.rst').examples if block.name == 'board-main')
    return text.encode(), '\n'.join(re.findall(r'^from dotlatch.*$', text, re.M))


def measure(files, image):
    """A column of the table."""
    main, imports = program()
    own = {'/page.py': main, '/wifi.py': STUB, '/neighbour.py': NEIGHBOUR.read_bytes()}
    with Pico({**files, **own}, image=image) as pico:
        before, microdot, dotlatch, importing = last(pico.run(IMPORTS.format(imports=imports), timeout=1200))
        status, is_right, after, checking = last(pico.run(VISIT.format(password=PASSWORD), timeout=1200))
    assert status == [302, 302, 200] and not is_right, status
    return [kb(before), kb(microdot), kb(dotlatch), kb(after), f'{importing / 1000:.1f} s', f'{checking / 1000:.2f} s']


def last(printed):
    return json.loads(printed.splitlines()[-1])


def kb(size):
    return f'{size // 1024} KB'


def table():
    columns = [
        measure({**library.dotlatch(mpy=False), **library.microdot(mpy=False)}, firmware.IMAGE),
        measure({**library.dotlatch(), **library.microdot()}, firmware.IMAGE),
        measure({}, frozen.image(FEATURES)),
    ]
    lines = [HEAD.format(date=datetime.date.today())]
    for what, *cells in zip(ROWS, *columns):
        lines.append(f'   * - {what}\n' + ''.join(f'     - {cell}\n' for cell in cells))
    return ''.join(lines)


def main(arguments=None):
    set_up()
    TABLE.write_text(table())
    print(TABLE.read_text())


if __name__ == '__main__':
    main()
