"""Attempts say on which machine, or in which pod, their run works."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("ALTER TABLE attempt ADD COLUMN claimed_on text")  # the host's name: in Kubernetes that of the pod
