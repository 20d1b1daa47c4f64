"""The landing page and the documentation of the API, under the policies they are served with."""

import pytest
from playwright.async_api import Browser, Page, expect

from tests.e2e.browser import listen_for_complaints
from tests.support.server import Server

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

_RUN = """
    (code) => new Promise((resolve) => {
      console.log = (frame) => {
        const words = frame.content ?? frame.message ?? "";
        if (words) resolve(words);
      };
      import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
    })
"""


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        ("conversations", "Hello from conversations"),
        ("rooms", "Hello from rooms"),
        ("the native protocol", "Hello from native"),
        ("meetings", "Successfully connected to room"),
    ],
)
async def test_the_examples_of_the_landing_page_run_as_they_are(
    dev_server: Server, browser: Browser, protocol: str, words: str
) -> None:
    # The console of a browser, where they are to be pasted, has no policy either.
    context = await browser.new_context(bypass_csp=True)
    page = await context.new_page()
    await page.goto(f"{dev_server.url}/")
    await expect(page.get_by_text("Running, in development mode")).to_be_visible()
    code = await page.get_by_label(f"JavaScript for {protocol}").text_content()
    assert dev_server.ws in (code or "")
    assert await page.evaluate(_RUN, code) == words
    await context.close()


async def test_no_page_complains_or_asks_another_server(
    dev_server: Server, browser: Browser
) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    complaints = listen_for_complaints(page)
    foreign: list[str] = []

    def note(url: str) -> None:
        if not url.startswith((dev_server.url, "data:", "blob:")):
            foreign.append(url)

    page.on("request", lambda request: note(request.url))
    await page.goto(f"{dev_server.url}/static/index.html")
    await expect(page.get_by_role("heading", name="Hubbub", exact=True)).to_be_visible()
    await _try_the_api(page, dev_server)
    await _read_the_api(page, dev_server)
    assert complaints == []
    assert foreign == []
    await context.close()


async def _try_the_api(page: Page, server: Server) -> None:
    await page.goto(f"{server.url}/docs")
    await page.locator("#operations-server-read_health .opblock-summary").click()
    await page.get_by_role("button", name="Try it out").click()
    await page.get_by_role("button", name="Execute").click()
    status = page.locator(".live-responses-table .response .response-col_status")
    await expect(status).to_contain_text("200")


async def _read_the_api(page: Page, server: Server) -> None:
    await page.goto(f"{server.url}/redoc")
    await expect(page.get_by_role("heading", name="Hubbub").first).to_be_visible()
    await page.get_by_role("textbox").or_(page.get_by_role("searchbox")).first.fill("ticket")
    await expect(page.locator('[data-role="search:results"]')).to_contain_text("icket")
