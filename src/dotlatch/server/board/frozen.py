"""A package that is part of a board's firmware: frozen into it, or in its folder ``/rom``. No file adds to it.

::

    frozen = Frozen.of(board, 'dotlatch')     # None: the board imports it from files, or not at all
    frozen.version, frozen.features           # '0.1.0', ['login', 'pages', 'users']
    frozen.check(['session'])                 # BoardTrouble when one is not there
    frozen.missing(needs.modules)             # ['stores', ...]
"""
from collections.abc import Iterable
from dataclasses import dataclass
from posixpath import dirname

from .building import runs
from .connection import Board, BoardTrouble, RemoteError
from .facts import ROM, where
from .needs import FEATURES, modules_of


@dataclass
class Frozen:
    """What a firmware has of a package.

    :param modules: without ``.py``; None when the board cannot tell.
    """
    package: str
    version: 'str | None'
    modules: 'frozenset[str] | None'

    @classmethod
    def of(cls, board: Board, package: str) -> 'Frozen | None':
        """Ask a board. A frozen file comes before those in /lib; one in the top folder would come before it."""
        file = where(board, package)
        if not file or (not file.startswith(ROM) and board.ask(f'_is_there({file!r})')):
            return None
        version = board.ask(f'getattr(__import__({package!r}), "__version__", None)')
        if file.startswith(ROM):
            names = [f'{package}/{name.rpartition(".")[0]}' for name in board.ask(f'_listed({dirname(file)!r})')]
        else:
            names = _frozen_names(board)
        modules = frozenset(name.partition('/')[2] for name in names if name.startswith(package + '/'))
        return cls(package, version if isinstance(version, str) else None, modules or None)

    @property
    def features(self) -> 'list[str]':
        """The features of dotlatch that are there as a whole."""
        return [name for name in FEATURES if self.modules and not self.missing(modules_of([name]))]

    def check(self, modules: 'Iterable[str]') -> None:
        """Raise BoardTrouble when one of these modules is not there."""
        missing = self.missing(modules)
        if missing:
            raise BoardTrouble(f'{self.package} is frozen into the firmware of this board, without '
                               f'{", ".join(missing)}, and no file can add that: build another firmware with '
                               '`dotlatch firmware`')

    def missing(self, modules: 'Iterable[str]') -> 'list[str]':
        """Return those of these modules that are not there."""
        # Machine code has other code beside it that does the same.
        return [name for name in modules if self.modules and name not in self.modules and runs(name, None)]


def _frozen_names(board: Board) -> 'list[str]':
    """Return the names of all frozen modules, such as ``dotlatch/session``; nothing when the board cannot tell."""
    try:
        return board.run('help("modules")').split()
    except RemoteError:
        return []
