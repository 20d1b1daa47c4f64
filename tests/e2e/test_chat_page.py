"""The chat page of document 004: people talk, and nothing is missing or doubled, come what may."""

import asyncio
import json
import re

import pytest
from playwright.async_api import Route, expect

from tests.e2e.conftest import Meet
from tests.e2e.person import Message
from tests.support.server import PASSWORD, Server, running_server

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
HOSTILE = (
    '<img src=x onerror="document.title = `hacked`"><script>alert(1)</script> javascript:alert(1)'
)


async def test_two_people_talk_and_a_reload_loses_and_doubles_nothing(meet: Meet) -> None:
    async with running_server(dev=True) as server:
        testuser = await (await meet(server, "testuser")).enter()
        alice = await (await meet(server, "alice")).enter()
        said = []
        for number in range(1, 6):
            for person in (testuser, alice):
                await person.say(f"{person.name} {number}")
                said.append(Message(person.name, f"{person.name} {number}"))
        await testuser.sees("alice 5")
        await alice.sees("testuser 5")
        order = await testuser.messages()
        assert sorted(order, key=str) == sorted(said, key=str)
        assert await alice.messages() == order

        await alice.page.reload()
        await alice.is_live()
        await alice.sees("alice 5")
        assert await alice.messages() == order

        await testuser.say("Still here?")
        await alice.sees("Still here?")
        await alice.say("Still here.")
        await testuser.sees("Still here.")
        assert await alice.messages() == await testuser.messages()
        assert len(await alice.messages()) == len(said) + 2
        assert testuser.complaints == alice.complaints == []


async def test_a_killed_server_is_waited_for_and_what_was_missed_arrives(meet: Meet) -> None:
    async with running_server(dev=True) as server:
        testuser = await (await meet(server, "testuser")).enter()
        await testuser.say("before")
        await testuser.sees("before")

        await server.kill9()
        await expect(testuser.status).to_have_text(re.compile(r"^Reconnecting"))
        banner = testuser.page.get_by_text("The connection is lost.")
        await expect(banner).to_be_visible()
        await testuser.say("written while away")
        await expect(testuser.log.get_by_text("Waiting for connection")).to_be_visible()

        await server.start()
        alice = await server.account("alice")
        posted = await server.http.post(
            "/conversations/1/messages", json={"content": "meanwhile"}, headers=alice.headers
        )
        assert posted.status_code == 201
        await testuser.is_live()
        await expect(banner).to_be_hidden()
        await testuser.sees("meanwhile")
        await testuser.sees("written while away")
        shown = [message.content for message in await testuser.messages()]
        assert shown[0] == "before"
        assert sorted(shown) == ["before", "meanwhile", "written while away"]

        await testuser.page.reload()
        await testuser.is_live()
        assert [message.content for message in await testuser.messages()] == shown


async def test_a_restart_is_announced_and_both_go_on(meet: Meet) -> None:
    async with running_server(dev=True) as server:
        testuser = await (await meet(server, "testuser")).enter()
        alice = await (await meet(server, "alice")).enter()
        await server.stop()
        await expect(alice.page.get_by_text("The server is restarting.")).to_be_visible()
        await testuser.say("from testuser")
        await alice.say("from alice")
        await server.start()
        await testuser.sees("from alice")
        await alice.sees("from testuser")
        await testuser.sees("from testuser")
        await alice.sees("from alice")
        assert await testuser.messages() == await alice.messages()
        assert len(await alice.messages()) == 2


async def test_messages_in_flight_when_the_server_dies_are_neither_lost_nor_doubled(
    meet: Meet,
) -> None:
    async with running_server(dev=True) as server:
        testuser = await (await meet(server, "testuser")).enter()
        expected = [f"m{number}" for number in range(60)]
        for number, text in enumerate(expected):
            await testuser.say(text)
            if number in (20, 40):
                await server.kill9()
                await expect(testuser.status).not_to_have_text("Live")
                await server.start()
        for text in expected:
            await testuser.sees(text)
        assert [message.content for message in await testuser.messages()] == expected
        reader = await server.account("alice")
        history = await server.http.get(
            "/conversations/1/messages", params={"limit": 200}, headers=reader.headers
        )
        assert [row["content"] for row in history.json()] == expected


