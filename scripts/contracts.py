"""Writes docs/openapi.json and docs/asyncapi.json as this version of the server has them."""

import json
from pathlib import Path
from typing import Any

from hubbub.config import Settings
from hubbub.main import dialects
from hubbub.web import asyncapi
from hubbub.web.app import build_api

DOCS = Path(__file__).parent.parent / "docs"


def documents() -> dict[str, str]:
    """The text of each document, by its file's name."""
    documents: dict[str, dict[str, Any]] = {
        "openapi.json": build_api(Settings()).openapi(),
        "asyncapi.json": asyncapi.document(dialects()),
    }
    return {name: json.dumps(each, indent=1) + "\n" for name, each in documents.items()}


if __name__ == "__main__":
    for name, text in documents().items():
        (DOCS / name).write_text(text)
