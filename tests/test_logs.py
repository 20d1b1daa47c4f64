"""Logs: no secret gets into them, and no line that we have not written (S2, S21)."""

import io
import json
import logging
import logging.config
import sys
from collections.abc import Iterator

import pytest
from uvicorn.config import LOGGING_CONFIG
from uvicorn.logging import AccessFormatter, DefaultFormatter

from hubbub.auth.tickets import Tickets
from hubbub.auth.tokens import Identity, Tokens
from hubbub.core.ids import UserId, Who
from hubbub.logs import clean, configure, redact

TOKEN = Tokens("a secret of at least thirty-two bytes", "HS256", 30).mint(UserId(1), "s", 0.0)
TICKET = Tickets().issue(Identity(Who(UserId(1), "alice", "s"), 1.0), 0.0)
SECRETS = (TOKEN, TICKET, TOKEN.split(".")[1], "hunter2")
NAMES = ("", "uvicorn", "uvicorn.error", "uvicorn.access")

QUERIES = [
    f"?token={TOKEN}",
    f"?%74oken={TOKEN}",
    f"?%74%6f%6b%65%6e={TICKET}",
    f"?ticket={TICKET}",
    "?token=hunter2",
    "?a=b&token=hunter2",
    '?a="&token=hunter2',
    "?a='b c&token=hunter2",
    "?token%3Dhunter2",
    "?hunter2",
    "??token=hunter2",
    "%3Ftoken=hunter2",
    "%3ftoken=hunter2",
    f"/{TOKEN}",
    f"/%2F{TICKET}",
]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Page:
    """The handlers uvicorn would install, writing to where the test can read."""

    def __init__(self) -> None:
        self._stream = io.StringIO()
        fmt = '%(client_addr)s - "%(request_line)s" %(status_code)s'
        for name, formatter in (
            ("uvicorn.error", DefaultFormatter("%(levelprefix)s %(message)s", use_colors=False)),
            ("uvicorn.access", AccessFormatter(fmt, use_colors=False)),
        ):
            handler = logging.StreamHandler(self._stream)
            handler.setFormatter(formatter)
            logging.getLogger(name).addHandler(handler)

    @property
    def text(self) -> str:
        return self._stream.getvalue()


@pytest.fixture(autouse=True)
def _loggers() -> Iterator[None]:
    """Leaves logging as it was found, and starts without filters of ours."""
    loggers = [logging.getLogger(name) for name in NAMES]
    before = [(one, one.handlers[:], one.filters[:], one.level, one.propagate) for one in loggers]
    for one in loggers[1:]:
        one.handlers, one.filters, one.propagate = [], [], False
        one.setLevel(logging.DEBUG)
    last = logging.lastResort
    assert last is not None
    filters = last.filters[:]
    yield
    last.filters = filters
    for one, handlers, found, level, propagate in before:
        one.handlers, one.filters, one.propagate = handlers, found, propagate
        one.setLevel(level)


@pytest.fixture
def page() -> Page:
    made = Page()
    redact()
    return made


def holds_secret(text: str) -> bool:
    return any(secret in text for secret in SECRETS)


def accept(query: str) -> None:
    """What uvicorn says of a WebSocket (`websockets_sansio_impl.py`)."""
    logging.getLogger("uvicorn.error").info(
        '%s - "WebSocket %s" [accepted]', "127.0.0.1:5000", f"/ws/echo{query}"
    )


def request(query: str) -> None:
    """What uvicorn says of a request (`httptools_impl.py`)."""
    logging.getLogger("uvicorn.access").info(
        '%s - "%s %s HTTP/%s" %d', "127.0.0.1:5000", "GET", f"/api{query}", "1.1", 200
    )


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_no_query_of_a_socket_or_request_is_printed(page: Page, query: str) -> None:
    accept(query)
    request(query)
    lines = page.text.splitlines()
    assert len(lines) == 2
    assert not holds_secret(page.text)
    assert "/ws/echo" in lines[0]
    assert lines[0].endswith('" [accepted]')
    assert "GET /api" in lines[1]
    assert lines[1].endswith("200 OK")


def test_a_path_without_a_secret_is_printed_whole(page: Page) -> None:
    accept("/a%20b/c")
    assert '"WebSocket /ws/echo/a%20b/c" [accepted]' in page.text


def test_doing_it_again_changes_nothing(page: Page) -> None:
    before = [len(logging.getLogger(name).filters) for name in NAMES]
    redact()
    redact()
    assert [len(logging.getLogger(name).filters) for name in NAMES] == before
    assert before[2:] == [1, 1]


def test_uvicorns_own_configuration_does_not_undo_it() -> None:
    redact()
    logging.config.dictConfig(LOGGING_CONFIG)
    assert len(logging.getLogger("uvicorn.error").filters) == 1


def test_a_message_that_was_put_together_before_is_cleaned_too(page: Page) -> None:
    logging.getLogger("uvicorn.error").info(f"refused /ws?token=hunter2 and {TOKEN}")
    assert "refused /ws and [secret]" in page.text
    assert not holds_secret(page.text)


