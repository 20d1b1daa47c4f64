"""What no dialect can read: every one refuses it, in a sentence, under a stable slug."""

import json

import pytest

from hubbub.core.commands import Ping, SendMessage
from hubbub.core.errors import Invalid
from hubbub.core.ids import MAX_INTEGER, UserId, Who
from hubbub.dialects.base import MAX_DEPTH, Dialect, Link, Refused, Request, check_ref
from hubbub.dialects.conversations import Conversations
from hubbub.dialects.native import Native
from hubbub.dialects.rooms import Rooms

DIALECTS: tuple[Dialect, ...] = (Native(), Rooms(), Conversations())
LINK = Link("c", Who(UserId(1), "testuser"), 5)
GOOD = {
    "native": '{"type":"send","channel":5,"content":%s%s}',
    "rooms": '{"type":"message","content":%s%s}',
    "conversations": '{"content":%s%s}',
}

each = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)


def sending(dialect: Dialect, content: str = '"Hello"', more: str = "") -> str:
    """A frame that posts; `content` and `more` are JSON."""
    return GOOD[dialect.name] % (content, more)


def refusal(dialect: Dialect, text: str) -> Refused:
    """The one thing that comes of a frame that is refused, which any dialect can tell of."""
    (refused,) = dialect.decode(text, LINK)
    assert isinstance(refused, Refused), refused
    sentence = str(refused.error)
    assert sentence
    assert sentence in json.loads(dialect.refuse(refused.error, refused.id)).get(
        "message", sentence
    )
    return refused


def accepted(dialect: Dialect, text: str) -> SendMessage:
    """The message that a frame posts."""
    (request,) = dialect.decode(text, LINK)
    assert isinstance(request, Request), request
    assert isinstance(request.command, SendMessage)
    return request.command


@each
@pytest.mark.parametrize(
    "text",
    [
        "", " ", "hello", "{", "}", '{"content"', '{"content":}', "{'content':'x'}", "{} {}",
        "nul", "NaN", "-Infinity", '{"content":NaN}', "\ufeff{}", "\x00", '{"a":"\x00"}',
        '{"content":"\t"}', "\ud800", '"\\x"', '{"a":1,}', "01", "1.", "--1",
    ],
)  # fmt: skip
def test_what_is_not_json_is_a_bad_frame(dialect: Dialect, text: str) -> None:
    assert refusal(dialect, text).error.code == "bad_frame"


@each
@pytest.mark.parametrize("text", ["[]", '"{}"', "5", "1e400", "null", "true", "9" * 5000, "[{}]"])
def test_json_that_is_no_object_is_a_bad_frame(dialect: Dialect, text: str) -> None:
    assert refusal(dialect, text).error.code == "bad_frame"


@each
def test_nesting_is_allowed_up_to_its_limit_and_no_deeper(dialect: Dialect) -> None:
    inner = MAX_DEPTH - 1
    assert accepted(dialect, sending(dialect, more=f',"x":{"[" * inner}{"]" * inner}'))
    deeper = f',"x":{"[" * MAX_DEPTH}{"]" * MAX_DEPTH}'
    assert refusal(dialect, sending(dialect, more=deeper)).error.code == "too_deep"


@each
def test_the_shortest_text_that_is_nested_too_deep_is_noticed(dialect: Dialect) -> None:
    text = '{"":' * MAX_DEPTH + "{}" + "}" * MAX_DEPTH
    assert refusal(dialect, text).error.code == "too_deep"
    assert refusal(dialect, text[4:-1]).error.code != "too_deep"


@each
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_nesting_without_end_is_too_deep_whether_it_closes_or_not(
    dialect: Dialect, opening: str
) -> None:
    closing = {"[": "]", '{"a":': "}"}[opening]
    text = opening * 40_000
    assert refusal(dialect, text).error.code == "too_deep"
    assert refusal(dialect, text + "1" + closing * 40_000).error.code == "too_deep"


@each
def test_brackets_in_a_string_are_no_nesting(dialect: Dialect) -> None:
    assert accepted(dialect, sending(dialect, '"' + "[{" * 500 + '"')).content == "[{" * 500


@each
def test_many_siblings_are_no_nesting(dialect: Dialect) -> None:
    assert accepted(dialect, sending(dialect, more=f',"x":[{",".join(["[]"] * 500)}]'))


@each
def test_of_a_key_that_comes_twice_the_last_one_counts(dialect: Dialect) -> None:
    assert accepted(dialect, sending(dialect, '5,"content":"last"')).content == "last"
    assert refusal(dialect, sending(dialect, '"x","content":5')).error.code == "invalid_content"


def test_of_a_type_that_comes_twice_the_last_one_counts() -> None:
    (request,) = Native().decode('{"type":"send","type":"ping","id":4}', LINK)
    assert request == Request(Ping(), 4)


@each
def test_unknown_fields_are_ignored_whatever_is_in_them(dialect: Dialect) -> None:
    more = ',"x":{"y":["\\u0000",1e400,-0.0,"\\ud800",123456789012345678901234567890]}'
    assert accepted(dialect, sending(dialect, more=more)).content == "Hello"


