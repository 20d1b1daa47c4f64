"""How sockets end: what the codes of their ends mean (RFC 6455 7.4), and what is too large."""

from collections.abc import MutableMapping
from typing import Any

from hubbub.core.errors import (
    AccountGone,
    DomainError,
    Forbidden,
    NotFound,
    TooMany,
    Unauthenticated,
)
from hubbub.hub.connection import SLOW_CONSUMER

MAX_MESSAGE = 256 * 1024
"""Bytes that one WebSocket message may have."""
SMALL = MAX_MESSAGE // 4
"""Characters that fit in `MAX_MESSAGE`, whatever they are."""
TOO_LARGE = "a message has at most 256 KiB"


def is_goodbye(code: int) -> bool:
    """Whether a socket ended by a closing handshake, whoever began it (RFC 6455 7.1.2). The rest
    were lost: 1006 is a connection that was cut (stock uvicorn says 1005 for both), 1011 one that
    no longer answers pings, or a mistake of ours; after 1012 and `SLOW_CONSUMER` the peer is to
    come back at once."""
    return code not in (1006, 1011, 1012, SLOW_CONSUMER)


def too_large(event: MutableMapping[str, Any]) -> bool:
    """Whether a received message is past `MAX_MESSAGE`. Servers other than `hubbub serve` let
    larger ones pass, unless they are told otherwise."""
    text = event.get("text")
    if text is None:
        return len(event.get("bytes") or b"") > MAX_MESSAGE
    return len(text) > SMALL and len(text.encode(errors="surrogatepass")) > MAX_MESSAGE


def close_code(error: DomainError) -> int:
    """The close code with which a socket is refused."""
    match error:
        case AccountGone():
            return 4000
        case Unauthenticated():
            return 4001
        case NotFound():
            return 4004
        case TooMany():
            return 1013
        case Forbidden():
            return 4003
    return 1011
