"""The QR picture of a second factor: another program reads the address in it, and it asks nobody for anything."""
import re
import xml.etree.ElementTree as ET

import pytest
import zxingcpp

from dotlatch.server.qr import svg
from dotlatch.totp import Totp, new_secret


def pixels(picture, size=4):
    """The picture's path, painted: rows of bytes, dark is 0."""
    width = int(re.search(r'width="(\d+)"', picture)[1]) // 4
    rows = [bytearray(b'\xff' * width) for _ in range(width)]
    x = y = 0
    path = re.search(r'class="qrline"[^>]* d="([^"]+)"', picture)[1]
    for command, numbers in re.findall(r'([Mmh])([-0-9. ]+)', path):
        values = [float(number) for number in re.findall(r'-?[0-9.]+', numbers)]
        if command == 'h':
            rows[int(y)][int(x):int(x + values[0])] = bytes(int(values[0]))
            x += values[0]
        else:
            x, y = values if command == 'M' else (x + values[0], y + values[1])
    wide = [b''.join([bytes([byte]) * size for byte in row]) for row in rows for _ in range(size)]
    return memoryview(b''.join(wide)).cast('B', (width * size, width * size))


@pytest.mark.parametrize('name, issuer', [
    ('anna', 'Greenhouse'), ('anna@example.org', 'My Pico & co'), ('\xe4nna', 'Gew\xe4chshaus \u2603'),
    ('x' * 64, 'y' * 64), ('\u2603' * 64, '\U0001f511' * 64), ('<script>', '"\'>')])
def test_a_reader_finds_the_address_in_the_picture(name, issuer):
    for totp in (Totp(new_secret()), Totp(new_secret(), 8, 'SHA256')):
        uri = totp.uri(name, issuer)
        assert [found.text for found in zxingcpp.read_barcodes(pixels(svg(uri)))] == [uri]


def test_the_picture_is_well_formed_and_asks_nobody_for_anything():
    totp = Totp(new_secret())
    picture = svg(totp.uri('"><script>', "'</svg>"))
    names = {element.tag for element in ET.fromstring(picture).iter()}
    assert names <= {'svg', 'title', 'g', 'path'}
    assert not re.search(r'http|href|style|script|url\(|on\w+=', picture)
    assert totp.secret not in picture


def test_only_otpauth_addresses_are_drawn():
    for uri in ('', 'http://example.org/', 'javascript:alert(1)', 'otpauth://totp/' + 'x' * 5000):
        with pytest.raises(ValueError):
            svg(uri)
