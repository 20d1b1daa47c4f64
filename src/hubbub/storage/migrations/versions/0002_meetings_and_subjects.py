"""Meetings end; people of an external issuer have a name with it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column(
        "channels", sa.Column("phase", sa.String(8), nullable=False, server_default="open")
    )
    op.add_column("users", sa.Column("issuer", sa.String(255)))
    op.add_column("users", sa.Column("subject", sa.String(255)))
    op.create_index("uq_users_issuer_subject", "users", ["issuer", "subject"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_users_issuer_subject", "users")
    op.drop_column("users", "subject")
    op.drop_column("users", "issuer")
    op.drop_column("channels", "phase")
