"""What waits for its quota is known as such: it holds no slot."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute("ALTER TABLE attempt ADD COLUMN queued timestamptz")  # since when it waits for its quota; else NULL
    op.execute("ALTER TABLE attempt ADD COLUMN admitted timestamptz")  # when it was seen not to wait any more
