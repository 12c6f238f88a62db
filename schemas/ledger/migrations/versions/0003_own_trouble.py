"""What keeps an item's trouble with that item: one section for what each part of the ledger had to learn."""

from alembic import op

revision = "0003"
down_revision = "0002"

PUBLICATION = """
"""

DISCOVERY = """
"""

REQUESTS = """
ALTER TABLE attempt
    ADD COLUMN due timestamptz NOT NULL DEFAULT now(),  -- when its run is to be created
    ADD COLUMN tries int NOT NULL DEFAULT 0,
    ADD COLUMN trouble text;            -- why the last try to create it failed
"""

LIVENESS = """
"""

RECOVERY = """
"""


def upgrade() -> None:
    for section in (PUBLICATION, DISCOVERY, REQUESTS, LIVENESS, RECOVERY):
        if section.strip():
            op.execute(section)
