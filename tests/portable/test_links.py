"""A signed link opens what it was made for, until it ends, and nothing else."""
from clock import EPOCH_2000, START, UNSET, FakeClock

from dotlatch import tokens
from dotlatch.portable import hmac_sha256
from dotlatch.tokens import check_url, sign_url

KEY = b'0123456789abcdef0123456789abcdef'
OTHER = b'fedcba9876543210fedcba9876543210'
ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'


def check(url, key=KEY):
    """True, False or the exception that should never come."""
    try:
        return check_url(url, key)
    except Exception as error:
        return error


def test_a_link_is_good_until_it_ends():
    for url in ('/', '/log.csv', '/log.csv?day=3', '/a/b/c?x=1&y=2&x=3', '/log.csv?', '/a?b', '/a%20b?c=%20%26',
                '/%C3%A9', '/a+b?c+d', '/~a/b;c=d/e,f', '/a?url=http://x/?y=1', '/log?expires=1', '/log?signature=x',
                '/log?a=1&signature=AAAA&expires=99', '//a/b', 'http://board.local/log?day=3',
                'https://board.local:8443/', 'http://board.local'):
        with FakeClock() as clock:
            link = sign_url(url, KEY, 60)
            assert check(link) is True, url
            assert link.startswith(url + ('&' if '?' in url else '?') + 'expires='), link
            clock.advance(59)
            assert check(link) is True, url
            clock.advance(1)
            assert check(link) is False, url


def test_T8_a_link_is_signed_with_this_devices_key():
    with FakeClock():
        link = sign_url('/log.csv', KEY, 60)
        for key in (OTHER, [OTHER], [OTHER, b'x'], b'0', KEY[:-1]):
            assert check(link, key) is False, key
        assert check(link, [OTHER, KEY]) is True
        assert check(sign_url('/log.csv', [OTHER, KEY], 60), OTHER) is True


def test_T2_every_change_of_a_link_ends_it():
    with FakeClock():
        link = sign_url('/log.csv?day=3', KEY, 60)
        for i in range(len(link)):
            for c in ('A', '0', '9', '&', '=', '?', '/', '%', '+', ' ', '\0', '.', '\xe9', '\ud800'):
                if not link[i] == c:
                    assert check(link[:i] + c + link[i + 1:]) is False, (i, c)
            assert check(link[:i] + link[i + 1:]) is False, i
            assert check(link[:i] + link[i] + link[i:]) is False, i
            assert check(link[:i]) is False, i


def test_T3_only_one_spelling_of_the_signature_is_taken():
    with FakeClock():
        link = sign_url('/log.csv?day=3', KEY, 60)
        assert [c for c in ALPHABET if check(link[:-1] + c)] == [link[-1]]
        for end in ('=', '==', ' ', '\n', '%3D', '&', '&x=1', '#', '#x', 'A', '.', '\0'):
            assert check(link + end) is False, end


def test_T5_the_time_of_a_link_cannot_be_moved():
    with FakeClock():
        link = sign_url('/log.csv', KEY, 60)
        signature = link.rpartition('&signature=')[2]
        for query in ('expires=%d' % (START + 61), 'expires=0%d' % (START + 60), 'expires=+%d' % (START + 60),
                      'expires= %d' % (START + 60), 'expires=%d.0' % (START + 60), 'expires=b%d' % (START + 60),
                      'expires=b99999999', 'expires=',
                      'expires=-1', 'expires=1e99', 'expires=\u0661', 'expires=\xb2', 'Expires=%d' % (START + 60),
                      'expires=%d&expires=9999999999' % (START + 60), 'expires=9999999999&expires=%d' % (START + 60),
                      'x=1&expires=%d' % (START + 60),
                      'expires=%d&' % (START + 60), 'expires=' + '9' * 3000, 'expires%3D' + str(START + 60),
                      'xexpires=%d' % (START + 60)):
            assert check('/log.csv?' + query + '&signature=' + signature) is False, query
        assert check('/log.csv&expires=%d&signature=%s' % (START + 60, signature)) is False
        assert check('/log.csv/expires=%d&signature=%s' % (START + 60, signature)) is False


def test_T7_query_and_path_do_not_run_into_each_other():
    with FakeClock():
        for url, others in (('/a/b?c=d', ('/a?b?c=d', '/a/b/c=d', '/a?/b&c=d', '/a/b?c=d&', '/a/b?&c=d', '/a/b?c=e',
                                          '/a/b?c=d&c=e', '/A/b?c=d', '/a/b/?c=d', '//a/b?c=d', '/a//b?c=d',
                                          '/a/./b?c=d', '/x/../a/b?c=d', 'a/b?c=d')),
                            ('/a', ('/a/', '/a%00', '/a\0', '/', '', '/b', '/a;x', '/a%3Fx=1', '/a%23', '/a%2F',
                                    '/%2Fa', '/a%5C', '/a\\'))):
            tail = sign_url(url, KEY, 60)[len(url):]
            for other in others:
                for mark in ('?', '&'):
                    assert check(other + mark + tail[1:]) is False, (url, other)


def test_a_path_that_the_server_has_decoded_is_the_same_path():
    with FakeClock():
        for sent, decoded in (('/a%20b', '/a b'), ('/%C3%A9', '/\xe9'), ('/%61', '/a'), ('/a%2Bb', '/a+b'),
                              ('/%e2%98%83', '/\u2603'), ('/a%26b', '/a&b'), ('/a%3db', '/a=b')):
            tail = sign_url(sent, KEY, 60)[len(sent):]
            assert check(decoded + tail) is True, decoded
            assert check(sent.lower() + tail) is True, sent


