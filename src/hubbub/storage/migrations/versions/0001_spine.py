"""Accounts, sessions, channels, members, the journal, live sockets."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _create_accounts()
    _create_channels()
    op.create_table(
        "connections",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.BigInteger, nullable=False, index=True),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("dialect", sa.String(16), nullable=False),
        sa.Column("channel", sa.String(128)),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("connected_at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    for table in (
        "connections",
        "journal",
        "members",
        "channels",
        "refresh_tokens",
        "sessions",
        "users",
    ):
        op.drop_table(table)


def _create_accounts() -> None:
    op.create_table(
        "users",
        sa.Column("id", BigId, primary_key=True, autoincrement=True),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("folded", sa.String(128), nullable=False, unique=True),
        sa.Column("email", sa.String(320)),
        sa.Column("password_hash", sa.Text),
        sa.Column("admin", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("user_id", BigId, sa.ForeignKey("users.id"), nullable=False, index=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("revoked", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.create_table(
        "refresh_tokens",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column(
            "session_id", sa.String(64), sa.ForeignKey("sessions.id"), nullable=False, index=True
        ),
        sa.Column("used", sa.Boolean, nullable=False, server_default=sa.false()),
    )


def _create_channels() -> None:
    op.create_table(
        "channels",
        sa.Column("id", BigId, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(128), nullable=False, unique=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("description", sa.Text, nullable=False, server_default=""),
        sa.Column("private", sa.Boolean, nullable=False),
        sa.Column("guests", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("created_by", BigId, sa.ForeignKey("users.id")),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.String(16), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("pair", sa.String(40), unique=True),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "members",
        sa.Column("channel_id", BigId, sa.ForeignKey("channels.id"), primary_key=True),
        sa.Column("user_id", BigId, sa.ForeignKey("users.id"), primary_key=True, index=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("joined_at", sa.BigInteger, nullable=False),
        sa.Column("read_seq", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("delivered_seq", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    )
    op.create_table(
        "journal",
        sa.Column("id", BigId, primary_key=True, autoincrement=False),
        sa.Column("channel_id", BigId, sa.ForeignKey("channels.id"), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("sender_id", sa.BigInteger, nullable=False),
        sa.Column("sender_name", sa.String(64), nullable=False),
        sa.Column("client_id", sa.String(64)),
        sa.Column("content", sa.Text),
        sa.Column("data", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("channel_id", "seq"),
    )
    op.create_index(
        "uq_journal_client_id",
        "journal",
        ["channel_id", "sender_id", "client_id"],
        unique=True,
        sqlite_where=sa.text("client_id IS NOT NULL"),
    )
