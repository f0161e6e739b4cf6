"""One verdict on every JSON text and value, on both Pythons; tests/interop goes on with thousands of them."""
from dotlatch import noviper, portable
from dotlatch.strictjson import dumps, loads


def verdict(f, value):
    """What was returned, or the documented error's class, or the exception that should never come."""
    try:
        return f(value)
    except ValueError:
        return ValueError
    except TypeError:
        return TypeError
    except Exception as error:
        return error


def test_T4_texts_that_are_json_are_read():
    rows = [(b'{}', {}), (b'[]', []), (b' \t\r\n[ 1 , 2 ] \n', [1, 2]), (b'"a"', 'a'), (b'0', 0), (b'-0', 0),
            (b'-1', -1), (b'true', True),
            (b'false', False), (b'null', None), (b'1.5', 1.5), (b'-0.5', -0.5), (b'1e2', 100.0), (b'1E+2', 100.0),
            (b'5e-1', 0.5), (b'0e0', 0.0),
            (b'0.0', 0.0), (b'1073741824', 1 << 30), (b'18446744073709551616', 1 << 64),
            (b'-9223372036854775809', -(1 << 63) - 1),
            (b'"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\/\b\f\n\r\t'), (b'"\\u0041\\u00e9\\u2603"', 'A\xe9\u2603'),
            (b'"\\u0000"', '\0'),
            (b'"\\ud83d\\udd11"', '\U0001f511'), (b'"\\uD83D\\uDD11x\\ud83d\\ude00"', '\U0001f511x\U0001f600'),
            (b'"\\\\ud83d"', '\\ud83d'),
            ('"\xe9\u2603\U0001f511\u2028\x7f"'.encode(), '\xe9\u2603\U0001f511\u2028\x7f'), (b'"/"', '/'), (b'""', ''),
            (b'{"":""}', {'': ''}), (b'{"a":{"a":{"a":[{"a":1},{"a":2}]}}}', {'a': {'a': {'a': [{'a': 1}, {'a': 2}]}}}),
            (b'[[],{},[[]],[{}]]', [[], {}, [[]], [{}]]), (b'{"a:b":":"," , ":[",", ":"]}',
                                                           {'a:b': ':', ' , ': [',', ':']}),
            (b'{"{":"}","[":"]"}', {'{': '}', '[': ']'}), (b'{"a" : 1 ,\n"b":\t2}', {'a': 1, 'b': 2}),
            (b'[1,2.0,"3",null,true]', [1, 2.0, '3', None, True]),
            (b'{"\\ud83d\\udd11":1}', {'\U0001f511': 1}), (b'{"A":1,"a":2}', {'A': 1, 'a': 2}),
            (b'["a\\u0022b"]', ['a"b'])]
    for text, value in rows:
        got = verdict(loads, text)
        assert got == value and type(got) is type(value), (text, got)


