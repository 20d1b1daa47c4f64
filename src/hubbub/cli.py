"""The command line: `hubbub serve`, `hubbub migrate`, `hubbub admin create`."""

import asyncio
import gc
import getpass
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
import uvicorn

from hubbub import __version__, logs
from hubbub.auth.passwords import Passwords, check_password
from hubbub.auth.usernames import check_username
from hubbub.config import ConfigError, Mode, Settings
from hubbub.core.errors import DomainError
from hubbub.hub.closing import MAX_MESSAGE
from hubbub.hub.http import HubbubHttpProtocol
from hubbub.hub.server import HubbubWebSocketProtocol
from hubbub.main import SAMPLE_NAMES, SAMPLE_PASSWORD, create_app
from hubbub.storage.lock import DataLock
from hubbub.storage.migrate import HEAD
from hubbub.storage.migrate import migrate as run_migrations
from hubbub.storage.sqlite import SqliteStorage, make_private, writing_engine

T = TypeVar("T")

DRAIN_SECONDS = 7
"""How long connections get to end after SIGTERM, before the database is closed."""

app = typer.Typer(
    help="Hubbub: a self-hosted real-time server for chat and presence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
admin = typer.Typer(help="Administrators.", no_args_is_help=True)
app.add_typer(admin, name="admin")

DataOption = Annotated[
    Path | None, typer.Option("--data", help="Folder of the database and the secret key.")
]


@app.callback(invoke_without_command=True)
def _main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
def serve(
    dev: Annotated[
        bool, typer.Option("--dev", help="Development: open to this machine, with sample data.")
    ] = False,
    open_: Annotated[
        bool, typer.Option("--open", help="Let strangers in as guests, from anywhere.")
    ] = False,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    data: DataOption = None,
) -> None:
    """Run the server until SIGTERM or Ctrl-C."""
    if dev and open_:
        _fail("--dev and --open exclude each other.")
    mode = Mode.LOOPBACK if dev else Mode.FORCED if open_ else None
    settings = _settings(open=mode, host=host, port=port, data_dir=data)
    logs.configure(settings.log_level, settings.log_format)
    if settings.log_level == "info":
        # A line for every socket that comes and goes is detail, and costs more than the socket.
        for name in ("uvicorn", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
    trusted = list(settings.forwarded_allow_ips)
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=HubbubHttpProtocol,
        ws=HubbubWebSocketProtocol,
        ws_max_size=MAX_MESSAGE,
        ws_per_message_deflate=settings.compression,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted),
        forwarded_allow_ips=trusted or "127.0.0.1",
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    server = _Server(config, settings)
    server.run()
    if not server.started:
        raise typer.Exit(1)


@app.command()
def migrate(data: DataOption = None) -> None:
    """Bring the database up to date, with the server stopped."""
    settings = _settings(data_dir=data)
    settings.database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    def run() -> bool:
        lock = DataLock(settings.database)
        try:
            make_private(settings.database)
            return run_migrations(writing_engine(settings.database))
        finally:
            lock.release()

    done = _refusable(run)
    typer.echo(f"{settings.database}: {'migrated to' if done else 'already at'} {HEAD}")


@admin.command("create")
def create_admin(
    username: Annotated[str, typer.Argument(help="Name of the new account.")],
    data: DataOption = None,
) -> None:
    """Make an account that administers the server, with the server stopped. The password is asked
    for, or read from standard input when that is no terminal."""
    settings = _settings(data_dir=data)

    async def create() -> str:
        name = check_username(username)
        storage = await SqliteStorage.open(settings.database, lambda _: None)
        passwords = Passwords()
        try:
            hashed = await passwords.hash(check_password(_ask_password()))
            return (await storage.add_account(name, hashed, None, admin=True)).username
        finally:
            passwords.close()
            await storage.close()

    typer.echo(f"{_refusable(lambda: asyncio.run(create()))} administers {settings.database} now")


class _Server(uvicorn.Server):
    """uvicorn's server, which says where to go once it listens."""

    def __init__(self, config: uvicorn.Config, settings: Settings) -> None:
        super().__init__(config)
        self._settings = settings
        self._began = time.monotonic()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if not self.started or not self.servers:
            return
        # What start-up made stays; the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        host = self._settings.host
        port = self.servers[0].sockets[0].getsockname()[1]
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        lines = [
            f"Hubbub {__version__} is ready after {time.monotonic() - self._began:.1f} s",
            f"  web page       {url}/static/chat.html",
            f"  API docs       {url}/docs",
            f"  data           {self._settings.database}",
        ]
        if self._settings.dev:
            lines.append(f"  sample users   {' and '.join(SAMPLE_NAMES)}, both {SAMPLE_PASSWORD}")
            lines.append(f"  mail           {url}/dev/mail")
        typer.echo("\n".join(lines))
        sys.stdout.flush()


def _settings(**given: Any) -> Settings:
    try:
        return Settings.load(**given)
    except ConfigError as error:
        _fail(error.message)


def _refusable(run: Callable[[], T]) -> T:
    try:
        return run()
    except (DomainError, ConfigError) as error:
        _fail(str(error))


def _ask_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        _fail("The two differ.")
    return password


def _fail(sentence: str) -> NoReturn:
    typer.echo(f"hubbub: {sentence}", err=True)
    raise typer.Exit(1)
