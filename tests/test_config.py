"""Settings: where they come from, what they must be, and what stops the server from starting."""

import logging
import os
import stat
from pathlib import Path

import pytest

from hubbub.config import ConfigError, Limits, Mode, Settings

GOOD_SECRET = "0123456789abcdef0123456789abcdef"
PRINTED = ["yoursecretkey", "your-secret-key-here", "your_jwt_token", "YOUR_JWT_TOKEN"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder and an environment without any of our names."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("HUBBUB_") or name.lower() in Settings.model_fields:
            monkeypatch.delenv(name)
    return tmp_path


def refused(**values: object) -> str:
    with pytest.raises(ConfigError) as caught:
        Settings(**values)
    message = caught.value.message
    assert "\n" not in message
    assert message == str(caught.value)
    return message


def test_everything_has_a_default() -> None:
    settings = Settings.load()
    assert settings == Settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.open is Mode.CLOSED
    assert not settings.dev
    assert not settings.guests
    assert settings.database == Path("data/hubbub.db")
    assert settings.sqlite_synchronous == "FULL"
    assert settings.algorithm == "HS256"
    assert (settings.access_token_expire_minutes, settings.refresh_token_days) == (30, 30)
    assert (settings.registration, settings.room_list) == ("open", "all")
    assert (settings.origins, settings.forwarded_allow_ips) == ((), ())
    assert settings.login_failures == 5
    assert not settings.compression
    assert (settings.log_level, settings.log_format) == ("info", None)
    assert settings.limits == Limits(50, 200, 500, 50, 200, 60, 200)


def test_settings_stay_as_they_are() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().port = 1


def test_every_setting_can_be_given_by_its_prefixed_name(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "OPEN": "force",
        "HOST": "0.0.0.0",
        "PORT": "9000",
        "DATA_DIR": "/var/lib/hubbub",
        "DATABASE_URL": "sqlite:////srv/chat.db",
        "SQLITE_SYNCHRONOUS": "normal",
        "REDIS_URL": "redis://localhost:6379",
        "REDIS_OPTIONAL": "true",
        "SECRET_KEY": GOOD_SECRET,
        "ALGORITHM": "HS512",
        "ACCESS_TOKEN_EXPIRE_MINUTES": "3000",
        "REFRESH_TOKEN_DAYS": "7",
        "REGISTRATION": "closed",
        "ORIGINS": "https://a.example, http://b.example:8080",
        "FORWARDED_ALLOW_IPS": "10.0.0.1,192.168.0.0/16",
        "JWT_SECRET": GOOD_SECRET[::-1],
        "JWT_ALGORITHMS": "HS384, HS512",
        "JWT_ISSUER": "https://issuer.example",
        "JWT_AUDIENCE": "chat",
        "JWT_SUBJECT_CLAIM": "user_id",
        "JWT_NAME_CLAIM": "login",
        "JWT_ROLE_CLAIM": "groups",
        "JWT_ADMIN_ROLE": "staff",
        "SMTP_SERVER": "mail.example.com",
        "SMTP_PORT": "587",
        "EMAIL_USER": "hubbub",
        "EMAIL_PASSWORD": "a password",
        "EMAIL_FROM": "chat@example.com",
        "ROOM_LIST": "joined",
        "MESSAGE_RATE": "1",
        "MESSAGE_BURST": "2",
        "FRAME_RATE": "3",
        "SOCKETS_PER_USER": "4",
        "SOCKETS_PER_ADDRESS": "0",
        "MEETING_RATE": "5",
        "MEETINGS_PER_USER": "6",
        "LOGIN_FAILURES": "6",
        "COMPRESSION": "1",
        "LOG_LEVEL": "DEBUG",
        "LOG_FORMAT": "json",
    }
    # The one that another excludes has tests of its own.
    fields = {name: f for name, f in Settings.model_fields.items() if name != "jwt_jwks_url"}
    assert {name.lower() for name in given} == set(fields)
    for name, value in given.items():
        monkeypatch.setenv(f"HUBBUB_{name}", value)
    settings = Settings.load()
    assert all(getattr(settings, name) != f.default for name, f in fields.items())
    assert settings.origins == ("https://a.example", "http://b.example:8080")
    assert settings.forwarded_allow_ips == ("10.0.0.1", "192.168.0.0/16")
    assert settings.limits == Limits(1, 2, 3, 4, 0, 5, 6)
    assert settings.database == Path("/srv/chat.db")
    assert settings.secret() == GOOD_SECRET


def test_the_names_of_the_documents_work_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///./app.db")
    monkeypatch.setenv("SECRET_KEY", GOOD_SECRET)
    monkeypatch.setenv("ALGORITHM", "HS384")
    monkeypatch.setenv("ACCESS_TOKEN_EXPIRE_MINUTES", "3000")
    settings = Settings.load()
    assert settings.database == Path("app.db")
    assert settings.secret() == GOOD_SECRET
    assert (settings.algorithm, settings.access_token_expire_minutes) == ("HS384", 3000)


def test_the_names_of_mail_work_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_SERVER", "mail.example.com")
    monkeypatch.setenv("SMTP_PORT", "25")
    monkeypatch.setenv("EMAIL_USER", "test@example.com")
    monkeypatch.setenv("EMAIL_PASSWORD", "a password")
    settings = Settings.load()
    assert (settings.smtp_server, settings.smtp_port) == ("mail.example.com", 25)
    assert settings.email_password is not None
    assert settings.email_password.get_secret_value() == "a password"
    assert settings.sender == "test@example.com"
    assert "a password" not in repr(settings)


def test_mail_comes_from_the_address_that_is_known() -> None:
    assert Settings().sender == "hubbub@localhost"
    assert Settings(email_user="hubbub").sender == "hubbub@localhost"
    assert Settings(email_user="a@x.example", email_from="b@x.example").sender == "b@x.example"
    assert "HUBBUB_EMAIL_FROM" in refused(email_from="no address")
    assert "HUBBUB_EMAIL_FROM" in refused(email_from="a@x.example\nBcc: b@x.example")


def test_other_names_do_not_work_without_the_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    monkeypatch.setenv("HOST", "example.com")
    assert Settings.load() == Settings()


def test_the_prefixed_name_wins_over_the_bare_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_ALGORITHM", "HS384")
    monkeypatch.setenv("ALGORITHM", "HS512")
    assert Settings.load().algorithm == "HS384"


def test_the_environment_beats_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".env").write_text("HUBBUB_ALGORITHM=HS384\nHUBBUB_PORT=9000\n# a comment\n")
    monkeypatch.setenv("ALGORITHM", "HS512")
    settings = Settings.load()
    assert (settings.algorithm, settings.port) == ("HS512", 9000)


