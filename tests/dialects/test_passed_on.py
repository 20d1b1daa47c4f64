"""What is passed on unread: numbers beyond what programs hold, and what is said twice."""

import pytest

from hubbub.core.commands import Pass, Signal
from hubbub.core.ids import UserId, Who
from hubbub.dialects.base import Dialect, Link, Refused, Request
from hubbub.dialects.conference import Conference
from hubbub.dialects.peerjs import PeerJs
from hubbub.dialects.relay import RelayVideo
from hubbub.dialects.signaling import Signaling

CONFERENCE, RELAY, SIGNALING, PEERJS = Conference(), RelayVideo(), Signaling(), PeerJs()
LINK = Link("c", Who(UserId(1), "testuser"), 1, key="general")

WHERE_IT_MATTERS = [
    (CONFERENCE, '{"type":"offer","data":{"sdp":%s}}'),
    (CONFERENCE, '{"type":"offer","data":{"sdp":"v=0","type":%s}}'),
    (CONFERENCE, '{"type":"ice-candidate","data":{"candidate":%s}}'),
    (CONFERENCE, '{"type":"ice-candidate","data":{"candidate":"c","sdpMLineIndex":%s}}'),
    (RELAY, '{"type":"answer","data":%s}'),
    (RELAY, '{"type":"ice-candidate","data":%s}'),
    (RELAY, '{"type":"ice-candidate","data":{"candidate":"c","sdpMid":%s}}'),
    (SIGNALING, '{"type":"offer","sdp":%s}'),
    (SIGNALING, '{"type":"candidate","candidate":%s}'),
    (SIGNALING, '{"type":"candidate","candidate":[%s]}'),
]
WHERE_IT_DOES_NOT = [
    (CONFERENCE, '{"type":"offer","data":{"sdp":"v=0","x":%s}}'),
    (CONFERENCE, '{"type":"media","x":[%s]}'),
    (CONFERENCE, '{"type":"media","data":%s}'),
    (RELAY, '{"type":"offer","data":{"sdp":"v=0","x":%s}}'),
    (RELAY, '{"type":"ice-candidate","data":{"candidate":"c","x":%s}}'),
    (RELAY, '{"type":"mute","data":%s}'),
    (SIGNALING, '{"type":"offer","sdp":{"sdp":"v=0\\r\\n","x":%s}}'),
    (SIGNALING, '{"type":"candidate","candidate":{"candidate":"c","x":{"y":%s}}}'),
]
WHERE_ALL_IS_AS_IT_CAME = [
    (PEERJS, '{"type":"OFFER","dst":"bob","payload":%s}'),
    (PEERJS, '{"type":"OFFER","dst":"bob","payload":{"sdp":"v=0\\r\\n","x":[%s]}}'),
    (PEERJS, '{"type":"OFFER","dst":"bob","payload":{"sdp":{"sdp":%s,"x":"\\n"}}}'),
    (PEERJS, '{"type":"CANDIDATE","dst":"bob","payload":{"candidate":{"x":%s},"y":"\\n"}}'),
]
OUT_OF_RANGE = ["1e999", "-1E+999", "1" * 4400]
LARGE = ["1" * 400]


def said(decoded: Request | Refused) -> bytes | None:
    assert isinstance(decoded, Request), decoded
    command = decoded.command
    if isinstance(command, Pass):
        return command.payload
    assert isinstance(command, Signal)
    assert command.verbatim is not None
    return command.verbatim[1]


@pytest.mark.parametrize(
    ("dialect", "frame", "number"),
    [
        *((*place, n) for place in WHERE_IT_MATTERS for n in OUT_OF_RANGE + LARGE),
        *((*place, n) for place in WHERE_IT_DOES_NOT for n in OUT_OF_RANGE),
    ],
    ids=lambda value: str(value)[:40],
)
def test_one_that_would_have_to_be_understood_or_that_others_could_not_read_is_refused(
    dialect: Dialect, frame: str, number: str
) -> None:
    (decoded,) = dialect.decode(frame % number, LINK)
    assert isinstance(decoded, Refused), decoded


@pytest.mark.parametrize(
    ("dialect", "frame", "number"),
    [
        *((*place, number) for place in WHERE_IT_DOES_NOT for number in LARGE),
        *((*place, n) for place in WHERE_ALL_IS_AS_IT_CAME for n in LARGE + OUT_OF_RANGE),
    ],
    ids=lambda value: str(value)[:40],
)
def test_one_that_is_only_passed_on_is_passed_on_as_it_is(
    dialect: Dialect, frame: str, number: str
) -> None:
    (decoded,) = dialect.decode(frame % number, LINK)
    assert number.encode() in (said(decoded) or b"")


def test_a_candidate_is_passed_on_as_it_came_but_on_one_line() -> None:
    data = '{"candidate" : "c",\n "sdpMid": null, "usernameFragment":"x" }'
    (decoded,) = RELAY.decode(f'{{"type":"ice-candidate","data":{data}}}', LINK)
    assert said(decoded) == data.replace("\n", " ").encode()


def test_of_a_member_that_comes_twice_others_are_told_what_was_checked() -> None:
    data = '{"candidate":"' + "A" * 5000 + '","candidate":"c"}'
    (decoded,) = RELAY.decode(f'{{"type":"ice-candidate","data":{data}}}', LINK)
    assert said(decoded) == b'{"candidate":"c"}'
