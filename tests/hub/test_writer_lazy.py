"""The queue and the gate that stand in for asyncio's."""

import asyncio

from hubbub.hub.lazy import Gate, Inbox


async def test_items_come_out_in_order_whoever_waits() -> None:
    inbox: Inbox[int] = Inbox()
    waiting = [asyncio.ensure_future(inbox.get()) for _ in range(3)]
    await asyncio.sleep(0)
    for number in range(4):
        inbox.put_nowait(number)
    assert await asyncio.gather(*waiting) == [0, 1, 2]
    assert (inbox.qsize(), inbox.empty()) == (1, False)
    assert await inbox.get() == 3
    assert inbox.empty()


async def test_an_item_is_not_lost_with_a_cancelled_waiter() -> None:
    inbox: Inbox[int] = Inbox()
    first, second = (asyncio.ensure_future(inbox.get()) for _ in range(2))
    await asyncio.sleep(0)
    inbox.put_nowait(1)
    first.cancel()
    assert await second == 1


async def test_a_gate_lets_everybody_through_when_it_opens() -> None:
    gate = Gate()
    await gate.wait()
    gate.clear()
    gate.clear()
    waiting = [asyncio.ensure_future(gate.wait()) for _ in range(2)]
    await asyncio.sleep(0)
    assert not gate.is_set()
    assert not any(task.done() for task in waiting)
    gate.set()
    await asyncio.gather(*waiting)
    assert gate.is_set()