def test_the_command_line_beats_both(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".env").write_text("HUBBUB_PORT=9000\n")
    monkeypatch.setenv("HUBBUB_PORT", "9001")
    monkeypatch.setenv("HUBBUB_HOST", "::1")
    settings = Settings.load(port=9002, host=None, open=Mode.LOOPBACK)
    assert (settings.port, settings.host, settings.dev) == (9002, "::1", True)


def test_the_files_of_the_documents_are_read(folder: Path) -> None:
    (folder / ".env").write_text(
        "DATABASE_URL=sqlite:///./app.db\nSECRET_KEY=yoursecretkey\nALGORITHM=HS256\n"
        "ACCESS_TOKEN_EXPIRE_MINUTES=30\nSMTP_SERVER=localhost\nEMAIL_PASSWORD=password\n"
    )
    assert Settings.load(open="loopback").secret() == "yoursecretkey"
    with pytest.raises(ConfigError, match="SECRET_KEY"):
        Settings.load()


def test_making_settings_reads_neither(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".env").write_text("HUBBUB_PORT=9000\n")
    monkeypatch.setenv("HUBBUB_PORT", "9001")
    assert Settings().port == 8000


def test_an_empty_value_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECRET_KEY", "REDIS_URL", "DATABASE_URL", "HUBBUB_ORIGINS", "HUBBUB_PORT"):
        monkeypatch.setenv(name, "")
    assert Settings.load() == Settings()


def test_a_file_that_is_no_text_is_named(folder: Path) -> None:
    (folder / ".env").write_bytes(b"HUBBUB_PORT=\xff\xfe")
    with pytest.raises(ConfigError, match=r"^\.env cannot be read"):
        Settings.load()


