"""Firmware with dotlatch and Microdot frozen into it, made as the documentation says: by micropython_manifest.py."""
from . import firmware, library
from .machine import CACHE

INCLUDE = 'include("{manifest}", microdot="{microdot}", features="{features}", arm={arm})\n'


def image(features='all'):
    """The image with these features; it is made anew, in a few seconds."""
    return built(features)[0]


def built(features='all'):
    """(the image, the bytes of its .elf file, in which each part has its name and size)."""
    path = CACHE / f'{firmware.BOARD}_{features.replace(" ", "_")}.bin'
    return path, firmware.frozen(included(features), path)


def included(features, arm=True):
    """The line of a manifest for them."""
    return INCLUDE.format(
        manifest=library.ROOT / 'micropython_manifest.py', microdot=library.microdot_folder().parent,
        features=features, arm=arm)
