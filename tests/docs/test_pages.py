"""What the pages say about the files of src/dotlatch, held against the files themselves."""
import re

from tests.harness.interpreters import SOURCE

from . import pages

FOLDER = SOURCE / 'dotlatch'


def modules():
    return {path.stem for path in FOLDER.glob('*.py')} - {'__init__', '__main__'}


def test_every_module_has_its_reference():
    shown = ' '.join([page.text for page in pages.all_pages()])
    for module in sorted(modules()):
        assert f'dotlatch.{module}' in shown, module
        assert re.search(rf'^\.\. (py:module|automodule|currentmodule):: dotlatch\.{module}$', shown, re.M), module


def test_links_between_pages_lead_somewhere():
    for target in re.findall(r'\]\((?!https?:)([^)#]+)', pages.README.read_text()):
        assert (pages.ROOT / target).exists(), target
    for path in re.findall(r'\.\. (?:image|figure):: (\S+)', ' '.join([p.text for p in pages.all_pages()])):
        assert (pages.DOCS / path).exists(), path


def own_purposes():
    """What the tokens are for that dotlatch gives to browsers and boards. ``at+jwt`` is for those of others."""
    sources = ' '.join([path.read_text() for path in FOLDER.glob('*.py')])
    return set(re.findall(r"^TYP = '([^']+)'", sources, re.M)) - {'at+jwt'}


def test_T7_no_example_takes_a_token_of_ours_for_one_of_the_apps():
    for page in pages.all_pages():
        for block in page.python:
            assert not own_purposes() & set(re.findall(r"""typ=['"]([^'"]+)""", block.code)), (page.name, block.line)


def test_T7_the_purposes_that_are_taken_are_named():
    text = pages.page(pages.DOCS / 'tokens.rst').text
    assert own_purposes() and not [typ for typ in own_purposes() if f'``{typ}``' not in text]
