"""The keys that settings name or the data folder keeps: what makes one unfit to start with."""

import hmac
import ipaddress
import logging
import os
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

PRINTED_SECRETS = frozenset({"yoursecretkey", "your-secret-key-here", "your_jwt_token"})
"""What the documents print where a secret belongs; compared in lower case."""
MIN_SECRET = 32
OWN_ISSUER = "hubbub"
SECRET_ALGORITHMS = ("HS256", "HS384", "HS512")
PUBLIC_ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
    "EdDSA", "Ed25519",
)  # fmt: skip


class ConfigError(Exception):
    """The server cannot start like this. `message` is one sentence that names the setting."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def weakness(secret: str) -> str | None:
    """What is wrong with a secret, as the rest of a sentence; None when nothing is."""
    if secret.lower() in PRINTED_SECRETS:
        return "is printed in a document"
    if len(secret.encode()) < MIN_SECRET:
        return f"is shorter than {MIN_SECRET} bytes"
    if re.search(r"-----BEGIN |^(ssh|ecdsa)-", secret):
        return "is an asymmetric key, whose public half is no secret"
    return None


def check_issuer(
    secret: str | None, url: str | None, algorithms: Sequence[str], issuer: str | None
) -> None:
    """Returns when the tokens of an external issuer can be told by these settings.

    Raises:
        ConfigError: there are two kinds of key, a URL that anybody on the way could answer, an
            algorithm of the other kind, or our own name.
    """
    if secret is not None and url is not None:
        raise ConfigError(
            "HUBBUB_JWT_SECRET and HUBBUB_JWT_JWKS_URL exclude each other: an issuer signs with a "
            "shared secret or with keys of its own."
        )
    if url is not None:
        _check_url(url)
    allowed = PUBLIC_ALGORITHMS if secret is None else SECRET_ALGORITHMS
    for name in algorithms:
        if name not in allowed:
            kind = "HUBBUB_JWT_JWKS_URL" if secret is None else "HUBBUB_JWT_SECRET"
            raise ConfigError(
                f"HUBBUB_JWT_ALGORITHMS with {kind} must be of {', '.join(allowed)}, "
                f"not {name[:60]!r}."
            )
    if issuer == OWN_ISSUER:
        raise ConfigError(
            f"HUBBUB_JWT_ISSUER must not be {OWN_ISSUER}, the name under which this server signs."
        )


def check_other(secret: str, own: str) -> None:
    """Returns when two secrets differ: one key never serves both us and an external issuer.

    Raises:
        ConfigError: they are one.
    """
    if hmac.compare_digest(secret.encode(), own.encode()):
        raise ConfigError(
            "HUBBUB_JWT_SECRET must not be the secret this server signs with itself: whoever has "
            "the one could make the tokens of the other."
        )


def loopback(host: str) -> bool:
    """Whether this host is this machine and nothing else."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def kept_secret(path: Path) -> str:
    """The secret in this file, which is made when it is not there, readable by its owner alone.

    Raises:
        ConfigError: it can be neither read nor made.
    """
    try:
        if not path.exists():
            _make_secret(path)
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
            log.warning("! %s was readable by others; it is its owner's alone again.", path)
        secret = path.read_text("ascii").strip()
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"No secret can be kept in {path} ({error}): set SECRET_KEY.") from None
    if len(secret) < MIN_SECRET:
        raise ConfigError(f"{path} is damaged: remove it, or set SECRET_KEY.")
    return secret


def _make_secret(path: Path) -> None:
    """Puts a whole secret there, or leaves the one that another process has just put there."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(64) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # reading it checks it
    except ValueError:
        parts = urlsplit("")
    host = parts.hostname or ""
    safe = parts.scheme == "https" or (parts.scheme == "http" and loopback(host))
    if not (host and safe) or "@" in parts.netloc or parts.fragment or re.search(r"\s", url):
        raise ConfigError(
            "HUBBUB_JWT_JWKS_URL must be an https URL without credentials, or an http one on this "
            "machine."
        )
