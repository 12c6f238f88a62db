"""Lanes, requests, paused sources.

A waiting file stands in the line of its lane, the oldest landing first. A request ends when a sweep finds it listed and
none of its files open.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

CHANGES = """
ALTER TABLE file
    -- landed again while in flight; ledgers made between two releases have it already
    ADD COLUMN IF NOT EXISTS again boolean NOT NULL DEFAULT false,
    ADD COLUMN estimate bigint NOT NULL DEFAULT 0,     -- bytes once unpacked
    ADD COLUMN lane text NOT NULL DEFAULT 'default',
    ADD COLUMN rank smallint NOT NULL DEFAULT 1,       -- 0: a person asked for it, so it is first in line
    ADD COLUMN request_id text;                        -- the request that opened this round; NULL: an event did
UPDATE file SET estimate = size WHERE batch_id IS NULL AND outcome IS NULL;
DROP INDEX file_waiting;
CREATE INDEX file_waiting ON file (source_id, lane, rank, landed, object) WHERE batch_id IS NULL AND outcome IS NULL;
CREATE INDEX file_of_request ON file (request_id) WHERE request_id IS NOT NULL AND outcome IS NULL;
CREATE INDEX arrival_landed ON arrival (source_id, landed);

ALTER TABLE batch
    ADD COLUMN kind text NOT NULL DEFAULT 'load' CHECK (kind IN ('load', 'preview')),
    ADD COLUMN size_class int NOT NULL DEFAULT 0,      -- of its next attempt; 0: a process lane, no size of its own
    ADD COLUMN estimate bigint NOT NULL DEFAULT 0,
    ADD COLUMN request_id text,                        -- of a preview
    DROP CONSTRAINT batch_outcome_check,
    ADD CHECK (outcome IN ('loaded', 'partly-loaded', 'nothing-loaded', 'failed', 'previewed'));
CREATE INDEX batch_ended ON batch (ended) WHERE ended IS NOT NULL;
CREATE UNIQUE INDEX batch_of_preview ON batch (request_id) WHERE request_id IS NOT NULL;

ALTER TABLE attempt
    ADD COLUMN size_class int NOT NULL DEFAULT 0,
    DROP CONSTRAINT attempt_kind_check,
    ADD CHECK (kind IN ('load', 'close', 'preview')),
    DROP CONSTRAINT attempt_outcome_check,
    ADD CHECK (outcome IN ('loaded', 'closed', 'failed', 'void', 'previewed'));
ALTER TABLE result
    DROP CONSTRAINT result_state_check,
    ADD CHECK (state IN ('staged', 'published', 'closed', 'previewed'));

CREATE TABLE source_state (
    source_id text PRIMARY KEY,
    paused timestamptz,                 -- since when nothing of it is cut
    paused_by text,
    bytes_per_second double precision,  -- learned from its runs: estimated bytes a second of loading
    newest_landed timestamptz           -- of all files settled so far
);

CREATE TABLE request (
    id text PRIMARY KEY,                -- the event's id, as its producer gave it
    kind text NOT NULL CHECK (kind IN ('load', 'preview', 'retry', 'cancel')),
    producer text NOT NULL,             -- the event's source
    source_id text,
    asked jsonb NOT NULL,               -- the event's data
    accepted timestamptz NOT NULL DEFAULT now(),
    deadline timestamptz,
    topic text NOT NULL, "partition" int NOT NULL, "offset" bigint NOT NULL,
    cursor text,                        -- the last name listed below its prefix
    due timestamptz NOT NULL DEFAULT now(),  -- when its listing goes on
    tries int NOT NULL DEFAULT 0,
    trouble text,                       -- why its listing did not go on
    listed timestamptz,                 -- all its files are known
    given_up text,                      -- why it is to end now
    ended timestamptz,
    outcome text,
    reason text,
    event text,                         -- the completion event, to say it again when the same request comes again
    CHECK ((ended IS NULL) = (outcome IS NULL))
);
CREATE INDEX request_open ON request (accepted) WHERE ended IS NULL;
CREATE INDEX request_unlisted ON request (due) WHERE ended IS NULL AND listed IS NULL;

CREATE TABLE request_file (
    request_id text NOT NULL REFERENCES request (id),
    source_id text NOT NULL,
    object bytea NOT NULL,
    uri text NOT NULL,
    version text,                       -- NULL: to be measured, or not there
    size bigint,
    outcome text,                       -- how it ended here, without a load: already-loaded, missing
    PRIMARY KEY (request_id, source_id, object)
);
CREATE INDEX request_file_object ON request_file (object);
"""


def upgrade() -> None:
    op.execute(CHANGES)
