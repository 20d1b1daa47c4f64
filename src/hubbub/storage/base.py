"""What storage guarantees to the services.

Whatever returned, or called back with, an answer is committed: on SQLite it has been flushed to
the disk. Every failure is a `DomainError`; one that is none of the caller's fault is
`Unavailable`, and nothing has been stored then. Times are milliseconds since 1970, UTC.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from hubbub.core.answers import Done, Entered, Messages, Posted
from hubbub.core.channels import Channel, Membership, Role
from hubbub.core.commands import (
    ChannelChange,
    CreateChannel,
    Enter,
    MoveCursor,
    ReadHistory,
    SendMessage,
)
from hubbub.core.errors import DomainError
from hubbub.core.events import Durable, Envelope
from hubbub.core.ids import ChannelId, ChannelRef, Person, UserId, Who


@dataclass(frozen=True, slots=True)
class Account:
    """A person with a username. `password_hash` is None for somebody who has no password. Whoever
    came with a token of an external `issuer` is `subject` to it. A `subject` without an issuer is
    what an application's own ids call somebody whose username became somebody else's subject."""

    id: UserId
    username: str
    email: str | None
    password_hash: str | None
    admin: bool
    disabled: bool
    created_at: int
    issuer: str | None = None
    subject: str | None = None

    def is_called(self, handle: str) -> bool:
        """Whether an application's own ids may call them by what is known to be their subject or
        their username: by the username only if there is no subject."""
        return self.subject in (None, handle)


@dataclass(frozen=True, slots=True)
class Session:
    """One login: what all tokens minted from it have in common."""

    id: str
    user: UserId
    created_at: int
    expires_at: int
    revoked: bool


@dataclass(frozen=True, slots=True)
class Member:
    """A member as lists show them."""

    id: UserId
    name: str
    role: Role
    joined_at: int


@dataclass(frozen=True, slots=True)
class ChannelView:
    """A channel as one person sees it: `mine` is their membership."""

    channel: Channel
    mine: Membership | None
    creator: str | None
    members: Sequence[Member]


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """A live socket as it is recorded."""

    id: str
    user: UserId
    username: str
    dialect: str
    channel: str | None
    address: str
    connected_at: int


class Journal(Protocol):
    """The channels and their sequences.

    Per channel there is one order, dense and never reused. Loading, deciding and storing are one
    unit under the channel's lock, and units of one caller happen in the order they were asked for.
    Committed events are handed to the publisher in `seq` order, after the answers of the same
    commit were called back.
    """

    def post(
        self, who: Who, command: SendMessage, done: Callable[[Posted | DomainError], None]
    ) -> None:
        """Appends a message, whose content the caller has checked. Never waits; `done` is called
        on the event loop after the commit. Permission is decided in the same transaction."""

    def move(
        self, who: Who, command: MoveCursor, done: Callable[[Done | DomainError], None]
    ) -> None:
        """Moves a member's cursors forward, up to the channel's `seq`. Never waits."""

    async def change(self, who: Who, command: ChannelChange) -> Sequence[Durable]:
        """Decides and stores a change; what happened comes back, and has been published."""

    async def create(self, who: Who, command: CreateChannel) -> Channel:
        """Makes a channel with its first members.

        Raises:
            NotFound: `unknown_user`, when one of the members is no account.
        """

    async def direct(self, who: Who, other: UserId) -> Channel:
        """The direct chat of two people, made when there is none yet."""

    async def direct_with(self, who: Who, other: Person) -> Channel:
        """The direct chat of two people of whom one may be a guest, made when there is none."""

    async def ensure_channel(self, key: str, name: str, *, guests: bool) -> Channel:
        """The public room with this key that belongs to nobody, made when there is none."""

    async def find(self, ref: ChannelRef) -> Channel | None:
        """The channel of that id or key."""

    async def enter(self, who: Who, command: Enter, most: int, most_bytes: int) -> Entered:
        """Reads what entering needs in one snapshot: permission to read, the events after the
        cursor (the newest `most`, of at most `most_bytes` of content), the latest messages.

        Raises:
            NotFound, Forbidden, NotAMember: as `authorize` says.
        """

    async def authorize_read(self, who: Who, ref: ChannelRef) -> Channel:
        """The channel, when `who` may read it."""

    async def history(self, who: Who, command: ReadHistory) -> Messages:
        """Messages, oldest first."""

    async def events(self, who: Who, ref: ChannelRef, after: int, limit: int) -> Sequence[Envelope]:
        """Durable events after a `seq`, oldest first."""

    async def backfill(self, channel: ChannelId, after: int, upto: int) -> Sequence[Envelope]:
        """The server's own reading of a channel, for filling a gap: nobody's permission counts."""

    async def view(self, who: Who, ref: ChannelRef) -> ChannelView:
        """A channel and its members, for somebody who may read it."""

    async def views(self, who: Who, *, joined: bool) -> Sequence[ChannelView]:
        """The channels somebody is a member of; without `joined` also the public rooms."""


class Accounts(Protocol):
    """People, their logins, their live sockets."""

    async def add_account(
        self, username: str, password_hash: str | None, email: str | None, *, admin: bool = False
    ) -> Account:
        """Makes an account. Usernames are unique whatever their case, and nobody's subject.

        Raises:
            Conflict: `username_taken`.
        """

    async def account(self, name: str) -> Account | None:
        """The account of that username, whatever its case."""

    async def account_by_id(self, user: UserId) -> Account | None:
        """The account of that id."""

    async def account_by_subject(self, issuer: str, subject: str) -> Account | None:
        """The account of whom an external issuer calls `subject`."""

    async def account_by_handle(self, handle: str, issuer: str | None) -> Account | None:
        """Whose name this is: the subject, to the letter, of `issuer` or of nobody's, else the
        username, whatever its case."""

    async def external_account(
        self, issuer: str, subject: str, names: Sequence[str]
    ) -> tuple[Account, UserId | None]:
        """The account of an external issuer's `subject`, made when there is none yet, under the
        first of these usernames that is free: nobody's, and not another's subject. Nobody who is
        there already is taken for them.

        An account without an issuer that was called so until now gets a subject of its own, which
        is nobody's name; its id comes back as well.

        Raises:
            Conflict: `username_taken`, when all of them are.
        """

    async def set_password(self, user: UserId, password_hash: str) -> None:
        """Replaces the password."""

    async def set_disabled(self, user: UserId, disabled: bool) -> None:
        """Disables or enables an account; disabling revokes its sessions."""

    async def open_session(self, session: Session, refresh_hash: str) -> None:
        """Records a login with its first refresh token (its hash)."""

    async def rotate(self, refresh_hash: str, new_hash: str, now: int) -> tuple[Session, Account]:
        """Uses a refresh token up and puts a new one in its place; the login and whose it is.

        Raises:
            Unauthenticated: it is unknown, expired or revoked.
            RefreshReused: it was used before; the whole session has been revoked.
        """

    async def session(self, session: str) -> tuple[Session, Account] | None:
        """A login and whose it is."""

    async def sessions(self, user: UserId) -> Sequence[Session]:
        """Somebody's logins that are neither revoked nor expired."""

    async def revoke(self, session: str, user: UserId) -> bool:
        """Ends a login of `user`; False when there was none to end."""

    async def revoke_all(self, user: UserId, but: str | None = None) -> Sequence[str]:
        """Ends all of somebody's logins but one; the ids of those that ended come back."""

    def connected(self, row: ConnectionRow) -> None:
        """Records a live socket, soon. Never waits."""

    def disconnected(self, connection: str) -> None:
        """Removes the record of a socket, soon. Never waits."""

    async def connections(self, user: UserId | None) -> Sequence[ConnectionRow]:
        """The live sockets of one user, or of everybody, after all that was recorded so far."""


