"""Bringing a database's tables up to date."""

from pathlib import Path

from sqlalchemy import Engine, inspect, text

HEAD = "0005"
"""The newest migration; a test compares it with the folder."""


def current(engine: Engine) -> str | None:
    """The migration a database is at, None before the first."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def migrate(engine: Engine) -> bool:
    """Runs the migrations that are missing; False when there were none.

    Each migration and the note that it ran are one transaction.
    """
    if current(engine) == HEAD:
        return False
    # Imported here because it doubles the time a server takes to start.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return True