def test_a_misspelt_name_is_pointed_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HUBBUB_REGISTRATON", "closed")
    Settings.load()
    assert caplog.messages == ["! HUBBUB_REGISTRATON is no setting and is ignored."]


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"port": "http"}, "HUBBUB_PORT"),
        ({"port": "tcp://10.0.0.1:80"}, "HUBBUB_PORT"),
        ({"port": 65536}, "HUBBUB_PORT"),
        ({"open": "yes"}, "HUBBUB_OPEN"),
        ({"registration": "maybe"}, "HUBBUB_REGISTRATION"),
        ({"room_list": "some"}, "HUBBUB_ROOM_LIST"),
        ({"message_rate": -1}, "HUBBUB_MESSAGE_RATE"),
        ({"message_burst": "many"}, "HUBBUB_MESSAGE_BURST"),
        ({"frame_rate": 1.5}, "HUBBUB_FRAME_RATE"),
        ({"sockets_per_user": -1}, "HUBBUB_SOCKETS_PER_USER"),
        ({"sockets_per_address": "x"}, "HUBBUB_SOCKETS_PER_ADDRESS"),
        ({"meeting_rate": -1}, "HUBBUB_MEETING_RATE"),
        ({"meetings_per_user": "x"}, "HUBBUB_MEETINGS_PER_USER"),
        ({"login_failures": "few"}, "HUBBUB_LOGIN_FAILURES"),
        ({"compression": "perhaps"}, "HUBBUB_COMPRESSION"),
        ({"sqlite_synchronous": "OFF"}, "HUBBUB_SQLITE_SYNCHRONOUS"),
        ({"log_level": "loud"}, "HUBBUB_LOG_LEVEL"),
        ({"log_format": "xml"}, "HUBBUB_LOG_FORMAT"),
        ({"refresh_token_days": 0}, "HUBBUB_REFRESH_TOKEN_DAYS"),
        ({"access_token_expire_minutes": 0}, "ACCESS_TOKEN_EXPIRE_MINUTES"),
        ({"algorithm": "none"}, "ALGORITHM"),
        ({"algorithm": "RS256"}, "ALGORITHM"),
        ({"forwarded_allow_ips": "*"}, "HUBBUB_FORWARDED_ALLOW_IPS"),
        ({"forwarded_allow_ips": "proxy.example"}, "HUBBUB_FORWARDED_ALLOW_IPS"),
        ({"host": "0.0.0.0", "open": "loopback"}, "HUBBUB_HOST"),
        ({"host": "chat.example", "open": "loopback"}, "HUBBUB_HOST"),
        ({"speed": "fast"}, "'speed'"),
    ],
)
def test_a_bad_value_gets_one_sentence_that_names_it(values: dict[str, object], name: str) -> None:
    assert name in refused(**values)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://alice:hunter2@db/chat",
        "postgres://alice:hunter2@db/chat",
        "postgresql+asyncpg://alice:hunter2@db/chat",
    ],
)
def test_postgresql_is_for_a_later_version(url: str) -> None:
    message = refused(database_url=url)
    assert "DATABASE_URL" in message
    assert "SQLite only" in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "url",
    [
        "mysql://alice:hunter2@db/chat",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///./app.db?mode=ro",
        "app.db",
    ],
)
def test_a_url_that_names_no_file_is_refused(url: str) -> None:
    message = refused(database_url=url)
    assert "DATABASE_URL" in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///./app.db", "app.db"),
        ("sqlite:///app.db", "app.db"),
        ("sqlite:////srv/my app.db", "/srv/my app.db"),
        ("sqlite+aiosqlite:///./app.db", "app.db"),
    ],
)
def test_a_sqlite_url_names_a_file(url: str, path: str) -> None:
    assert Settings(database_url=url).database == Path(path)


def test_redis_is_never_silently_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@localhost:6379")
    with pytest.raises(ConfigError, match="REDIS_URL"):
        Settings.load()
    assert caplog.messages == []
    monkeypatch.setenv("HUBBUB_REDIS_OPTIONAL", "true")
    settings = Settings.load()
    assert "falling back" in caplog.text
    assert "hunter2" not in caplog.text + repr(settings)


@pytest.mark.parametrize("secret", [*PRINTED, "x" * 31, "hunter2"])
@pytest.mark.parametrize("mode", [Mode.CLOSED, Mode.FORCED])
def test_a_weak_secret_refuses_to_start(mode: Mode, secret: str) -> None:
    """S17."""
    message = refused(secret_key=secret, open=mode)
    assert message.startswith("SECRET_KEY")
    assert secret not in message.removeprefix("SECRET_KEY")


