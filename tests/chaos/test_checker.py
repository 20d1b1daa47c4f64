"""The checker is worth what it finds: every bug planted in a faultless run, by its own name."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.chaos import planted
from tests.chaos.checker import Anomaly, check
from tests.chaos.record import Acked, Record, Unknown, load
from tests.chaos.simulation import CHANNELS, CLIENTS, Action, Run, play

VERBS = (
    ("send",) * 4
    + ("lose the ack", "lose the ack and retry", "lose the request", "be refused")
    + ("deliver", "deliver", "disconnect", "connect", "read")
)
actions = st.lists(
    st.tuples(st.sampled_from(VERBS), st.sampled_from(CLIENTS), st.sampled_from(CHANNELS)),
    min_size=8,
    max_size=30,
)

PLANTED = [
    (planted.an_acknowledged_message_is_lost, {"LOST"}),
    (planted.a_retry_is_stored_again, {"DUP"}),
    (planted.a_retry_is_answered_with_another_id, {"DUP"}),
    (planted.an_event_is_shown_twice, {"DUP"}),
    (planted.a_refused_message_is_visible, {"PHANTOM"}),
    (planted.a_message_nobody_sent_is_visible, {"PHANTOM"}),
    (planted.a_message_that_was_seen_is_rolled_back, {"PHANTOM"}),
    (planted.one_observer_reads_another_text, {"DIVERGE"}),
    (planted.an_ack_names_another_seq, {"DIVERGE"}),
    (planted.an_event_is_never_shown, {"HOLE"}),
    (planted.a_seq_is_skipped_in_the_history, {"HOLE"}),
    (planted.two_events_come_in_the_wrong_order, {"INVERT"}),
    (planted.message_ids_fall_in_the_history, {"INVERT"}),
    (planted.a_later_send_comes_before_an_acknowledged_one, {"CAUSAL"}),
    (planted.a_reading_lacks_what_was_acknowledged, {"STALE"}),
    (planted.somebody_else_is_shown_an_event, {"LEAK"}),
    (planted.a_former_member_is_shown_an_event, {"LEAK"}),
    (planted.the_newest_event_is_never_shown, {"UNSEEN"}),
]


def judge(run: Run) -> list[Anomaly]:
    return check(run.record.operations, run.histories, run.access)


@given(actions)
@settings(max_examples=50, deadline=None, derandomize=True)
def test_a_faultless_run_has_no_anomaly(script: list[Action]) -> None:
    assert judge(play(script)) == []


@pytest.mark.parametrize(("plant", "kinds"), PLANTED, ids=[plant.__name__ for plant, _ in PLANTED])
def test_a_planted_bug_is_reported_by_its_own_name(plant: Any, kinds: set[str]) -> None:
    found = 0

    @given(actions, st.data())
    @settings(max_examples=50, deadline=None, derandomize=True)
    def plant_and_judge(script: list[Action], data: st.DataObject) -> None:
        def pick(places: Sequence[Any]) -> Any:
            assume(places)
            return data.draw(st.sampled_from(places))

        run = play(script)
        plant(run, pick)
        assert {anomaly.kind for anomaly in judge(run)} == kinds
        nonlocal found
        found += 1

    plant_and_judge()
    assert found >= 25


@given(actions, st.data())
@settings(max_examples=50, deadline=None, derandomize=True)
def test_a_lost_ack_is_no_anomaly(script: list[Action], data: st.DataObject) -> None:
    run = play(script)
    operations = run.record.operations
    acks = [(t, op) for t, op in enumerate(operations) if isinstance(op, Acked)]
    assume(acks)
    t, ack = data.draw(st.sampled_from(acks))
    operations[t] = Unknown(ack.p, ack.ch, ack.cid)
    assert judge(run) == []


def test_a_record_survives_its_own_json_lines(tmp_path: Any) -> None:
    run = play(
        [
            ("send", "alice", 1),
            ("disconnect", "bob", 1),
            ("lose the ack and retry", "carol", 1),
            ("be refused", "alice", 2),
            ("connect", "bob", 1),
            ("read", "bob", 1),
        ]
    )
    lines = run.record.dump(tmp_path / "record.jsonl").read_text().splitlines()
    assert load(reversed(lines)) == run.record.operations


def test_an_anomaly_says_what_and_where_to_a_person() -> None:
    run = play([("send", "alice", 1)])
    run.histories[1].pop()
    assert "LOST in channel 1, alice: c1 was acknowledged as 1, 4" in map(str, judge(run))


def test_a_record_counts_what_it_holds() -> None:
    record: Record = play([("lose the request", "bob", 2)]).record
    assert record.count(Unknown) == 1
    assert record.count(Acked) == 0