async def test_a_wrong_password_is_said_in_words(dev_server: Server, meet: Meet) -> None:
    someone = await meet(dev_server, "nobody-here")
    await someone.log_in("not the password")
    alert = someone.page.get_by_role("alert")
    await expect(alert).to_have_text("Wrong username or password. Check both and try again.")
    assert await someone.page.evaluate("sessionStorage.length") == 0


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (429, {"Retry-After": "1500"}, "Too many attempts. Try again in 25 minutes."),
        (500, {}, "The server had a problem (500). Try again in a moment."),
        (
            None,
            {},
            "The server cannot be reached. Check that it is running, then try again.",
        ),
    ],
)
async def test_other_failures_to_log_in_are_said_in_words(
    dev_server: Server, meet: Meet, status: int | None, headers: dict[str, str], words: str
) -> None:
    async def refuse(route: Route) -> None:
        if status is None:
            await route.abort()
        else:
            await route.fulfill(status=status, headers=headers, json={"detail": "No."})

    alice = await meet(dev_server, "alice")
    await alice.page.route("**/auth/token", refuse)
    await alice.log_in()
    await expect(alice.page.get_by_role("alert")).to_have_text(words)


async def test_a_conversation_of_others_and_one_that_is_none_are_said_in_words(
    dev_server: Server, meet: Meet, talk: int
) -> None:
    await dev_server.account("dora")
    dora = await meet(dev_server, "dora", conversation=talk)
    await dora.log_in()
    heading = dora.page.get_by_role("heading", name="You are not in this conversation")
    await expect(heading).to_be_visible()
    await expect(
        dora.page.get_by_text(f"dora is not a participant of conversation {talk}.")
    ).to_be_visible()

    await dora.page.get_by_role("textbox", name="Open the conversation").fill("999999")
    await dora.page.keyboard.press("Enter")
    await expect(
        dora.page.get_by_role("heading", name="There is no conversation 999999")
    ).to_be_visible()
    assert dora.complaints == []


async def test_being_removed_is_said_in_words(dev_server: Server, meet: Meet, talk: int) -> None:
    testuser = await dev_server.account("testuser")
    await dev_server.account("bob")
    person = await meet(dev_server, "bob", conversation=talk)
    added = await dev_server.http.put(
        f"/api/v1/channels/{talk}/members/bob", headers=testuser.headers
    )
    assert added.is_success, added.text
    await person.enter()
    removed = await dev_server.http.delete(
        f"/api/v1/channels/{talk}/members/bob", headers=testuser.headers
    )
    assert removed.is_success, removed.text
    await expect(
        person.page.get_by_role("heading", name="You are not in this conversation")
    ).to_be_visible()


async def test_an_expired_token_is_renewed_without_a_word(
    dev_server: Server, meet: Meet, talk: int
) -> None:
    alice = await (await meet(dev_server, "alice", conversation=talk)).enter()
    await alice.page.evaluate(
        """() => {
          const session = JSON.parse(sessionStorage.getItem("hubbub.session"));
          session.tokens.access_token = "expired";
          sessionStorage.setItem("hubbub.session", JSON.stringify(session));
        }"""
    )
    await alice.page.reload()
    await alice.is_live()
    await alice.say("still alice")
    await alice.sees("still alice")


async def test_a_session_that_is_over_asks_to_log_in_and_goes_on_there(
    dev_server: Server, meet: Meet, talk: int
) -> None:
    alice = await (await meet(dev_server, "alice", conversation=talk)).enter()
    await alice.page.evaluate(
        """() => sessionStorage.setItem("hubbub.session", JSON.stringify({
          username: "alice", tokens: { access_token: "expired", refresh_token: "spent" },
        }))"""
    )
    await alice.page.reload()
    await expect(alice.page.get_by_role("alert")).to_have_text(
        "Your session has expired. Log in again to go on."
    )
    await expect(alice.page.get_by_label("Username")).to_have_value("alice")
    await expect(alice.page.get_by_label("Conversation ID")).to_have_value(str(talk))
    await alice.enter()


