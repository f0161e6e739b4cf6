"""What a proxy says of its clients is believed when it is ours, and never when it is not."""
from client import Client, make_app, raises
from microdot import Microdot, Request
from microdot.microdot import NoCaseDict

from dotlatch import http, proxies, sameorigin
from dotlatch.login import Login

PROXY = '10.0.0.1'
ADDRESSES = [
    ('127.0.0.1', b'\x7f\0\0\1'), ('0.0.0.0', bytes(4)), ('255.255.255.255', b'\xff' * 4), ('1.2.3.4:80', b'\1\2\3\4'),
    ('::', bytes(16)), ('::1', bytes(15) + b'\1'), ('[::1]', bytes(15) + b'\1'), ('[::1]:8080', bytes(15) + b'\1'),
    ('1::', b'\0\1' + bytes(14)), ('2001:db8::8:800:200c:417a', b' \1\r\xb8\0\0\0\0\0\x08\x08\0 \x0cAz'),
    ('2001:DB8:0:0:8:800:200C:417A', b' \1\r\xb8\0\0\0\0\0\x08\x08\0 \x0cAz'),
    ('1:2:3:4:5:6:7:8', bytes([0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8])),
    ('1:2:3:4:5:6:7::', bytes([0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 0])),
    ('::ffff:1.2.3.4', b'\1\2\3\4'), ('::FFFF:102:304', b'\1\2\3\4'), ('[::ffff:1.2.3.4]:5', b'\1\2\3\4'),
    ('64:ff9b::1.2.3.4', b'\0d\xff\x9b' + bytes(8) + b'\1\2\3\4'), ('::1.2.3.4', bytes(12) + b'\1\2\3\4'),
    ('1:2:3:4:5:6:1.2.3.4', bytes([0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 1, 2, 3, 4])),
]
NO_ADDRESSES = [
    '', ' ', 'unknown', '_hidden', 'localhost', '1', '1.2.3', '1.2.3.4.5', '1.2.3.256', '1.2.3.-4', '1.2.3.+4',
    '1.2.3.04', '01.2.3.4', '1.2.3. 4', '1.2.3.4 ', '1.2.3.', '.1.2.3', '1..2.3', '0x7f.0.0.1', '1.2.3.4:', '1.2.3.4:x',
    '1.2.3.4:999999', '1.2.3.4/8', '[1.2.3.4]', ':', ':::', '::1::', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::', '12345::', 'g::', '::g', '+1::', ':1', '1:', ':1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8:', '[::1',
    '::1]', '[::1]x', '[::1]80', '[::1]:', '[::1]:x', '[]', '[', ']', '::1.2.3', '::1.2.3.4.5', '::1.2.3.4:5',
    '::1.2.3.256', '1.2.3.4::', ':1.2.3.4', '::1%eth0', '1' * 100, '1:' * 1000, '\u0661.2.3.4', '::\u0661', '1.2.3.4\n',
    '1.2.3.4, 5.6.7.8', "1.2.3.4'", 'http://1.2.3.4',
]


async def seen(headers, peer=(PROXY, 4711), networks=(PROXY, '10.1.0.0/16'), path='/', **options):
    """Address, scheme and Host as a handler sees them."""
    app = Microdot()

    @app.get('/')
    async def index(request):
        return '%s %s %s %s' % (request.client_addr[0], http.is_https(request), request.headers.get('Host'),
                                http.source(request))

    proxies.trust(app, list(networks), **options)
    found = NoCaseDict()
    found['Host'] = 'inside.lan'
    for name, value in headers.items():
        found[name] = value
    request = Request(app, peer, 'GET', path, '1.1', found)
    request.scheme = 'http'
    response = await app.dispatch_request(request)
    assert response.status_code == 200
    return (response.body if isinstance(response.body, str) else response.body.decode()).split(' ')


async def client(*args, **options):
    return (await seen(*args, **options))[0]


def test_addresses_are_read_in_all_their_spellings():
    for text, expected in ADDRESSES:
        assert proxies.parse(text) == expected, text


def test_what_is_no_address_is_none():
    for text in NO_ADDRESSES:
        assert proxies.parse(text) is None, text


async def test_L6_behind_a_trusted_proxy_the_client_is_whom_it_names():
    assert await seen({'X-Forwarded-For': '1.2.3.4', 'X-Forwarded-Proto': 'https'}) == [
        '1.2.3.4', 'True', 'inside.lan', '1.2.3.4']
    assert await seen({'X-Forwarded-For': '2001:db8::1', 'X-Forwarded-Proto': 'HTTPS'}) == [
        '2001:db8:0:0:0:0:0:1', 'True', 'inside.lan', '2001:db8:0:0']
    assert await client({'X-Forwarded-For': '[2001:db8::1]:4711'}) == '2001:db8:0:0:0:0:0:1'
    assert await client({'X-Forwarded-For': '1.2.3.4:4711'}) == '1.2.3.4'


async def test_L6_from_anywhere_else_headers_are_nobodys():
    headers = {'X-Forwarded-For': '1.2.3.4', 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'evil.lan',
               'Forwarded': 'for=1.2.3.4;proto=https;host=evil.lan'}
    for peer in ('10.0.0.2', '192.168.1.7', '11.0.0.1', '127.0.0.1', '::1', '::ffff:10.0.0.2'):
        for header in ('X-Forwarded-For', 'Forwarded'):
            assert (await seen(headers, (peer, 1), header=header, host=True))[:3] == [peer, 'False', 'inside.lan'], peer


async def test_L6_what_a_client_wrote_before_the_proxy_did_is_not_believed():
    for spoofed in ('9.9.9.9', '127.0.0.1', PROXY, '10.1.2.3', 'junk', '', '9.9.9.9, ' * 30, '"', 'for="'):
        assert await client({'X-Forwarded-For': spoofed + ', 1.2.3.4'}) == '1.2.3.4', spoofed
        assert await client({'X-Forwarded-For': spoofed + ',1.2.3.4, 10.1.0.1'}) == '1.2.3.4', spoofed
        assert await client({'Forwarded': 'for=' + spoofed + ', for=1.2.3.4'}, header='Forwarded') == '1.2.3.4', spoofed


async def test_L6_a_spoofed_header_makes_no_new_bucket():
    buckets = []
    for spoofed in ('', '1.1.1.1', '2.2.2.2, 3.3.3.3', 'junk'):
        buckets.append((await seen({'X-Forwarded-For': spoofed}, ('192.168.1.7', 1)))[3])         # straight to us
        buckets.append((await seen({'X-Forwarded-For': spoofed + ', 192.168.1.7'}))[3])           # by the proxy
    assert set(buckets) == {'192.168.1.7'}


async def test_the_client_is_the_last_address_that_is_no_proxys():
    assert await client({'X-Forwarded-For': '1.2.3.4, 10.1.255.255, 10.1.0.0'}) == '1.2.3.4'
    assert await client({'X-Forwarded-For': '1.2.3.4, 10.2.0.0, 10.1.0.0'}) == '10.2.0.0'
    assert await client({'X-Forwarded-For': '10.1.0.1, 10.1.0.2'}) == '10.1.0.1'  # inside all the way
    assert await client({'X-Forwarded-For': '10.1.0.9, ' * 100 + PROXY}) == '10.1.0.9'


async def test_what_is_malformed_is_not_believed():
    for text in NO_ADDRESSES:
        if ',' not in text and text.strip() == text and text:
            assert await client({'X-Forwarded-For': text}) == PROXY, text
            assert await client({'X-Forwarded-For': '1.2.3.4, ' + text}) == PROXY, text
            assert await client({'X-Forwarded-For': '1.2.3.4, ' + text + ', 10.1.0.1'}) == '10.1.0.1', text
    for proto in ('ftp', 'https,', ', ,', 'http s', 'https\x00', '', 'javascript'):
        found = await seen({'X-Forwarded-For': '1.2.3.4', 'X-Forwarded-Proto': proto})
        assert found[:2] == ['1.2.3.4', 'False'], proto
    assert await client({'X-Forwarded-Proto': 'https'}) == PROXY
    for value in ('', ';', ',', '=', 'for', 'for=', 'for="', 'for=""', 'proto=https', ';;=;=', 'for=unknown',
                  'by=1.2.3.4', 'for="[::1"'):
        assert (await seen({'Forwarded': value}, header='Forwarded'))[:2] == [PROXY, 'False'], value


async def test_the_scheme_is_what_the_client_used_and_not_what_proxies_use_among_themselves():
    both = {'X-Forwarded-For': '1.2.3.4, 10.1.0.1'}
    for proto, expected in (('https, http', 'True'), ('http, https', 'False'), ('https', 'True'),
                            ('https, http, https', 'False')):
        assert (await seen(dict(both, **{'X-Forwarded-Proto': proto})))[1] == expected, proto


async def test_forwarded_of_rfc_7239_is_read_when_it_is_the_one():
    for value, address, https in [
            ('for=1.2.3.4;proto=https', '1.2.3.4', 'True'), ('For="1.2.3.4:80" ; Proto=http', '1.2.3.4', 'False'),
            ('for="[2001:db8::1]:4711";proto=https;by=10.0.0.1', '2001:db8:0:0:0:0:0:1', 'True'),
            ('for=9.9.9.9;proto=http, for=1.2.3.4;proto=https, for=10.1.0.1;proto=http', '1.2.3.4', 'True'),
            ('proto=https;for=1.2.3.4', '1.2.3.4', 'True'), ('for=1.2.3.4', '1.2.3.4', 'False')]:
        found = await seen({'Forwarded': value, 'X-Forwarded-For': '8.8.8.8'}, header='Forwarded')
        assert found[:2] == [address, https], value
    assert await client({'Forwarded': 'for=8.8.8.8', 'X-Forwarded-For': '1.2.3.4'}) == '1.2.3.4'
    assert await client({'Forwarded': 'for=8.8.8.8'}) == PROXY


async def test_the_host_is_taken_only_when_asked_for():
    headers = {'X-Forwarded-For': '1.2.3.4', 'X-Forwarded-Host': 'device.lan:8080'}
    assert (await seen(headers))[2] == 'inside.lan'
    assert (await seen(headers, host=True))[2] == 'device.lan:8080'
    assert (await seen({'Forwarded': 'for=1.2.3.4;host="device.lan:81"'}, header='Forwarded', host=True))[2] == (
        'device.lan:81')
    for bad in ('', 'a/b', 'http://x', 'x:y'):
        headers['X-Forwarded-Host'] = bad
        assert (await seen(headers, host=True))[2] == 'inside.lan', bad


async def test_networks_and_peers_of_all_kinds():
    named = {'X-Forwarded-For': '1.2.3.4'}
    for network, peer in [
            ('0.0.0.0/0', '9.9.9.9'), ('10.0.0.0/8', '10.255.0.1'), ('10.0.0.1/32', '10.0.0.1'),
            ('10.0.0.0/31', '10.0.0.1'), ('10.9.9.9/8', '10.0.0.1'), ('::1', '::1'), ('fd00::/8', 'fdff::1'),
            ('fe80::/10', 'fe80::1%eth0'), ('10.0.0.0/8', '::ffff:10.1.1.1'), ('::ffff:10.0.0.1', '10.0.0.1')]:
        assert await client(named, (peer, 1), [network]) == '1.2.3.4', (network, peer)
    for network, peer in [('10.0.0.0/8', '11.0.0.1'), ('10.0.0.0/31', '10.0.0.2'), ('::/0', '10.0.0.1'),
                          ('0.0.0.0/0', '::1'), ('fd00::/8', 'fc00::1'), (PROXY, ''), ('0.0.0.0/0', 'unix')]:
        assert await client(named, (peer, 1), [network]) == peer, (network, peer)


async def test_a_proxy_on_a_unix_socket_is_named_so():
    assert await client({'X-Forwarded-For': '1.2.3.4'}, ('', 0), ['unix']) == '1.2.3.4'
    assert await client({'X-Forwarded-For': '1.2.3.4'}, ('10.0.0.1', 0), ['unix']) == '10.0.0.1'


async def test_a_board_s_own_form_of_addresses_is_read():
    four = b'\2\0\x12\x67\x0a\0\0\1' + bytes(8)                           # sockaddr_in
    six = b'\x0a\0\x12\x67' + bytes(4) + bytes(15) + b'\1' + bytes(4)     # sockaddr_in6
    assert await client({'X-Forwarded-For': '1.2.3.4'}, bytearray(four)) == '1.2.3.4'
    assert await client({'X-Forwarded-For': '1.2.3.4'}, bytearray(six), ['::1']) == '1.2.3.4'


def test_what_is_no_network_is_an_error():
    for text in ('', '10.0.0.0/', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/x', '::/129', 'localhost', '10.0.0/8', '*'):
        raises(ValueError, proxies.trust, Microdot(), [text])
    raises(ValueError, proxies.trust, Microdot(), [PROXY], 'X-Real-IP')


async def test_it_comes_before_guards_and_cookies():
    app = make_app()
    login = Login()
    login.user_loader(lambda user_id: user_id)
    asked = []

    @app.before_request
    async def guard(request):
        asked.append((http.source(request), http.is_https(request)))

    @app.post('/login')
    async def log_in(request):
        return await login.login_user(request, 'anna')

    proxies.trust(app, ['127.0.0.1'])
    answer = await Client(app).post('/login', {'X-Forwarded-For': '1.2.3.4', 'X-Forwarded-Proto': 'https'})
    assert asked == [('1.2.3.4', True)]
    assert answer.cookies[0].startswith('__Host-session=') and '; Secure' in answer.cookies[0]


async def test_the_scheme_of_a_trusted_proxy_is_the_origin_s():
    found = []
    app = Microdot()

    @app.get('/')
    async def index(request):
        found.append(sameorigin.own(request))
        return ''

    proxies.trust(app, ['127.0.0.1'], host=True)
    await Client(app).get('/', {'X-Forwarded-For': '1.2.3.4', 'X-Forwarded-Proto': 'https',
                                'X-Forwarded-Host': 'a.example'})
    await Client(app).get('/')
    assert found == ['https://a.example', 'http://device.lan']
