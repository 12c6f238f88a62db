"""The columns of a source's table by version, the lines that pin them in a configuration, and what is kept aside."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from schemas.report import SchemaChange, SchemaColumn


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """A table's columns as one batch has made them."""

    version: int
    table: str
    columns: Sequence[SchemaColumn]
    changes: Sequence[SchemaChange]
    batch: str
    at: datetime


@dataclass(frozen=True, slots=True)
class KeptAside:
    """A file that was set aside, or was loaded without some of its records."""

    uri: str
    version: str
    outcome: str
    rows: int | None
    rows_bad: int
    reason: str | None
    batch_id: str | None
    landed: datetime


def pinned(columns: Sequence[SchemaColumn]) -> str:
    """The YAML below a source that gives its columns and their types, in quotes as JSON has them, which YAML reads."""
    lines = ["schema:", "  columns:"]
    plain = {one.name: one.type for one in columns if _is_plain(one.type)}
    lines += [f"    {json.dumps(name, ensure_ascii=False)}: {json.dumps(kind)}" for name, kind in plain.items()]
    nested = [one.name for one in columns if not _is_plain(one.type)]
    lines += [f"    # {name!r} has fields of its own: its type is found in the files" for name in nested]
    return "\n".join(lines)


def _is_plain(kind: str) -> bool:
    return "<" not in kind
