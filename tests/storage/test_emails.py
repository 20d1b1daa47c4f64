"""What only the tables tell of codes and verifications."""

from pathlib import Path

from hubbub.storage.base import CODE_SECONDS
from hubbub.storage.sqlite import SqliteStorage

A = "a@example.org"


async def counted(storage: SqliteStorage, table: str) -> object:
    query = f"SELECT count(*) FROM {table}"
    return await storage._writer.run(lambda tx: tx.connection.exec_driver_sql(query).scalar())


async def test_what_has_expired_is_not_kept(tmp_path: Path) -> None:
    now = 1_800_000_000.0
    storage = await SqliteStorage.open(tmp_path / "db", lambda _: None, clock=lambda: now)
    try:
        for number in range(20):
            await storage.put_code(f"{number}@example.org", "used")
            assert await storage.verify(f"{number}@example.org", "used", f"t{number}")
            await storage.put_code(f"{number}@example.org", "unused")
            await storage.verify(f"{number}@example.net", "wrong", "t")
        now += CODE_SECONDS
        await storage.put_code(A, "code")
        assert await storage.verify(A, "code", "t")
        await storage.put_code(A, "code")
        assert await counted(storage, "email_codes") == 1
        assert await counted(storage, "verifications") == 1
    finally:
        await storage.close()


async def test_a_wrong_guess_is_written_down_with_a_code_and_without(tmp_path: Path) -> None:
    """What writes nothing takes less time, and would tell that there is no code."""
    storage = await SqliteStorage.open(tmp_path / "db", lambda _: None)

    async def writes() -> int:
        query = "SELECT total(tries) FROM email_codes"
        total = await storage._writer.run(lambda tx: tx.connection.exec_driver_sql(query).scalar())
        return int(total)

    try:
        await storage.put_code(A, "code")
        for number in range(1, 8):
            await storage.verify(A, "wrong", "t")
            await storage.verify("nobody@example.org", "wrong", "t")
            assert await storage.log_in_by_code("nobody@example.net", "wrong") is None
            assert await writes() == 3 * number
    finally:
        await storage.close()
