"""What the pages say about the files of src/dotlatch, held against the files themselves."""
import ast
import re

from tests.harness.interpreters import SOURCE

from . import pages

FOLDER = SOURCE / 'dotlatch'
# Loaded only by those who use them, and a computer's half.
LEFT_OUT = {'autosave', 'links', 'remember', 'stored', 'hashers', 'strength', 'blocklist', 'on_cpython', 'keyauth',
            'throttlefile', 'handshake', 'csrf', 'sameorigin', 'formtoken', 'formlogin', 'halflogin', 'trusted',
            'client', 'impersonation', 'userfactor', 'usertoken', 'series', 'second', 'totp', 'html_code',
            'html_account'}
FEATURES = {
    'Tokens': {'tokens'},
    'Signed links': {'tokens', 'links'},
    'Sessions': {'session'},
    'Basic and Bearer': {'auth'},
    'A login form': {'login', 'formlogin'},
    'A login form with remember-me': {'login', 'formlogin', 'remember'},
    'A login form with ready-made pages': {'login', 'loginpages', 'formlogin'},
    'Password hashing': {'passwords'},
    'Accounts in a file': {'users'},
    'Throttling': {'throttle'},
    'Forms of other sites': {'csrf', 'sameorigin'},
}


def modules():
    return {path.stem for path in FOLDER.glob('*.py')} - {'__init__', '__main__'}


def imports_of(module):
    """The modules of dotlatch that a board loads for a module: at once, or when it has to."""
    return {name for name in _imports(ast.parse((FOLDER / f'{module}.py').read_text())) if name not in LEFT_OUT}


def _imports(node):
    if isinstance(node, ast.If) and 'TYPE_CHECKING' in ast.unparse(node.test) and not node.orelse:
        return
    if isinstance(node, ast.ImportFrom) and node.level:
        yield from [node.module] if node.module else [alias.name for alias in node.names]
    for child in ast.iter_child_nodes(node):
        yield from _imports(child)


def closure(start):
    needed, left = set(), set(start)
    while left:
        module = left.pop()
        needed.add(module)
        left |= imports_of(module) - needed
    return needed


def test_the_table_of_files_to_copy_is_right():
    text = pages.page(pages.DOCS / 'board.rst').text.partition('What it takes')[0]
    table = {row[0]: set(row[1].split()) for row in re.findall(r'^   \* - ([^\n]+)\n     - ``([^`]+)``', text, re.M)}
    assert table == {feature: {f'{name}.py' for name in closure(start)} for feature, start in FEATURES.items()}


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
