"""A redirect stays on this site, however its target is spelled."""
from client import raises

from dotlatch.origin import quote, safe_next

STAYS = [
    ('/', '/'),
    ('/log', '/log'),
    ('/log?day=3&x=%C3%A9+b', '/log?day=3&x=%C3%A9+b'),
    ('/a/b/../c?next=/d#part', '/a/b/../c?next=/d#part'),
    ('/?next=//evil.example', '/?next=//evil.example'),
    ('/a//b', '/a//b'),
    ('/:80/', '/:80/'),
    ('/@evil.example', '/@evil.example'),
    ('/.evil.example', '/.evil.example'),
    ('/%2F%2Fevil.example', '/%2F%2Fevil.example'),
    ('/%5Cevil.example', '/%5Cevil.example'),
    ('/%09/evil.example', '/%09/evil.example'),
    ('/%0d%0aX:%20y', '/%0d%0aX:%20y'),
    ('/caf\xe9', '/caf%C3%A9'),
    ('/\u2603', '/%E2%98%83'),
    ('/\uff0f\uff0fevil.example', '/%EF%BC%8F%EF%BC%8Fevil.example'),
    ('/\u2028evil', '/%E2%80%A8evil'),
    ('/<script>"', '/%3Cscript%3E%22'),
]

LEAVES = [
    '//evil.example', '///evil.example', '////evil.example', '/\\evil.example', '/\\/evil.example', '\\\\evil.example',
    '\\/evil.example', '/\\\\evil.example', '/a\\..\\..\\\\evil.example', '/\t/evil.example', '/\n/evil.example',
    '/\r/evil.example', '/\r\n/evil.example', '\t//evil.example', ' //evil.example', '\0//evil.example',
    '/\0/evil.example', '/ /evil.example', '/\x0b/evil.example', '/\x7f', '/a\r\nSet-Cookie: x=y',
    '/a\nLocation: //evil',
    'http://evil.example', 'https://evil.example/', 'HTTPS://EVIL.EXAMPLE', 'http:evil.example', 'http:/evil.example',
    'http:\\\\evil.example', '//evil.example:80', '//user@evil.example', '//%65vil.example', 'javascript:alert(1)',
    'JaVaScRiPt:alert(1)', 'java\tscript:alert(1)', 'data:text/html,<script>', 'vbscript:x', 'file:///etc/passwd',
    'mailto:x@evil.example', 'evil.example', '.evil.example', '@evil.example', ':80', '?x', '#x', '', ' ', 'log',
    './log', '../log', '%2F%2Fevil.example', '%5C%5Cevil.example', '\uff0f\uff0fevil.example', '\u3002', '\xa0/',
    '\ufeff//evil.example', '\u2028//evil.example', None, 5, 0, True, b'/', b'//evil.example', ['/'], {'/': 1},
    ('/', '/'),
]


def test_X6_a_path_of_this_site_is_kept():
    for target, expected in STAYS:
        assert safe_next(target, '/home') == expected, target


def test_X6_what_a_browser_would_follow_elsewhere_is_not():
    for target in LEAVES:
        assert safe_next(target, '/home') == '/home', target


def test_X6_what_is_kept_cannot_break_a_header_and_starts_with_one_slash():
    for c in [chr(i) for i in range(256)] + ['\u2028', '\u2029', '\uff3c', '\U0001f512', '\uffff']:
        for target in ('/' + c + 'evil.example', '/a' + c + '/evil.example', c + '/evil.example', '/' + c + '/evil'):
            kept = safe_next(target, '/home')
            assert kept[0] == '/' and kept[1:2] not in ('/', '\\'), (c, target, kept)
            for k in kept:
                assert '!' <= k <= '~' and k != '\\', (c, target, kept)


def test_X6_a_very_long_target_is_no_error():
    for target in ('/' + 'a' * 100000, '/' * 100000, '/' + '\\' * 100000, '/' + '\u2603' * 10000):
        assert safe_next(target, '/home')[0] == '/'


def test_X6_a_target_that_is_no_text_for_a_header_is_no_error():
    for target in ('/' + chr(0xd800), '/a?b=' + chr(0xdfff)):
        kept = safe_next(target, '/home')
        for k in kept:
            assert '!' <= k <= '~', target


def test_quote_escapes_all_but_unreserved_characters():
    assert quote('/a b?c=d&e+f%20#g') == '/a%20b%3Fc%3Dd%26e%2Bf%2520%23g'
    assert quote('-._~AZaz09/') == '-._~AZaz09/'
    assert quote('\r\n\0\x7f') == '%0D%0A%00%7F'
    assert quote('caf\xe9 \U0001f512') == 'caf%C3%A9%20%F0%9F%94%92'
    assert quote('') == ''
    assert quote('a?b', b'?') == 'a?b'


def test_quote_of_what_is_no_text_is_an_error():
    raises(AttributeError, quote, 5)
