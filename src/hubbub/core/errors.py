"""Everything that can be refused, as one tree.

    DomainError
      Invalid            the request is wrong and stays wrong
        BadFrame         it could not be read at all
        NotConnected     a command before `connect`
      Unauthenticated    no token, a bad one, an expired one, a wrong password
        AccountGone      a good token of an account that is gone or disabled
      Forbidden          known, and not allowed
        NotAMember
      NotFound
      Conflict           the name is taken, the state does not allow it
      TooMany            later, after `retry_after` seconds
      Unavailable        the server cannot do it now

Each carries a stable `code` slug for programs and a sentence for people. Numbers (HTTP statuses,
close codes) exist only at the edges.
"""

from typing import ClassVar


class DomainError(Exception):
    """A refusal. `str(error)` is the sentence to show; `temporary` says whether trying the same
    thing later can succeed, `retry_after` after how many seconds."""

    code: str = "error"
    temporary: ClassVar[bool] = False

    def __init__(
        self, message: str, code: str | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after
        if code is not None:
            self.code = code


class Invalid(DomainError):
    """What was asked for is malformed or outside the limits."""

    code = "invalid"


class BadFrame(Invalid):
    """A frame that is no JSON object of the dialect."""

    code = "bad_frame"


class NotConnected(Invalid):
    """A command on a native socket that has not connected yet."""

    code = "not_connected"


class Unauthenticated(DomainError):
    """Nobody known is asking."""

    code = "unauthenticated"


class AccountGone(Unauthenticated):
    """The token is genuine, the account it names is gone or disabled."""

    code = "account_gone"


class Forbidden(DomainError):
    """Known, and not allowed."""

    code = "forbidden"


class NotAMember(Forbidden):
    """Only members may do this here."""

    code = "not_a_member"


class NotFound(DomainError):
    """There is no such thing, or not for the person asking."""

    code = "not_found"


class Conflict(DomainError):
    """It is taken already, or the state of things does not allow it."""

    code = "conflict"


class TooMany(DomainError):
    """A limit on a rate or a number was reached."""

    code = "rate_limited"
    temporary = True


class Unavailable(DomainError):
    """The server cannot do this now."""

    code = "unavailable"
    temporary = True


class RefreshReused(Unauthenticated):
    """A refresh token came back after it had been used: the session it belongs to has ended."""

    code = "refresh_reused"

    def __init__(self, session: str) -> None:
        super().__init__("this refresh token was used before; log in again")
        self.session = session
