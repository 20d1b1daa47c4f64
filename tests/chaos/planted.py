"""Bugs to plant in a faultless run, each named after the anomaly it is.

Every function changes the run in place; `pick` chooses where from the places that fit.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeVar

from tests.chaos.checker import Access
from tests.chaos.record import (
    Acked,
    Closed,
    Invoked,
    Item,
    Operation,
    ReadBegun,
    Received,
    Refused,
    Subscribed,
    Unknown,
)
from tests.chaos.simulation import CHANNELS, OUTSIDER, Run

T = TypeVar("T")
Pick = Callable[[Sequence[Any]], Any]


def _of(run: Run, kind: type[T]) -> list[tuple[int, T]]:
    return [(t, op) for t, op in enumerate(run.record.operations) if isinstance(op, kind)]


def _shown_by_streams_alone(run: Run) -> list[tuple[int, Received]]:
    receipts = _of(run, Received)
    read = {(op.p, op.ch, op.item) for _, op in receipts if op.via == "rest"}
    return [(t, op) for t, op in receipts if (op.p, op.ch, op.item) not in read]


def _last_message(run: Run, ch: int) -> Item | None:
    last = run.histories[ch][-1]
    return last if last.id is not None else None


def _forget(run: Run, ch: int, item: Item) -> None:
    """Nobody was ever shown the item, and it is not kept."""
    run.histories[ch].remove(item)
    kept: list[Operation] = []
    for op in run.record.operations:
        match op:
            case Received(ch=where, item=shown) if (where, shown) == (ch, item):
                continue
            case Subscribed(ch=where, start=start, seq=seq) if where == ch:
                below = item.seq - 1
                kept.append(replace(op, start=min(start, below), seq=min(seq, below)))
            case _:
                kept.append(op)
    run.record.operations[:] = kept


def _acked_cids(run: Run) -> set[str]:
    return {op.cid for _, op in _of(run, Acked)}


def an_acknowledged_message_is_lost(run: Run, pick: Pick) -> None:
    acked = _acked_cids(run)
    tails = [(ch, _last_message(run, ch)) for ch in CHANNELS]
    ch, item = pick([(ch, item) for ch, item in tails if item and item.cid in acked])
    _forget(run, ch, item)


def a_retry_is_stored_again(run: Run, pick: Pick) -> None:
    ch, item = pick([(ch, i) for ch in CHANNELS for i in run.histories[ch] if i.id is not None])
    again = replace(item, seq=len(run.histories[ch]) + 1, id=10**6)
    run.histories[ch].append(again)
    closed = {op.stream for _, op in _of(run, Closed)}
    for _, op in _of(run, Subscribed):
        if op.ch == ch and op.stream not in closed:
            run.record.add(Received(op.p, ch, op.stream, "live", again))


def a_retry_is_answered_with_another_id(run: Run, pick: Pick) -> None:
    _, ack = pick(_of(run, Acked))
    run.record.add(replace(ack, id=10**6, seq=ack.seq + 10**6))


def an_event_is_shown_twice(run: Run, pick: Pick) -> None:
    t, receipt = pick(_of(run, Received))
    run.record.operations.insert(t + 1, receipt)


def a_refused_message_is_visible(run: Run, pick: Pick) -> None:
    acks = _of(run, Acked)
    unknown = {op.cid for _, op in _of(run, Unknown)}
    t, ack = pick([(t, ack) for t, ack in acks if ack.cid not in unknown])
    run.record.operations[t] = Refused(ack.p, ack.ch, ack.cid)


def a_message_nobody_sent_is_visible(run: Run, pick: Pick) -> None:
    visible = {item.cid for history in run.histories.values() for item in history}
    _, invoked = pick([(t, op) for t, op in _of(run, Invoked) if op.cid in visible])
    run.record.operations[:] = [
        op for op in run.record.operations if not _is_about(op, invoked.cid)
    ]


def _is_about(operation: Operation, cid: str) -> bool:
    return not isinstance(operation, Received) and getattr(operation, "cid", None) == cid


def a_message_that_was_seen_is_rolled_back(run: Run, pick: Pick) -> None:
    acked = _acked_cids(run)
    seen = {op.item.cid for _, op in _of(run, Received)}
    tails = [(ch, _last_message(run, ch)) for ch in CHANNELS]
    ch, item = pick([(ch, i) for ch, i in tails if i and i.cid not in acked and i.cid in seen])
    run.histories[ch].remove(item)


def one_observer_reads_another_text(run: Run, pick: Pick) -> None:
    t, receipt = pick([(t, op) for t, op in _of(run, Received) if op.item.id is not None])
    run.record.operations[t] = replace(receipt, item=replace(receipt.item, body="another"))


def an_ack_names_another_seq(run: Run, pick: Pick) -> None:
    last_invoked = {(op.p, op.ch): t for t, op in _of(run, Invoked)}
    t, ack = pick([(t, op) for t, op in _of(run, Acked) if last_invoked[op.p, op.ch] < t])
    run.record.operations[t] = replace(ack, seq=10**6)


def an_event_is_never_shown(run: Run, pick: Pick) -> None:
    newest: dict[int, int] = {}
    for _, op in _of(run, Received):
        newest[op.stream] = max(newest.get(op.stream, 0), op.item.seq)
    shown = _shown_by_streams_alone(run)
    _, gone = pick([(t, op) for t, op in shown if op.item.seq < newest[op.stream]])
    _never_show(run, gone)


def the_newest_event_is_never_shown(run: Run, pick: Pick) -> None:
    closed = {op.stream for _, op in _of(run, Closed)}
    _, gone = pick(
        [
            (t, op)
            for t, op in _shown_by_streams_alone(run)
            if op.stream not in closed and op.item.seq == len(run.histories[op.ch])
        ]
    )
    _never_show(run, gone)


def _never_show(run: Run, gone: Received) -> None:
    run.record.operations[:] = [
        op
        for op in run.record.operations
        if not (
            isinstance(op, Received)
            and (op.p, op.ch, op.item.seq) == (gone.p, gone.ch, gone.item.seq)
        )
    ]


def a_seq_is_skipped_in_the_history(run: Run, pick: Pick) -> None:
    acked = {(op.ch, op.seq) for _, op in _of(run, Acked)}
    seen = {(op.ch, op.item.seq) for _, op in _of(run, Received)}
    ch, item = pick(
        [
            (ch, item)
            for ch in CHANNELS
            for item in run.histories[ch][:-1]
            if (ch, item.seq) not in acked | seen
        ]
    )
    run.histories[ch].remove(item)


def two_events_come_in_the_wrong_order(run: Run, pick: Pick) -> None:
    receipts = _of(run, Received)
    (t1, first), (t2, second) = pick(
        [(one, other) for one, other in pairwise(receipts) if one[1].stream == other[1].stream]
    )
    run.record.operations[t1], run.record.operations[t2] = second, first


def message_ids_fall_in_the_history(run: Run, pick: Pick) -> None:
    ch = pick([ch for ch in CHANNELS if sum(i.id is not None for i in run.histories[ch]) > 1])
    run.histories[ch][:] = [_renumbered(item) for item in run.histories[ch]]
    for t, op in _of(run, Received):
        if op.ch == ch:
            run.record.operations[t] = replace(op, item=_renumbered(op.item))
    for t, ack in _of(run, Acked):
        if ack.ch == ch:
            run.record.operations[t] = replace(ack, id=10**6 - ack.id)


def _renumbered(item: Item) -> Item:
    return item if item.id is None else replace(item, id=10**6 - item.id)


def a_later_send_comes_before_an_acknowledged_one(run: Run, pick: Pick) -> None:
    acks = _of(run, Acked)
    first, t = pick(
        [
            (one, t)
            for _, one in acks
            for t, other in acks
            if (one.p, one.ch) == (other.p, other.ch) and one.seq < other.seq
        ]
    )
    operations = run.record.operations
    moved = [op for op in operations if isinstance(op, Invoked) and op.cid == first.cid]
    operations[t + 1 : t + 1] = moved
    for op in moved:
        operations.remove(op)


def a_reading_lacks_what_was_acknowledged(run: Run, pick: Pick) -> None:
    owed: dict[int, set[int]] = {}
    acked: set[tuple[int, int]] = set()
    for op in run.record.operations:
        if isinstance(op, Acked):
            acked.add((op.ch, op.id))
        if isinstance(op, ReadBegun):
            owed[op.stream] = {id_ for ch, id_ in acked if ch == op.ch}
    last = {op.stream: (t, op) for t, op in _of(run, Received) if op.via == "rest"}
    t, _ = pick([(t, op) for t, op in last.values() if op.item.id in owed[op.stream]])
    del run.record.operations[t]


def somebody_else_is_shown_an_event(run: Run, pick: Pick) -> None:
    t, receipt = pick(_of(run, Received))
    run.record.operations.insert(t, replace(receipt, p=OUTSIDER, stream=0))


def a_former_member_is_shown_an_event(run: Run, pick: Pick) -> None:
    _, receipt = pick([(t, op) for t, op in _of(run, Received) if op.item.seq > 1])
    run.access[:] = [
        Access(grant.p, grant.ch, 1, receipt.item.seq - 1)
        if (grant.p, grant.ch) == (receipt.p, receipt.ch)
        else grant
        for grant in run.access
    ]
