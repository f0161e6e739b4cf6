"""Makes the image of a Pico's 2 MiB flash whose file system holds a folder's files.

    python flash.py FOLDER IMAGE STORAGE_KIB

Run by the cache folder's own Python, which has littlefs.
"""
import sys
from pathlib import Path

from littlefs import LittleFS

FLASH_SIZE = 2 * 1024 * 1024
BLOCK_SIZE = 4096


def file_system(folder, size):
    # As the firmware mounts it: block, program and read sizes are those of its _boot.py.
    files = LittleFS(
        block_size=BLOCK_SIZE, block_count=size // BLOCK_SIZE, prog_size=256, read_size=32,
        disk_version=0x00020000)
    for path in sorted(folder.rglob('*')):
        name = '/' + path.relative_to(folder).as_posix()
        if path.is_dir():
            files.mkdir(name)
        else:
            with files.open(name, 'wb') as file:
                file.write(path.read_bytes())
    return bytes(files.context.buffer)


def main(folder, image, storage_kib):
    contents = file_system(Path(folder), int(storage_kib) * 1024)
    Path(image).write_bytes(contents.rjust(FLASH_SIZE, b'\xff'))  # files at the end, as erased


if __name__ == '__main__':
    main(*sys.argv[1:])
