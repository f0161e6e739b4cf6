"""Read the documentation as a reader does: the code of each page, from the top down.

A Python block is either run or a fragment, and says which:

    .. code-block:: python            .. code-block:: python
       :name: session-counter            :class: fragment

The name of a block that is run is that of its check in `checks.py`. README.md's blocks are named by their order:
readme-1 and so on. A page that holds the comment `.. runs-on: cpython` is run there only.
"""
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / 'docs'
README = ROOT / 'README.md'

DIRECTIVE = re.compile(r'^(?P<indent> *)\.\. code-block::(?P<language>.*)$')
FENCE = re.compile(r'^```(?P<language>\w*)\n(?P<code>.*?)^```$', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    line: int
    language: str
    name: str
    is_fragment: bool
    code: str


@dataclass(frozen=True)
class Page:
    path: Path
    text: str
    blocks: tuple[Block, ...]

    @property
    def name(self):
        return self.path.stem.lower()

    @property
    def cpython_only(self):
        return '\n.. runs-on: cpython\n' in self.text

    @property
    def python(self):
        return [block for block in self.blocks if block.language == 'python']

    @property
    def examples(self):
        """The blocks that are run."""
        return [block for block in self.python if not block.is_fragment]

    def up_to(self, name):
        """The code of the page's examples down to this one: a reader has typed them all."""
        names = [block.name for block in self.examples]
        return [block.code for block in self.examples[:names.index(name) + 1]]


def all_pages():
    return [page(README), *[page(path) for path in sorted(DOCS.rglob('*.rst')) if '_build' not in path.parts]]


def page(path):
    text = path.read_text()
    return Page(path, text, tuple(_markdown(text) if path.suffix == '.md' else _restructured(text)))


def _markdown(text):
    count = 0
    for found in FENCE.finditer(text):
        count += found['language'] == 'python'
        line = text[:found.start()].count('\n') + 1
        yield Block(line, found['language'], f'readme-{count}', False, found['code'])


def _restructured(text):
    lines = text.split('\n')
    for number, line in enumerate(lines):
        directive = DIRECTIVE.match(line)
        if directive:
            indent = len(directive['indent'])
            yield _block(number + 1, directive['language'].strip(), _indented(lines[number + 1:], indent))


def _indented(lines, indent):
    for line in lines:
        if line.strip() and not line.startswith(' ' * (indent + 1)):
            return
        yield line


def _block(line, language, body):
    options, code = {}, []
    body = list(body)
    while body and body[0].strip():
        name, value = body.pop(0).strip()[1:].split(':', 1)
        options[name] = value.strip()
    code = textwrap.dedent('\n'.join(body)).strip('\n') + '\n'
    return Block(line, language, options.get('name', ''), 'fragment' in options.get('class', '').split(), code)
