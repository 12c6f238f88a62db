"""What keeps an item's trouble with that item: one section for what each part of the ledger had to learn."""

from alembic import op

revision = "0003"
down_revision = "0002"

PUBLICATION = """
"""

DISCOVERY = """
"""

REQUESTS = """
"""

LIVENESS = """
"""

RECOVERY = """
"""


def upgrade() -> None:
    for section in (PUBLICATION, DISCOVERY, REQUESTS, LIVENESS, RECOVERY):
        if section.strip():
            op.execute(section)