@each
@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("null", "invalid_content"),
        ("5", "invalid_content"),
        ("true", "invalid_content"),
        ('["Hello"]', "invalid_content"),
        ('{"a":"Hello"}', "invalid_content"),
        ('""', "empty_content"),
        ('" \\n\\u00a0"', "empty_content"),
        ('"' + "x" * 4001 + '"', "content_too_long"),
        ('"a\\u0000b"', "invalid_content"),
        ('"\\ud800"', "invalid_content"),
        ('"\\udc00\\ud800"', "invalid_content"),
        ('"\\ud800x"', "invalid_content"),
    ],
)
def test_content_that_cannot_be_posted_is_refused(
    dialect: Dialect, content: str, code: str
) -> None:
    assert refusal(dialect, sending(dialect, content)).error.code == code


@each
def test_a_missing_content_is_named(dialect: Dialect) -> None:
    text = sending(dialect).replace('"content":', '"text":')
    error = refusal(dialect, text).error
    assert (error.code, str(error)) == ("missing_content", "content is missing")


@each
def test_characters_beyond_the_basic_plane_are_read_however_they_are_written(
    dialect: Dialect,
) -> None:
    assert accepted(dialect, sending(dialect, '"\\ud83d\\ude00"')).content == "\U0001f600"
    assert accepted(dialect, sending(dialect, '"\U0001f600"')).content == "\U0001f600"


@pytest.mark.parametrize("dialect", DIALECTS[:2], ids=lambda dialect: dialect.name)
@pytest.mark.parametrize(
    ("text", "code", "sentence"),
    [
        ("{}", "missing_type", "type is missing"),
        ('{"type":null}', "invalid_type", "type must be a string"),
        ('{"type":["ping"]}', "invalid_type", "type must be a string"),
        ('{"type":"dance"}', "unknown_type", "unknown type 'dance'"),
        ('{"type":"PING"}', "unknown_type", "unknown type 'PING'"),
        ('{"type":""}', "unknown_type", "unknown type"),
        ('{"type":"\\ud800"}', "unknown_type", "unknown type"),
        ('{"type":"a\\u0000"}', "unknown_type", "unknown type"),
        (f'{{"type":"{"x" * 4000}"}}', "unknown_type", "unknown type"),
    ],
)
def test_a_type_that_is_not_known_is_quoted_only_where_it_is_short_and_printable(
    dialect: Dialect, text: str, code: str, sentence: str
) -> None:
    error = refusal(dialect, text).error
    assert (error.code, str(error)) == (code, sentence)


@pytest.mark.parametrize("ref", [0, 5, MAX_INTEGER, "general", "5", "a.b_c~d-E", "x" * 128])
def test_a_channel_is_named_by_an_id_or_a_key(ref: object) -> None:
    assert check_ref(ref, "invalid_channel") == ref


@pytest.mark.parametrize(
    "ref",
    [
        -1,
        MAX_INTEGER + 1,
        1.0,
        True,
        None,
        [],
        {},
        "",
        "x" * 129,
        "a b",
        "ä",
        "a\n",
        "\x00",
        "\ud800",
    ],
)
def test_nothing_else_names_a_channel(ref: object) -> None:
    with pytest.raises(Invalid) as refused:
        check_ref(ref, "invalid_room")
    assert refused.value.code == "invalid_room"


@pytest.mark.parametrize(
    ("frame", "code", "sentence"),
    [
        (
            '{"type":"send","channel":5,"content":null}',
            "invalid_content",
            "content must be a string",
        ),
        (
            '{"type":"send","channel":true,"content":"x"}',
            "invalid_channel",
            "channel must be an integer or a string",
        ),
        (
            '{"type":"typing","channel":5,"typing":"yes"}',
            "invalid_typing",
            "typing must be true or false",
        ),
        (
            '{"type":"history","channel":5,"limit":0}',
            "invalid_limit",
            "limit must be an integer of at least 1",
        ),
        (
            '{"type":"history","channel":5,"limit":201}',
            "invalid_limit",
            "limit must be an integer of at most 200",
        ),
        (
            '{"type":"history","channel":5,"before":1.5}',
            "invalid_before",
            "before must be an integer or null",
        ),
        (
            '{"type":"subscribe","channel":5,"cursor":{"epoch":"a"}}',
            "invalid_cursor",
            "cursor.seq is missing",
        ),
        (
            '{"type":"subscribe","channel":5,"cursor":{"epoch":"%s","seq":1}}' % ("x" * 65),
            "invalid_cursor",
            "cursor.epoch must be a string of length at most 64",
        ),
        (
            '{"type":"connect","channels":[{"channel":1},{"channel":null}]}',
            "invalid_channels",
            "channels[1].channel must be an integer or a string",
        ),
        ('{"type":"connect","channels":7}', "invalid_channels", "channels must be an array"),
    ],
)
def test_what_a_field_must_be_is_said_in_words(frame: str, code: str, sentence: str) -> None:
    error = refusal(Native(), frame).error
    assert (error.code, str(error)) == (code, sentence)
