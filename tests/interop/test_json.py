"""strictjson gives one verdict and one value on both Pythons: that of a strict reader made of CPython's."""
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from .oracles import Refused, same, strict_json

PIECES = ['{', '}', '[', ']', ',', ':', '"', '"a"', '"b"', '":"', '","', '"}"', '"]"', '""', '"a":', ',"b":', '{"a":',
          '{"a":1', '[1', '[]', '{}', '0', '1', '-', '.', '1.', '01', '-0', '1.0', '1e2', '1E+2', 'e', '1e999', '12',
          'true', 'false', 'null', 'nul', 't', 'fals', 'NaN', 'Infinity', 'inf', ' ', '\n', '\t', '\r', '\x0b', '\xa0',
          '\ufeff', '\0', '\x1f', '\\', '\\"', '\\/', '\\n', '\\u', '\\u0041', '\\u0022', '\\ud83d', '\\udd11',
          '\\ud83d\\udd11', '\\x', "'", '/', '\xe9', '\u2603', '\U0001f511', '\u0661', '+', '"a\nb"', '"\\/"', '1.5',
          '"x":1,', '"x":2,']
FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32).filter(lambda x: x == 0 or 1e-30 < abs(x) < 1e30)
TEXTS = st.text(st.characters(exclude_categories=['Cs']), max_size=12) | st.text('ab":,{}[]\\/ \n\t\0', max_size=8)
VALUES = st.recursive(st.none() | st.booleans() | st.integers(-(1 << 80), 1 << 80) | FLOATS | TEXTS,
                      lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
                      max_leaves=12)


def verdicts(text):
    try:
        return strict_json(text)
    except Refused:
        return Refused


def check(python, text):
    expected = verdicts(text)
    got = python('loads', text)
    if expected is Refused:
        assert got == 'ValueError', (python.name, text, got)
    else:
        assert isinstance(got, bytes) and same(json.loads(got), expected), (python.name, text, got)


@given(st.lists(st.sampled_from(PIECES), max_size=9).map(''.join))
def test_texts_made_of_pieces_of_json_have_the_oracles_verdict(python, text):
    check(python, text.encode())


@given(st.binary(max_size=12) | st.lists(st.sampled_from([b'{', b'}', b'"', b'"a":', b'[', b']', b',', b'1',
                                                          b'\xc0\xba', b'\xed\xa0\x80', b'\xff', b'\xe2\x98\x83',
                                                          b'\xf4\x90\x80\x80', b'\xc3']), max_size=8).map(b''.join))
def test_bytes_have_the_oracles_verdict(python, data):
    check(python, data)


@given(VALUES, st.data())
@settings(max_examples=1200)
def test_json_with_changes_has_the_oracles_verdict(python, value, data):
    text = json.dumps(value, ensure_ascii=data.draw(st.booleans()),
                      separators=data.draw(st.sampled_from([(',', ':'), (', ', ': '), (' ,', ' :')])))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(text)))
        until = data.draw(st.integers(at, min(len(text), at + 3)))
        old = text[at:until]
        piece = data.draw(st.sampled_from(['', '', *PIECES]) | st.just(old[::-1]) | st.just(old * 2))
        text = text[:at] + piece + text[until:]
    check(python, text.encode())


@given(VALUES, st.data())
@settings(max_examples=1200)
def test_changes_that_keep_the_length_have_the_oracles_verdict(python, value, data):
    """Swaps of characters, for readers that tell odd texts by their length."""
    text = list(json.dumps({'a': value, 'n': [1.5, 20, 'x:y,z']}, ensure_ascii=False, separators=(',', ':')))
    for _ in range(data.draw(st.integers(1, 4))):
        i, j = data.draw(st.integers(0, len(text) - 1)), data.draw(st.integers(0, len(text) - 1))
        text[i], text[j] = text[j], text[i]
    if data.draw(st.booleans()):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.sampled_from(list('{}[],:"01.eE- \n')))
    check(python, ''.join(text).encode())


@given(VALUES)
def test_values_go_from_either_python_to_the_other(pythons, value):
    first = pythons['cpython']('loads', json.dumps(value).encode())
    second = pythons['micropython']('loads', first)
    third = pythons['cpython']('loads', second)
    assert same(json.loads(second), value) and same(json.loads(third), value)


def test_every_small_text_of_structural_characters_has_the_oracles_verdict(python):
    """Exhaustive: all texts of up to five such pieces."""
    pieces = ['{', '}', '[', ']', ',', ':', '"a"', '1', ' ']
    texts = ['']
    for _ in range(4):
        texts = texts + [text + piece for text in texts if len(text) < 16 for piece in pieces]
        texts = list(dict.fromkeys(texts))
    wrong = []
    for text in texts:
        expected = verdicts(text.encode())
        got = python('loads', text.encode())
        if (got == 'ValueError') is not (expected is Refused):
            wrong.append((text, got))
    assert wrong == []
    assert len(texts) > 7000
