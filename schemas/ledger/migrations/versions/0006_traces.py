"""Files may belong to traces. They stand beside `file`: without traces nothing is written, and no row is wider."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE file_trace (
            source_id text NOT NULL,
            object bytea NOT NULL,
            version text NOT NULL,      -- as its event told it, else ''
            traceparent text NOT NULL,  -- W3C's
            PRIMARY KEY (source_id, object, version)
        )
        """
    )
