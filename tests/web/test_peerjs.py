"""What the `peerjs` client asks over HTTP."""

import uuid

import pytest

from tests.support.app import AppClient

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("path", ["/peerjs", "/peerjs/"])
async def test_it_looks_like_the_server_the_client_knows(anyone: AppClient, path: str) -> None:
    answer = await anyone.get(path)
    assert answer.json() == {
        "name": "PeerJS Server",
        "description": "A server side element to broker connections between PeerJS clients.",
        "website": "https://peerjs.com/",
    }


async def test_each_id_is_new_and_comes_as_the_client_reads_it(anyone: AppClient) -> None:
    answers = [
        await anyone.get("/peerjs/peerjs/id", params={"ts": "1", "version": "1.5.5"})
        for _ in range(2)
    ]
    ids = {str(uuid.UUID(answer.text)) for answer in answers}
    assert len(ids) == 2
    assert {answer.text for answer in answers} == ids
    assert answers[0].headers["content-type"].startswith("text/html")


async def test_ids_are_listed_for_nobody(anyone: AppClient, alice: AppClient) -> None:
    for client, code in ((anyone, "token_missing"), (alice, "discovery_off")):
        answer = await client.get("/peerjs/peerjs/peers")
        assert (answer.status_code, answer.json()["code"]) == (401, code)


async def test_another_key_leads_nowhere(anyone: AppClient) -> None:
    assert (await anyone.get("/peerjs/mine/id")).status_code == 404
