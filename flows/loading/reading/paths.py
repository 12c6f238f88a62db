"""Names of files between the ledger and Spark: what Spark would read as a pattern, hides or encodes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pyspark.sql import functions as F  # noqa: N812 - everybody's name for it

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyspark.sql import Column, DataFrame

# Hadoop's local file system reads through checksum files beside the data: it cannot open a name with a colon, and it
# would believe a stale checksum. No partition columns are made of folder names like `day=1`.
READ_OPTIONS = {
    "recursiveFileLookup": "true",
    "fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
    "fs.file.impl.disable.cache": "true",
}


_PATTERN = r"([\\*?\[\]{}])"


def escaped(uri: str) -> str:
    """The URI for a Spark reader, which takes `*`, `?`, `[]` and `{}` for patterns."""
    return re.sub(_PATTERN, r"\\\1", uri)


def unreadable(uri: str) -> str | None:
    """Why Spark cannot read a file of this name, or would leave it out without a word; None when it can."""
    path = uri.partition("://")[2]
    name = path.rpartition("/")[2]
    if name.startswith(".") or (name.startswith("_") and "=" not in name) or name.endswith("._COPYING_"):
        return "Spark ignores names that begin with '_' or '.'; rename the file"
    if ":" in path and re.search(_PATTERN, path):
        # As a pattern, which it must be because of the others, a name with a colon is taken for a URI. The reader's
        # option that says it is none gets lost on the way to a Connect server.
        return "Spark cannot read a name with a colon beside one of * ? [ ] { } or a backslash; rename the file"
    return None


def file_uri(frame: DataFrame, uris: Iterable[str]) -> Column:
    """The file a row came from, as the ledger spells it. Spark tells it percent-encoded, but for `+`.

    Of one file no row needs to tell, and where no name of these files needs it, the row is spared the decoding.
    """
    if len(known := list(uris)) == 1:
        return F.lit(known[0]).alias("_file_uri")
    path = frame.metadataColumn("_metadata").getField("file_path")
    if all(_PLAIN.fullmatch(uri) for uri in known):
        return F.replace(path, F.lit("file:/"), F.lit("file:///")).alias("_file_uri")
    decoded = F.url_decode(F.replace(path, F.lit("+"), F.lit("%2B")))
    return F.regexp_replace(decoded, "^file:/+", "file:///").alias("_file_uri")


_PLAIN = re.compile(r"(file|s3)://[\w./=-]+", re.ASCII)
