"""What a server writes on the wire: unmasked WebSocket frames (RFC 6455 5.2)."""

from struct import Struct

TEXT = 0x1
BINARY = 0x2
CLOSE = 0x8
PING = 0x9
PONG = 0xA

_FIN = 0x80
_short = Struct("!BB").pack
_medium = Struct("!BBH").pack
_long = Struct("!BBQ").pack


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """`payload` as one whole, uncompressed frame.

    Frames joined end to end are a stream any open connection may be given, whether or not it
    negotiated compression (RFC 7692 6). The caller keeps control frames to 125 bytes and TEXT to
    valid UTF-8.
    """
    size = len(payload)
    if size < _MANY and opcode == TEXT:
        return _HEADERS[size] + payload
    return _header(size, opcode) + payload


def _header(size: int, opcode: int) -> bytes:
    if size < 126:
        return _short(_FIN | opcode, size)
    if size < 65536:
        return _medium(_FIN | opcode, 126, size)
    return _long(_FIN | opcode, 127, size)


_MANY = 1024
_HEADERS = tuple(_header(size, TEXT) for size in range(_MANY))
"""Those of most frames; to make one takes longer than all the rest."""