@pytest.mark.parametrize(
    "argument",
    [ValueError(f"no such page: /ws?token=hunter2 {TOKEN}"), [TOKEN], {"t": TOKEN}],
    ids=["exception", "list", "dict"],
)
@pytest.mark.parametrize("mark", ["%s", "%r"])
def test_arguments_of_any_kind_are_cleaned(page: Page, argument: object, mark: str) -> None:
    logging.getLogger("uvicorn.error").error(f"it is {mark} of %d", argument, 7)
    assert "of 7" in page.text
    assert not holds_secret(page.text)


def test_named_arguments_are_cleaned(page: Page) -> None:
    logging.getLogger("uvicorn.error").error("%(what)s %(n)d", {"what": TOKEN, "n": 3})
    assert "[secret] 3" in page.text


def test_a_traceback_is_cleaned(page: Page) -> None:
    try:
        raise ValueError(f"no such page: /ws?token=hunter2 {TOKEN}\nINFO: forged \x1b[31m")
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
    assert not holds_secret(page.text)
    assert "\x1b" not in page.text
    assert page.text.startswith("ERROR:    Exception in ASGI application\n")
    assert all(line.startswith("    ") for line in page.text.splitlines()[1:])
    assert "test_a_traceback_is_cleaned" in page.text


@pytest.mark.parametrize(
    "value", ["a\nb", "a\rb", "a\x1b[31mb", "a\x00b", "a\x9bb", "a\u2028b", "a\u202eb", "a\ud800b"]
)
def test_nobody_writes_lines_or_colours_into_the_log(page: Page, value: str) -> None:
    log = logging.getLogger("uvicorn.error")
    log.info("user %s", value)
    log.info(f"user {value}")
    lines = page.text.split("\n")
    assert len(lines) == 3
    assert lines[0] == lines[1]
    assert page.text.replace("\n", "").isprintable()
    assert "\\" in lines[0]


def test_ordinary_sentences_stay_as_they_are() -> None:
    for text in ("Is it so? It is.", "100 % of 3/4", "naïve 日本語 🐎", "a\u00a0b"):
        assert clean(text) == text


def test_lines_with_colours_of_uvicorn_stay_whole(page: Page) -> None:
    logging.getLogger("uvicorn.error").info(
        "Uvicorn running on %s://%s:%d",
        "http",
        "127.0.0.1",
        8000,
        extra={"color_message": "%s %s %d"},
    )
    assert "Uvicorn running on http://127.0.0.1:8000" in page.text


def test_what_python_prints_without_any_configuration_is_cleaned(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    redact()
    logging.getLogger("somebody.else").warning("what is %s", f"/ws?token={TOKEN}")
    assert capsys.readouterr().err == "what is /ws\n"


def test_json_lines_hold_what_happened(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    logging.getLogger("hubbub.hub").info("< %s said %s", "alice", f"a\nb {TOKEN}")
    logging.getLogger("hubbub.hub").debug("not at this level")
    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert said["event"] == "< alice said a\\nb [secret]"
    assert (said["level"], said["logger"]) == ("info", "hubbub.hub")
    assert said["timestamp"].endswith("Z")


def test_a_traceback_in_json_is_one_clean_field(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    try:
        raise ValueError(f"{TOKEN} \x1b[31m")
    except ValueError:
        logging.getLogger("hubbub.hub").exception("! it failed")
    said = json.loads(capsys.readouterr().err)
    assert said["event"] == "! it failed"
    assert "ValueError: [secret] \\x1b[31m" in said["exception"]


def test_the_console_shows_a_traceback_set_in(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "console")
    try:
        raise ValueError("first\n2026-01-01 [info] forged")
    except ValueError:
        logging.getLogger("hubbub.hub").exception("! it failed")
    first, *others = capsys.readouterr().err.splitlines()
    assert "! it failed" in first
    assert all(line.startswith("    ") for line in others)


def test_only_a_terminal_gets_colours(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure("info", "console")
    logging.getLogger("hubbub").info("plain")
    assert "\x1b[" not in capsys.readouterr().err
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    configure("info", "console")
    logging.getLogger("hubbub").info("coloured")
    assert "\x1b[" in terminal.getvalue()


def test_unless_told_a_terminal_gets_lines_and_anything_else_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure("info", None)
    logging.getLogger("hubbub").info("hello")
    assert json.loads(capsys.readouterr().err)["event"] == "hello"
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    configure("info", None)
    logging.getLogger("hubbub").info("hello")
    assert not terminal.getvalue().startswith("{")


def test_configuring_again_replaces_what_was_there(capsys: pytest.CaptureFixture[str]) -> None:
    handlers = len(logging.getLogger().handlers)
    configure("info", "json")
    configure("error", "json")
    assert len(logging.getLogger().handlers) == handlers + 1
    logging.getLogger("hubbub").info("not any more")
    logging.getLogger("hubbub").error("still")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "still"


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_uvicorns_lines_come_out_clean_and_once(
    capsys: pytest.CaptureFixture[str], query: str
) -> None:
    configure("info", "json")
    accept(query)
    request(query)
    printed = capsys.readouterr().err
    lines = [json.loads(line)["event"] for line in printed.splitlines()]
    assert len(lines) == 2
    assert not holds_secret(printed)


def test_a_handler_that_was_there_before_stays(capsys: pytest.CaptureFixture[str]) -> None:
    theirs = logging.NullHandler()
    logging.getLogger().addHandler(theirs)
    configure("info", "json")
    configure("info", "json")
    assert theirs in logging.getLogger().handlers
