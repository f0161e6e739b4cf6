"""Write the lists by which boards get dotlatch: package.json, and packages/FEATURE.json for a part of it.

    .venv/bin/python tools/lists.py

mip reads them, and so does micropython_manifest.py; people read the table in docs/board.rst. Which files a feature
needs is read from the files themselves.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = "docs/_generated/files.inc"
TABLE_HEAD = """\
.. Written by tools/lists.py.

.. list-table::
   :header-rows: 1
   :widths: 30 70

   * - Feature
     - Files
"""
DOTLATCH = "github:dotlatch/dotlatch/src/dotlatch/"
MICRODOT = "https://raw.githubusercontent.com/miguelgrinberg/microdot/v2.7.0/src/microdot/"


def texts():
    """{file from the root: its text} of every list."""
    from dotlatch.server.board import needs
    lists = {"package.json": listing(needs.all_modules(), needs.MICRODOT_CORE), TABLE: TABLE_HEAD}
    for feature, (meaning, _) in needs.FEATURES.items():
        modules = needs.modules_of([feature])
        files = " ".join(f"{name}.py" for name in modules)
        lists[TABLE] += f"   * - ``{feature}``: {meaning}\n     - ``{files}``\n"
        microdot = needs.microdot_of(modules)
        if microdot:  # tokens and hashes do without
            microdot = {*microdot, *needs.MICRODOT_CORE}
        lists[f"packages/{feature}.json"] = listing(modules, sorted(microdot))
    return lists


def listing(modules, microdot):
    from dotlatch import __version__
    urls = [(f"dotlatch/{name}.py", f"{DOTLATCH}{name}.py") for name in modules]
    urls += [(f"microdot/{name}.py", f"{MICRODOT}{name}.py") for name in microdot]
    lines = ",\n".join(f"    {json.dumps(url)}" for url in urls)
    return f'{{\n  "version": "{__version__}",\n  "urls": [\n{lines}\n  ]\n}}\n'


def main():
    lists = texts()
    for path in (ROOT / "packages").glob("*.json"):
        if f"packages/{path.name}" not in lists:  # a feature that is called otherwise now
            path.unlink()
    for name, text in lists.items():
        path = ROOT / name
        path.parent.mkdir(exist_ok=True)
        if not path.is_file() or path.read_text() != text:
            path.write_text(text)
            print(name)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "src"))
    main()
