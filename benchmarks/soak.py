"""Ten thousand requests of all sorts, and what is left of 100 KB: on an emulated Pico and on MicroPython's unix port.

    python -m benchmarks soak                        both; the Pico takes an hour or more
    python -m benchmarks.soak --unix 10000           only one of them, and how often
    python -m benchmarks.soak --pico 1000

It ends with an error when there was a 500, a MemoryError, or less and less heap.
"""
import argparse
import sys

from tests.board import soaking
from tests.board.setup import set_up

COUNT = 10000


def report(where, soaked):
    print(f'{where}, {soaking.HEAP // 1024} KB of heap')
    for kind, counts in sorted(soaked.statuses.items()):
        print(f'  {kind:16}' + ', '.join(f'{number} x {status or "no answer"}' for status, number in counts.items()))
    print('  free, bytes:    ' + ', '.join(f'{size:,}' for size in soaked.free), flush=True)
    problems = list(soaked.problems())
    if problems:
        sys.exit('\n'.join(problems))


def main(arguments=None):
    parser = argparse.ArgumentParser(prog='python -m benchmarks.soak')
    parser.add_argument('--unix', type=int, metavar='COUNT')
    parser.add_argument('--pico', type=int, metavar='COUNT')
    options = parser.parse_args(arguments)
    both = options.unix is None and options.pico is None
    set_up()
    if both or options.unix:
        count = options.unix or COUNT
        report('unix port', soaking.on_unix(count))
    if both or options.pico:
        count = options.pico or COUNT
        report('emulated Pico', soaking.on_pico(count, timeout=3 * count + 300))


if __name__ == '__main__':
    main()
