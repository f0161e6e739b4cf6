"""Runs a script on an emulated Pico that has dotlatch and Microdot in /lib, and prints its output.

    python -m tests.board.run FILE.py            loads .mpy files, as most users would
    python -m tests.board.run FILE.py --source   loads .py files
    python -m tests.board.run FILE.py --clock    sets the clock first: a Pico boots in 2021
    python -m tests.board.run FILE.py --with websocket sse     more of Microdot's modules
"""
import argparse
import sys
from pathlib import Path

from . import library
from .machine import SetupError
from .pico import BoardError, Pico
from .setup import set_up


def main():
    parser = argparse.ArgumentParser(prog='python -m tests.board.run')
    parser.add_argument('file', type=Path)
    parser.add_argument('--source', action='store_true')
    parser.add_argument('--clock', action='store_true')
    parser.add_argument('--with', nargs='*', default=[], dest='extensions')
    parser.add_argument('--timeout', type=float, default=300)
    options = parser.parse_args()
    set_up()
    mpy = not options.source
    with Pico({**library.dotlatch(mpy), **library.microdot(*options.extensions, mpy=mpy)}) as pico:
        if options.clock:
            pico.set_clock()
        print(pico.run(options.file, options.timeout), end='')


if __name__ == '__main__':
    try:
        main()
    except (SetupError, BoardError) as error:
        sys.exit(str(error))
