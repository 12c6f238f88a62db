"""What keeps an item's trouble with that item: one section for what each part of the ledger had to learn."""

from alembic import op

revision = "0003"
down_revision = "0002"

PUBLICATION = """
ALTER TABLE outbox
    ADD COLUMN set_aside timestamptz,   -- until when: the broker refused it as it is
    ADD COLUMN refusal text;            -- why
CREATE INDEX outbox_waiting ON outbox (id) WHERE set_aside IS NULL;
CREATE INDEX outbox_set_aside ON outbox (set_aside) WHERE set_aside IS NOT NULL;
"""

DISCOVERY = """
"""

REQUESTS = """
ALTER TABLE attempt
    ADD COLUMN due timestamptz NOT NULL DEFAULT now(),  -- when its run is to be created
    ADD COLUMN tries int NOT NULL DEFAULT 0,
    ADD COLUMN trouble text;            -- why the last try to create it failed
ALTER TABLE request
    ADD COLUMN answer_due timestamptz NOT NULL DEFAULT now(),  -- at its end: when it is to be answered
    ADD COLUMN answer_tries int NOT NULL DEFAULT 0;
"""

LIVENESS = """
ALTER TABLE attempt
    ADD touched timestamptz,            -- when its run last said that it lives; NULL of runs that never did
    ADD session_id uuid;                -- of the Spark session its run works in
"""

RECOVERY = """
ALTER TABLE batch
    ADD COLUMN splitting boolean NOT NULL DEFAULT false,  -- it is closed only for its files to go on in two halves
    ADD COLUMN split_from text,                           -- the batch whose half it is
    DROP CONSTRAINT batch_outcome_check,
    ADD CHECK (outcome IN ('loaded', 'partly-loaded', 'nothing-loaded', 'failed', 'previewed', 'split'));
CREATE INDEX batch_half ON batch (split_from) WHERE split_from IS NOT NULL;

ALTER TABLE attempt ADD COLUMN target text;  -- what was away, in the run's own word: schemas.report.Target
CREATE TABLE breaker (
    target text PRIMARY KEY,            -- what batches need, as the router names it: a bucket, a catalog, Spark Connect
    failures int NOT NULL,              -- since it last answered
    until timestamptz NOT NULL,         -- nothing that needs it is begun before
    reason text NOT NULL
);
"""


def upgrade() -> None:
    for section in (PUBLICATION, DISCOVERY, REQUESTS, LIVENESS, RECOVERY):
        if section.strip():
            op.execute(section)