@pytest.mark.parametrize("secret", [*PRINTED, "x" * 31])
def test_a_weak_secret_will_do_on_this_machine_with_a_warning(
    secret: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SECRET_KEY", secret)
    settings = Settings.load(open="loopback")
    assert settings.secret() == secret
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "SECRET_KEY" in caplog.text
    assert secret not in caplog.text


def test_a_good_secret_is_taken_in_silence(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SECRET_KEY", GOOD_SECRET)
    assert Settings.load().secret() == GOOD_SECRET
    assert caplog.messages == []


def test_bytes_count_and_not_characters() -> None:
    assert Settings(secret_key="é" * 16).secret() == "é" * 16


@pytest.mark.parametrize("secret", ["-----BEGIN PUBLIC KEY-----\nMCowBQ", "ssh-ed25519 AAAAC3Nza"])
def test_a_public_key_is_no_secret(secret: str) -> None:
    assert "SECRET_KEY" in refused(secret_key=secret + "A" * 40)


def test_no_secret_is_ever_shown() -> None:
    settings = Settings(secret_key=GOOD_SECRET)
    assert GOOD_SECRET not in f"{settings!r} {settings} {settings.model_dump()}"


def test_without_a_secret_one_is_made_and_kept(folder: Path) -> None:
    settings = Settings(data_dir=folder / "data" / "deeper")
    assert not settings.data_dir.exists(), "reading settings writes nothing"
    secret = settings.secret()
    assert len(secret) >= 64
    assert Settings(data_dir=settings.data_dir).secret() == secret
    assert Settings(data_dir=folder / "other").secret() != secret
    (file,) = settings.data_dir.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_secret_made_meanwhile_by_another_process_is_taken(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.hardlink_to

    def late(self: Path, target: Path) -> None:
        self.write_text(GOOD_SECRET)
        real(self, target)

    monkeypatch.setattr(Path, "hardlink_to", late)
    settings = Settings(data_dir=folder)
    assert settings.secret() == GOOD_SECRET
    assert [file.name for file in folder.iterdir()] == ["secret.key"]


def test_a_secret_that_others_can_read_is_its_owners_alone_again(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(data_dir=folder)
    secret = settings.secret()
    file = folder / "secret.key"
    file.chmod(0o644)
    assert settings.secret() == secret
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "secret.key" in caplog.text


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 64])
def test_a_damaged_secret_refuses_to_start(folder: Path, content: bytes) -> None:
    (folder / "secret.key").write_bytes(content)
    with pytest.raises(ConfigError, match=r"secret\.key"):
        Settings(data_dir=folder).secret()


def test_a_folder_that_cannot_be_made_refuses_to_start(folder: Path) -> None:
    (folder / "data").write_text("a file, not a folder")
    with pytest.raises(ConfigError, match="SECRET_KEY"):
        Settings(data_dir=folder / "data").secret()


def test_development_mode_allows_ten_times_the_rates() -> None:
    assert Settings(open="loopback").limits == Limits(500, 2000, 5000, 50, 0, 600, 0)
    assert Settings(open="force").limits == Limits(50, 200, 500, 50, 200, 60, 200)
    assert Settings(open="loopback", sockets_per_address=3).limits.sockets_per_address == 3
    assert Settings(open="loopback", meetings_per_user=3).limits.meetings_per_user == 3


def test_no_limit_stays_no_limit() -> None:
    settings = Settings(open="loopback", message_rate=0, message_burst=0, frame_rate=0)
    assert settings.limits == Limits(0, 0, 0, 50, 0, 600, 0)


@pytest.mark.parametrize(
    ("mode", "dev", "guests"),
    [("false", False, False), ("LOOPBACK", True, True), ("force", False, True)],
)
def test_a_mode_says_who_gets_in(mode: str, dev: bool, guests: bool) -> None:
    settings = Settings(open=mode)
    assert (settings.dev, settings.guests) == (dev, guests)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_development_mode_listens_to_this_machine(host: str) -> None:
    assert Settings(open="loopback", host=host).host == host


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://chat.example.com", "https://chat.example.com"),
        ("HTTPS://Chat.Example.com:443", "https://chat.example.com"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:80", "http://[::1]"),
    ],
)
def test_origins_are_kept_as_browsers_write_them(given: str, kept: str) -> None:
    assert Settings(origins=given).origins == (kept,)
    assert Settings(origins=(given,)).origins == (kept,)


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "https://*.example.com",
        "https://a.example, *",
        "chat.example.com",
        "//chat.example.com",
        "ftp://chat.example.com",
        "https://chat.example.com/",
        "https://chat.example.com/path",
        "https://chat.example.com?x",
        "https://chat.example.com#x",
        "https://alice@chat.example.com",
        "https://chat.example.com:",
        "https://chat.example.com:99999",
        "https://[::1",
        "https://a b",
        "https://",
        "file://",
    ],
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    """S1, S15."""
    assert "HUBBUB_ORIGINS" in refused(origins=origin)
