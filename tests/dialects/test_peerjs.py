"""The frames of the `peerjs` client, one by one and by chance."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hubbub.core.answers import Claimed, Done
from hubbub.core.claims import MAX_ID, PassKind
from hubbub.core.commands import Claim, GiveUpClaim, KeepClaim, Pass
from hubbub.core.errors import DomainError, Forbidden, Unauthenticated
from hubbub.core.events import Envelope, Passed, claim_of
from hubbub.core.ids import ChannelId, UserId, Who
from hubbub.core.signals import MAX_CANDIDATE, MAX_SDP
from hubbub.dialects.base import Link, Refused, Request
from hubbub.dialects.peerjs import INCOMPLETE, PeerJs

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

DIALECT = PeerJs()
GUEST = Who(UserId(-1), "guest")
ASKED = {"id": "alice", "key": "peerjs"}
LINK = Link("c", GUEST, asked=ASKED)


def command(text: str) -> object:
    """What a frame asks for; None when it is passed over."""
    decoded = DIALECT.decode(text, LINK)
    if not decoded:
        return None
    (request,) = decoded
    assert isinstance(request, Request)
    assert request.id is None
    return request.command


def told(passed: Passed) -> bytes | None:
    return DIALECT.encode(Envelope(ChannelId(0), passed, to=claim_of(passed.dst)))


def test_opening_claims_the_id_of_the_query() -> None:
    assert DIALECT.opening(LINK) == Claim("alice")


@pytest.mark.parametrize("id", ["a", "0", "a-b_c d", "7f2c0a1e-9d3b-4d0c-8a55-0d3b8c1e2f4a"])
def test_what_the_client_takes_for_an_id_is_one(id: str) -> None:
    assert DIALECT.opening(Link("c", GUEST, asked={**ASKED, "id": id})) == Claim(id)


@pytest.mark.parametrize(
    "id", [" a", "a ", "-a", "a--b", "a/b", "a\n", "\u00e4", "a" * (MAX_ID + 1)]
)
def test_any_other_id_is_refused(id: str) -> None:
    with pytest.raises(Forbidden) as refused:
        DIALECT.opening(Link("c", GUEST, asked={**ASKED, "id": id}))
    assert refused.value.code == "invalid_id"


@pytest.mark.parametrize(
    ("who", "asked"),
    [
        (None, ASKED),
        (GUEST, None),
        (GUEST, {"id": "alice"}),
        (GUEST, {"key": "peerjs"}),
        (GUEST, {"id": "", "key": "peerjs"}),
    ],
)
def test_without_id_token_or_key_nobody_comes_in(
    who: Who | None, asked: dict[str, str] | None
) -> None:
    with pytest.raises(Unauthenticated) as refused:
        DIALECT.opening(Link("c", who, asked=asked))
    assert refused.value.message == INCOMPLETE


def test_another_key_is_refused() -> None:
    with pytest.raises(Forbidden) as refused:
        DIALECT.opening(Link("c", GUEST, asked={**ASKED, "key": "mine"}))
    assert refused.value.message == "Invalid key provided"


def test_whoever_may_not_come_in_is_told_in_words_of_the_client() -> None:
    taken = Forbidden("ID is taken", "id_taken")
    assert DIALECT.turn_away(taken) == (b'{"type":"ID-TAKEN","payload":{"msg":"ID is taken"}}',)
    missing = Unauthenticated(INCOMPLETE)
    assert DIALECT.turn_away(missing) == (
        b'{"type":"ERROR","payload":{"msg":"No id, token, or key supplied to websocket server"}}',
    )


def test_open_comes_before_what_waited() -> None:
    waiting = [Passed(PassKind.OFFER, "bob", "alice", b'{"sdp":{"sdp":"x"}}')]
    request = Request(Claim("alice"))
    assert DIALECT.greet(LINK) == ()
    assert DIALECT.answer(request, Claimed("alice", waiting), LINK) == (
        b'{"type":"OPEN"}',
        b'{"type":"OFFER","src":"bob","dst":"alice","payload":{"sdp":{"sdp":"x"}}}',
    )
    assert DIALECT.answer(Request(KeepClaim()), Done(), LINK) == ()


@pytest.mark.parametrize("kind", PassKind)
def test_a_frame_is_passed_on_with_its_payload_as_it_came(kind: PassKind) -> None:
    payload = '{"connectionId":"mc_1", "metadata":{"n":1e2,"big":12345678901234567890}}'
    text = f'{{"type":"{kind}","src":"mallory","dst":"bob","payload":{payload},"more":1}}'
    asked = command(text)
    assert asked == Pass(kind, "bob", payload.encode())
    assert told(Passed(kind, "alice", "bob", payload.encode())) == (
        f'{{"type":"{kind}","src":"alice","dst":"bob","payload":{payload}}}'.encode()
    )


def test_no_payload_stays_none_and_null_stays_null() -> None:
    assert command('{"type":"OFFER","dst":"bob"}') == Pass(PassKind.OFFER, "bob", None)
    assert command('{"type":"OFFER","dst":"bob","payload":null}') == Pass(
        PassKind.OFFER, "bob", b"null"
    )
    assert told(Passed(PassKind.EXPIRE, "bob", "alice")) == (
        b'{"type":"EXPIRE","src":"bob","dst":"alice"}'
    )


def test_a_payload_that_is_spread_over_lines_is_told_in_one() -> None:
    asked = command('{"type":"OFFER","dst":"bob","payload":{\n"text":\r\n"a\\nb"}}')
    assert isinstance(asked, Pass)
    frame = told(Passed(asked.kind, "alice", "bob", asked.payload))
    assert frame is not None
    assert b"\n" not in frame
    assert json.loads(frame)["payload"] == {"text": "a\nb"}


def test_a_heartbeat_and_a_leave_for_nobody_are_for_the_server() -> None:
    assert command('{"type":"HEARTBEAT"}') == KeepClaim()
    for text in ('{"type":"LEAVE"}', '{"type":"LEAVE","dst":""}', '{"type":"LEAVE","dst":null}'):
        assert command(text) == GiveUpClaim()


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "[]", "1", "null", "{}", '{"type":1}', '{"type":"OPEN"}', '{"type":"ID-TAKEN"}',
        '{"type":"heartbeat"}', '{"type":"OFFER"}', '{"type":"OFFER","dst":1}',
        '{"type":"OFFER","dst":""}', '{"type":"OFFER","dst":"' + "x" * (MAX_ID + 1) + '"}',
        '{"type":["OFFER"],"dst":"bob"}', '{"type":"OFFER","dst":"bob","payload":NaN}',
        '{"type":"OFFER","dst":"bob","payload":' + "[" * 40 + "]" * 40 + "}",
    ],
)  # fmt: skip
def test_what_says_nothing_is_passed_over(text: str) -> None:
    assert command(text) is None


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"sdp": {"type": "offer", "sdp": "x" * (MAX_SDP + 1)}}, "sdp_too_long"),
        ({"sdp": "x" * (MAX_SDP + 1)}, "sdp_too_long"),
        ({"candidate": {"candidate": "x" * (MAX_CANDIDATE + 1)}}, "candidate_too_long"),
        ({"sdp": {"sdp": "\x00"}}, "invalid_sdp"),
    ],
)
def test_what_is_past_a_limit_is_an_error(payload: object, code: str) -> None:
    text = json.dumps({"type": "OFFER", "dst": "bob", "payload": payload})
    (refused,) = DIALECT.decode(text, LINK)
    assert isinstance(refused, Refused)
    assert refused.error.code == code
    told = json.loads(DIALECT.refuse(refused.error, None))
    assert told == {"type": "ERROR", "payload": {"msg": str(refused.error)}}


def test_a_description_as_long_as_the_limit_passes() -> None:
    payload = {"sdp": {"type": "offer", "sdp": "x" * MAX_SDP}}
    text = json.dumps({"type": "OFFER", "dst": "bob", "payload": payload})
    assert isinstance(command(text), Pass)


any_text = st.text(st.characters(codec=None), max_size=20)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), any_text),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(st.sampled_from(["sdp", "candidate", "type"]), any_text), inner, max_size=4
        ),
    ),
    max_leaves=12,
)
kinds = st.sampled_from([*PassKind, "HEARTBEAT", "OPEN", "ERROR", "nonsense"])
frames = st.fixed_dictionaries(
    {"type": st.one_of(kinds, values)},
    optional={"dst": st.one_of(st.sampled_from(["bob", ""]), values), "payload": values},
)


@st.composite
def written(draw: st.DrawFn) -> str:
    """A frame as some client writes it, perhaps damaged."""
    value: Any = draw(st.one_of(frames, values))
    text = json.dumps(
        value, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1]))
    )
    if draw(st.booleans()):
        return text
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, len(text)))
    return text[:start] + draw(st.one_of(any_text, st.just(text[start:end] * 2))) + text[end:]


@unhurried
@given(text=st.one_of(any_text, written()))
def test_decoding_never_raises_and_what_it_reads_can_be_told(text: str) -> None:
    for decoded in DIALECT.decode(text, LINK):
        if isinstance(decoded, Refused):
            assert isinstance(decoded.error, DomainError)
            json.loads(DIALECT.refuse(decoded.error, None))
            continue
        asked = decoded.command
        assert isinstance(asked, Pass | KeepClaim | GiveUpClaim)
        if isinstance(asked, Pass):
            frame = told(Passed(asked.kind, "alice", asked.to, asked.payload))
            assert frame is not None
            assert b"\n" not in frame
            read = json.loads(frame)
            assert read["src"] == "alice"
            assert set(read) <= {"type", "src", "dst", "payload"}
