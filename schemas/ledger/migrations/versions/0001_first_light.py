"""The path of one file: arrival, file, batch, attempt, result, outbox, and the lease.

Times are the database's. A row of `file` is written when it is recorded, when it enters a batch and when it ends.
"""

from alembic import op

revision = "0001"
down_revision = None

TABLES = """
-- announced, but not measured yet: no event told its size or version
CREATE TABLE arrival (
    source_id text NOT NULL,
    object bytea NOT NULL,              -- 4 bytes hash of the parent prefix, 12 of the URI
    version text NOT NULL,              -- as the event told it, else ''
    uri text NOT NULL,
    landed timestamptz NOT NULL,        -- the event's time
    accepted timestamptz NOT NULL DEFAULT now(),
    topic text NOT NULL, "partition" int NOT NULL, "offset" bigint NOT NULL,
    tries int NOT NULL DEFAULT 0,
    due timestamptz NOT NULL DEFAULT now(),
    reason text,                        -- why the last try failed
    PRIMARY KEY (source_id, object, version)
);
CREATE INDEX arrival_due ON arrival (due);

CREATE TABLE file (
    source_id text NOT NULL,
    object bytea NOT NULL,
    version text NOT NULL,
    uri text NOT NULL,
    size bigint NOT NULL,               -- bytes
    landed timestamptz NOT NULL,
    accepted timestamptz NOT NULL DEFAULT now(),
    topic text, "partition" int, "offset" bigint,
    round int NOT NULL DEFAULT 1,
    batch_id text,                      -- in flight while that batch is open
    outcome text CHECK (outcome IN ('loaded', 'quarantined', 'failed', 'missing', 'superseded', 'removed')),
    rows bigint,
    reason text,
    PRIMARY KEY (source_id, object, version)
);
CREATE INDEX file_waiting ON file (source_id, accepted, object) WHERE batch_id IS NULL AND outcome IS NULL;
CREATE INDEX file_of_batch ON file (batch_id) WHERE batch_id IS NOT NULL;
CREATE INDEX file_of_object ON file (object);

CREATE TABLE batch (
    id text PRIMARY KEY,                -- also the Iceberg wap.id: [a-z0-9-]
    source_id text NOT NULL,
    lane text NOT NULL,
    files int NOT NULL,
    bytes bigint NOT NULL,
    landed timestamptz NOT NULL,        -- of its oldest file
    manifest jsonb NOT NULL,            -- schemas.manifest.Manifest
    cut timestamptz NOT NULL DEFAULT now(),
    due timestamptz NOT NULL DEFAULT now(),  -- when its next attempt may begin
    closing text,                       -- why it is being closed: it may still turn out loaded
    ended timestamptz,
    outcome text CHECK (outcome IN ('loaded', 'partly-loaded', 'nothing-loaded', 'failed')),
    reason text,
    CHECK ((ended IS NULL) = (outcome IS NULL))
);
CREATE INDEX batch_open ON batch (source_id, lane) WHERE ended IS NULL;
CREATE INDEX batch_of_source ON batch (source_id, cut);

CREATE TABLE attempt (
    batch_id text NOT NULL REFERENCES batch (id),
    n int NOT NULL,
    kind text NOT NULL CHECK (kind IN ('load', 'close')),
    lane text NOT NULL,                 -- lane and job variables are fixed before the run is created
    job_variables jsonb NOT NULL DEFAULT '{}',
    epoch bigint NOT NULL,              -- of the lease it was made under
    created timestamptz NOT NULL DEFAULT now(),
    run_id uuid,                        -- the Prefect flow run
    submitted timestamptz,
    claimed_by text,                    -- the run that works on it: at most one, ever
    claimed timestamptz,
    cause text,                         -- the run's own word on why it failed
    reason text,
    ended timestamptz,
    outcome text CHECK (outcome IN ('loaded', 'closed', 'failed', 'void')),
    PRIMARY KEY (batch_id, n),
    CHECK ((ended IS NULL) = (outcome IS NULL))
);
CREATE INDEX attempt_open ON attempt (lane, created) WHERE ended IS NULL;
CREATE INDEX attempt_run ON attempt (run_id) WHERE run_id IS NOT NULL;

CREATE TABLE result (
    batch_id text NOT NULL,
    n int NOT NULL,
    state text NOT NULL CHECK (state IN ('staged', 'published', 'closed')),
    snapshot_id bigint,                 -- the staged snapshot, to find it again
    report jsonb NOT NULL,              -- schemas.report.Report, or .Closed when the state is closed
    staged timestamptz NOT NULL DEFAULT now(),
    ended timestamptz,                  -- published or closed
    PRIMARY KEY (batch_id, n),
    FOREIGN KEY (batch_id, n) REFERENCES attempt (batch_id, n)
);

CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    key text NOT NULL,
    value text NOT NULL,                -- a CloudEvent in structured JSON
    created timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE lease (
    role text PRIMARY KEY,
    holder text NOT NULL,
    epoch bigint NOT NULL,
    expires timestamptz NOT NULL        -- by the database's clock
);
"""


def upgrade() -> None:
    op.execute(TABLES)
