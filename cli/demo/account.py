"""Was every file loaded once, and said to be, once? Decided from what was read back, and from nothing else.

The rows come from the tables, how a file ended and in which batch from the ledger, the events from Kafka. An event
names a hundred files at most: so a file's completion is the one of its batch, which must count all its files.

    landed, requests, dead letters   what the acts did, with the rows and outcomes that this should have
    Found                            what was read back afterwards
    account(...) -> Account          rows lost and too many, files and requests answered once, all problems in words
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Landed:
    """A file of the demo: the rows its table should have of it, and how it should end."""

    uri: str
    table: str
    rows: int
    outcome: str = "loaded"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the ledger says of one version of a file."""

    uri: str
    outcome: str | None
    batch: str | None
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """What was read back: rows by table and file, the files of all batches concerned, all events, repetitions too."""

    rows: Mapping[tuple[str, str], int]
    files: Sequence[Recorded]
    completions: Sequence[Event]
    dead_letters: Sequence[Event] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """Rows that are not in the tables, and rows too many; files and requests answered once, of those there are."""

    rows: int
    lost: int
    twice: int
    answered: int
    asked: int
    problems: Sequence[str]

    @property
    def right(self) -> bool:
        """Whether nothing is missing and nothing is there that should not be."""
        return not self.problems

    @property
    def line(self) -> str:
        """The account in one line, for people."""
        return f"lost {self.lost} · twice {self.twice} · completions {self.answered}/{self.asked}"


def account(landed: Sequence[Landed], requests: Sequence[str], dead_letters: int, found: Found) -> Account:
    """Compare what landed, what was asked for and how many records are no events with what was found."""
    said = _said(found)
    expected = {(file.table, file.uri): file.rows for file in landed}
    missing = {
        place: expected.get(place, 0) - found.rows.get(place, 0)
        for place in sorted(expected.keys() | found.rows.keys())
    }
    wrong = {file.uri: why for file in landed if (why := _wrong_file(file, said))}
    wrong |= {request: why for request in requests if (why := _wrong_request(said.requests[request]))}
    asked = len(landed) + len(requests)
    return Account(
        rows=sum(found.rows.values()),
        lost=sum(rows for rows in missing.values() if rows > 0),
        twice=-sum(rows for rows in missing.values() if rows < 0),
        answered=asked - len(wrong),
        asked=asked,
        problems=[
            *(_difference(place, rows) for place, rows in missing.items() if rows),
            *(f"{name}: {why}" for name, why in wrong.items()),
            *_wrong_counts(landed, said),
            *_wrong_letters(dead_letters, found.dead_letters),
        ],
    )


@dataclass(frozen=True, slots=True)
class _Said:
    """The ledger's files by URI and by batch, the events by batch and by request, and who names a file in an event."""

    files: defaultdict[str, list[Recorded]]
    in_batch: defaultdict[str, list[Recorded]]
    batches: defaultdict[str, list[Event]]
    requests: defaultdict[str, list[Event]]
    named: defaultdict[str, list[tuple[str, Event]]]


def _said(found: Found) -> _Said:
    said = _Said(*(defaultdict[str, list[Any]](list) for _ in range(5)))
    for recorded in found.files:
        said.files[recorded.uri].append(recorded)
        said.in_batch[recorded.batch or ""].append(recorded)
    for event in {event["id"]: event for event in found.completions}.values():  # the same id again counts once
        data = event["data"]
        if "run" not in data:
            said.requests[data["request"]].append(event)
            continue
        said.batches[data["run"]["batch"]].append(event)
        for file in data["files"]:
            said.named[file["uri"]].append((data["run"]["batch"], file))
    return said


def _wrong_file(file: Landed, said: _Said) -> str | None:
    outcomes = [recorded.outcome for recorded in said.files[file.uri]]
    if outcomes != [file.outcome]:
        return f"the ledger says {outcomes}, not {file.outcome}"
    own = said.files[file.uri][0].batch or ""
    events = said.batches[own]
    if len(events) != 1:
        return f"{len(events)} completion events of its batch {own}"
    naming = [batch for batch, _ in said.named[file.uri]]
    if naming != [own] and (naming or not events[0]["data"]["files_truncated"]):
        return f"named by the completion events of {naming}, and its batch is {own}"
    for _, named in said.named[file.uri]:
        if (named["outcome"], named["rows"]) != (file.outcome, file.rows):
            return f"its completion event says {named['outcome']}, {named['rows']} rows"
    return None


def _wrong_request(events: Sequence[Event]) -> str | None:
    if len(events) != 1:
        return f"{len(events)} completion events of this request"
    data = events[0]["data"]
    return None if data["outcome"] == "loaded" else f"the request ended as {data['outcome']}: {data['reason']}"


def _wrong_counts(landed: Sequence[Landed], said: _Said) -> Iterator[str]:
    """Say where an event's counts are not the ledger's files and the rows that are known.

    A batch may hold what an earlier demo left behind when it was interrupted: of that the ledger's word is taken.
    """
    rows = {file.uri: file.rows for file in landed}
    for batch, files in said.in_batch.items():
        loaded = sum(file.outcome == "loaded" for file in files)
        right = (loaded, len(files) - loaded, sum(rows.get(file.uri, file.rows) for file in files))
        for event in said.batches[batch]:
            counts = event["data"]["counts"]
            told = (counts["files_loaded"], counts["files_not_loaded"], counts["rows"])
            if told != right:
                yield f"{event['id']}: says {told} files loaded, files not loaded, rows; right is {right}"


def _wrong_letters(expected: int, found: Sequence[Event]) -> Sequence[str]:
    letters = {letter["id"]: letter["data"] for letter in found}
    if len(letters) == expected:
        return []
    said = "; ".join(f"{letter['reason']}: {letter['detail']}" for letter in letters.values())
    return [f"{len(letters)} dead letters instead of {expected}: {said}"]


def _difference(place: tuple[str, str], missing: int) -> str:
    table, uri = place
    return f"{uri}: {abs(missing)} rows {'lost from' if missing > 0 else 'too many in'} {table}"