def test_the_host_is_not_part_of_a_link_and_the_rest_of_a_whole_address_is():
    with FakeClock():
        link = sign_url('http://board.local/log?day=3', KEY, 60)
        path = link[len('http://board.local'):]
        assert check(path) is True and check('https://192.168.1.5:80' + path) is True
        for url in ('http://' + path, 'http:/' + path, 'http:///x' + path, 'http://board.local/x' + path, 'x' + path,
                    '/http://board.local' + path, 'a/b://c' + path):
            assert check(url) is (url == 'http://' + path), url


def test_addresses_that_two_servers_could_read_differently_are_not_signed():
    with FakeClock():
        for url in ('', 'log.csv', '?a=b', '/a#b', '/a?b#c', '/a%', '/a%2', '/a%zz', '/a%2Fb', '/a%2fb', '/a%25b',
                    '/a%3Fb', '/a%23', '/a%00', '/a%0d%0ab', '/a%7f', '/a\nb', '/a\0', '/a\\b', '/a%5Cb', '/a?b c',
                    '/a?b\n', '/a?\xe9', '/a?b\0', '/a?b\x7f',
                    '/a%+1', '/a% 1', '/a%\xe9', '#', 'javascript:alert(1)', '*'):
            try:
                link = sign_url(url, KEY, 60)
                raise AssertionError((url, link))
            except ValueError:
                pass


def test_every_link_that_is_made_can_be_used_or_is_refused_when_it_is_made():
    with FakeClock():
        for url in ('/' + 'a' * 3000, '/' + 'a' * 5000, '/?' + 'a' * 9000, '/\ud800', '/?\ud800', '/\xe9',
                    '/\U0001f511', '/%ff', '/%c0%ba', '/a b', '/&signature=x', '/?&signature=x', '/?expires=b5&',
                    '/?&&', '/%3D', '/?a=%2F', '/?a=%zz'):
            try:
                link = sign_url(url, KEY, 60)
            except ValueError:
                continue
            assert check(link) is True, (url[:20], check(link))


def test_anything_that_is_no_link_is_refused_without_an_exception():
    with FakeClock():
        for url in ('', '/', '?', '&signature=', '/?signature=', '/?&signature=', '/?expires=&signature=',
                    '/?expires=1&signature=', '/?expires=9999999999&signature=' + 'A' * 43,
                    'expires=9999999999&signature=AAAA', '/?expires=9999999999&signature=\xe9',
                    '/\udcff?expires=9999999999&signature=AAAA', '/?expires=9999999999&signature=\udcff',
                    '/?expires=\udcff&signature=A', '\0', '/' * 9000, '/?expires=9999999999' + '&signature=' * 500,
                    '%' * 100, '/%?expires=9999999999&signature=A', '://', '://?expires=1&signature=',
                    '/?expires=' + '9' * 12 + '&signature=A', '/?expires=' + '9' * 13 + '&signature=A',
                    '/?expires=b&signature=A', '/?expires=bb1&signature=A', '/&expires=\xb2&signature=A',
                    '/&expires=\u0661&signature=A'):
            assert check(url) is False, (url[:60], check(url))


def test_ttl_is_an_int():
    for ttl in (None, 1.5, '60', True, [60]):
        try:
            link = sign_url('/a', KEY, ttl)
            raise AssertionError((ttl, link))
        except TypeError:
            pass
    with FakeClock():
        for ttl in (0, -1, -START):
            try:
                assert check(sign_url('/a', KEY, ttl)) is False, ttl
            except ValueError:
                pass


def test_H1_links_end_at_unix_seconds_on_either_epoch():
    for epoch in (0, EPOCH_2000):
        with FakeClock(epoch=epoch):
            assert 'expires=%d&' % (START + 60) in sign_url('/a', KEY, 60), epoch


def test_H1_a_link_made_elsewhere_is_refused_while_the_clock_is_not_set():
    with FakeClock() as clock:
        link = sign_url('/a', KEY, 10 ** 9)
        for time in (UNSET, 0, EPOCH_2000):
            clock.set(time)
            assert check(link) is False, time
        clock.set(START)
        assert check(link) is True


def test_H1_without_a_clock_a_link_is_bound_to_this_boot():
    with FakeClock(time=UNSET, ticks=(1 << 30) - 20000) as clock:
        link = sign_url('/a', KEY, 60)
        for time in (UNSET, START, UNSET, 0):
            clock.set(time)
            clock.advance(10)
            assert check(link) is True, time
        clock.advance(21)
        assert check(link) is False
        link = sign_url('/a', KEY, 60)
        kept = tokens.BOOT_ID
        from dotlatch import links
        tokens.BOOT_ID = links.BOOT_ID = 'another' + kept[7:]
        try:
            assert check(link) is False
        finally:
            tokens.BOOT_ID = links.BOOT_ID = kept


def test_T9_an_empty_key_signs_no_link():
    for key in ('', b'', [], ['']):
        try:
            link = sign_url('/a', key, 60)
            raise AssertionError((key, link))
        except ValueError:
            pass


def test_T7_the_signature_of_other_text_is_none_of_a_link():
    from binascii import b2a_base64
    for message in (b'/a?expires=9999999999', b'/a', b'dotlatch-url\n/a', b'dotlatch-stamp\n/a?expires=9999999999'):
        mac = b2a_base64(hmac_sha256(KEY, message))[:-2].decode().replace('+', '-').replace('/', '_')
        with FakeClock():
            assert check('/a?expires=9999999999&signature=' + mac) is False, message
