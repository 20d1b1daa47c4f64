import re

import pytest

from tests.support.app import PASSWORD, AppClient, app_client

pytestmark = pytest.mark.asyncio(loop_scope="session")

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def test_anybody_may_make_an_account(anyone: AppClient) -> None:
    body = {"username": "mona", "password": PASSWORD, "email": "mona@example.com"}
    answer = await anyone.post("/api/users/", json=body)
    assert answer.status_code == 201
    user = answer.json()
    assert set(user) == {"id", "username", "email", "created_at", "is_active"}
    assert (user["username"], user["email"], user["is_active"]) == (
        "mona",
        "mona@example.com",
        True,
    )
    assert TIME.fullmatch(user["created_at"])
    mona = await anyone.log_in("mona")
    assert (await mona.get("/api/users/me/")).json() == user


async def test_a_name_is_taken_whatever_its_case(anyone: AppClient, alice: AppClient) -> None:
    answer = await anyone.post("/api/users", json={"username": "ALICE", "password": PASSWORD})
    assert (answer.status_code, answer.json()["code"]) == (409, "username_taken")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"username": "12345"}, "invalid_username"),
        ({"username": "guest-1"}, "invalid_username"),
        ({"username": ""}, "invalid_username"),
        ({"password": "short"}, "weak_password"),
        ({"email": "no address"}, "invalid_email"),
        ({"username": 7}, "invalid"),
        ({"password": None}, "invalid"),
    ],
)
async def test_accounts_have_rules(anyone: AppClient, change: dict[str, object], code: str) -> None:
    body = {"username": "nina", "password": PASSWORD} | change
    answer = await anyone.post("/api/users", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert PASSWORD not in answer.text


async def test_registration_can_be_closed() -> None:
    async with app_client(registration="closed") as anyone:
        body = {"username": "nina", "password": PASSWORD}
        answer = await anyone.post("/api/users/", json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "registration_closed")


async def test_one_sees_ones_own_account_and_only_the_name_of_others(
    alice: AppClient, bob: AppClient
) -> None:
    me = (await alice.get("/api/v1/me")).json()
    assert set(me) == {"id", "username", "email", "admin", "created_at"}
    assert (me["id"], me["username"], me["admin"]) == (alice.id, "alice", False)
    assert (await alice.get("/api/v1/users/Bob")).json() == {"id": bob.id, "name": "bob"}


@pytest.mark.parametrize("name", ["nobody", "1", "%00", "%F0%9F%92%A5", "a" * 5000])
async def test_nobody_is_not_found(alice: AppClient, name: str) -> None:
    answer = await alice.get(f"/api/v1/users/{name}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_user")


async def test_an_administrator_disables_and_enables_accounts(
    anyone: AppClient, root: AppClient
) -> None:
    olga = await anyone.register("olga")
    path = f"/api/v1/admin/users/{olga.id}"
    answer = await root.patch(path, json={"disabled": True})
    assert answer.status_code == 200
    assert (answer.json()["username"], answer.json()["disabled"]) == ("olga", True)
    gone = await olga.get("/api/v1/me")
    assert (gone.status_code, gone.json()["code"]) == (401, "account_gone")
    login = {"username": "olga", "password": PASSWORD}
    refused = await anyone.post("/api/token", json=login)
    assert refused.json()["code"] == "bad_credentials"
    assert (await root.patch(path, json={"disabled": False})).json()["disabled"] is False
    await anyone.log_in("olga")


async def test_nobody_else_may(alice: AppClient, bob: AppClient, root: AppClient) -> None:
    path = f"/api/v1/admin/users/{bob.id}"
    answer = await alice.patch(path, json={"disabled": True})
    assert (answer.status_code, answer.json()["code"]) == (403, "admin_only")
    own = await root.patch(f"/api/v1/admin/users/{root.id}", json={"disabled": True})
    assert (own.status_code, own.json()["code"]) == (409, "own_account")
    nobody = await root.patch("/api/v1/admin/users/999999", json={"disabled": True})
    assert (nobody.status_code, nobody.json()["code"]) == (404, "unknown_user")
