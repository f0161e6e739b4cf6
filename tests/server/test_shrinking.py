"""What is done to modules before they are compiled for a board; tests/board/shrunk.py runs the portable tests on it."""
import ast
import re
import symtable

import pytest

from dotlatch import on_micropython_files
from dotlatch.server.board import shrinking
from dotlatch.server.board.needs import FOLDER, all_modules
from tests.harness.interpreters import ROOT, newest_microdot_folder, oldest_microdot_folder

MODULES = all_modules()


def source(module):
    return (FOLDER / f'{module}.py').read_text()


def shrunk(module):
    return shrinking.shrunk(module, source(module))


def names(text):
    found = set()
    for node in ast.walk(ast.parse(text)):
        for kind in ('id', 'attr', 'name', 'asname', 'arg'):
            value = getattr(node, kind, None)
            if isinstance(value, str):
                found.add(value)
    return found


def public_interface(text):
    """Every public function with its parameters, and every public name at the top of a module or class."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if not node.name.startswith('_') or node.name.startswith('__'):
                found.add((node.name, *(argument.arg for argument in [*node.args.args, *node.args.kwonlyargs])))
        elif isinstance(node, ast.ClassDef) and not node.name.startswith('_'):
            found.add(node.name)
    return found


@pytest.mark.parametrize('module', MODULES)
def test_public_functions_keep_their_names_and_parameters(module):
    text = shrunk(module)
    before = ast.unparse(shrinking.on_a_board_alone(source(module)))
    assert public_interface(before) <= public_interface(text)


def top_names(text):
    return {name.get_name() for name in symtable.symtable(text, '', 'exec').get_symbols() if name.is_assigned()
            or name.is_imported() or name.is_namespace()}


def documented():
    """(page, module, name) of all that the documentation and the examples take from a module."""
    for path in [*(ROOT / 'docs').glob('*.rst'), ROOT / 'README.md', *(ROOT / 'examples').rglob('*.py')]:
        text = path.read_text()
        for module, names in re.findall(r'from dotlatch\.(\w+) import (\([^)]*\)|[^\n]*)', text):
            yield from ((path.name, module, name) for name in re.findall(r'(\w+)(?: as \w+)?', names))
        yield from ((path.name, *found) for found in re.findall(r'\b(\w+)\.([A-Z][A-Z_]+)\b', text))


def test_every_name_that_the_documentation_takes_from_a_module_is_there():
    """A constant that a module merely imports is not: `from .proofs import FRESH as FRESH` is what passes one on."""
    taken = {}
    for page, module, name in documented():
        if module in MODULES:
            taken.setdefault(module, {})[name] = page
    assert 'ITERATIONS' in taken['passwords'] and 'Login' in taken['login']
    for module, pages in taken.items():
        before = top_names(ast.unparse(shrinking.on_a_board_alone(source(module))))
        after = top_names(shrunk(module))
        lost = [(name, page) for name, page in pages.items() if name in before and name not in after]
        assert not lost, module  # what was not there before is passed on by __getattr__


@pytest.mark.parametrize('name', ['ANONYMOUS', 'REMEMBERED', 'FRESH', 'IMPERSONATOR'])
def test_a_constant_that_a_module_passes_on_stays(name):
    assert name in top_names(shrunk('login'))


def test_what_is_for_a_computer_or_a_type_checker_goes():
    text = shrunk('session')
    assert 'Callable' not in text and "'Any'" not in text and '"""' not in text
    assert 'on_cpython' in source('portable') and 'on_cpython' not in shrunk('portable')
    assert 'MAX_REVOKED = 64\n' in text


def test_types_of_machine_code_stay():
    assert 'text: ptr8, size: int' in shrunk('viper')


def test_a_name_means_the_same_in_every_module():
    name = shrinking.shared_names()['_claims']
    assert f'.{name}' in shrunk('session') and f'.{name}' in shrunk('proofs')


def test_an_attribute_that_is_asked_for_by_its_name_is_renamed_there_too():
    name = shrinking.shared_names()['_authenticator']
    assert f"'{name}'" in shrunk('tickets') and '_authenticator' not in shrunk('tickets')


@pytest.mark.parametrize('name', ['_user_id', '_stamp', '_half', '_flashes', '_password'])
def test_what_stands_in_tokens_files_and_sessions_keeps_its_name(name):
    assert name not in shrinking.shared_names()


def test_two_names_never_become_one():
    given = shrinking.shared_names()
    assert len(set(given.values())) == len(given)
    for module in MODULES:
        own = shrinking.own_names(module)
        assert len(set(own.values())) == len(own)
        assert not set(own.values()) & set(given.values())


def test_no_new_name_was_there_before():
    new = {*shrinking.shared_names().values(), *(name for module in MODULES
                                                for name in shrinking.own_names(module).values())}
    for module in MODULES:
        assert not new & names(source(module)), module


def test_no_name_is_one_of_microdots():
    """On objects of Microdot's ours stand beside its own."""
    theirs = set()
    for folder in (newest_microdot_folder(), oldest_microdot_folder()):
        for path in folder.glob('microdot/*.py'):
            theirs |= names(path.read_text())
    assert theirs
    assert not theirs & set(shrinking.shared_names()), 'add it to MICRODOT'
    assert not theirs & set(shrinking.shared_names().values())


def test_messages_are_kept_word_for_word():
    lines = shrinking.messages().decode().split('\n')
    assert 'a list of ended tokens needs room for one' in lines
    at = int(re.search(r'portable\.message\((\d+)\)', shrunk('revoked'))[1])
    assert shrinking.messages()[at:].decode().startswith('a list of ended tokens needs room for one\n')


def test_a_message_with_values_in_it_can_be_told_without_the_file(monkeypatch):
    assert "'there are %d users already'" in source('users')
    assert re.search(r'raise ValueError\(portable\.message\(\d+, self\.max_users\)\)', shrunk('users'))
    assert on_micropython_files.message(7, 'x') == 'message 7 of dotlatch/messages'
    for module in MODULES:
        assert not re.search(r'message\(\d+\) %', shrunk(module)), module


def scopes(text):
    """The kinds of names of each scope, outer ones first, and the names that nothing binds."""
    found, loose = [], set()
    top = symtable.symtable(text, '', 'exec')
    bound = {name.get_name() for name in top.get_symbols() if name.is_assigned() or name.is_imported()}
    bound |= {name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Global) for name in node.names}

    def look(scope):
        names = scope.get_symbols()
        found.append([scope.get_type(), *(sum(map(kind, names)) for kind in (
            symtable.Symbol.is_parameter, symtable.Symbol.is_local, symtable.Symbol.is_free)
            if scope.get_type() == 'function')])
        loose.update(name.get_name() for name in names if name.is_global() and name.get_name() not in bound)
        for child in scope.get_children():
            look(child)

    look(top)
    return found, loose


@pytest.mark.parametrize('module', MODULES)
def test_every_name_still_means_what_it_meant(module):
    before, loose_before = scopes(ast.unparse(shrinking.on_a_board_alone(source(module))))
    after, loose = scopes(shrunk(module))
    assert after == before
    assert loose <= loose_before


@pytest.mark.parametrize('module', ['tokens', 'jsongrammar', 'http', 'digestheader'])
def test_what_a_stranger_can_cause_reads_no_file(module):
    assert 'message(' not in shrunk(module)


def test_an_apps_own_file_stays_as_it_is():
    text = 'TYPE_CHECKING = False\n_LIMIT = 3\n\ndef _count(n: int) -> int:\n    return n + _LIMIT\n'
    assert shrinking.shrunk('main', text) == text
