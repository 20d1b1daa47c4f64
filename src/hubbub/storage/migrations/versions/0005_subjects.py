"""Whether a username is anybody's subject is asked whenever one is chosen."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_index("ix_users_subject", "users", ["subject"])


def downgrade() -> None:
    op.drop_index("ix_users_subject", "users")
