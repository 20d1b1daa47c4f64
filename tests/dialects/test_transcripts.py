"""Every transcript, against the dialects alone."""

from pathlib import Path

import pytest

from tests.dialects.world import World
from tests.transcripts.replay import TRANSCRIPTS, load, replay, title


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=title)
async def test_the_dialects_say_what_the_transcript_says_and_nothing_more(path: Path) -> None:
    world = World(closed=path.parent.name == "closed")
    await replay(path, world, world.variables)
    assert world.unread == {}


def test_every_frame_that_the_documents_name_is_in_a_transcript() -> None:
    said = {
        dialect: set[str]()
        for dialect in ("rooms", "conversations", "relay", "conference", "signaling")
    }
    for path in TRANSCRIPTS:
        dialect = title(path).partition("/")[0]
        for line in load(path):
            if dialect in said and line.mark in "<>" and isinstance(line.payload, dict):
                said[dialect].add(line.mark + line.payload.get("type", ""))
    assert said["rooms"] >= {
        ">message", ">join_room", ">leave_room", ">typing", ">ping",
        "<message", "<message_history", "<user_joined", "<user_left", "<user_typing",
        "<user_disconnected", "<connection_established", "<room_joined", "<room_left", "<error",
        "<pong",
    }  # fmt: skip
    assert said["conversations"] >= {
        ">", "<connection", "<message", "<user_joined", "<user_left", "<error"
    }  # fmt: skip
    assert said["relay"] >= {
        ">", ">offer", ">answer", ">ice-candidate", ">hang-up", ">call-declined",
        "<message", "<offer", "<answer", "<ice-candidate", "<hang-up", "<call-declined",
        "<user-joined", "<user-left", "<error",
    }  # fmt: skip
    assert said["conference"] >= {
        ">offer", ">answer", ">ice-candidate", ">join", "<offer", "<answer", "<ice-candidate",
        "<join", "<connected", "<user-joined", "<user-left", "<error",
    }  # fmt: skip
    assert said["signaling"] >= {
        ">offer", ">answer", ">candidate", ">heartbeat", "<offer", "<answer", "<candidate",
        "<heartbeat_response", "<user_joined", "<user_left", "<error",
    }  # fmt: skip
