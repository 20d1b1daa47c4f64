import json

import pytest

from hubbub.core.answers import Entered, Posted
from hubbub.core.channels import Channel, Kind
from hubbub.core.commands import Enter, SendMessage
from hubbub.core.errors import NotAMember
from hubbub.core.ids import MAX_INTEGER, ChannelId, MessageId, UserId, Who
from hubbub.dialects.base import Link, Refused, Request
from hubbub.dialects.conversations import Conversations

CONVERSATIONS = Conversations()
WHO = Who(UserId(1), "testuser", "s")
HERE = ChannelId(1)
CHANNEL = Channel(HERE, "key", Kind.CONVERSATION, "Two", "", True, False, WHO.id, 0, "a1b2", 14)
LINK = Link("c", WHO, HERE, key="key")


def decode(frame: object) -> Request | Refused:
    (decoded,) = CONVERSATIONS.decode(json.dumps(frame), LINK)
    return decoded


@pytest.mark.parametrize("kind", ["message", "connection", "anything", None, 5, ["message"]])
def test_a_frame_is_read_by_its_content_whatever_its_type(kind: object) -> None:
    assert decode({"content": "Hello"}) == Request(SendMessage(1, "Hello"))
    assert decode({"type": kind, "content": "Hello"}) == Request(SendMessage(1, "Hello"))


def test_who_a_frame_says_it_is_from_is_ignored() -> None:
    frame = {"content": "Hello", "sender_id": 9, "sender_name": "root", "user_id": 9, "id": 3}
    assert decode(frame) == Request(SendMessage(1, "Hello"))


@pytest.mark.parametrize("field", ["conversation_id", "room_id"])
@pytest.mark.parametrize("here", [1, "1", "key", None], ids=str)
def test_the_conversation_of_the_path_may_be_named(field: str, here: object) -> None:
    assert decode({"content": "Hello", field: here}) == Request(SendMessage(1, "Hello"))


@pytest.mark.parametrize("field", ["conversation_id", "room_id"])
@pytest.mark.parametrize(
    ("elsewhere", "code"),
    [
        (2, "wrong_conversation"),
        ("2", "wrong_conversation"),
        ("other", "wrong_conversation"),
        (MAX_INTEGER + 1, "invalid_conversation"),
        (1.0, "invalid_conversation"),
        (True, "invalid_conversation"),
        ([1], "invalid_conversation"),
        ("\ud800", "invalid_conversation"),
    ],
    ids=repr,
)
def test_what_is_meant_for_another_conversation_is_not_posted_here(
    field: str, elsewhere: object, code: str
) -> None:
    refused = decode({"content": "Hello", field: elsewhere})
    assert isinstance(refused, Refused)
    assert refused.error.code == code


def test_a_socket_without_a_conversation_posts_nowhere() -> None:
    (refused,) = CONVERSATIONS.decode('{"content":"Hello"}', Link("c", WHO))
    assert isinstance(refused, Refused)
    assert refused.error.code == "no_conversation"


def test_only_members_enter_and_hear_of_it_in_one_frame() -> None:
    assert CONVERSATIONS.greet(LINK) == ()
    opening = CONVERSATIONS.opening(Link("c", WHO, "key"))
    assert opening == Enter("key", members_only=True)
    assert CONVERSATIONS.opening(Link("c", WHO)) is None
    (frame,) = CONVERSATIONS.answer(Request(opening), Entered(CHANNEL, 14), LINK)
    assert frame == (b'{"type":"connection","status":"connected","conversation_id":1,"user_id":1}')


def test_a_post_is_not_answered() -> None:
    request = Request(SendMessage(1, "Hello"))
    assert CONVERSATIONS.answer(request, Posted(HERE, MessageId(9), 15, 0, "Hello"), LINK) == ()


def test_an_error_has_a_sentence_and_nothing_else() -> None:
    gone = NotAMember("you were removed")
    assert CONVERSATIONS.refuse(gone, None) == b'{"type":"error","message":"you were removed"}'


def test_losing_the_conversation_closes_the_socket() -> None:
    assert CONVERSATIONS.oust(LINK, HERE, "Two", NotAMember("you were removed")) is None


def test_the_server_never_pings() -> None:
    assert not CONVERSATIONS.pings
    assert CONVERSATIONS.ping({}) is None


@pytest.mark.parametrize(
    ("given", "counts"),
    [('"mine-1"', "mine-1"), ("17", None), ('""', None), ("null", None), ('"\\u0000"', None)],
)
def test_a_client_id_makes_a_post_repeatable_and_never_spoils_it(
    given: str, counts: str | None
) -> None:
    frame = '{"content":"Hello","client_id":' + given + "}"
    (request,) = CONVERSATIONS.decode(frame, Link("c", WHO, 1))
    assert request == Request(SendMessage(1, "Hello", counts))
