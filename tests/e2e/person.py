"""Somebody in front of the chat page, in the words of what a person sees and does."""

from dataclasses import dataclass

from playwright.async_api import Page, expect

from tests.e2e.browser import PATIENCE_MS, listen_for_complaints
from tests.support.server import PASSWORD, Server

expect.set_options(timeout=PATIENCE_MS)

_MESSAGES = """
    () => [...document.querySelectorAll('.message[data-status="received"]')].map((row) => [
      row.classList.contains("mine") ? "me" : row.querySelector(".sender").textContent,
      row.querySelector(".bubble").textContent,
    ])
"""


@dataclass(slots=True)
class Message:
    """One message as it is shown."""

    sender: str
    content: str


class Person:
    """One browser window. `complaints` is what its page complained of."""

    def __init__(self, server: Server, name: str, page: Page) -> None:
        self.server = server
        self.name = name
        self.page = page
        self.complaints = listen_for_complaints(page)
        self.log = page.get_by_role("log")
        self.status = page.locator("#status-text")
        self.composer = page.get_by_role("textbox", name="Message")

    async def visit(self, conversation: int | None = None) -> None:
        """Opens the page by its address."""
        query = "" if conversation is None else f"?conversation={conversation}"
        await self.page.goto(f"{self.server.url}/static/chat.html{query}")

    async def log_in(self, password: str = PASSWORD) -> None:
        """Fills in the form and presses the button, whatever comes of it."""
        # A late prefill must not overwrite what was typed.
        await self.page.wait_for_load_state("networkidle")
        await self.page.get_by_label("Username").fill(self.name)
        await self.page.get_by_label("Password").fill(password)
        await self.page.get_by_role("button", name="Login & Connect").click()

    async def enter(self) -> "Person":
        """Logs in and waits until the conversation is live."""
        await self.log_in()
        await self.is_live()
        return self

    async def is_live(self) -> None:
        """Waits until the page says so."""
        await expect(self.status).to_have_text("Live")

    async def say(self, text: str) -> None:
        """Writes a message and sends it with Enter."""
        await self.composer.fill(text)
        await self.composer.press("Enter")

    async def sees(self, text: str) -> None:
        """Waits until a message of exactly these words is there, confirmed by the server."""
        bubble = self.page.locator('.message[data-status="received"] .bubble')
        await expect(bubble.get_by_text(text, exact=True).last).to_be_attached()

    async def messages(self) -> list[Message]:
        """The messages on the page, in its order, as the one at the screen would list them."""
        rows = await self.page.evaluate(_MESSAGES)
        return [Message(self.name if who == "me" else who, content) for who, content in rows]
