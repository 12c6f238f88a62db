"""What becomes of an event when the broker has answered, and how it is made shorter."""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

# Kafka's usual limit is 1,048,588 bytes with the record's own 100 or so.
MAX_EVENT_BYTES = 1_000_000
FIRST_HOLD, LONGEST_HOLD = timedelta(seconds=1), timedelta(minutes=1)
SET_ASIDE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The broker has the event, on all replicas."""


@dataclass(frozen=True, slots=True)
class Delayed:
    """It is not known whether the broker has it, or it cannot have it now: later, in its order."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The broker does not take it as it is."""

    reason: str
    is_too_large: bool = False


Answer: TypeAlias = Acknowledged | Delayed | Refused


@dataclass(frozen=True, slots=True)
class Hold:
    """What is not tried before a time, and why: longer each time."""

    until: datetime
    reason: str
    pause: timedelta = FIRST_HOLD


@dataclass(slots=True)
class Outcome:
    """By the ids of the rows: what the broker has, what is to be tried shorter, and what to be set aside, with why."""

    published: list[int] = field(default_factory=list)
    shorter: dict[int, str] = field(default_factory=dict)
    set_aside: dict[int, str] = field(default_factory=dict)
    delayed: dict[int, str] = field(default_factory=dict)


def judged(rows: Mapping[int, str], answers: Sequence[Answer]) -> Outcome:
    """What to do with each row, of which `rows` has the event; the answers are in their order."""
    outcome = Outcome()
    for (row_id, value), answer in zip(rows.items(), answers, strict=True):
        match answer:
            case Acknowledged():
                outcome.published.append(row_id)
            case Delayed(reason):
                outcome.delayed[row_id] = reason
            case Refused(reason, is_too_large):
                less = shorter(value) if is_too_large else None
                if less is None:
                    outcome.set_aside[row_id] = reason
                else:
                    outcome.shorter[row_id] = less
    return outcome


def held(before: Hold | None, reason: str, now: datetime) -> Hold:
    """The next hold of what is in trouble again."""
    pause = FIRST_HOLD if before is None else min(before.pause * 2, LONGEST_HOLD)
    return Hold(now + pause, reason, pause)


def bounded(value: str) -> str:
    """The same event, in less than a megabyte as far as it can be made shorter."""
    while len(value.encode()) > MAX_EVENT_BYTES and (less := shorter(value)) is not None:
        value = less
    return value


def shorter(value: str) -> str | None:
    """The same event under the same id with half of what it names or quotes; None when there is nothing to leave out.

    What comes first stays: the files that were not loaded.
    """
    document: dict[str, Any] = json.loads(value)
    data = document["data"]
    if files := data.get("files"):
        data |= {"files": files[: len(files) // 2], "files_truncated": True}
    elif requests := data.get("requests"):
        data["requests"] = requests[: len(requests) // 2]
    elif changes := data.get("schema_changes"):
        data["schema_changes"] = changes[: len(changes) // 2]
    elif quoted := data.get("value"):
        data["value"] = _half(quoted, data["value_encoding"])
    else:
        return None
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _half(quoted: str, encoding: str) -> str:
    if encoding != "base64":
        return quoted[: len(quoted) // 2]
    raw = b64decode(quoted)
    return b64encode(raw[: len(raw) // 2]).decode()
