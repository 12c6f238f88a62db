"""Names of files between the ledger and Spark: what Spark reads as a pattern, hides or encodes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from flows.loading.errors import spelled

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


def escaped(uri: str) -> str:
    """The URI for a Spark reader, which takes `*`, `?`, `[]` and `{}` for patterns."""
    return re.sub(r"([\\*?\[\]{}])", r"\\\1", uri)


def hidden(uri: str) -> bool:
    """Whether Spark leaves out this file without a word."""
    name = uri.rpartition("/")[2]
    return name.startswith(".") or (name.startswith("_") and "=" not in name) or name.endswith("._COPYING_")


def ignored(frame: DataFrame, uris: Iterable[str]) -> set[str]:
    """The URIs that are not among the files the frame reads."""
    return set(uris) - {spelled(unquote(path)) for path in frame.inputFiles()}


def file_uri(frame: DataFrame) -> Column:
    """The file a row came from, as the ledger spells it. Spark tells it percent-encoded, but for `+`."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415

    path = frame.metadataColumn("_metadata").getField("file_path")
    decoded = F.url_decode(F.replace(path, F.lit("+"), F.lit("%2B")))
    return F.regexp_replace(decoded, "^file:/+", "file:///").alias("_file_uri")
