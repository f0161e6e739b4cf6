"""The image of a Pico's flash: what its program says of itself, and the .uf2 in which it is copied to the board.

::

    room(image)         # bytes up to the board's files
    as_uf2(image)
"""
import struct

_FLASH = 0x10000000

# UF2: blocks of 512 bytes, each with a part of the image and where in the flash it goes.
_UF2 = struct.Struct('<8I476sI')
_UF2_MAGIC = 0x0A324655, 0x9E5D5157
_UF2_END = 0x0AB16F30
_HAS_FAMILY = 0x2000
_RP2040 = 0xE48BFF56
_PART = 256  # bytes: a page of the flash

# What the SDK calls binary info: near the start the addresses of a table, which has those of all that is said.
_INFO = struct.pack('<I', 0x7188EBF2)
_INFO_WITHIN = 1024
_BLOCK_DEVICE = 7


def as_uf2(image: bytes) -> bytes:
    """Return an image of the flash of an RP2040 as a .uf2 file."""
    parts = [image[start:start + _PART] for start in range(0, len(image), _PART)]
    return b''.join([_UF2.pack(*_UF2_MAGIC, _HAS_FAMILY, _FLASH + number * _PART, _PART, number, len(parts), _RP2040,
                               part, _UF2_END) for number, part in enumerate(parts)])


def room(image: bytes) -> 'int | None':
    """Return how many bytes of flash are before the board's files; None when the image does not say it."""
    at = image.find(_INFO, 0, _INFO_WITHIN)
    if at < 0:
        return None
    try:
        start, end = struct.unpack_from('<2I', image, at + 4)
        table = struct.unpack_from(f'<{(end - start) // 4}I', image, start - _FLASH)
        places = [struct.unpack_from('<H6xI', image, address - _FLASH) for address in table]
    except struct.error:
        return None
    return min([address - _FLASH for kind, address in places if kind == _BLOCK_DEVICE], default=None)
