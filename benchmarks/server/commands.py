"""Which part is run, and how long."""
import argparse
import datetime
import os
import signal
import sys

from tests.stores.servers import Missing

from . import growth, load

PARTS = {'load': load.run, 'growth': growth.run}


def main(arguments: 'list[str]') -> None:
    parser = argparse.ArgumentParser(prog='python -m benchmarks.server')
    parser.add_argument('part', nargs='*', choices=[*PARTS, []], help='both unless named')
    parser.add_argument('--users', type=int, default=50_000, help='who are logged in (load)')
    parser.add_argument('--rounds', type=int, default=7, help='in which all take turns (load)')
    parser.add_argument('--seconds', type=float, default=2, help='of each route in a round (load)')
    parser.add_argument('--most', type=int, default=1_000_000, help='sessions at the end (growth)')
    parser.add_argument('--only', nargs='*', default=[], help='names of sites (load) or of stores (growth)')
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that its servers end, too
    print('%s, %d cores' % (datetime.date.today().isoformat(), os.cpu_count() or 0))
    try:
        for part in options.part or PARTS:
            print('\n--- %s ---\n' % part, flush=True)
            PARTS[part](options)
    except Missing as reason:
        raise SystemExit(str(reason)) from None
