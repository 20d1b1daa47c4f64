"""Putting the server together: the only module, besides the command line, that names adapters."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from starlette.types import Receive, Scope, Send

from hubbub import logs
from hubbub.auth.codes import PER_NETWORK, CodeLimits, Codes
from hubbub.auth.external import Rules
from hubbub.auth.keysets import PUBLIC_ALGORITHMS, SECRET_ALGORITHMS, shared_secret
from hubbub.auth.passwords import Passwords
from hubbub.auth.tokens import Tokens
from hubbub.bus.memory import MemoryBus
from hubbub.config import DEV_FACTOR, Settings
from hubbub.core.channels import Kind
from hubbub.core.commands import CreateChannel, JoinChannel
from hubbub.core.errors import Conflict
from hubbub.core.ids import ChannelId, Who
from hubbub.core.limits import Rates
from hubbub.dialects.base import Dialect
from hubbub.dialects.conference import Conference
from hubbub.dialects.conversations import Conversations
from hubbub.dialects.native import Native
from hubbub.dialects.peerjs import PeerJs as PeerJsDialect
from hubbub.dialects.relay import RelayChat, RelayVideo
from hubbub.dialects.rooms import Rooms
from hubbub.dialects.signaling import Signaling
from hubbub.fetch import HttpFetch
from hubbub.hub.hub import Hub, HubLimits
from hubbub.hub.session import SocketLimits
from hubbub.mail.base import Mailer
from hubbub.mail.console import ConsoleMailer
from hubbub.mail.smtp import SmtpMailer
from hubbub.services.accounts import AccountService
from hubbub.services.calls import Calls
from hubbub.services.chat import Chat
from hubbub.services.direct import Direct
from hubbub.services.dispatch import Dispatch
from hubbub.services.external import ExternalPeople, Keys, SharedKeys
from hubbub.services.jwks import PublishedKeys
from hubbub.services.meetings import MeetingLimits, Meetings
from hubbub.services.peerjs import PeerJs
from hubbub.services.presence import Presence
from hubbub.services.signup import Signup
from hubbub.storage.base import Storage
from hubbub.storage.sqlite import SqliteStorage
from hubbub.web import asyncapi
from hubbub.web.app import build_api
from hubbub.web.deps import Services
from hubbub.web.middleware import Origins
from hubbub.web.sockets import DoorSettings, Sockets

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
LOBBY = "lobby"
SAMPLE_NAMES = ("testuser", "alice")
SAMPLE_PASSWORD = "TestPassword123"  # noqa: S105  # printed in document 004, for development mode
SAMPLE_CONVERSATION = ChannelId(1)
SAMPLE_ROOM = "room123"


class Hubbub:
    """The server as an ASGI application.

    Give it to an ASGI server, which runs its lifespan. Mounted inside another application its
    lifespan does not run by itself: enter `running()` in that application's own.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.api = build_api(settings)
        self._sockets: Sockets | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one ASGI scope."""
        match scope["type"]:
            case "http":
                await self.api(scope, receive, send)
            case "websocket" if self._sockets is not None:
                await self._sockets(scope, receive, send)
            case "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1013})
            case "lifespan":
                await self._lifespan(receive, send)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The time in which the server works. Opening the database happens on entering; leaving
        closes every socket with 1012 and commits what is waiting.

        Raises:
            ConfigError: the settings do not add up.
            Locked: another server uses the same database.
        """
        settings = self.settings
        bus = MemoryBus()
        async with AsyncExitStack() as stack:
            storage = await SqliteStorage.open(
                settings.database, bus.publish, synchronous=settings.sqlite_synchronous
            )
            stack.push_async_callback(storage.close)
            passwords = Passwords()
            stack.callback(passwords.close)
            accounts = self._accounts(storage, bus, passwords)
            stack.push_async_callback(accounts.close)
            presence = Presence(bus)
            limits = settings.limits
            rates = Rates(limits.message_rate * 4, limits.message_burst * 4)
            signup, outbox = self._signup(storage, accounts)
            stack.push_async_callback(signup.close)
            chat = Chat(storage, presence, rates, time.monotonic, time.time)
            calls = Calls(bus, Rates(limits.message_rate, limits.message_burst), time.monotonic)
            meetings = Meetings(
                storage,
                MeetingLimits(limits.meeting_rate, limits.meetings_per_user),
                lambda channel: hub.occupied(channel),
                time.monotonic,
                time.time,
            )
            stack.push_async_callback(meetings.close)
            direct = Direct(
                chat,
                accounts.account_by_handle,
                bus,
                lambda address: hub.addresses.occupied(address),
                time.time,
            )
            peerjs = PeerJs(
                bus,
                lambda address, reason: hub.addresses.evict(address, reason),
                None if settings.dev else accounts.account_by_handle,
                Rates(limits.message_rate, limits.message_burst),
                time.monotonic,
            )
            hub = Hub(
                Dispatch(chat, presence, accounts, calls, meetings, direct, peerjs),
                HubLimits(limits.sockets_per_user, limits.sockets_per_address),
                time.monotonic,
            )
            stack.callback(bus.subscribe(hub.on_events, hub.on_notice))
            stack.callback(bus.subscribe(None, peerjs.on_notice))
            await self._furnish(accounts, chat)
            await meetings.start()
            spoken = dialects()
            self._sockets = Sockets(hub, spoken, accounts, self._door(), time.time)
            self.api.state.services = Services(
                settings,
                accounts,
                chat,
                spoken["native"].encode,
                signup,
                outbox,
                calls,
                meetings,
                asyncapi.document(spoken),
            )
            ticking = asyncio.create_task(_tick(hub.tick, meetings.tick, peerjs.tick))
            try:
                yield
            finally:
                ticking.cancel()
                self._sockets = None
                self.api.state.services = None
                hub.close_all(1012, "the server restarts")

    async def _furnish(self, accounts: AccountService, chat: Chat) -> None:
        """Makes what is to be there from the beginning in this mode."""
        if self.settings.dev:
            await _add_samples(accounts, chat)
        if self.settings.guests:
            await chat.ensure_public(LOBBY, "Lobby", guests=True)

    def _accounts(self, storage: Storage, bus: MemoryBus, passwords: Passwords) -> AccountService:
        settings = self.settings
        tokens = Tokens(settings.secret(), settings.algorithm, settings.access_token_expire_minutes)
        return AccountService(
            storage,
            bus,
            tokens,
            passwords,
            login_failures=settings.login_failures,
            refresh_days=settings.refresh_token_days,
            external=self._external(storage, bus),
            clock=time.time,
            monotonic=time.monotonic,
        )

    def _external(self, storage: Storage, bus: MemoryBus) -> ExternalPeople | None:
        settings = self.settings
        keys: Keys
        known: Sequence[str] = PUBLIC_ALGORITHMS
        if settings.jwt_secret is not None:
            keys = SharedKeys(shared_secret(settings.jwt_secret.get_secret_value()))
            known = SECRET_ALGORITHMS
        elif settings.jwt_jwks_url is not None:
            keys = PublishedKeys(HttpFetch(settings.jwt_jwks_url), time.monotonic)
        else:
            return None
        rules = Rules(
            frozenset(settings.jwt_algorithms or known),
            settings.jwt_issuer,
            settings.jwt_audience,
            settings.jwt_subject_claim,
            settings.jwt_name_claim,
            settings.jwt_role_claim,
            settings.jwt_admin_role,
        )
        return ExternalPeople(storage, bus, rules, keys, time.monotonic)

    def _signup(
        self, storage: Storage, accounts: AccountService
    ) -> tuple[Signup, ConsoleMailer | None]:
        settings = self.settings
        mailer: Mailer | None = None
        if settings.smtp_server is not None:
            password = settings.email_password
            mailer = SmtpMailer(
                settings.smtp_server,
                settings.smtp_port,
                settings.email_user,
                None if password is None else password.get_secret_value(),
                settings.sender,
            )
        outbox = ConsoleMailer(mailer) if settings.dev else None
        # In development mode everybody has the same address.
        per_network = PER_NETWORK * (DEV_FACTOR if settings.dev else 1)
        signup = Signup(
            storage,
            accounts,
            Codes(settings.secret()),
            outbox or mailer,
            CodeLimits(time.monotonic, per_network=per_network),
            trusting=settings.dev,
            login_failures=settings.login_failures,
            monotonic=time.monotonic,
        )
        return signup, outbox

    def _door(self) -> DoorSettings:
        settings = self.settings
        limits = settings.limits
        return DoorSettings(
            origins=Origins(settings.origins, loopback=settings.dev),
            guard=settings.dev,
            lobby=LOBBY if settings.guests else None,
            limits=SocketLimits(limits.message_rate, limits.message_burst, limits.frame_rate),
        )

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self.running())
            except Exception as error:
                log.debug("! the server cannot start", exc_info=True)
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


