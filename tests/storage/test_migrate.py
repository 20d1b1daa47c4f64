"""The migrations make the tables that the code speaks of, and can be taken back."""

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from hubbub.storage import migrate as module
from hubbub.storage.migrate import HEAD, current, migrate
from hubbub.storage.sqlite import writing_engine
from hubbub.storage.tables import metadata

MIGRATIONS = Path(module.__file__).with_name("migrations")


def config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def test_a_migrated_database_has_exactly_the_tables_of_the_code(tmp_path: Path) -> None:
    engine = writing_engine(tmp_path / "db")
    assert migrate(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_columns_defaults_and_names_are_those_of_the_code(tmp_path: Path) -> None:
    migrated, made = writing_engine(tmp_path / "migrated"), writing_engine(tmp_path / "made")
    migrate(migrated)
    metadata.create_all(made)
    for table in metadata.tables:
        assert described(migrated, table) == described(made, table)


def described(engine: Engine, table: str) -> list[object]:
    found = inspect(engine)
    columns = [{**column, "type": str(column["type"])} for column in found.get_columns(table)]
    indexes = [
        {**index, "dialect_options": {k: str(v) for k, v in index["dialect_options"].items()}}
        for index in found.get_indexes(table)
    ]
    named = [*found.get_foreign_keys(table), *found.get_unique_constraints(table), *indexes]
    return [columns, found.get_pk_constraint(table), sorted(named, key=repr)]


def test_rows_that_must_never_share_an_id_do_not(tmp_path: Path) -> None:
    engine = writing_engine(tmp_path / "db")
    migrate(engine)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
        counted = {name for name, sql in found if "AUTOINCREMENT" in sql}
    # Ids of the journal come from its writer.
    assert counted == {"users", "channels"}


def test_the_newest_migration_is_the_one_the_code_asks_for() -> None:
    script = ScriptDirectory(str(MIGRATIONS))
    assert script.get_heads() == [HEAD]
    newest = max(path.name for path in (MIGRATIONS / "versions").glob("*.py"))
    assert newest.startswith(f"{HEAD}_")


def test_migrating_again_does_nothing(tmp_path: Path) -> None:
    engine = writing_engine(tmp_path / "db")
    assert current(engine) is None
    assert migrate(engine)
    assert current(engine) == HEAD
    assert not migrate(engine)


def test_the_way_back_leaves_nothing_and_the_way_up_works_again(tmp_path: Path) -> None:
    engine = writing_engine(tmp_path / "db")
    migrate(engine)
    with engine.begin() as connection:
        command.downgrade(config(connection), "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    assert current(engine) is None
    assert migrate(engine)
    assert set(inspect(engine).get_table_names()) == {"alembic_version", *metadata.tables}


def test_usernames_that_differ_in_case_alone_become_one_and_no_account_is_lost(
    tmp_path: Path,
) -> None:
    engine = writing_engine(tmp_path / "db")
    # Each as revision 3 has it: the first two are one name, of the others nobody else has any.
    before = [
        ("\u0390a", "\u03b9\u0308\u0301a"),
        ("\u03aa\u0301A", "\u03ca\u0301a"),
        ("\u01f0", "j\u030c"),
        ("Alice", "alice"),
    ]
    with engine.begin() as connection:
        command.upgrade(config(connection), "0003")
        for name, folded in before:
            connection.execute(
                text("INSERT INTO users (username, folded, created_at) VALUES (:n, :f, 0)"),
                {"n": name, "f": folded},
            )
    migrate(engine)
    with engine.connect() as connection:
        after = connection.execute(text("SELECT username, folded FROM users ORDER BY id")).all()
    assert [tuple(row) for row in after] == [
        ("\u0390a", "\u0390a"),
        before[1],
        ("\u01f0", "\u01f0"),
        before[3],
    ]
    with engine.begin() as connection:
        command.downgrade(config(connection), "0003")
        back = connection.execute(text("SELECT username, folded FROM users ORDER BY id")).all()
    assert [tuple(row) for row in back] == before


def test_whoever_is_called_like_an_external_person_is_called_otherwise_from_then_on(
    tmp_path: Path,
) -> None:
    engine = writing_engine(tmp_path / "db")
    before = [
        ("ext-1", "issuer", "u-7"),
        ("ext-2", "issuer", "carol"),
        ("u-7", None, None),
        ("carol", None, None),
        ("hubbub:carol", None, None),
        ("dave", None, None),
    ]
    with engine.begin() as connection:
        command.upgrade(config(connection), "0004")
        for name, issuer, subject in before:
            connection.execute(
                text(
                    "INSERT INTO users (username, folded, issuer, subject, created_at)"
                    " VALUES (:n, :n, :i, :s, 0)"
                ),
                {"n": name, "i": issuer, "s": subject},
            )
    migrate(engine)
    rows = text("SELECT username, issuer, subject FROM users ORDER BY id")
    with engine.connect() as connection:
        after = [tuple(row) for row in connection.execute(rows)]
    assert after[:2] == before[:2]
    assert after[2] == ("u-7", None, "hubbub:u-7")
    assert after[3][2] is not None
    assert after[3][2].startswith("hubbub:carol:")
    assert after[4:] == before[4:]
    with engine.begin() as connection:
        command.downgrade(config(connection), "0004")
        assert [tuple(row) for row in connection.execute(rows)] == before


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    engine = writing_engine(tmp_path / "db")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE connections (id INTEGER)"))
    with pytest.raises(Exception, match="already exists"):
        migrate(engine)
    assert inspect(engine).get_table_names() == ["connections"]
    assert current(engine) is None


def test_the_migrations_are_in_the_package() -> None:
    assert (MIGRATIONS / "env.py").is_file()
    assert MIGRATIONS.parent.name == "storage"
