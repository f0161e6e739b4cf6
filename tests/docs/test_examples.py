"""Every example of the documentation is run, on both Pythons and both Microdots, and does what its page says."""
import ast
import json
import os
import platform
import re
import subprocess
from pathlib import Path

import pytest

from tests.harness.interpreters import SOURCE, all_variants
from tests.harness.process import FOREIGN

from . import pages

HERE = Path(__file__).parent
PAGES = pages.all_pages()
CHECKS = {node.name for node in ast.parse((HERE / 'checks.py').read_text()).body
          if isinstance(node, ast.AsyncFunctionDef) and ast.unparse(node.args) == 'example' and node.name[0] != '_'}
LANGUAGES = {'python', 'console', 'text', 'html', 'sh', 'ini', 'json'}


def check_of(block):
    return block.name.replace('-', '_')


def cases():
    for page in PAGES:
        for block in page.examples:
            for variant in all_variants():
                if variant.micropython and page.cpython_only:
                    continue
                yield pytest.param(page, block, variant, id=f'{block.name}-{variant.name}')


def of_each_page(test):
    return pytest.mark.parametrize('page', PAGES, ids=[page.name for page in PAGES])(test)


@pytest.mark.parametrize('page, block, variant', list(cases()))
def test_an_example_does_what_its_page_says(page, block, variant, tmp_path, record_property):
    record_property('python', 'MicroPython' if variant.micropython else f'CPython {platform.python_version()}')
    where = f'{page.path.relative_to(pages.ROOT)}, line {block.line}'
    assert check_of(block) in CHECKS, f'{where}: nothing in checks.py checks the example {block.name!r}'
    job = {
        'path': [str(path) for path in (SOURCE, variant.microdot(), HERE, HERE.parent)],
        'code': page.up_to(block.name),
        'check': check_of(block),
    }
    job_file = tmp_path / 'job.json'
    job_file.write_text(json.dumps(job))
    here = tmp_path / 'cwd'  # examples write where they stand
    here.mkdir()
    environment = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    done = subprocess.run(
        [*variant.command(), str(HERE / 'run_example.py'), str(job_file)], cwd=here, env=environment, timeout=120,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and lines[-1:] == ['done'], f'{where}\n{done.stdout}'
    for line in lines:
        if line.startswith('shows '):
            text = json.loads(line.removeprefix('shows '))
            shown = re.search(re.escape(text) + r'(?!\w)', page.text)
            assert shown, f'{where}: the page does not show what happens:\n{text}'


@of_each_page
def test_a_page_begins_with_an_example_that_is_run(page):
    shown = [block for block in page.blocks if block.language == 'python']
    assert shown, 'no example at all'
    assert not shown[0].is_fragment
    assert page.blocks[0] is shown[0], 'the first block is none that is run'


@of_each_page
def test_no_block_is_left_out(page):
    for block in page.blocks:
        assert block.language in LANGUAGES, f'line {block.line}: no such language'
        if block.language != 'python':
            continue
        assert block.name or block.is_fragment, f'line {block.line}: neither a name nor a fragment'
        assert not (block.name and block.is_fragment), f'line {block.line}: both a name and a fragment'
        compile(block.code, f'{page.path.name}:{block.line}', 'exec')


@of_each_page
def test_code_is_shown_in_no_other_way(page):
    for number, line in enumerate(page.text.split('\n'), 1):
        if page.path.suffix == '.rst':
            assert not line.rstrip().endswith('::') or line.lstrip().startswith('..'), f'line {number}: a `::` block'
        assert '.. literalinclude::' not in line and '.. doctest::' not in line, f'line {number}'


def test_no_two_examples_have_one_name():
    names = [block.name for page in PAGES for block in page.examples]
    assert sorted(names) == sorted(set(names))


def test_no_check_is_left_over():
    assert CHECKS == {check_of(block) for page in PAGES for block in page.examples}
