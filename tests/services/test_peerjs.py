"""Ids and what is passed between them: owners, queues, expiry, heartbeats, on our own clock."""

import pytest

from hubbub.bus.memory import MemoryBus
from hubbub.core.claims import PassKind
from hubbub.core.commands import Claim, GiveUpClaim, KeepClaim, Pass
from hubbub.core.errors import Forbidden
from hubbub.core.events import Envelope, Passed, claim_of
from hubbub.core.ids import UserId, Who
from hubbub.core.limits import Rates
from hubbub.services import peerjs
from hubbub.services.peerjs import PeerJs
from tests.hub.fakes import Clock

ALICE = Who(UserId(1), "alice")
BOB = Who(UserId(2), "bob")
GUEST = Who(UserId(-5), "guest")


class Exchange:
    """The service with everything it told and everybody it sent away."""

    def __init__(self, rate: float = 0, burst: float = 0) -> None:
        self.clock = Clock()
        self.told: list[Passed] = []
        self.evicted: list[str] = []
        bus = MemoryBus()
        bus.subscribe(self._hear, lambda _: None)
        self.service = PeerJs(bus, self._evict, Rates(rate, burst), self.clock)

    def claim(self, who: Who, id: str, connection: str = "") -> list[Passed]:
        """Claims an id, on a connection of the same name; what had waited comes back."""
        return list(self.service.claim(who, connection or id, Claim(id)).waiting)

    def say(
        self, src: str, dst: str, payload: bytes | None = b"{}", kind: PassKind = PassKind.OFFER
    ) -> None:
        self.service.carry_out(src, Pass(kind, dst, payload))

    def later(self, seconds: float) -> None:
        """Time passes, and then somebody ticks."""
        self.clock.now += seconds
        self.service.tick()

    def heard(self) -> list[Passed]:
        """What was told since this was last asked."""
        told, self.told = self.told, []
        return told

    def _hear(self, envelopes: object) -> None:
        for envelope in envelopes:  # type: ignore[attr-defined]
            assert isinstance(envelope, Envelope)
            assert isinstance(envelope.event, Passed)
            assert envelope.to == claim_of(envelope.event.dst)
            self.told.append(envelope.event)

    def _evict(self, address: str, reason: str) -> None:
        assert reason
        self.evicted.append(address)


def expired(absent: str, sender: str) -> Passed:
    return Passed(PassKind.EXPIRE, absent, sender)


def test_what_is_said_reaches_whoever_has_the_id() -> None:
    exchange = Exchange()
    exchange.claim(ALICE, "a")
    exchange.claim(BOB, "b")
    exchange.say("a", "b", b'{"sdp":1}')
    exchange.say("b", "a", None, PassKind.LEAVE)
    assert exchange.heard() == [
        Passed(PassKind.OFFER, "a", "b", b'{"sdp":1}'),
        Passed(PassKind.LEAVE, "b", "a", None),
    ]


@pytest.mark.parametrize("other", [BOB, GUEST])
def test_an_id_is_for_its_owner_alone(other: Who) -> None:
    exchange = Exchange()
    exchange.claim(ALICE, "a")
    with pytest.raises(Forbidden) as refused:
        exchange.claim(other, "a", "another")
    assert refused.value.code == "id_taken"
    assert not exchange.evicted
    exchange.say("another", "a")
    assert exchange.heard() == []


def test_its_owner_takes_an_id_to_another_socket_and_the_older_one_is_sent_away() -> None:
    exchange = Exchange()
    exchange.claim(ALICE, "a", "old")
    exchange.claim(ALICE, "a", "new")
    exchange.claim(BOB, "b")
    assert exchange.evicted == [claim_of("a")]
    exchange.say("old", "b")
    exchange.service.closed("old")
    exchange.say("new", "b")
    assert [passed.src for passed in exchange.heard()] == ["a"]


def test_a_closed_socket_frees_its_id_and_nobody_is_told() -> None:
    exchange = Exchange()
    exchange.claim(ALICE, "a")
    exchange.claim(BOB, "b")
    exchange.say("a", "b")
    exchange.heard()
    exchange.service.closed("a")
    exchange.service.closed("a")
    exchange.claim(GUEST, "a")
    assert exchange.heard() == []


def test_what_is_said_to_an_absent_id_waits_for_it_in_order() -> None:
    exchange = Exchange()
    exchange.claim(ALICE, "a")
    exchange.claim(BOB, "b")
    for number in range(3):
        exchange.say("a", "c", b"%d" % number)
        exchange.say("b", "c", b"%d" % number)
    exchange.later(4.9)
    waited = exchange.claim(GUEST, "c")
    assert [(passed.src, passed.payload) for passed in waited] == [
        ("a", b"0"), ("b", b"0"), ("a", b"1"), ("b", b"1"), ("a", b"2"), ("b", b"2"),
    ]  # fmt: skip
    exchange.later(60)
    assert exchange.heard() == []


