"""The command line, on CPython only: ``python -m dotlatch --help``. See :mod:`dotlatch.server.cli`."""
import sys

from .server.cli.main import main

if __name__ == '__main__':
    sys.exit(main())
