import sys

from .commands import main

main(sys.argv[1:])
