"""T2, by reading the source: nothing secret is compared with == or !=, which tell how far two texts agree."""
import ast
import re

import pytest

from tests.harness.interpreters import SOURCE

FILES = sorted((SOURCE / 'dotlatch').rglob('*.py'))
SECRET = re.compile(
    r'(^|_)(mac|hmac|digests?|signatures?|secrets?|tokens?|passwords?|hash(ed)?|nonce|otp|codes?|stamp|mark|proof|'
    r'verifier|csrf|jti|sid|session_?id|token_?id|api_?key)($|_)')
# Comparisons of public things with secret-looking names, and why each may stay.
PUBLIC = {
    "user.password_hash == hashed": 'two stored values of the server; nothing of the client',
    "last_hash == password_hash": 'two stored values of the server; nothing of the client',
    "password_hash == last_hash": 'two stored values of the server; nothing of the client',
}


def names(node):
    """Every name and attribute that an operand is made of, without what only measures it."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ('len', 'type', 'isinstance',
                                                                                           'min', 'max'):
        return
    for child in [node, *ast.walk(node)]:
        if isinstance(child, ast.Name):
            yield child.id
        elif isinstance(child, ast.Attribute):
            yield child.attr
        elif isinstance(child, ast.Constant) and isinstance(child.value, str) and isinstance(node, ast.Subscript):
            yield child.value


def harmless(node):
    """A constant says nothing that is secret: '' and None, a number, a name of an algorithm."""
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Tuple) and all(map(harmless, node.elts)))


def suspicious(source):
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare):
            continue
        operands = [node.left, *node.comparators]
        for i, operator in enumerate(node.ops):
            pair = operands[i:i + 2]
            if not isinstance(operator, (ast.Eq, ast.NotEq)) or any(map(harmless, pair)):
                continue
            if any(SECRET.search(name) for operand in pair for name in names(operand)):
                found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize('file', FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_T2_secrets_are_never_compared_with_equals(file):
    assert [text for text in suspicious(file.read_text()) if text not in PUBLIC] == []


@pytest.mark.parametrize('line', [
    'mac == given', 'given != signature', 'a.digest() == b', 'self.token != token', "x['token'] == y",
    'hashed == other', 'stored.password_hash == given', 'h(secret) == h2', 'hmac_sha256(k, m)[:16] == tag_given',
    'session_id == x', 'nonce != seen', 'a < b == code'])
def test_T2_the_search_finds_what_it_looks_for(line):
    assert suspicious(line) == [line]


@pytest.mark.parametrize('line', ['len(mac) == 32', 'token == ""', 'secret is None', 'kind == "token"',
                                  'typ != expected', 'len(token) != len(other)'])
def test_T2_the_search_leaves_the_rest_alone(line):
    assert suspicious(line) == []


def test_T2_macs_and_hashes_are_compared_by_compare_digest():
    for name in ('tokens', 'links', 'passwords', 'apikeys', 'digest', 'stored', 'identity', 'nonces', 'totp', 'copies',
                 'formtoken', 'claim'):
        tree = ast.parse((SOURCE / 'dotlatch' / f'{name}.py').read_text())
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, 'id',
                                                                                           '') == 'compare_digest']
        assert calls, name


def test_S1_nothing_imports_random_or_uuid():
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                modules = {alias.name for alias in node.names}
            else:
                modules = {node.module} if isinstance(node, ast.ImportFrom) else set()
            assert not {'random', 'uuid'} & modules, (file, modules)


def test_T9_no_key_is_written_in_the_source():
    """No code gives a key of its own: the examples in docstrings are all there are."""
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.keyword) and node.arg == 'secret_key' and isinstance(node.value, ast.Constant):
                assert node.value.value is None, (file, node.value.value)
