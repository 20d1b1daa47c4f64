"""Whether a username is anybody's subject is asked whenever one is chosen.

An account of our own whose username is an external person's subject already is called otherwise in
an application's own ids, as it is from here on when the subject comes later.
"""

import secrets
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

users = sa.table(
    "users",
    sa.column("id"),
    sa.column("username"),
    sa.column("folded"),
    sa.column("issuer"),
    sa.column("subject"),
)


def upgrade() -> None:
    op.create_index("ix_users_subject", "users", ["subject"])
    connection = op.get_bind()
    external = users.alias()
    namesakes = (
        sa.select(users.c.id, users.c.username)
        .distinct()
        .where(users.c.issuer.is_(None), users.c.subject.is_(None))
        .where(external.c.subject == users.c.username)
    )
    for row in connection.execute(namesakes).all():
        handle = f"hubbub:{row.username}"
        # As it is at this revision; the code's own may change.
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", handle).casefold())
        others = sa.or_(users.c.subject == handle, users.c.folded == folded)
        if connection.execute(sa.select(users.c.id).where(others).limit(1)).first() is not None:
            handle = f"{handle}:{secrets.token_hex(8)}"
        connection.execute(sa.update(users).where(users.c.id == row.id).values(subject=handle))


def downgrade() -> None:
    unnamed = sa.update(users).where(users.c.issuer.is_(None)).values(subject=None)
    op.get_bind().execute(unnamed)
    op.drop_index("ix_users_subject", "users")
