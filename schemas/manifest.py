"""What a run is told: the batch as it was cut. Its files stand beside it in the ledger, table `file`."""

from typing import Literal

from schemas.base import Wire
from schemas.config.sources import BadRows, Columns
from schemas.formats import Format

AttemptKind = Literal["load", "close", "preview"]


class ManifestFile(Wire):
    """A file of the batch: `uri` as in `schemas.uris`, its version mark, its size in bytes."""

    uri: str
    version: str
    size: int


class Glance(Wire):
    """What a preview looks at: the first rows of one file. Nothing is loaded."""

    file: ManifestFile
    rows: int


class Manifest(Wire):
    """One batch, fixed when it is cut, so that a later change of the config does not change it.

    Stored as `batch.manifest`. Nothing is read outside of the prefixes `allow`, and as whom says the name
    `credentials`. With a `glance` it is a preview, and has no files in the ledger. Its runs say every `touch_seconds`
    in the ledger that they live. With `traces` its files may belong to some.
    """

    source_id: str
    source_name: str
    table: str
    format: Format
    columns: Columns = Columns()
    bad_rows: BadRows = BadRows()
    partition: tuple[str, ...] = ()
    allow: tuple[str, ...] = ("file:///",)  # of a router that did not say it: what it measured was enough
    credentials: str | None = None
    glance: Glance | None = None
    touch_seconds: float = 20
    traces: bool = False
