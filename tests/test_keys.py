"""The settings of an external issuer: what adds up, and what stops the server from starting."""

import os
import re
from pathlib import Path

import pytest

from hubbub.config import ConfigError, Mode, Settings
from hubbub.keys import weakness
from tests.test_config import GOOD_SECRET, PRINTED, refused

DOCS = Path(__file__).parent.parent / "docs"
THEIRS = "fedcba9876543210fedcba9876543210"
URL = "https://issuer.example/.well-known/jwks.json"
NAMES = {
    "jwt_algorithms": "HS256",
    "jwt_issuer": "https://issuer.example",
    "jwt_audience": "chat",
    "jwt_subject_claim": "user_id",
    "jwt_name_claim": "login",
    "jwt_role_claim": "role",
    "jwt_admin_role": "staff",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder and an environment without any of our names."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("HUBBUB_") or name.lower() in Settings.model_fields:
            monkeypatch.delenv(name)
    return tmp_path


def test_nobody_else_is_trusted_by_default() -> None:
    settings = Settings()
    assert (settings.jwt_secret, settings.jwt_jwks_url) == (None, None)


def test_a_secret_or_a_url_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_JWT_SECRET", THEIRS)
    settings = Settings.load()
    assert settings.jwt_secret is not None
    assert settings.jwt_secret.get_secret_value() == THEIRS
    assert (settings.jwt_subject_claim, settings.jwt_admin_role) == ("sub", "admin")
    assert THEIRS not in f"{settings!r} {settings} {settings.model_dump()}"
    assert Settings(jwt_jwks_url=URL).jwt_jwks_url == URL


def test_the_names_without_the_prefix_mean_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", THEIRS)
    assert Settings.load().jwt_secret is None


def test_a_secret_and_a_url_exclude_each_other() -> None:
    message = refused(jwt_secret=THEIRS, jwt_jwks_url=URL)
    assert "HUBBUB_JWT_SECRET and HUBBUB_JWT_JWKS_URL" in message
    assert THEIRS not in message


@pytest.mark.parametrize("name", NAMES)
def test_what_is_said_of_an_issuer_needs_its_key(name: str) -> None:
    message = refused(**{name: NAMES[name]})
    assert message.startswith(f"HUBBUB_{name.upper()} needs")


def test_a_role_needs_a_claim_to_stand_in() -> None:
    assert "HUBBUB_JWT_ROLE_CLAIM" in refused(jwt_secret=THEIRS, jwt_admin_role="staff")
    assert Settings(jwt_secret=THEIRS, jwt_role_claim="is_staff").jwt_admin_role == "admin"


@pytest.mark.parametrize("mode", Mode)
def test_one_key_never_serves_both_us_and_somebody_else(mode: Mode) -> None:
    message = refused(jwt_secret=GOOD_SECRET, secret_key=GOOD_SECRET, open=mode)
    assert message.startswith("HUBBUB_JWT_SECRET must not be the secret")
    assert GOOD_SECRET not in message


def test_nor_does_the_one_that_is_kept(folder: Path) -> None:
    kept = Settings(data_dir=folder).secret()
    settings = Settings(data_dir=folder, jwt_secret=kept)
    with pytest.raises(ConfigError, match=r"^HUBBUB_JWT_SECRET must not be the secret"):
        settings.secret()
    assert Settings(data_dir=folder, jwt_secret=THEIRS).secret() == kept


@pytest.mark.parametrize("secret", [*PRINTED, "x" * 31, "-----BEGIN PUBLIC KEY-----\nMCowBQ" * 2])
def test_a_weak_secret_will_do_on_this_machine_alone(
    secret: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for mode in (Mode.CLOSED, Mode.FORCED):
        message = refused(jwt_secret=secret, open=mode)
        assert message.startswith(f"HUBBUB_JWT_SECRET {weakness(secret)}")
    monkeypatch.setenv("HUBBUB_JWT_SECRET", secret)
    Settings.load(open="loopback")
    assert "HUBBUB_JWT_SECRET" in caplog.text
    assert secret not in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        "https://issuer.example/jwks",
        "https://issuer.example:8443/a/b?c=d",
        "HTTPS://issuer.example/",
        "http://127.0.0.1:8000/jwks",
        "http://localhost/jwks",
        "http://[::1]:8000/jwks",
    ],
)
def test_a_url_of_keys_is_safe_on_its_way(url: str) -> None:
    assert Settings(jwt_jwks_url=url).jwt_jwks_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example/jwks",
        "http://10.0.0.1/jwks",
        "http://localhost.example/jwks",
        "http://127.0.0.1.example/",
        "file:///etc/passwd",
        "ftp://issuer.example/",
        "issuer.example/jwks",
        "https://",
        "https:///jwks",
        "https://user:hunter2@issuer.example/",
        "https://issuer.example:port/",
        "https://issuer.example:99999/",
        "https://issuer.example/#keys",
        "https://issuer.example/a b",
        "https://[::1/",
    ],
)
def test_any_other_url_of_keys_is_refused(url: str) -> None:
    message = refused(jwt_jwks_url=url)
    assert message.startswith("HUBBUB_JWT_JWKS_URL must be an https URL")
    assert "hunter2" not in message


def test_algorithms_are_those_of_the_kind_of_key() -> None:
    assert Settings(jwt_secret=THEIRS, jwt_algorithms="HS384,HS512").jwt_algorithms == (
        "HS384",
        "HS512",
    )
    assert Settings(jwt_jwks_url=URL, jwt_algorithms=" ES256 , EdDSA").jwt_algorithms == (
        "ES256",
        "EdDSA",
    )
    for name in ("RS256", "none", "hs256", "HS1"):
        assert "with HUBBUB_JWT_SECRET" in refused(jwt_secret=THEIRS, jwt_algorithms=name)
    for name in ("HS256", "none", "ES256K", "RS1"):
        message = refused(jwt_jwks_url=URL, jwt_algorithms=f"RS256,{name}")
        assert "with HUBBUB_JWT_JWKS_URL" in message
        assert message.endswith(f"not {name!r}.")


def test_every_setting_of_an_issuer_is_in_the_documentation_and_no_other() -> None:
    fields = {f"HUBBUB_{n.upper()}" for n in Settings.model_fields if n.startswith("jwt_")}
    for page in ("configuration.md", "external-identity.md"):
        named = set(re.findall(r"HUBBUB_JWT_\w+", (DOCS / page).read_text()))
        assert named == fields, page


def test_the_settings_of_the_examples_add_up() -> None:
    text = (DOCS / "external-identity.md").read_text()
    examples = re.findall(r"```sh\n# \.env of Hubbub\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        values = dict(line.split("=", 1) for line in example.splitlines())
        values = {name.removeprefix("HUBBUB_").lower(): value for name, value in values.items()}
        if "jwt_secret" in values:
            values["jwt_secret"] = THEIRS
        Settings(**values)


def test_our_own_name_is_nobody_elses() -> None:
    assert "HUBBUB_JWT_ISSUER" in refused(jwt_secret=THEIRS, jwt_issuer="hubbub")
    assert "HUBBUB_JWT_ISSUER" in refused(jwt_secret=THEIRS, jwt_issuer="x" * 256)
