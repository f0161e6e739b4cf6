"""What each module takes of a Pico's heap and flash, as a table for the documentation.

    python -m benchmarks memory          measures, and writes docs/_generated/memory.inc

Heap is what an import adds beside Microdot and what was loaded before it, on the emulated Pico: from .py files, from
.mpy files as `dotlatch deploy` compiles them, and frozen. Flash is the size of the file; what is frozen is counted in
the firmware itself.
"""
import datetime
import json
import re
import subprocess
import sys

from tests.board import firmware, frozen, library
from tests.board.pico import Pico
from tests.board.setup import set_up

from .pico import AT_ONCE, CORE, import_order, modules_of_dotlatch

TABLE = library.ROOT / 'docs' / '_generated' / 'memory.inc'
SYMBOL = re.compile(r'^\w+ (\w+) \w (?:\w+?)_dotlatch_(\w+)$')
MEASURE = '''
import gc, json
import microdot, asyncio, hashlib
added = []
for module in {modules}:
    gc.collect()
    before = gc.mem_free()
    __import__('dotlatch.' + module)
    gc.collect()
    added.append((module, before - gc.mem_free()))
print(json.dumps(added))
'''
HEAD = '''\
.. Written by `python -m benchmarks memory`.

Measured on {date} on an emulated Pico with MicroPython 1.26.1, in bytes. The modules of a login come first, in the
order in which they load each other; what a module needs is counted where it is loaded first.

.. list-table::
   :header-rows: 1
   :widths: 25 12 12 13 12 12 14

   * -
     - heap, ``.py``
     - heap, ``.mpy``
     - heap, frozen
     - flash, ``.py``
     - flash, ``.mpy``
     - flash, frozen
'''


def measure(files, image, at_once):
    """{module: bytes of heap}, a part of the modules at a time where they do not all fit."""
    sizes = {}
    with Pico(files, image=image) as pico:
        everything = import_order([*CORE, *modules_of_dotlatch()])
        for first in range(0, len(everything), at_once):
            modules = import_order(everything[first:first + at_once])
            printed = pico.run(MEASURE.format(modules=modules), timeout=1200)
            sizes = {**dict(json.loads(printed.splitlines()[-1])), **sizes}
            print(f'{len(sizes)} of {len(everything)} modules', file=sys.stderr, flush=True)
    return sizes


def flash(files):
    return {path.rpartition('/')[2].rpartition('.')[0]: len(contents) for path, contents in files.items()}


def flash_of_frozen(elf):
    """{module: bytes} of what stands in a firmware for each module."""
    path = frozen.CACHE / 'frozen.elf'
    path.write_bytes(elf)
    lines = subprocess.run(['arm-none-eabi-nm', '-S', path], check=True, capture_output=True, text=True).stdout
    sizes = {}
    modules = sorted(modules_of_dotlatch(), key=len, reverse=True)
    for line in lines.splitlines():
        found = SYMBOL.match(line)
        if found:
            # dotlatch_session_SessionDict_save: the longest module that it begins with
            module = next((name for name in modules if f'{found[2]}_'.startswith(name + '_')), None)
            sizes[module] = sizes.get(module, 0) + int(found[1], 16)
    return sizes


def table():
    source, compiled = library.dotlatch(mpy=False), library.dotlatch()
    image, elf = frozen.built()
    from_frozen = measure({}, image, 1000)
    from_compiled = measure({**compiled, **library.microdot()}, firmware.IMAGE, AT_ONCE)
    from_source = measure({**source, **library.microdot(mpy=False)}, firmware.IMAGE, AT_ONCE)
    return written(from_source, from_compiled, from_frozen, flash(source), flash(compiled), flash_of_frozen(elf))


def written(*columns):
    """The table of these columns, {module: bytes} each."""
    order = import_order([*CORE, *modules_of_dotlatch()])
    core = import_order(CORE)
    lines = [HEAD.format(date=datetime.date.today())]
    for module in order:
        lines.append(row(f'``{module}``', [column.get(module, 0) for column in columns]))
    lines.append(row('**session, auth and login**', [sum(column.get(name, 0) for name in core) for column in columns]))
    lines.append(row('**all of dotlatch**', [sum(column.get(name, 0) for name in order) for column in columns]))
    return ''.join(lines)


def row(name, sizes):
    return f'   * - {name}\n' + ''.join(f'     - {size:,}\n' for size in sizes)


def main(arguments=None):
    set_up()
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(table())
    print(TABLE.read_text())


if __name__ == '__main__':
    main()