CODE_SECONDS = 600
"""The life of a code that was mailed, and of a verification."""
CODE_TRIES = 5
"""How often a code may be guessed."""


class Emails(Protocol):
    """Addresses that belong to an account, and the proving of it. Addresses come case-folded,
    codes and tokens as digests.

    An address has one code, the newest, which is good for ten minutes, once, and for five guesses
    altogether. A verification is what a code was exchanged for: good for ten minutes, for one login
    and, as an address gets a username once, for one username.
    """

    async def put_code(self, email: str, digest: str, *, known_only: bool = False) -> bool:
        """Puts a code in the place of any other; whether it counts comes back.

        With `known_only` the code of an address that belongs to nobody does not count, and one that
        does is not displaced. A guess takes as long with a code as without one.
        """

    async def verify(self, email: str, digest: str, token: str) -> bool:
        """Exchanges a code for a verification; False when the code is not right (any more)."""

    async def name_email(
        self, email: str, spelling: str, username: str, token: str | None
    ) -> Account | None:
        """Makes the account of a verified address, without a password; `spelling` is the address as
        it was typed. None when nothing verifies the address: with `token` None, any verification
        of it counts.

        Raises:
            Conflict: `username_set`: the address belongs to an account. `username_taken`; then
                the verification stays good.
        """

    async def log_in_by_token(self, email: str, token: str) -> UserId | None:
        """Uses a verification up: whose address it is. None when nothing verifies the address.

        Raises:
            Conflict: `no_username`: the address belongs to nobody yet; nothing is used up.
        """

    async def log_in_by_code(self, email: str, digest: str) -> UserId | None:
        """Uses a code up: whose address it is. None when the code is not right (any more).

        Raises:
            Conflict: `no_username`: the address belongs to nobody yet; nothing is used up.
        """

    async def log_in_by_email(self, email: str) -> UserId | None:
        """Whose address it is, for those who take a verified address for proof enough.

        Raises:
            Conflict: `no_username`: the address is verified and belongs to nobody yet.
        """

    async def join_email(self, user: UserId, email: str, spelling: str, digest: str) -> bool:
        """Uses a code up and gives the address to `user`; False when the code is not right (any
        more).

        Raises:
            Conflict: `email_taken`: the address belongs to somebody else.
        """


class Meetings(Protocol):
    """The channels that end."""

    async def open_meeting(self, key: str | None, creator: UserId | None) -> Channel:
        """The channel with this key, or a new meeting with it; without one a new meeting that
        waits for somebody to come."""

    async def find(self, ref: ChannelRef) -> Channel | None:
        """The channel of that id or key."""

    async def meetings(self, most: int | None = None) -> Sequence[Channel]:
        """The meetings that have not ended, or the newest `most` of them, oldest first."""

    async def begin_meeting(self, meeting: ChannelId) -> None:
        """Somebody has come to a meeting that waited."""

    async def end_meeting(self, meeting: ChannelId) -> None:
        """Ends a meeting, after which its key is free."""


class Storage(Journal, Accounts, Emails, Meetings, Protocol):
    """Everything that is kept, in one database."""

    async def ready(self) -> bool:
        """Whether reading and writing work right now."""

    async def close(self) -> None:
        """Commits what is waiting and lets the database go."""
