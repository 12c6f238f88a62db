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
-- an object to be looked at, for whatever was told of it: the storage decides
CREATE SEQUENCE look;
ALTER TABLE arrival
    ADD COLUMN serial bigint NOT NULL DEFAULT nextval('look'), -- other each time it is told of or given out
    ADD COLUMN misses smallint NOT NULL DEFAULT 0,     -- how often it was not there
    ADD COLUMN removed boolean NOT NULL DEFAULT false, -- a removal was told
    ADD COLUMN quiet boolean NOT NULL DEFAULT false,   -- all of it is in `file`: no outcome is owed
    ALTER COLUMN topic DROP NOT NULL,                  -- NULL: a request found it
    ALTER COLUMN "partition" DROP NOT NULL,
    ALTER COLUMN "offset" DROP NOT NULL;
DROP INDEX arrival_landed;
CREATE INDEX arrival_landed ON arrival (source_id, landed) WHERE NOT quiet;
ALTER TABLE file DROP COLUMN again;                    -- what was not there is looked at again
-- what a request names is looked for twice
ALTER TABLE request_file
    ADD COLUMN misses smallint NOT NULL DEFAULT 0,     -- how often it was not there
    ADD COLUMN reason text;                            -- of its outcome
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
        op.execute(section)
