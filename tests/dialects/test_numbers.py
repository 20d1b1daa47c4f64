"""Numbers beyond what programs hold: no dialect falls over one, and none of them changes it."""

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
    (PEERJS, '{"type":"OFFER","dst":"bob","payload":%s}'),
    (PEERJS, '{"type":"OFFER","dst":"bob","payload":{"sdp":"v=0\\r\\n","x":[%s]}}'),
]
NUMBERS = ["1e999", "-1E+999", "1" * 400]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number[:7])
@pytest.mark.parametrize(("dialect", "frame"), WHERE_IT_MATTERS)
def test_one_that_would_have_to_be_understood_is_refused(
    dialect: Dialect, frame: str, number: str
) -> None:
    (decoded,) = dialect.decode(frame % number, LINK)
    assert isinstance(decoded, Refused), decoded


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number[:7])
@pytest.mark.parametrize(("dialect", "frame"), WHERE_IT_DOES_NOT)
def test_one_that_is_only_passed_on_is_passed_on_as_it_is(
    dialect: Dialect, frame: str, number: str
) -> None:
    (decoded,) = dialect.decode(frame % number, LINK)
    assert isinstance(decoded, Request), decoded
    command = decoded.command
    if isinstance(command, Pass):
        said = command.payload
    else:
        assert isinstance(command, Signal)
        assert command.verbatim is not None
        said = command.verbatim[1]
    assert said is not None
    assert number.encode() in said
