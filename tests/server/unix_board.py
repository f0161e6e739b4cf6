"""MicroPython's unix port as a board: what `dotlatch deploy` runs there runs for real, on a file system of a board.

    with UnixBoard(tmp_path / 'flash', 'VfsFat') as board:
        board.put({'/main.py': b''})
        board.power_goes_after(7)        # writes to its flash
        ...                              # NoBoard
        board.power_on()

Its flash is a file of this computer. A board on a serial port is in tests/board.
"""
import ast
import struct
import subprocess

from dotlatch.server.board.connection import Board, NoBoard, RemoteError
from tests.harness.interpreters import micropython

BLOCKS = {'VfsLfs2': 4096, 'VfsFat': 512}
FLASH = 512 * 1024
PROGRAM = '''
import io, os, sys, vfs

class Flash:
    def __init__(self):
        self.file = open({flash!r}, 'r+b')
        self.left = {left}

    def readblocks(self, block, buffer, offset=0):
        self.file.seek(block * {block} + offset)
        self.file.readinto(buffer)

    def writeblocks(self, block, buffer, offset=0):
        if self.left == 0:
            raise SystemExit
        self.left -= 1
        self.file.seek(block * {block} + offset)
        self.file.write(buffer)
        self.file.flush()

    def ioctl(self, op, arg):
        return {{4: {count}, 5: {block}, 6: 0}}.get(op)

flash = Flash()
if {is_new}:
    vfs.{kind}.mkfs(flash)
system = vfs.{kind}(flash)
vfs.umount('/')
vfs.mount(system, '/', readonly={is_read_only})
os.chdir('/')
sys.path[:] = {path}
names = {{'__name__': '__main__'}}
while flash.left:
    program = sys.stdin.buffer.read(int.from_bytes(sys.stdin.buffer.read(4), 'little')).decode()
    error = io.StringIO()
    try:
        exec(program, names)
    except Exception as raised:
        sys.print_exception(raised, error)
    if flash.left:
        sys.stdout.buffer.write('\\x02' + error.getvalue() + '\\x04')
'''
TREE = '''
def _tree(folder):
    for name, kind, *_ in os.ilistdir(folder or '/'):
        path = folder + '/' + name
        if kind & 0x4000:
            _tree(path)
        else:
            with open(path, 'rb') as file:
                print(repr((path, file.read())))
_tree('')
'''


class UnixBoard(Board):
    """A board with nothing on it."""

    def __init__(self, flash, kind='VfsLfs2', size=FLASH):
        self.port = 'unix'
        self.is_read_only = False
        self.path = ['', '.frozen', '/lib']
        self._flash, self._kind, self._size, self._left = flash, kind, size, -1
        flash.write_bytes(b'\xff' * size)
        self._process = None
        self._begin(is_new=True)

    def __exit__(self, *exception):
        self._end()

    def fresh(self):
        self._begin()
        self.run('import gc, json, os, sys')

    def run(self, program, timeout=0):
        text = program.encode()
        self._process.stdin.write(struct.pack('<I', len(text)) + text)
        self._process.stdin.flush()
        printed = b''
        while not printed.endswith(b'\x04'):
            more = self._process.stdout.read1()
            if not more:
                raise NoBoard('its power is gone')
            printed += more
        output, _, error = printed[:-1].decode().rpartition('\x02')
        if error:
            raise RemoteError(error)
        return output

    def power_goes_after(self, writes):
        """From when it is fresh the next time, that is."""
        self._left = writes

    def power_on(self):
        self._left = -1
        self.fresh()

    def put(self, files):
        self.fresh()
        for path, contents in files.items():
            folders = path.split('/')[1:-1]
            for count in range(1, len(folders) + 1):
                folder = '/' + '/'.join(folders[:count])
                self.run(f'try: os.mkdir({folder!r})\nexcept OSError: pass')
            self.run(f'with open({path!r}, "wb") as _file: _file.write({contents!r})')

    def files(self):
        """{path: contents} of all there are."""
        self.fresh()
        return dict(ast.literal_eval(line) for line in self.run(TREE).splitlines())

    def _begin(self, is_new=False):
        self._end()
        block = BLOCKS[self._kind]
        program = PROGRAM.format(flash=str(self._flash), left=self._left, block=block, count=self._size // block,
                                 kind=self._kind, is_new=is_new, is_read_only=self.is_read_only, path=self.path)
        self._process = subprocess.Popen([micropython(), '-X', 'heapsize=8M', '-c', program], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.run('')

    def _end(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process.stdout.close()
