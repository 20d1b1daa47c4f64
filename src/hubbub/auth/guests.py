"""People without an account: those a path names, those a secret tells apart, and those nobody
knows."""

import hashlib
import secrets

from hubbub.auth.usernames import normal_username
from hubbub.core.ids import UserId, Who
from hubbub.core.names import GUEST_PREFIX, OURS_PREFIX, fold

_BITS = 52
_SALT = secrets.token_bytes(16)


def named_guest(name: str) -> Who:
    """Whoever goes by this name here. The same name is the same guest, on every socket."""
    digest = hashlib.blake2b(name.encode(), digest_size=8, person=b"hubbub guest").digest()
    number = int.from_bytes(digest) >> (64 - _BITS)
    return Who(UserId(-number - 1), name)


def may_go_by(name: str) -> bool:
    """Whether a guest may go by this name: without white space around it, which nobody sees, and
    like neither those who have none nor an account that lost its own. Whose name it is else is not
    known here."""
    normal = normal_username(name)
    return normal == normal.strip() and not fold(name).startswith((GUEST_PREFIX, OURS_PREFIX))


def secret_guest(secret: str) -> Who:
    """Whoever knows this secret, which nobody can tell from who they are. The same secret is the
    same guest as long as the process runs."""
    digest = hashlib.blake2b(secret.encode(errors="replace"), digest_size=8, key=_SALT).digest()
    number = (int.from_bytes(digest) >> (64 - _BITS)) + 1
    return Who(UserId(-number), f"guest-{number:013x}")


def new_guest() -> Who:
    """Somebody new whom nobody knows. 52 random bits: two guests are never one person."""
    number = secrets.randbits(_BITS) + 1
    return Who(UserId(-number), f"guest-{number:013x}")
