"""Builds MicroPython for a Pico with dotlatch and Microdot frozen into it, where they take a quarter of the heap.

::

    build = Build(Path('micropython'), 'RPI_PICO_W')
    build.check()                          # BoardTrouble: what is missing, and how to get it
    build.make(build.manifest(needs_of('greenhouse/main.py')))
    Path('firmware.uf2').write_bytes(build.uf2())

It does what MicroPython's own makefile does, but for the .uf2 of an RP2040, which is written here: the Pico's SDK would
fetch and compile a program for that.
"""
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from .connection import BoardTrouble
from .deploying import OLDEST, installed_microdot
from .image import as_uf2, room
from .needs import FOLDER, Needs

TESTED = '1.26.1'  # MicroPython
_CLONE = f'git clone --depth 1 --branch v{TESTED} https://github.com/micropython/micropython'
_PACKAGES = 'cmake make gcc g++ gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib'
_TOO_LARGE = 'this is %d KB more than the board has room for beside its files: choose fewer features'
_MOST = 16 * 1024 * 1024  # bytes: no Pico has more flash
_TOOLS = ('cmake', 'make', 'arm-none-eabi-gcc')


class Build:
    """A build of MicroPython's sources for a board.

    :param source: the folder of MicroPython's sources.
    :param board: a name in its ``ports/rp2/boards``.
    :param folder: where it is compiled. Kept, it makes the next build a matter of seconds. A ``log`` there has all that
        the compiler says.
    """

    def __init__(self, source: Path, board: str, folder: 'Path | None' = None) -> None:
        self.source = source.absolute()
        self.board = board
        self.port = self.source / 'ports' / 'rp2'
        self.folder = folder or self.port / f'build-dotlatch-{board}'
        self.log = self.folder / 'dotlatch.log'

    @property
    def release(self) -> str:
        """The version of MicroPython; '' when there is none."""
        header = self.source / 'py' / 'mpconfig.h'
        text = header.read_text(encoding='utf-8') if header.is_file() else ''
        return '.'.join(re.findall(r'^#define MICROPY_VERSION_(?:MAJOR|MINOR|MICRO) (\d+)', text, re.M))

    def check(self) -> None:
        """Raise BoardTrouble when something is missing: MicroPython itself, a compiler, the board."""
        if not self.release or not self.port.is_dir():
            raise BoardTrouble(f'there are no sources of MicroPython in {self.source}: get them with `{_CLONE}`, or '
                               'name the folder that has them')
        if tuple(map(int, self.release.split('.'))) < OLDEST:
            raise BoardTrouble(f'{self.source} is MicroPython {self.release}, and dotlatch needs {OLDEST[0]}.'
                               f'{OLDEST[1]} or newer: get it with `{_CLONE}`')
        boards = sorted(path.parent.name for path in self.port.glob('boards/*/mpconfigboard.cmake'))
        if self.board not in boards:
            raise BoardTrouble(f'MicroPython {self.release} has no {self.board}: it has {", ".join(boards)}')
        missing = list(_missing())
        if missing:
            raise BoardTrouble(f'to compile a firmware, {" and ".join(missing)} is missing on this computer. On Debian '
                               f'and Ubuntu: sudo apt install {_PACKAGES}')
        if not (self.source / 'lib' / 'pico-sdk' / 'README.md').is_file():
            raise BoardTrouble("the sources of MicroPython are without the Pico's SDK: get it with "
                               f'`make -C {self.port} BOARD={self.board} submodules`')

    def manifest(self, needs: Needs) -> str:
        """Return what is frozen: all that the board has without us, and what is needed of dotlatch and Microdot."""
        has_own = (self.port / 'boards' / self.board / 'manifest.py').is_file()
        folder = '$(BOARD_DIR)' if has_own else '$(PORT_DIR)/boards'
        return (f'include("{folder}/manifest.py")\n' + _package('dotlatch', needs.modules, FOLDER)
                + _package('microdot', needs.microdot, installed_microdot()))

    def make(self, manifest: str) -> Path:
        """Compile it, and return the image as it lies in the flash.

        :raises BoardTrouble: when it cannot be compiled, or is too large.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / 'dotlatch_manifest.py'
        path.write_text(manifest, encoding='utf-8')
        shutil.rmtree(self.folder / 'frozen_mpy', ignore_errors=True)  # it would go by the files' dates alone
        self.log.unlink(missing_ok=True)
        ready = self.folder / 'dotlatch.ready'  # CMake leaves its own files behind when it fails, too
        wanted = f'{self.board} of {self.port}'
        if not ready.is_file() or ready.read_text(encoding='utf-8') != wanted:
            ready.unlink(missing_ok=True)
            (self.folder / 'CMakeCache.txt').unlink(missing_ok=True)
            self._configure(path)
            ready.write_text(wanted, encoding='utf-8')
        self._run('cmake', '--build', self.folder, '--parallel', os.cpu_count() or 1)
        image = self.folder / 'firmware.bin'
        over = image.stat().st_size - (room(image.read_bytes()) or _MOST)
        if over > 0:  # MicroPython itself does not look, and writes the board's files over it
            raise BoardTrouble(_TOO_LARGE % (over // 1024 + 1))
        return image

    def uf2(self) -> bytes:
        """Return what is copied to the drive of a board that was plugged in with BOOTSEL held."""
        if self._is_rp2040():
            return as_uf2((self.folder / 'firmware.bin').read_bytes())
        return (self.folder / 'firmware.uf2').read_bytes()

    def _configure(self, manifest: Path) -> None:
        command = ['cmake', '-G', 'Unix Makefiles', '-S', self.port, '-B', self.folder, '-DPICO_BUILD_DOCS=0',
                   f'-DMICROPY_BOARD={self.board}', f'-DMICROPY_BOARD_DIR={self.port / "boards" / self.board}',
                   f'-DMICROPY_FROZEN_MANIFEST={manifest}']
        self._run(*command, '-DPICO_NO_PICOTOOL=1')
        if not self._is_rp2040():  # only the SDK's program knows what others need
            self._run(*command, '-UPICO_NO_PICOTOOL')

    def _is_rp2040(self) -> bool:
        return 'PICO_PLATFORM:STRING=rp2040\n' in (self.folder / 'CMakeCache.txt').read_text(encoding='utf-8')

    def _run(self, *command: object) -> None:
        with self.log.open('ab') as output:
            result = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output,
                                    stderr=subprocess.STDOUT)
        if result.returncode:
            raise BoardTrouble(_why(self.log.read_text(encoding='utf-8', errors='replace'), self.log))


def _package(name: str, modules: 'Iterable[str]', folder: Path) -> str:
    files = [f'{module}.py' for module in modules]
    return f'package({name!r}, files={files!r}, base_path={str(folder.parent)!r}, opt=3)\n'


def _missing() -> 'Iterable[str]':
    for tool in _TOOLS:
        if shutil.which(tool) is None:
            yield tool
    if 'MICROPY_MPYCROSS' not in os.environ and not any(map(shutil.which, ('cc', 'gcc', 'clang'))):
        yield 'gcc'  # for mpy-cross, which is of the same sources
    if shutil.which('arm-none-eabi-gcc'):
        # It says where a file is, or repeats the name of one that it does not find.
        found = subprocess.run(['arm-none-eabi-gcc', '-print-file-name=nosys.specs'], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, text=True).stdout
        if os.sep not in found:
            yield 'newlib for arm-none-eabi-gcc'


def _why(text: str, log: Path) -> str:
    over = re.search(r"region .FLASH\w*' overflowed by (\d+) bytes", text)
    if over:
        return _TOO_LARGE % (int(over[1]) // 1024 + 1)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [at for at, line in enumerate(lines) if re.search(r'\berror[: ]|undefined reference|\*\*\*', line, re.I)]
    first = lines[errors[0]:errors[0] + 3] if errors else lines[-1:] or ['the compiler says nothing']
    return f'it does not compile: {" ".join(first)} (all of it is in {log})'
