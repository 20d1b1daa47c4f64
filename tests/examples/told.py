"""What clients of the relay document are told."""

import re
from typing import Any

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def check_message(heard: dict[str, Any], sender: str, to: str, content: str) -> None:
    """What a recipient is told."""
    assert heard == {
        "type": "message",
        "id": heard["id"],
        "from_user_id": sender,
        "to_user_id": to,
        "content": content,
        "created_at": heard["created_at"],
    }
    assert isinstance(heard["id"], str)
    assert TIME.fullmatch(heard["created_at"])
