"""Addresses that somebody has proven to read, and the codes and verifications of proving it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "verified_emails",
        sa.Column("email", sa.String(254), primary_key=True),
        sa.Column("user_id", BigId, sa.ForeignKey("users.id"), nullable=False, index=True),
        sa.Column("verified_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "email_codes",
        sa.Column("email", sa.String(254), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
    )
    op.create_table(
        "verifications",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("email", sa.String(254), nullable=False, index=True),
        sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
    )


def downgrade() -> None:
    for table in ("verifications", "email_codes", "verified_emails"):
        op.drop_table(table)
