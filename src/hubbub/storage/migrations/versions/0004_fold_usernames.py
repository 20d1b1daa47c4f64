"""Usernames that differ in case alone are one, also where folding takes a letter apart.

Where two accounts now share a form it is theirs who had it already, else the older one's. The other
keeps the form it had, and is found by its id and its address alone.
"""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

users = sa.table("users", sa.column("id"), sa.column("username"), sa.column("folded"))


def upgrade() -> None:
    connection = op.get_bind()
    rows = connection.execute(
        sa.select(users.c.id, users.c.username, users.c.folded).order_by(users.c.id)
    ).all()
    taken = {row.folded for row in rows}
    for row in rows:
        # As it is at this revision; the code's own may change.
        folded = unicodedata.normalize("NFKC", row.username).casefold()
        folded = unicodedata.normalize("NFKC", folded)
        if folded not in taken:
            taken.add(folded)
            connection.execute(sa.update(users).where(users.c.id == row.id).values(folded=folded))


def downgrade() -> None:
    connection = op.get_bind()
    for row in connection.execute(sa.select(users.c.id, users.c.username)).all():
        folded = unicodedata.normalize("NFKC", row.username).casefold()
        connection.execute(sa.update(users).where(users.c.id == row.id).values(folded=folded))
