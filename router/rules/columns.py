"""The columns of a source's table by version, how two differ, and the lines that pin them in a configuration."""

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
    """The YAML below a source that gives its columns and their types."""
    lines = ["schema:", "  columns:"]
    lines += [f"    {_quoted(one.name)}: {_quoted(one.type)}" for one in columns if _is_plain(one.type)]
    nested = [one.name for one in columns if not _is_plain(one.type)]
    lines += [f"    # {name!r} has fields of its own: its type is found in the files" for name in nested]
    return "\n".join(lines)


def _is_plain(kind: str) -> bool:
    return "<" not in kind


def _quoted(text: str) -> str:
    if text.replace("_", "a").isalnum() and text.isascii() and not text[0].isdigit() and text.lower() not in _WORDS:
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}  # of YAML
