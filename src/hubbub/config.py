"""The settings: read once, from the environment and `.env`, and nowhere else in the program.

The setting `port` is the variable `HUBBUB_PORT`. The names that the documents of `rooms` and
`signaling` made known work as they are, too; the prefixed one wins. The environment beats `.env`,
a command line beats both. An empty value counts as none.
"""

import ipaddress
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from hubbub.keys import (
    MIN_SECRET,
    ConfigError,
    check_issuer,
    check_other,
    kept_secret,
    loopback,
    weakness,
)

__all__ = ["ConfigError", "Limits", "Mode", "Settings"]

log = logging.getLogger(__name__)

PREFIX = "HUBBUB_"
SEED_NAMES = frozenset(
    {"database_url", "secret_key", "algorithm", "access_token_expire_minutes", "redis_url"}
    | {"smtp_server", "smtp_port", "email_user", "email_password"}
)
"""Settings that go by their bare name as well."""
DEV_FACTOR = 10


class Mode(StrEnum):
    """Who gets in without a token: nobody, everybody on this machine, everybody (as a guest)."""

    CLOSED = "false"
    LOOPBACK = "loopback"
    FORCED = "force"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may do. 0 means no limit. Rates are per second, `meeting_rate` is per
    minute."""

    message_rate: int
    message_burst: int
    frame_rate: int
    sockets_per_user: int
    sockets_per_address: int
    meeting_rate: int
    meetings_per_user: int


def _setting(default: Any, must: str, **constraints: Any) -> Any:
    """A field whose refusal reads "`NAME` must be `must`"."""
    return Field(default, description=must, **constraints)


_COUNT = "a whole number, 0 meaning no limit"
_Names = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """All settings, checked. Making one reads no environment: `Settings.load` does.

    Raises:
        ConfigError: for any bad value.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        str_strip_whitespace=True,
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        dotenv_filtering="only_existing",
    )

    open: Mode = _setting(Mode.CLOSED, "false, loopback or force")
    host: str = _setting("127.0.0.1", "an address or a host name")
    port: int = _setting(8000, "a port from 0 to 65535", ge=0, le=65535)
    data_dir: Path = _setting(Path("data"), "the path of a folder")
    database_url: str | None = _setting(None, "a URL such as sqlite:///./app.db", repr=False)
    sqlite_synchronous: Literal["FULL", "NORMAL"] = _setting("FULL", "FULL or NORMAL")
    redis_url: str | None = _setting(None, "a URL", repr=False)
    redis_optional: bool = _setting(False, "true or false")

    secret_key: SecretStr | None = _setting(None, f"at least {MIN_SECRET} random bytes")
    algorithm: Literal["HS256", "HS384", "HS512"] = _setting("HS256", "HS256, HS384 or HS512")
    access_token_expire_minutes: int = _setting(
        30, "a number of minutes from 1 to 525600", ge=1, le=525_600
    )
    refresh_token_days: int = _setting(30, "a number of days from 1 to 3650", ge=1, le=3650)
    registration: Literal["open", "closed"] = _setting("open", "open or closed")
    origins: _Names = _setting((), "a list of origins such as https://chat.example.com")
    forwarded_allow_ips: _Names = _setting((), "a list of addresses or networks of proxies")

    jwt_secret: SecretStr | None = _setting(None, f"at least {MIN_SECRET} random bytes")
    jwt_jwks_url: str | None = _setting(None, "an https URL", repr=False)
    jwt_algorithms: _Names = _setting((), "a list of algorithms such as RS256,ES256")
    jwt_issuer: str | None = _setting(
        None, "what `iss` says, 255 characters at most", max_length=255
    )
    jwt_audience: str | None = _setting(None, "what `aud` says")
    jwt_subject_claim: str = _setting("sub", "the name of a claim")
    jwt_name_claim: str | None = _setting(None, "the name of a claim")
    jwt_role_claim: str | None = _setting(None, "the name of a claim")
    jwt_admin_role: str = _setting("admin", "the name of a role")

    smtp_server: str | None = _setting(None, "an address or a host name")
    smtp_port: int = _setting(1025, "a port from 1 to 65535", ge=1, le=65535)
    email_user: str | None = _setting(None, "the name to log in with at the mail server")
    email_password: SecretStr | None = _setting(None, "a password")
    email_from: str | None = _setting(
        None, "an e-mail address", pattern=r"^[\x21-\x3f\x41-\x7e]+@[A-Za-z0-9.-]+$"
    )

    room_list: Literal["all", "joined"] = _setting("all", "all or joined")
    message_rate: int = _setting(50, _COUNT, ge=0)
    message_burst: int = _setting(200, _COUNT, ge=0)
    frame_rate: int = _setting(500, _COUNT, ge=0)
    sockets_per_user: int = _setting(50, _COUNT, ge=0)
    sockets_per_address: int | None = _setting(None, _COUNT, ge=0)
    meeting_rate: int = _setting(60, _COUNT, ge=0)
    meetings_per_user: int | None = _setting(None, _COUNT, ge=0)
    login_failures: int = _setting(5, _COUNT, ge=0)
    compression: bool = _setting(False, "true or false")
    log_level: Literal["debug", "info", "warning", "error", "critical"] = _setting(
        "info", "debug, info, warning, error or critical"
    )
    log_format: Literal["console", "json"] | None = _setting(None, "console or json")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigError(_sentence(error)) from None

    @classmethod
    def load(cls, **given: Any) -> Self:
        """The settings of this process. `given` is what a command line says, None where nothing.

        Logs a warning for what is unwise and allowed, and for names that look misspelt.

        Raises:
            ConfigError: for any bad value, wherever it stands.
        """
        values: dict[str, Any] = {}
        names: set[str] = set()
        try:
            for source in (DotEnvSettingsSource, EnvSettingsSource):
                bare = source(cls)
                values |= {name: value for name, value in bare().items() if name in SEED_NAMES}
                values |= source(cls, env_prefix=PREFIX)()
                names.update(bare.env_vars)
        except (OSError, UnicodeError) as error:
            raise ConfigError(f".env cannot be read: {error}.") from None
        settings = cls(**values | {name: v for name, v in given.items() if v is not None})
        for warning in (*settings.warnings(), *_misspelt(names)):
            log.warning("! %s", warning)
        return settings

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        *others: PydanticBaseSettingsSource,  # noqa: ARG003
        **more: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what the caller says counts; `load` is the one that looks around."""
        return (init_settings,)

    @property
    def dev(self) -> bool:
        """Open to this machine alone: development mode."""
        return self.open is Mode.LOOPBACK

    @property
    def guests(self) -> bool:
        """Whether people without an account are let in anywhere."""
        return self.open is not Mode.CLOSED

    @property
    def database(self) -> Path:
        """The file of the SQLite database; relative paths are relative to the working folder."""
        if self.database_url is None:
            return self.data_dir / "hubbub.db"
        return _sqlite_path(self.database_url)

    @property
    def limits(self) -> Limits:
        """The limits that hold in this mode: development mode allows ten times the rates and,
        unless told otherwise, any number of sockets per address and of meetings."""
        factor = DEV_FACTOR if self.dev else 1
        per_address = self.sockets_per_address
        if per_address is None:
            per_address = 0 if self.dev else 200
        meetings = self.meetings_per_user
        if meetings is None:
            meetings = 0 if self.dev else 200
        return Limits(
            message_rate=self.message_rate * factor,
            message_burst=self.message_burst * factor,
            frame_rate=self.frame_rate * factor,
            sockets_per_user=self.sockets_per_user,
            sockets_per_address=per_address,
            meeting_rate=self.meeting_rate * factor,
            meetings_per_user=meetings,
        )

    @property
    def sender(self) -> str:
        """The address that mail is from: `HUBBUB_EMAIL_FROM`, else the name at the mail server when
        that is an address."""
        user = self.email_user or ""
        return self.email_from or (user if "@" in user else "hubbub@localhost")

    def secret(self) -> str:
        """The key that signs tokens: `SECRET_KEY`, or else a random one, which is made and kept
        in the data folder when it is not there yet.

        Raises:
            ConfigError: it can be neither read nor made, or somebody else signs with it as well.
        """
        if self.secret_key is not None:
            return self.secret_key.get_secret_value()
        kept = kept_secret(self.data_dir / "secret.key")
        if self.jwt_secret is not None:
            check_other(self.jwt_secret.get_secret_value(), kept)
        return kept

    def warnings(self) -> Sequence[str]:
        """What is unwise and allowed, a sentence each."""
        found = []
        if self.secret_key is not None and (fault := weakness(self.secret_key.get_secret_value())):
            found.append(f"SECRET_KEY {fault}: it will do on this machine alone.")
        if self.jwt_secret is not None and (fault := weakness(self.jwt_secret.get_secret_value())):
            found.append(f"HUBBUB_JWT_SECRET {fault}: it will do on this machine alone.")
        if self.redis_url is not None:
            found.append(
                "REDIS_URL is set and this version has no Redis bus: falling back to one process, "
                "in memory, as HUBBUB_REDIS_OPTIONAL allows."
            )
        return found

    @field_validator("open", "registration", "room_list", "log_level", "log_format", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return str(value).strip().lower() if isinstance(value, (str, bool)) else value

    @field_validator("algorithm", "sqlite_synchronous", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.strip().upper() if isinstance(value, str) else value

    @field_validator("origins", "forwarded_allow_ips", "jwt_algorithms", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part for item in value.split(",") if (part := item.strip()))

    @field_validator("origins")
    @classmethod
    def _check_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_origin(item) for item in value)

    @field_validator("forwarded_allow_ips")
    @classmethod
    def _check_proxies(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for item in value:
            try:
                ipaddress.ip_network(item, strict=False)
            except ValueError:
                raise ConfigError(
                    "HUBBUB_FORWARDED_ALLOW_IPS must name the addresses or networks of proxies, "
                    f"not {item!r}."
                ) from None
        return value

    @field_validator("data_dir")
    @classmethod
    def _expand(cls, value: Path) -> Path:
        return value.expanduser()

    @model_validator(mode="after")
    def _check_whole(self) -> Self:
        if self.database_url is not None:
            _sqlite_path(self.database_url)
        if self.redis_url is not None and not self.redis_optional:
            raise ConfigError(
                "REDIS_URL is set and this version has no Redis bus: leave it out, or set "
                "HUBBUB_REDIS_OPTIONAL=true to run as one process, in memory."
            )
        if self.secret_key is not None:
            fault = weakness(self.secret_key.get_secret_value())
            if fault is not None and not self.dev:
                raise ConfigError(
                    f"SECRET_KEY {fault}: use at least {MIN_SECRET} random bytes, or leave it out "
                    "to have some made and kept in the data folder."
                )
        self._check_issuer()
        if self.dev and not loopback(self.host):
            raise ConfigError(
                f"HUBBUB_HOST must be an address of this machine alone in development mode, such "
                f"as 127.0.0.1, not {self.host!r}."
            )
        return self

    def _check_issuer(self) -> None:
        secret = None if self.jwt_secret is None else self.jwt_secret.get_secret_value()
        if secret is None and self.jwt_jwks_url is None:
            for name, field in type(self).model_fields.items():
                if name.startswith("jwt_") and getattr(self, name) != field.default:
                    raise ConfigError(
                        f"{PREFIX}{name.upper()} needs HUBBUB_JWT_SECRET or HUBBUB_JWT_JWKS_URL, "
                        "the key of the issuer it speaks of."
                    )
            return
        if "jwt_admin_role" in self.model_fields_set and self.jwt_role_claim is None:
            raise ConfigError("HUBBUB_JWT_ADMIN_ROLE needs HUBBUB_JWT_ROLE_CLAIM.")
        check_issuer(secret, self.jwt_jwks_url, self.jwt_algorithms, self.jwt_issuer)
        if secret is None:
            return
        if self.secret_key is not None:
            check_other(secret, self.secret_key.get_secret_value())
        fault = weakness(secret)
        if fault is not None and not self.dev:
            raise ConfigError(
                f"HUBBUB_JWT_SECRET {fault}: use at least {MIN_SECRET} random bytes, or "
                "HUBBUB_JWT_JWKS_URL for public keys."
            )


def _sentence(error: ValidationError) -> str:
    """The first thing that is wrong, without the values that are nobody's business."""
    fault = error.errors(include_url=False)[0]
    name = str(fault["loc"][0])
    field = Settings.model_fields.get(name)
    if field is None:
        return f"There is no setting {name!r}."
    shown = name.upper() if name in SEED_NAMES else PREFIX + name.upper()
    if name in ("secret_key", "database_url", "redis_url", "jwt_secret", "jwt_jwks_url"):
        return f"{shown} must be {field.description}."
    return f"{shown} must be {field.description}, not {str(fault['input'])[:60]!r}."


