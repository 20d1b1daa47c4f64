"""What routes ask for: the services, who is calling, and channels by name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from fastapi import Depends, Path, Query, Request
from fastapi.security import OAuth2PasswordBearer
from pydantic import BeforeValidator

from hubbub.auth.guests import new_guest
from hubbub.auth.tokens import Identity
from hubbub.core.errors import Forbidden, Invalid, NotFound, Unauthenticated, Unavailable
from hubbub.core.events import Envelope
from hubbub.core.ids import MAX_INTEGER, ChannelRef, UserId, Who, parse_ref, valid_key
from hubbub.mail.base import Outbox
from hubbub.services.accounts import AccountService
from hubbub.services.calls import Calls
from hubbub.services.chat import Chat
from hubbub.services.meetings import Meetings
from hubbub.services.signup import Signup


class WebSettings(Protocol):
    """The settings that routes and guards look at, as `hubbub.config.Settings` has them."""

    @property
    def open(self) -> str:
        """`false`, `loopback` or `force`."""

    @property
    def origins(self) -> Sequence[str]:
        """Origins of web pages that may use the server, besides its own."""

    @property
    def registration(self) -> str:
        """`open` or `closed`."""

    @property
    def room_list(self) -> str:
        """`all` or `joined`."""


@dataclass(frozen=True, slots=True)
class Services:
    """What routes work with. `encode_event` is the native protocol's own encoder, so that an event
    is the same bytes over REST as on a socket. `outbox` is there in development mode alone.
    `asyncapi` describes the sockets."""

    settings: WebSettings
    accounts: AccountService
    chat: Chat
    encode_event: Callable[[Envelope], bytes | None]
    signup: Signup
    outbox: Outbox | None
    calls: Calls
    meetings: Meetings
    asyncapi: Mapping[str, Any]


# Dependencies are coroutines because the framework runs plain functions in threads.


async def services(request: Request) -> Services:
    """The services, which the application's lifespan puts into `app.state.services`.

    Raises:
        Unavailable: before the server has started.
    """
    found = getattr(request.app.state, "services", None)
    if not isinstance(found, Services):
        raise Unavailable("the server is starting", retry_after=1)
    return found


bearer = OAuth2PasswordBearer("/api/token", refreshUrl="/api/v1/auth/refresh", auto_error=False)


async def current(
    use: Annotated[Services, Depends(services)], token: Annotated[str | None, Depends(bearer)]
) -> Identity:
    """Whoever the access token in `Authorization: Bearer` belongs to.

    Raises:
        Unauthenticated: there is none, or it is not valid (any more).
    """
    if not token:
        raise Unauthenticated("an access token is needed", "token_missing")
    return await use.accounts.authenticate(token)


async def caller(identity: Annotated[Identity, Depends(current)]) -> Who:
    """The person calling."""
    return identity.who


async def visitor(
    use: Annotated[Services, Depends(services)], token: Annotated[str | None, Depends(bearer)]
) -> Who:
    """The person calling, who in open mode may be a guest.

    Raises:
        Unauthenticated: there is no token where one is needed, or it is not valid (any more).
    """
    if not token and use.settings.open != "false":
        return new_guest()
    return (await current(use, token)).who


async def admin(who: Annotated[Who, Depends(caller)]) -> Who:
    """The person calling, who is an administrator.

    Raises:
        Forbidden: `admin_only`.
    """
    if not who.admin:
        raise Forbidden("only administrators may do this", "admin_only")
    return who


def client_address(request: Request) -> str:
    """The address of whoever is at the other end, as far as proxies are trusted."""
    return request.client.host if request.client is not None else "unknown"


def _channel(text: object) -> ChannelRef:
    ref = parse_ref(str(text))
    if isinstance(ref, str) and not valid_key(ref):
        raise NotFound("there is no such channel", "unknown_channel")
    return ref


async def find_user(use: Services, named: int | str) -> UserId:
    """The id of the account with that id or username.

    Raises:
        NotFound: `unknown_user`.
    """
    if isinstance(named, int):
        return (await use.accounts.account(UserId(named))).id
    return (await use.accounts.account_named(named)).id


Use = Annotated[Services, Depends(services)]
Caller = Annotated[Who, Depends(caller)]
Admin = Annotated[Who, Depends(admin)]
Visitor = Annotated[Who, Depends(visitor)]
ChannelName = Annotated[
    ChannelRef,
    BeforeValidator(_channel),
    Path(description="a channel: digits are its id, anything else its key"),
]
Limit = Annotated[int, Query(ge=1, le=200, description="how many at most")]
MessageId = Annotated[int | None, Query(ge=0, le=MAX_INTEGER, description="a message's id")]


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which messages: the latest, those next after an id, or those just before one."""

    after: int | None
    before: int | None
    limit: int


async def page(after: MessageId = None, before: MessageId = None, limit: Limit = 50) -> PageQuery:
    """Reads `?limit=`, `&after=`, `&before=`.

    Raises:
        Invalid: for both bounds at once.
    """
    if after is not None and before is not None:
        raise Invalid("give after or before, not both", "invalid_page")
    return PageQuery(after, before, limit)


Page = Annotated[PageQuery, Depends(page)]
