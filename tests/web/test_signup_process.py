"""The door of document 003 at a real server process: what is mailed, and what is printed."""

import asyncio
import re

import httpx2
import pytest

from tests.support.mail import code_in, until
from tests.support.server import Server, free_port, running_server
from tests.support.smtp import post_office

pytestmark = pytest.mark.system

A = "user@example.com"


async def test_the_documents_flow_works_with_what_the_console_prints() -> None:
    async with running_server(dev=True) as server:
        base = f"http://localhost:{server.port}/api"
        async with httpx2.AsyncClient() as http:
            answer = await http.post(f"{base}/auth/signup", json={"email": A})
            assert answer.json() == {"message": "OTP sent to your email"}
            printed = re.search(
                rf"^To: {re.escape(A)}$.*^Code: (\d{{6}})$", server.printed(), re.DOTALL | re.M
            )
            assert printed is not None, server.printed()
            body = {"email": A, "otp": printed[1]}
            answer = await http.post(f"{base}/auth/verify-otp", json=body)
            assert answer.json()["message"] == "OTP verified successfully"
        async with httpx2.AsyncClient() as http:
            body = {"email": A, "username": "uniqueusername"}
            answer = await http.post(f"{base}/auth/set-username", json=body)
            assert answer.json() == {"message": "Username set successfully"}
            answer = await http.post(f"{base}/auth/login", json={"email": A})
            assert answer.json()["token_type"] == "bearer"
            token = {"Authorization": f"Bearer {answer.json()['access_token']}"}
            answer = await http.post(f"{base}/rooms/", json={"name": "Room"}, headers=token)
            assert answer.json()["participants"] == ["uniqueusername"]
            letters = (await http.get(f"http://localhost:{server.port}/dev/mail")).json()
            assert [each["subject"] for each in letters] == ["Your username", "Your code"]
        assert server.printed().index("Code: ") < server.printed().index("Username: uniqueusername")


async def test_mail_reaches_a_real_server_and_the_log_tells_no_secret() -> None:
    async with post_office() as office:
        env = mail_settings(office.port) | {"HUBBUB_LOG_LEVEL": "debug"}
        async with running_server(env=env) as server:
            await post(server, "signup", email=A)
            code = code_in(await office.text())
            assert office.letters[0]["From"] == "test@example.com"
            assert (office.letters[0]["To"], office.recipients[0]) == (A, [A])
            verified = await post(server, "verify-otp", email=A, otp=code)
            await post(server, "set-username", email=A, username="uniqueusername")
            assert "uniqueusername" in await office.text(2)
            login = await post(server, "login", email=A)
            assert login["token_type"] == "bearer"
            server.http.cookies.clear()
            answer = await server.http.post("/api/auth/login", json={"email": A})
            assert answer.status_code == 401
            other = code_in(await office.text(3))
            await server.http.post("/api/auth/login", json={"email": A, "otp": other})
            await server.stop()
            for secret in (code, other, verified["verification_token"], login["access_token"]):
                assert str(secret) not in server.printed()


async def test_a_mail_server_that_refuses_is_logged_and_the_console_keeps_silent() -> None:
    async with post_office() as office:
        office.refusing = "554 I will not take this"
        async with running_server(env=mail_settings(office.port)) as server:
            assert (await post(server, "signup", email=A))["message"] == "OTP sent to your email"
            await until(lambda: "refused the letter (554)" in server.printed())
            assert "Code:" not in server.printed()


async def test_a_server_stops_in_time_while_mail_is_under_way() -> None:
    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    released = asyncio.Event()
    port = free_port()
    async with await asyncio.start_server(silent, "127.0.0.1", port):
        async with running_server(env=mail_settings(port)) as server:
            await post(server, "signup", email=A)
            async with asyncio.timeout(10):
                await server.stop()
        released.set()


def mail_settings(port: int) -> dict[str, str]:
    """By the names and with the values of the document."""
    return {
        "SMTP_SERVER": "localhost",
        "SMTP_PORT": str(port),
        "EMAIL_USER": "test@example.com",
        "EMAIL_PASSWORD": "password",
    }


async def post(server: Server, name: str, **body: str) -> dict[str, object]:
    answer = await server.http.post(f"/api/auth/{name}", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())