def _misspelt(names: set[str]) -> Sequence[str]:
    known = {PREFIX.lower() + name for name in Settings.model_fields}
    unknown = {name for name in names if name.startswith(PREFIX.lower())} - known
    return [f"{name.upper()} is no setting and is ignored." for name in sorted(unknown)]


def _sqlite_path(url: str) -> Path:
    if re.match(r"postgres(ql)?(\+\w+)?:", url, re.IGNORECASE):
        raise ConfigError(
            "DATABASE_URL names a PostgreSQL database, and this version has SQLite only: use a "
            "URL such as sqlite:///./app.db, or leave it out."
        )
    match = re.fullmatch(r"sqlite(?:\+\w+)?:///(?P<path>[^?#]+)", url, re.IGNORECASE)
    if match is None or match["path"].endswith((":memory:", "/")):
        raise ConfigError(
            "DATABASE_URL must name a file of SQLite in a URL such as sqlite:///./app.db, without "
            "options."
        )
    return Path(match["path"])


def _origin(text: str) -> str:
    """An origin as browsers write it: lower case, no default port (RFC 6454, 6.1)."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    scheme, host = parts.scheme, parts.hostname
    written = f"{parts.scheme}://{parts.netloc}".lower()
    whole = (
        written == text.lower() and text.isascii() and "@" not in text and not text.endswith(":")
    )
    if scheme not in ("http", "https") or not host or not whole or re.search(r"[*\s]", text):
        raise ConfigError(
            "HUBBUB_ORIGINS must be a list of origins such as https://chat.example.com, each "
            f"without a path and never * or null, not {text[:60]!r}."
        )
    shown = f"[{host}]" if ":" in host else host
    default = {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{shown}" if port in (None, default) else f"{scheme}://{shown}:{port}"
