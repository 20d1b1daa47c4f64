"""The tables, as both databases have them.

Changing one means a new migration beside it; a test compares the two.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# SQLite gives a rowid, and so the counter behind AUTOINCREMENT, to INTEGER primary keys only.
BigId = BigInteger().with_variant(Integer(), "sqlite")

users = Table(
    "users",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("username", String(64), nullable=False),
    Column("folded", String(128), nullable=False, unique=True),
    Column("email", String(320)),
    Column("password_hash", Text),
    Column("admin", Boolean, nullable=False, server_default=false()),
    Column("disabled", Boolean, nullable=False, server_default=false()),
    Column("created_at", BigInteger, nullable=False),
    # Who somebody is to an external issuer of tokens; without an issuer, what somebody is called
    # whose username became such a subject.
    Column("issuer", String(255)),
    Column("subject", String(255)),
    sqlite_autoincrement=True,
)
Index("uq_users_issuer_subject", users.c.issuer, users.c.subject, unique=True)
Index("ix_users_subject", users.c.subject)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("revoked", Boolean, nullable=False, server_default=false()),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("session_id", ForeignKey("sessions.id"), nullable=False, index=True),
    Column("used", Boolean, nullable=False, server_default=false()),
)

# Addresses whose mail somebody has proven to read, case-folded. `users.email` is what somebody
# claims, and identifies nobody.
verified_emails = Table(
    "verified_emails",
    metadata,
    Column("email", String(254), primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False, index=True),
    Column("verified_at", BigInteger, nullable=False),
)

# The newest code of each address.
email_codes = Table(
    "email_codes",
    metadata,
    Column("email", String(254), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

# What a code was exchanged for, by the hash of its token.
verifications = Table(
    "verifications",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("email", String(254), nullable=False, index=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

channels = Table(
    "channels",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("key", String(128), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("name", String(100), nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("private", Boolean, nullable=False),
    Column("guests", Boolean, nullable=False, server_default=false()),
    Column("created_by", ForeignKey("users.id")),
    Column("created_at", BigInteger, nullable=False),
    Column("epoch", String(16), nullable=False),
    Column("seq", BigInteger, nullable=False, server_default=text("0")),
    # The two ids of a direct chat, smaller first, so that a pair has one chat.
    Column("pair", String(40), unique=True),
    Column("phase", String(8), nullable=False, server_default="open"),
    sqlite_autoincrement=True,
)

members = Table(
    "members",
    metadata,
    Column("channel_id", ForeignKey("channels.id"), primary_key=True),
    Column("user_id", ForeignKey("users.id"), primary_key=True, index=True),
    Column("role", String(16), nullable=False),
    Column("joined_at", BigInteger, nullable=False),
    Column("read_seq", BigInteger, nullable=False, server_default=text("0")),
    Column("delivered_seq", BigInteger, nullable=False, server_default=text("0")),
)

# Every durable event of every channel. A message's id is its row's; it rises with `seq`.
journal = Table(
    "journal",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=False),
    Column("channel_id", ForeignKey("channels.id"), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("kind", String(24), nullable=False),
    Column("sender_id", BigInteger, nullable=False),
    Column("sender_name", String(64), nullable=False),
    Column("client_id", String(64)),
    Column("content", Text),
    Column("data", Text),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("channel_id", "seq"),
)
Index(
    "uq_journal_client_id",
    journal.c.channel_id,
    journal.c.sender_id,
    journal.c.client_id,
    unique=True,
    sqlite_where=journal.c.client_id.is_not(None),
)

connections = Table(
    "connections",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("user_id", BigInteger, nullable=False, index=True),
    Column("username", String(64), nullable=False),
    Column("dialect", String(16), nullable=False),
    Column("channel", String(128)),
    Column("address", String(64), nullable=False),
    Column("connected_at", BigInteger, nullable=False),
)
