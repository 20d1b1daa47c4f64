"""The rules the pages keep: no markup from strings, nothing inline, nothing from elsewhere."""

import re
from pathlib import Path

import pytest

from hubbub.core.ids import RESERVED_KEYS

STATIC = Path(__file__).parent.parent.parent / "src" / "hubbub" / "static"
OURS = [path for path in STATIC.rglob("*") if path.is_file() and "vendor" not in path.parts]
SCRIPTS = sorted(path for path in OURS if path.suffix == ".js")
PAGES = sorted(path for path in OURS if path.suffix == ".html")
STYLES = sorted(path for path in OURS if path.suffix == ".css")
DOMLESS = (
    "api.js", "protocol.js", "store.js", "rows.js", "session.js",
    "room/devices.js", "room/meeting.js", "room/mesh.js", "room/names.js", "room/peer.js",
    "room/words.js",
)  # fmt: skip

MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function"
    r"|\.style\b|setAttribute\(\"style\"|localStorage"
)
INLINE = re.compile(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:", re.IGNORECASE)
ELSEWHERE = re.compile(r"""(?:src|href|action)=["'](?:https?:)?//|url\(|@import""")
IMPORT = re.compile(r'^(?:import|export)\b[^;]*?\bfrom "([^"]+)";', re.MULTILINE)


def name(path: Path) -> str:
    return str(path.relative_to(STATIC))


@pytest.mark.parametrize("script", SCRIPTS, ids=name)
def test_a_script_builds_nodes_and_is_short(script: Path) -> None:
    text = script.read_text()
    assert MARKUP.findall(text) == []
    assert len(text.splitlines()) < 400
    assert [line for line in text.splitlines() if len(line) > 100] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_has_nothing_inline_and_asks_no_other_server(page: Path) -> None:
    text = page.read_text()
    assert INLINE.findall(text) == []
    assert ELSEWHERE.findall(text) == []


@pytest.mark.parametrize("style", STYLES, ids=name)
def test_a_style_sheet_loads_nothing(style: Path) -> None:
    assert ELSEWHERE.findall(style.read_text()) == []


@pytest.mark.parametrize("module", DOMLESS)
def test_the_protocol_and_the_store_know_no_page(module: str) -> None:
    text = (STATIC / "js" / module).read_text()
    assert re.findall(r"\b(?:document|window)\.", text) == []
    assert [source for source in IMPORT.findall(text) if "ui/" in source] == []


def test_imports_go_one_way() -> None:
    order = ["api.js", "protocol.js", "session.js", "store.js", "rows.js"]
    for at, module in enumerate(order):
        imported = IMPORT.findall((STATIC / "js" / module).read_text())
        assert {source.removeprefix("./") for source in imported} <= set(order[:at])


def test_every_file_a_page_names_exists() -> None:
    named = re.compile(r'(?:src|href)="([^"#?]+)')
    for page in PAGES:
        for target in named.findall(page.read_text()):
            if not target.startswith("/"):
                assert (page.parent / target).is_file(), (name(page), target)
            elif target.startswith("/static/"):
                assert (STATIC / target.removeprefix("/static/")).is_file(), (name(page), target)


def test_the_meeting_page_knows_what_is_no_meeting() -> None:
    script = (STATIC / "js" / "room" / "meeting.js").read_text()
    listed = re.search(r"^const RESERVED = \[(.+)\];$", script, re.MULTILINE)
    assert listed
    assert set(re.findall(r'"(\w+)"', listed[1])) == RESERVED_KEYS


def test_no_vendored_file_names_a_missing_source_map() -> None:
    for path in (STATIC / "vendor").rglob("*.*"):
        if path.suffix in (".js", ".css"):
            assert re.findall(r"sourceMappingURL=[\w.-]+\.map", path.read_text()) == []
