"""What the documents print, read from copies; only ports and placeholders are filled in."""

import json
from pathlib import Path
from typing import Any

DOCUMENTS = Path(__file__).with_name("documents")


def printed(name: str, **placeholders: str) -> str:
    """An example, with what stands for something filled in. A placeholder that is not in it is a
    mistake of the test's."""
    text = (DOCUMENTS / f"{name}.txt").read_text()
    return filled(text, placeholders)


def filled(text: str, placeholders: dict[str, str]) -> str:
    """Replaces each placeholder, all of which are there."""
    for placeholder, value in placeholders.items():
        assert placeholder in text, placeholder
        text = text.replace(placeholder, value)
    return text


def objects(text: str) -> list[Any]:
    """The JSON values of a text, one after the other."""
    decoder, found, at = json.JSONDecoder(), [], 0
    text = text.strip()
    while at < len(text):
        value, end = decoder.raw_decode(text, at)
        found.append(value)
        at = end + len(text[end:]) - len(text[end:].lstrip())
    return found


def like(frame: dict[str, Any], shape: dict[str, Any]) -> bool:
    """Whether a frame has exactly the printed fields in the printed order, of the printed types,
    and the printed `type`."""
    return (
        list(frame) == list(shape)
        and frame["type"] == shape["type"]
        and all(type(frame[key]) is type(shape[key]) for key in shape)
    )
