"""Ids that sockets claim for themselves, and what is said from one to another (PeerJS)."""

from enum import StrEnum

from hubbub.core.errors import Forbidden

MAX_ID = 128

_GAPS = str.maketrans("_-", "  ")


class PassKind(StrEnum):
    """What one id says to another: the `ServerMessageType`s of PeerJS that are passed on."""

    OFFER = "OFFER"
    ANSWER = "ANSWER"
    CANDIDATE = "CANDIDATE"
    LEAVE = "LEAVE"
    EXPIRE = "EXPIRE"


def check_claim(id: str) -> str:
    """Returns an id that may be claimed, as the PeerJS client has them: ASCII letters and digits,
    with single spaces, `_` or `-` between them; 128 characters at most.

    Raises:
        Forbidden: `invalid_id`.
    """
    words = id.translate(_GAPS).split(" ")
    if len(id) > MAX_ID or not id.isascii() or not all(word.isalnum() for word in words):
        raise Forbidden("Invalid ID provided", "invalid_id")
    return id
