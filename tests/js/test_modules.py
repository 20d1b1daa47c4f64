"""Runs every exported function `test_…` of the `*.test.js` files beside this one in Chromium."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route

HERE = Path(__file__).parent
STATIC = HERE.parent.parent / "src" / "hubbub" / "static"
ORIGIN = "http://hubbub.test"
TEST = re.compile(r"^export (?:async )?function (test_\w+)", re.MULTILINE)
CASES = [
    pytest.param(path.name, name, id=f"{path.name}-{name}")
    for path in sorted(HERE.glob("*.test.js"))
    for name in TEST.findall(path.read_text())
]

pytestmark = pytest.mark.system


async def _serve(route: Route) -> None:
    path = route.request.url.removeprefix(ORIGIN)
    if path == "/":
        await route.fulfill(content_type="text/html", body="<!doctype html><title>tests</title>")
    elif path.startswith("/static/"):
        await route.fulfill(path=STATIC / path.removeprefix("/static/"))
    else:
        await route.fulfill(path=HERE / path.removeprefix("/tests/"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page that can import the modules of the product and of the tests, and nothing else."""
    context = await browser.new_context()
    await context.route("**/*", _serve)
    page = await context.new_page()
    await page.goto(f"{ORIGIN}/")
    yield page
    await context.close()


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(("module", "name"), CASES)
async def test_module(page: Page, module: str, name: str) -> None:
    await page.evaluate(
        "async ([module, name]) => { await (await import(`/tests/${module}`))[name](); }",
        [module, name],
    )


def test_the_tests_are_found() -> None:
    assert len(CASES) > 30