async def test_logging_out_ends_the_session_on_the_server(
    dev_server: Server, meet: Meet, talk: int
) -> None:
    alice = await (await meet(dev_server, "alice", conversation=talk)).enter()
    kept = await alice.page.evaluate('JSON.parse(sessionStorage.getItem("hubbub.session"))')
    async with alice.page.expect_response("**/api/v1/auth/logout") as waiting:
        await alice.page.get_by_role("button", name="Log out").click()
    assert (await waiting.value).ok
    await expect(alice.page.get_by_role("heading", name="Log in to Hubbub")).to_be_visible()
    assert await alice.page.evaluate('sessionStorage.getItem("hubbub.session")') == "null"
    token = kept["tokens"]["access_token"]
    answer = await dev_server.http.get(
        "/conversations", headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 401


async def test_hostile_content_is_text(dev_server: Server, meet: Meet, talk: int) -> None:
    testuser = await (await meet(dev_server, "testuser", conversation=talk)).enter()
    alice = await (await meet(dev_server, "alice", conversation=talk)).enter()
    await testuser.say(HOSTILE)
    await alice.sees(HOSTILE)
    assert await alice.page.locator("#rows :is(img, script, a)").count() == 0
    assert "hacked" not in await alice.page.title()
    assert alice.complaints == []


async def test_web_addresses_become_links_that_tell_nobody_where_from(
    dev_server: Server, meet: Meet, talk: int
) -> None:
    alice = await (await meet(dev_server, "alice", conversation=talk)).enter()
    await alice.say("See https://example.org/a?b=c.")
    link = alice.log.get_by_role("link")
    await expect(link).to_have_attribute("href", "https://example.org/a?b=c")
    await expect(link).to_have_attribute("rel", "noopener noreferrer")


async def test_no_token_is_in_an_address_or_in_storage_that_outlives_the_tab(
    dev_server: Server, meet: Meet, talk: int
) -> None:
    alice = await meet(dev_server, "alice", conversation=talk)
    addresses: list[str] = []
    alice.page.on("request", lambda request: addresses.append(request.url))
    alice.page.on("websocket", lambda socket: addresses.append(socket.url))
    await alice.enter()
    token = json.loads(await alice.page.evaluate('sessionStorage.getItem("hubbub.session")'))
    access = token["tokens"]["access_token"]
    assert any(address.startswith("ws://") for address in addresses)
    for address in [*addresses, alice.page.url]:
        assert access not in address
        assert PASSWORD not in address
    assert await alice.page.evaluate("localStorage.length") == 0
    assert await alice.page.evaluate("document.cookie") == ""


async def test_a_phone_has_no_horizontal_scroll(dev_server: Server, meet: Meet, talk: int) -> None:
    alice = await meet(dev_server, "alice", conversation=talk, **PHONE)
    fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert await alice.page.evaluate(fits)
    await alice.enter()
    await alice.say("long" * 900)
    await alice.sees("long" * 900)
    assert await alice.page.evaluate(fits)
    assert await alice.log.evaluate("(log) => log.scrollWidth <= log.clientWidth")
    await alice.page.get_by_role("button", name="Conversations and people").click()
    await expect(alice.page.get_by_role("link", name="Sample conversation")).to_be_visible()
    assert await alice.page.evaluate(fits)
    await alice.page.get_by_role("link", name="Sample conversation").click()
    await expect(alice.page.get_by_role("heading", name="Sample conversation")).to_be_visible()
    await alice.is_live()


async def test_older_messages_come_on_scrolling_up_each_once(
    dev_server: Server, meet: Meet, talk: int
) -> None:
    account = await dev_server.account("testuser")
    expected = [f"number {number}" for number in range(130)]
    for text in expected:
        await dev_server.http.post(
            f"/conversations/{talk}/messages", json={"content": text}, headers=account.headers
        )
    alice = await (await meet(dev_server, "alice", conversation=talk)).enter()
    await alice.sees("number 129")
    await expect(alice.log.get_by_text("number 129", exact=True)).to_be_in_viewport()
    beginning = alice.log.get_by_text("This is where the conversation begins.")
    await alice.log.hover()
    async with asyncio.timeout(60):
        while await beginning.count() == 0:
            await alice.page.mouse.wheel(0, -2000)
    assert [message.content for message in await alice.messages()] == expected


async def test_what_comes_while_reading_above_is_announced_and_marked(
    dev_server: Server, meet: Meet, talk: int
) -> None:
    account = await dev_server.account("testuser")
    for number in range(40):
        await dev_server.http.post(
            f"/conversations/{talk}/messages",
            json={"content": f"number {number}"},
            headers=account.headers,
        )
    alice = await (await meet(dev_server, "alice", conversation=talk)).enter()
    testuser = await (await meet(dev_server, "testuser", conversation=talk)).enter()
    await alice.log.hover()
    await alice.page.mouse.wheel(0, -1200)
    await expect(alice.page.get_by_role("button", name="Go to the latest message")).to_be_visible()
    await testuser.say("look down")
    jump = alice.page.get_by_role("button", name="1 new message")
    await expect(jump).to_be_visible()
    await expect(alice.page).to_have_title("(1) A talk · Hubbub")
    await jump.click()
    await expect(alice.log.get_by_text("look down", exact=True)).to_be_in_viewport()
    await expect(alice.log.get_by_text("New messages")).to_be_visible()
    await expect(alice.page).to_have_title("A talk · Hubbub")
    await expect(jump).to_be_hidden()


async def test_one_sees_who_comes_and_goes(dev_server: Server, meet: Meet, talk: int) -> None:
    testuser = await (await meet(dev_server, "testuser", conversation=talk)).enter()
    alice = await (await meet(dev_server, "alice", conversation=talk)).enter()
    await expect(testuser.log.get_by_text("alice joined")).to_be_visible()
    people = testuser.page.get_by_role("region", name="People").get_by_role("listitem")
    await expect(people.filter(has_text="alice")).to_contain_text("here")
    # Whoever was there before is known, too, though the protocol does not tell.
    people_of_alice = alice.page.get_by_role("region", name="People").get_by_role("listitem")
    await expect(people_of_alice.filter(has_text="testuser")).to_contain_text("here")
    await alice.page.close()
    await expect(testuser.log.get_by_text("alice left")).to_be_visible()
    await expect(people.filter(has_text="alice")).not_to_contain_text("here")


async def test_what_is_too_long_is_counted_and_not_sent(
    dev_server: Server, meet: Meet, talk: int
) -> None:
    alice = await (await meet(dev_server, "alice", conversation=talk)).enter()
    await alice.say("🙂" * 4003)
    await expect(alice.page.get_by_text("3 characters too many")).to_be_visible()
    await expect(alice.page.get_by_role("button", name="Send")).to_be_disabled()
    assert await alice.messages() == []
    await alice.say("🙂" * 4000)
    await alice.sees("🙂" * 4000)


async def test_only_a_development_server_fills_in_the_sample_user(meet: Meet) -> None:
    async with running_server(dev=True) as server:
        someone = await meet(server, "testuser")
        await expect(someone.page.get_by_label("Username")).to_have_value("testuser")
        await someone.page.get_by_role("button", name="Login & Connect").click()
        await someone.is_live()
    async with running_server() as server:
        someone = await meet(server, "testuser")
        await someone.page.wait_for_load_state("networkidle")
        await expect(someone.page.get_by_label("Username")).to_have_value("")
        await expect(someone.page.get_by_label("Password")).to_have_value("")
        await expect(someone.page.get_by_text(PASSWORD)).to_be_hidden()
        await server.account("carol")
        carol = await meet(server, "carol", conversation=1)
        await carol.log_in()
        await expect(
            carol.page.get_by_role("heading", name="There is no conversation 1")
        ).to_be_visible()


async def test_a_newcomer_makes_an_account_and_is_logged_in(dev_server: Server, meet: Meet) -> None:
    nina = await meet(dev_server, "nina")
    await nina.page.wait_for_load_state("networkidle")
    await nina.page.get_by_role("button", name="Create an account").click()
    await nina.page.get_by_label("Username").fill("nina")
    await nina.page.get_by_label("Password").fill(PASSWORD)
    await nina.page.get_by_role("button", name="Create account & connect").click()
    await expect(
        nina.page.get_by_text("nina is not a participant of conversation 1.")
    ).to_be_visible()
    assert nina.complaints == []


async def test_where_administrators_make_the_accounts_it_is_said(meet: Meet) -> None:
    async with running_server(env={"HUBBUB_REGISTRATION": "closed"}) as server:
        nina = await meet(server, "nina")
        await nina.page.get_by_role("button", name="Create an account").click()
        await nina.page.get_by_label("Username").fill("nina")
        await nina.page.get_by_label("Password").fill(PASSWORD)
        await nina.page.get_by_role("button", name="Create account & connect").click()
        words = nina.page.get_by_text("Accounts are made by the administrators here.")
        await expect(words).to_be_visible()
