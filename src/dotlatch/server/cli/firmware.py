"""``dotlatch firmware``: MicroPython for a Pico, with dotlatch and Microdot frozen into it."""
import argparse
import os
import sys
from pathlib import Path
from typing import Any

from ..board.firmware import TESTED, Build
from .board import troubles
from .choice import add_choice, needs_for, split, words_for
from .options import leaf
from .talk import Answer, Trouble

_BOARD = 'RPI_PICO_W'


def add_to(commands: Any) -> None:
    """Add this command."""
    command = leaf(commands, 'firmware', run, 'build a firmware for a Pico with dotlatch and Microdot frozen into it')
    command.add_argument('what', metavar='FILE.py', nargs='*',
                         help='the files of an app: what they import of dotlatch and Microdot is frozen. They '
                              'themselves are not: `dotlatch deploy` copies them')
    add_choice(command)
    command.add_argument('--micropython', metavar='FOLDER', default='micropython',
                         help=f"MicroPython's sources (default: micropython; tested with {TESTED})")
    command.add_argument('--board', metavar='NAME', default=_BOARD,
                         help=f'as ports/rp2/boards names it there (default: {_BOARD})')
    command.add_argument('--build', metavar='FOLDER',
                         help='where it is compiled (default: a folder in ports/rp2, which may be removed afterwards)')
    command.add_argument('--out', metavar='FILE', default='firmware.uf2',
                         help='what to write (default: firmware.uf2)')


def run(args: argparse.Namespace) -> Answer:
    """Build it, and say how it gets to the board."""
    programs, others = split(args.what)
    if others:
        raise Trouble(f'{others[0]} is no file of an app, which ends in .py: --board says for which board it is')
    folder = os.path.dirname(args.out) or '.'
    if os.path.isdir(args.out) or not os.path.isdir(folder):
        raise Trouble(f'{args.out} cannot be written: name a file in a folder that there is')
    needs = needs_for(programs, args)
    build = Build(Path(args.micropython), args.board, Path(args.build).absolute() if args.build else None)
    with troubles():
        build.check()
        if not args.json and sys.stderr is not None and sys.stderr.isatty():
            print(f'compiling MicroPython {build.release} in {build.folder}: some minutes, the first time',
                  file=sys.stderr, flush=True)
        build.make(build.manifest(needs))
        image = build.uf2()
    Path(args.out).write_bytes(image)
    result = {'out': args.out, 'bytes': len(image), 'board': args.board, 'micropython': build.release,
              'modules': needs.modules, 'microdot': needs.microdot}
    return Answer(result, [
        f'made     {args.out}, {len(image) // 1024} KB: MicroPython {build.release} for {args.board}, with '
        f'{len(needs.modules)} modules of dotlatch and {len(needs.microdot)} of Microdot',
        f'flash    hold BOOTSEL while you plug the board in, and copy {args.out} to the drive that appears; its files '
        'stay',
        f'then     dotlatch deploy {words_for(programs, args)}'])