NOT_JSON = [
    b'', b' ', b'\n', b'nul', b'nulll', b'null null', b'True', b'None', b'NaN', b'Infinity', b'-Infinity', b'nan',
    b'inf', b'undefined',
    b't', b'tru', b'trux', b'truE', b'[t]', b'[tru]', b'[true', b'{"a":t}', b'[t"":1]', b'f', b'fals', b'falsx',
    b'[fals]', b'n', b'nulx', b'[nul]', b'{"a":n}', b'[n,1,2]', b'[f[1]]', b'[tru,1]', b'-"a"', b'[-"a"]', b'[-[]]',
    b'{"a":-}', b'-t', b'\x0b1', b'1\x0c',
    b"'a'", b'"a', b'a"', b'"a" "b"', b'"\\x41"', b'"\\"', b'"\\u12"', b'"\\u12g4"', b'"\\u 123"', b'"\\u+123"',
    b'"\\U00000041"', b'"\\\'"', b'"\\a"', b'"\\0"',
    b'"\n"', b'"\t"', b'"\0"', b'"a\x1fb"', b'["\n" ]', b'{"\r":1 }', b'\\n', b'[\\n]', b'[\\u0031]', b'[1\\u0031]',
    b'tru\\u0065', b'{"a"\\u003a1}',
    b'01', b'-01', b'00', b'1.', b'.5', b'-.5', b'+1', b'-', b'--1', b'1e', b'1e+', b'e5', b'1e5e5', b'1E5e5', b'1.2.3',
    b'1e1.5', b'0x10', b'1_000', b'1f', b'1a',
    b'[01]', b'[ 1.]', b'[1. ]', b'[01,1.]', b'[1.,01]', b'{"a":01,"b":1.}', b'[-]', b'[1-2]', b'[+1]', b'[1e2,01,1.]',
    '\u0661'.encode(), '[\u0661]'.encode(), '1\xb2'.encode(),
    b'[', b']', b'{', b'}', b'[[]', b'[]]', b'{}}', b'{{}}', b'[}', b'{]', b'[1}', b'{"a":1]', b'[{"a":1]}',
    b'{"a":{"b":1]}', b'{"a":[1}]', b'[[1}]', b'[{]}',
    b'[1,]', b'[,1]', b'[,]', b'[1,,2]', b'[1 2]', b'[1;2]', b'[1:2]', b'[:]', b'[1,null', b'["a"1]', b'[1"a"]',
    b'["a""b"]', b'[[][]]', b'[{}{}]', b'[true false]', b'[truefalse]',
    b'{"a"}', b'{"a":}', b'{:1}', b'{"a":1,}', b'{,}', b'{"a":1,,"b":2}', b'{"a" 1}', b'{"a" ":"}', b'{"a":1 "b":2}',
    b'{"a":1 "b:":2}', b'{"a"::1}', b'{"a":1:2}', b'{a:1}', b'{1:2}',
    b'{null:1}', b'{true:1}', b'{[]:1}', b'{"a":1;"b":2}', b'{"a","b":"c":"d","e":"f"}', b'{"a""b:",}', b'["a":"b"]',
    b'[1:2,3]', b'{"a":[1:2],"b"}', b'{"a",1}', b'{"a","b"}', b'["a":1]', b'{"a":1}{"b":2}', b'{} {}', b'{},', b'1,2',
    b'1 2', b'{}x', b'{} //', b'/**/{}', b'{}\0', b'\0{}',
    b'\xef\xbb\xbf{}', b'{}\xc2\xa0', b'\xc2\xa0{}', b'\x0b{}', b'\x0c[]', b'[]\x0c', b'[\x0b1]', '{}\u2003'.encode(),
    '[1\u2028]'.encode(),
    b'"\xff"', b'"\xc0\xba"', b'"\xed\xa0\x80"', b'"\xed\xa0\xbd\xed\xb4\x91"', b'"\xf4\x90\x80\x80"', b'"\xe2\x98"',
    b'{"a"\xc0\xba1}', '"a"'.encode()[:-1] + b'\xe2"',
]


def test_T4_texts_that_are_not_json_are_refused():
    taken = [(text, verdict(loads, text)) for text in NOT_JSON if verdict(loads, text) is not ValueError]
    assert taken == [], taken


def test_T4_texts_that_are_not_json_are_refused_inside_others_too():
    taken = []
    for text in NOT_JSON:
        # With a place to make up for a length that is off by a few, for readers who compare sizes.
        for before, after in ((b'[', b']'), (b'{"a":', b'}'), (b'[ ', b',1e2]'), (b'[{"n":1.0,"v":', b'}]')):
            whole = before + text + after
            if whole in (b'[]', b'[ ]', b'[\n]', b'[1,2]', b'[ 1,2,1e2]',
                         b'[{"n":1.0,"v":1,2}]') or not text.strip(b' \n'):
                continue
            if text == b'1,2' or text == b'{},':
                continue  # in a list these are JSON
            if verdict(loads, whole) is not ValueError:
                taken.append((whole, verdict(loads, whole)))
    assert taken == [], taken