def dialects() -> dict[str, Dialect]:
    """Every protocol that the server speaks, by its name."""
    return {
        dialect.name: dialect
        for dialect in (
            Native(),
            Rooms(),
            Conversations(),
            RelayChat(),
            RelayVideo(),
            Conference(),
            Signaling(),
            PeerJsDialect(),
        )
    }


def create_app(settings: Settings | None = None) -> Hubbub:
    """The server, for an ASGI server or for embedding. Without settings they are read from the
    environment and `.env`.

    Raises:
        ConfigError: for bad settings.
    """
    logs.redact()
    return Hubbub(Settings.load() if settings is None else settings)


def __getattr__(name: str) -> Any:
    # `uvicorn hubbub.main:app` wants an object; importing this module is to have no side effects.
    if name == "app":
        globals()["app"] = app = create_app()
        return app
    raise AttributeError(name)


async def _tick(*ticks: Callable[[], None]) -> None:
    """Calls each of them once a second, whatever becomes of the others."""
    with suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(TICK_SECONDS)
            for tick in ticks:
                try:
                    tick()
                except Exception:
                    log.exception("! what is done every second failed")


async def _add_samples(accounts: AccountService, chat: Chat) -> None:
    """What the documents' examples expect to find, in development mode."""
    try:
        first, second = await accounts.ensure_sample_accounts(SAMPLE_NAMES, SAMPLE_PASSWORD)
    except Conflict:
        log.warning("! no sample data: somebody else goes by the name of a sample account")
        return
    people = [Who(account.id, account.username) for account in (first, second)]
    if not await chat.exists(SAMPLE_CONVERSATION):
        sample = CreateChannel(Kind.CONVERSATION, "Sample conversation", members=(second.id,))
        await chat.create(people[0], sample)
    room = await chat.ensure_public(SAMPLE_ROOM, "Room 123")
    for person in people:
        await chat.change(person, JoinChannel(room.id))
