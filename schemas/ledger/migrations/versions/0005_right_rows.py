"""Files say how many of their records are kept aside; the columns of a source's table are kept by version."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("ALTER TABLE file ADD COLUMN rows_bad bigint NOT NULL DEFAULT 0")
    op.execute(
        """
        CREATE TABLE schema_version (
            source_id text NOT NULL,
            version integer NOT NULL,
            table_name text NOT NULL,
            columns jsonb NOT NULL,  -- [{"name", "type", "given"}]: `given` by the configuration
            changes jsonb NOT NULL,  -- those that made this version of the one before
            batch_id text NOT NULL,
            at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (source_id, version)
        )
        """
    )