def test_T4_two_equal_names_are_refused_wherever_they_are():
    for text in (b'{"a":1,"a":2}', b'{"a":1,"a":1}', b'{"a":1,"b":2,"a":3}', b'{"a":1,"\\u0061":2}', b'{"":1,"":2}',
                 b'[{"a":1,"a":2}]',
                 b'{"x":{"a":1,"a":2}}', b'{"x":[{"y":{"a":1,"a":2}}]}', b'{"a":{"b":1},"a":{"c":2}}',
                 b'{"a":":","a":2}', b'{"a":1,"a":":"}',
                 b'{"\\u00e9":1,"\xc3\xa9":2}', b'{"\\ud83d\\udd11":1,"\xf0\x9f\x94\x91":2}', b'{"a":"::::","a":[]}',
                 b'{"a\\/b":1,"a/b":2}',
                 b'{"exp":9999999999,"exp":1}', b'{"a":{"a":1,"b":2,"a":3},"b":":"}'):
        assert verdict(loads, text) is ValueError, (text, verdict(loads, text))


def test_T5_numbers_without_an_end_are_refused():
    for text in (b'1e999', b'-1e999', b'[1e400]', b'{"exp":1e999}', b'1' * 400 + b'.0', b'9e99999',
                 b'{"a":[0,{"b":-1e+400}]}'):
        assert verdict(loads, text) is ValueError, (text, verdict(loads, text))


def test_T4_lone_surrogates_are_refused():
    for text in (b'"\\ud800"', b'"\\udfff"', b'"\\ud800\\ud800"', b'"\\udc00\\ud800"', b'"\\ud800x\\udc00"',
                 b'"\\ud800\\u0041"', b'"\\ud83d"', b'"x\\udd11"',
                 b'{"\\ud800":1}', b'["\\ud83d\\udd11\\ud83d"]', b'["\\uDBFF\\u0000",1e9]', b'"\\ud800\\\\udc00"',
                 b'"\\ud800\\n"'):
        assert verdict(loads, text) is ValueError, (text, verdict(loads, text))


def nested(depth, before=b'[', after=b']', inside=b''):
    return before * depth + inside + after * depth