def test_each_sender_is_told_once_what_expired() -> None:
    exchange = Exchange()
    exchange.claim(ALICE, "a")
    exchange.claim(BOB, "b")
    exchange.say("a", "c")
    exchange.say("a", "c", kind=PassKind.CANDIDATE)
    exchange.say("b", "c")
    exchange.later(4.99)
    assert exchange.heard() == []
    exchange.later(0.01)
    assert exchange.heard() == [expired("c", "a"), expired("c", "b")]
    exchange.later(10)
    assert exchange.heard() == []
    assert exchange.claim(GUEST, "c") == []


def test_a_queue_is_as_old_as_the_first_in_it() -> None:
    exchange = Exchange()
    exchange.claim(ALICE, "a")
    exchange.claim(BOB, "b")
    exchange.say("a", "c")
    exchange.later(4)
    exchange.say("b", "c")
    exchange.later(1)
    assert exchange.heard() == [expired("c", "a"), expired("c", "b")]


@pytest.mark.parametrize("kind", [PassKind.LEAVE, PassKind.EXPIRE])
def test_a_farewell_to_nobody_neither_waits_nor_expires(kind: PassKind) -> None:
    exchange = Exchange()
    exchange.claim(ALICE, "a")
    exchange.say("a", "c", kind=kind)
    exchange.later(10)
    assert exchange.heard() == []
    assert exchange.claim(BOB, "c") == []


def test_silence_for_a_minute_ends_a_claim_and_a_heartbeat_keeps_it() -> None:
    exchange = Exchange()
    exchange.claim(ALICE, "a")
    exchange.claim(BOB, "b")
    exchange.later(59.9)
    exchange.service.carry_out("b", KeepClaim())
    assert exchange.evicted == []
    exchange.later(0.1)
    assert exchange.evicted == [claim_of("a")]
    exchange.claim(GUEST, "a")


def test_talking_is_no_heartbeat() -> None:
    exchange = Exchange()
    exchange.claim(ALICE, "a")
    exchange.clock.now += 59
    exchange.say("a", "b")
    exchange.later(1)
    assert exchange.evicted == [claim_of("a")]


def test_an_id_can_be_given_up() -> None:
    exchange = Exchange()
    exchange.claim(ALICE, "a")
    exchange.service.carry_out("a", GiveUpClaim())
    assert exchange.evicted == [claim_of("a")]
    exchange.claim(BOB, "a", "b's")


def test_for_one_id_no_more_waits_than_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peerjs, "MOST_FOR_ONE", 2)
    exchange = Exchange()
    exchange.claim(ALICE, "a")
    exchange.claim(BOB, "b")
    for sender in ("a", "b", "b"):
        exchange.say(sender, "c")
    assert exchange.heard() == [expired("c", "b")]
    exchange.say("b", "d")
    assert exchange.heard() == []
    assert [passed.src for passed in exchange.claim(GUEST, "c")] == ["a", "b"]


def test_from_one_id_no_more_waits_than_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peerjs, "MOST_FROM_ONE", 2)
    exchange = Exchange()
    exchange.claim(ALICE, "a")
    exchange.claim(BOB, "b")
    for absent in ("c", "d", "e"):
        exchange.say("a", absent)
    exchange.say("b", "c")
    assert exchange.heard() == [expired("e", "a")]
    exchange.later(5)
    exchange.heard()
    exchange.say("a", "c")
    exchange.say("a", "c")
    assert exchange.heard() == [], "what expired waits no longer"


def test_altogether_no_more_bytes_wait_than_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peerjs, "MOST_BYTES", 2 * (peerjs.OVERHEAD + 1000))
    exchange = Exchange()
    exchange.claim(ALICE, "a")
    exchange.say("a", "c", b"x" * 1000)
    exchange.say("a", "d", b"x" * 1000)
    exchange.say("a", "e")
    assert exchange.heard() == [expired("e", "a")]
    exchange.claim(BOB, "c")
    exchange.say("a", "e", b"x" * 1000)
    assert exchange.heard() == [], "what was fetched waits no longer"


def test_a_pair_has_a_rate_and_what_goes_past_it_expires() -> None:
    exchange = Exchange(rate=1, burst=2)
    for who, id in ((ALICE, "a"), (BOB, "b"), (GUEST, "c")):
        exchange.claim(who, id)
    for _ in range(3):
        exchange.say("a", "b")
    exchange.say("a", "c")
    assert [passed.kind for passed in exchange.heard()] == ["OFFER", "OFFER", "EXPIRE", "OFFER"]
    exchange.clock.now += 1
    exchange.say("a", "b")
    assert [passed.kind for passed in exchange.heard()] == ["OFFER"]


def test_many_addressees_have_a_rate_together() -> None:
    exchange = Exchange(rate=1, burst=1)
    exchange.claim(ALICE, "a")
    for number in range(peerjs.SENDER_FACTOR + 1):
        exchange.say("a", f"absent-{number}")
    assert exchange.heard() == [expired(f"absent-{peerjs.SENDER_FACTOR}", "a")]
