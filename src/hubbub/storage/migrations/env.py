"""How Alembic runs the migrations: on the connection it is handed, and on no other."""

from alembic import context

from hubbub.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