def test_T4_nesting_has_a_bound_and_never_exhausts_the_stack():
    for before, after, inside in ((b'[', b']', b''), (b'[', b']', b'"\\u0041"'), (b'{"a":', b'}', b'1'),
                                  (b'[{"a":', b'}]', b'null'), (b'[ ', b' ]', b'1')):
        levels = before.count(b'[') + before.count(b'{')
        assert verdict(loads, nested(32 // levels, before, after, inside)) is not ValueError, (before, 32)
        for depth in (33, 34, 40, 64, 100, 300, 900, 930, 950, 960, 970, 980, 985, 990, 995, 1000, 1200, 2000):
            text = nested(depth // levels + 1, before, after, inside)
            assert verdict(loads, text) is ValueError, (before, inside, depth, verdict(loads, text))
        for text in (before * 3000, before * 33, after * 33):
            assert verdict(loads, text) is ValueError, (before, text[:4], verdict(loads, text))
    wide = b'[' + b','.join([b'[]'] * 200) + b']'
    assert len(loads(wide)) == 200


def test_what_json_carries_comes_back_as_it_was():
    rows = [{}, [], '', 'a', 0, -1, True, False, None, 1.5, 0.25, 1 << 30, 1 << 62, 1 << 64, -(1 << 70), 1795132800,
            '\0\x01\x1f\x7f"\\/',
            '\xe9\u2603\U0001f511\u2028\u2029', {'a': [1, {'b': [None, True, 'x:y,{}[]']}]}, {'': ''}, {'a"b\\c\n': 1},
            [[[[[]]]]], {'\U0001f511': '\U0001f511'},
            [':', ',', '{', '}', '[', ']', '"', '\\'], {':': ':', ',': ',', '{}': '[]'}, 'x' * 3000, [0.5, -2.0, 1e10],
            {'exp': True}, '\ufeff']
    for value in rows:
        text = verdict(dumps, value)
        assert isinstance(text, bytes), (value, text)
        got = verdict(loads, text)
        assert got == value and type(got) is type(value), (value, text, got)


def test_what_is_written_is_compact_utf8_with_the_names_it_was_given():
    assert dumps({'a': [1, 'x', None, True, False]}) == b'{"a":[1,"x",null,true,false]}'
    assert dumps('\xe9') == b'"\xc3\xa9"'
    assert dumps((1, (2,))) == b'[1,[2]]'


class Thing:
    pass


def point():
    """A named tuple, which MicroPython prints as Point(x=1, y=2)."""
    from collections import namedtuple
    return namedtuple('Point', ('x', 'y'))(1, 2)


def test_what_json_cannot_carry_is_a_type_error():
    infinity = float('inf')
    rows = [b'bytes', bytearray(b'x'), {1, 2}, Thing(), Thing, len, infinity, -infinity, infinity - infinity, {1: 2},
            {None: 1}, {True: 1}, {b'a': 1}, {(1,): 1}, {1.5: 2},
            [b'x'], {'a': {'b': {3}}}, {'a': [Thing()]}, (i for i in ()), range(3), {'a': {}.items}, ValueError('x'),
            object(), 1j, [1, [2, [b'x']]], memoryview(b'x'),
            {'a': infinity}, [[infinity]], {'a': {1: 2}}]
    for value in rows:
        assert verdict(dumps, value) is TypeError, (value, verdict(dumps, value))


def test_what_is_called_plain_is_made_of_six_types_and_nothing_else():
    class Text(str):
        pass

    class Table(dict):
        pass

    plain = [{}, [], {'a': 'b', 'n': 1 << 70, 't': True, 'z': None}, [1, 'a', False, None], {'a': {'b': [{'c': []}]}},
             [[[[[]]]]], {'': {'': {'': {'': {'a': 1}}}}}, 'a', 1, None, True]
    other = [1.5, b'a', (), {1, 2}, object, Table(), {1: 2}, {'a': 1, None: 2}, {b'a': 1},
             {True: 1}, {('a',): 1}, [1.5], {'a': 1.5}, {'a': b'a'}, [()], {'a': (1, 2)}, [{1}], [Table()],
             {'a': [{'b': {2: 3}}]}, Text('a'), [Text('a')], {'a': Text('a')}, {Text('a'): 1}, {'a': [[object()]]},
             [[[[[[]]]]]]]
    for module in (portable, noviper):
        for value in plain:
            assert module.is_plain(value, 4) is True, value
        for value in other:
            assert module.is_plain(value, 4) is False, value


def test_a_named_tuple_is_a_list_or_refused_and_never_something_unreadable():
    for value in (point(), [point()], {'a': point()}):
        text = verdict(dumps, value)
        assert text is TypeError or verdict(loads, text) is not ValueError, (value, text)


def test_text_with_a_lone_surrogate_is_a_type_error():
    for text in ('\ud800', 'a\udfffb', '\udc00\ud800', 'x' * 50 + '\ud83d'):
        for value in (text, [text], {'a': text}, {text: 1}, [{'a': {'b': text}}]):
            assert verdict(dumps, value) is TypeError, verdict(dumps, value)


def test_values_that_contain_themselves_or_are_nested_too_deep_are_a_type_error():
    def deep(depth, wrap):
        value = 1
        for _ in range(depth):
            value = wrap(value)
        return value

    loop = []
    loop.append(loop)
    ring = {}
    ring['a'] = [ring]
    for name, value in (('loop', loop), ('ring', ring)):
        assert verdict(dumps, value) is TypeError, (name, verdict(dumps, value))
    for wrap in (lambda v: [v], lambda v: {'a': v}, lambda v: (v,)):
        assert isinstance(verdict(dumps, deep(32, wrap)), bytes)
        for depth in (33, 40, 200, 950, 990, 1500):
            assert verdict(dumps, deep(depth, wrap)) is TypeError, (depth, verdict(dumps, deep(depth, wrap)))


def test_H3_errors_do_not_quote_the_text():
    for text in (b'{"secret": "hunter22",}', b'{"hunter22":1,"hunter22":2}', b'["hunter22', b'"hunter22\\ud800"',
                 b'{"a":"hunter22"]'):
        try:
            loads(text)
            raise AssertionError(text)
        except ValueError as error:
            assert 'hunter22' not in str(error), (text, str(error))
