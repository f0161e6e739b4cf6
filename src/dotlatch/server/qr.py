"""The picture that a phone's camera reads, for a second factor: drawn here, with no service asked.

Needs ``pip install dotlatch[qr]``::

    from dotlatch.server.qr import svg

    svg(totp.uri('anna', 'Greenhouse'))   # '<svg ...>', to be put into a page as it is

It shows the secret: send it to its owner alone, with ``Cache-Control: no-store``. A board has no such drawer: its page
shows key and address.
"""
import segno


def svg(uri: str, scale: int = 4) -> str:
    """Return a QR code of the address as an ``<svg>`` element, without style, script or anything from elsewhere.

    :param uri: what :meth:`dotlatch.totp.Totp.uri` returned.
    :param scale: pixels for each of its squares.
    :raises ValueError: for what is no such address, or too long for a QR code.
    """
    if not uri.startswith('otpauth://'):
        raise ValueError('not an otpauth address')
    code = segno.make_qr(uri, error='m')
    return code.svg_inline(scale=scale, light='#fff', title='QR code')
