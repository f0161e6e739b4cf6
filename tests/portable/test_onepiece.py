"""A response in one piece: the same bytes as Microdot's own server writes, in fewer writes."""
from client import basic
from microdot import Microdot, Response
from microdot.microdot import AsyncBytesIO

from dotlatch import onepiece
from dotlatch.auth import BasicAuth


class Stream:
    """What a server writes to, and how often it does."""
    def __init__(self, error=None):
        self.pieces = []
        self.error = error

    async def awrite(self, data):
        if self.error is not None:
            raise self.error
        self.pieces.append(bytes(data))

    def get_extra_info(self, name):
        return '127.0.0.1', 1234

    async def aclose(self):
        self.pieces.append('closed')


class File:
    def __init__(self, content):
        self.content = content
        self.is_closed = False

    def read(self, n):
        content, self.content = self.content[:n], self.content[n:]
        return content

    def close(self):
        self.is_closed = True


def words():
    yield b'one '
    yield b'two'


async def written(response):
    stream = Stream()
    await response.write(stream)
    return stream.pieces


async def both(make):
    """What is written without and with it, as pieces."""
    response = make()
    onepiece.in_one_piece(response)
    return await written(make()), await written(response)


def with_cookies():
    response = Response('hello')
    response.set_cookie('a', '1')
    response.set_cookie('b', '2')
    return response


async def test_the_bytes_are_those_that_microdot_writes():
    for make in (lambda: Response('hello'), lambda: Response(b''), lambda: Response({'a': [1, 'ü']}), with_cookies,
                 lambda: Response('no', 404), lambda: Response('no', 404, reason='Gone away'),
                 lambda: Response('', 200, reason=''), lambda: Response(None), lambda: Response(b'\xff\x00'),
                 lambda: Response('ü', 200, {'Content-Type': 'text/html'}),
                 lambda: Response('x', 200, {'X-Number': 5, 'Content-Length': '1'}),
                 lambda: Response.redirect('/login')):
        theirs, ours = await both(make)
        assert b''.join(ours) == b''.join(theirs)
        assert len(ours) == 1 < len(theirs)


async def test_an_answer_to_head_has_no_body():
    response = Response('hello')
    response.is_head = True
    onepiece.in_one_piece(response)
    (piece,) = await written(response)
    assert b'Content-Length: 5\r\n' in piece and piece.endswith(b'\r\n\r\n')


async def test_a_large_body_is_not_copied():
    theirs, ours = await both(lambda: Response(b'x' * 5000))
    assert b''.join(ours) == b''.join(theirs)
    assert len(ours) == 2 and ours[1] == b'x' * 5000


async def test_files_and_generators_are_left_to_microdot():
    for make in (lambda: Response(words()), lambda: Response(File(b'x' * 3000))):
        theirs, ours = await both(make)
        assert ours == theirs
    file = File(b'x' * 3000)
    await both(lambda: Response(file))
    assert file.is_closed


async def test_who_hangs_up_is_no_error_and_a_fault_is_one():
    for number, is_told in ((32, False), (104, False), (5, True)):
        response = Response('hello')
        onepiece.in_one_piece(response)
        try:
            await response.write(Stream(OSError(number, 'x')))
            told = False
        except OSError:
            told = True
        assert told is is_told, number


async def test_a_response_of_a_class_of_its_own_writes_itself():
    class Loud(Response):
        async def write(self, stream):
            await stream.awrite(b'mine')

    assert await both(lambda: Loud('hello')) == ([b'mine'], [b'mine'])


async def test_what_a_server_sends_is_whole():
    app, auth = Microdot(), BasicAuth(allow_http=True)

    @auth.authenticate
    async def check(request, username, password):
        return username if password == 'right' else None

    @app.get('/')
    @auth
    async def index(request):
        return 'hello'

    for password, expected in (('right', b'HTTP/1.0 200 OK\r\n'), ('wrong', b'HTTP/1.0 401 N/A\r\n')):
        stream = Stream()
        line = 'GET / HTTP/1.1\r\nAuthorization: ' + basic('anna', password)['Authorization'] + '\r\n\r\n'
        reader = AsyncBytesIO(line.encode())
        await app.handle_request(reader, stream)
        assert stream.pieces.pop() == 'closed'
        sent = b''.join(stream.pieces)
        assert sent.startswith(expected), sent
        assert b'\r\nVary: Authorization\r\n' in sent and b'\r\nCache-Control: no-store\r\n' in sent
        assert sent.count(b'\r\n\r\n') == 1 and not sent.endswith(b'\r\n')


async def test_lists_of_any_length_and_kind_are_lines_as_microdot_writes_them():
    for values in ([], ['a=1'], [5, 'x', None]):
        theirs, ours = await both(lambda given=values: Response('hello', 200, {'Set-Cookie': given}))
        assert b''.join(ours) == b''.join(theirs)


async def test_a_way_to_write_that_an_app_gave_a_response_is_kept():
    async def mine(stream):
        await stream.awrite(b'mine')

    response = Response('hello')
    response.write = mine
    onepiece.in_one_piece(response)
    assert await written(response) == [b'mine']


async def test_a_response_that_is_sent_twice_is_whole_each_time():
    response = with_cookies()
    onepiece.in_one_piece(response)
    onepiece.in_one_piece(response)
    first, second = await written(response), await written(response)
    assert first == second and len(first) == 1
