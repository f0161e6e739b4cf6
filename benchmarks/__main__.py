"""``python -m benchmarks [NAME ...]``: run all benchmarks, or the named ones, and print their tables."""
import importlib
import sys

NAMES = ('tokens', 'requests', 'sessions', 'server', 'pbkdf2', 'pico')


def main() -> None:
    for name in sys.argv[1:] or NAMES:
        print('\n== %s ==\n' % name, flush=True)
        importlib.import_module('benchmarks.' + name).main([])


if __name__ == '__main__':
    main()
