"""The promises of the design, as sentences about a world; what is found broken is told in words."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from router.errors import Rejected
from router.notifications.decode import decode
from router.notifications.record import Arrival, Record
from router.rules.identity import Identity, object_key
from router.rules.looking import There
from router.rules.outgoing import OutgoingEvent
from schemas.config.topics import COMPLETIONS_TOPIC, DEAD_LETTERS_TOPIC
from tests.builders import NOON
from tests.fakes.flow import KILLER, LETHAL
from tests.simulation.world import SIZE, UNHEARD, World, wrong_mark

SHORTENED = {"files", "files_truncated", "requests", "schema_changes"}
SKEW = timedelta(hours=2)  # of producers' clocks
UNKNOWN = "the run gone"  # Prefect's, which may have been restored, or answers from a replica
FOR_GOOD = {"loaded", "quarantined", "failed"}


def broken_promises(world: World) -> Iterator[str]:
    """All of them, when everything has come to its end."""
    promises = (no_loss, one_effective_load, completions, answers, in_order, newest_wins, patience, as_it_is)
    for promise in promises:
        for what in promise(world):
            yield f"{promise.__name__}: {what}"


def not_taken_care_of(world: World) -> Iterator[str]:
    """P1, at every commit: what is committed is in the ledger, or in the dead letters on their way out."""
    waiting = {json.loads(event.value)["id"] for event in world.database.outbox.values()}
    letters = waiting | {event["id"] for event in _published(world, DEAD_LETTERS_TOPIC)}
    objects = {(key.source_id, key.object) for key in (*world.database.files, *world.database.arrivals)}
    for record in world.broker.committed_records():
        for index, entry, sources in _entries(world, record):
            if isinstance(entry, Rejected):
                if (
                    f"{record.position.topic}/{record.position.partition}/{record.position.offset}/{index}"
                    not in letters
                ):
                    yield f"{record.position} was committed without its dead letter"
            elif entry.kind == "landed":
                for source_id in sources:
                    if (source_id, object_key(entry.uri)) not in objects:
                        yield f"{record.position} was committed, but {source_id} knows nothing of {entry.uri}"


def watched(world: World) -> Iterator[str]:
    """What holds at every moment: P1 for what is committed, what is kept of a look, and what the lease is for."""
    if world.has_committed:
        yield from not_taken_care_of(world)
    yield from last_landings(world)
    yield from admitted(world)


def last_landings(world: World) -> Iterator[str]:
    """Every landing counts: what was just found by several looks, and is to be loaded, landed when the last says."""
    for one in world.database.answered:
        if isinstance(one.answer, There):
            key = one.look.identity._replace(version=one.answer.version)
            file = world.database.files[key]
            if file.outcome is None and file.landed < one.look.landed:
                yield f"{file.uri} {key.version} landed at {one.look.landed}, recorded is {file.landed}"


def admitted(world: World) -> Iterator[str]:
    """Two open batches a source and lane, and one that no attempt has staged; no more open attempts than slots.

    Previews do not count, and what ran out of memory goes on in another lane beside what is there.
    """
    staged = {batch for batch, _ in world.database.results}
    lines = [
        (row.manifest.source_id, row.lane, batch in staged)
        for batch, row in world.database.batches.items()
        if row.ended is None
        and row.request_id is None
        and (first := world.database.attempts.get((batch, 1))) is not None  # a half waits for its turn
        and first.lane == row.lane
    ]
    unstaged = Counter((source_id, lane) for source_id, lane, is_staged in lines if not is_staged)
    for (source_id, lane), times in Counter((source_id, lane) for source_id, lane, _ in lines).items():
        if times > 2 or unstaged[source_id, lane] > 1:  # one that is published, and the next
            yield f"{source_id} has {times} open batches in {lane}, {unstaged[source_id, lane]} of them not staged"
    attempts = Counter(row.lane for row in world.database.attempts.values() if row.ended is None)
    for lane, times in attempts.items():
        if times > world.config.lanes.of(lane).slots:
            yield f"{times} attempts are open in {lane}"


def no_loss(world: World) -> Iterator[str]:
    """P1: every file has an outcome, with a reason when it is not loaded, and the storage decides what is owed.

    Of what lies there now, and was put since its object was last told of, something was loaded or has a reason why not.
    """
    yield from not_taken_care_of(world)
    if world.broker.lag > 0:
        yield f"{world.broker.lag} records are not committed, also after a restart"
    for key, row in world.database.files.items():
        if row.outcome is None:
            yield f"{row.uri} {key.version} has no outcome"
        elif row.outcome != "loaded" and not row.reason:
            yield f"{row.uri} {key.version} is {row.outcome} for no reason"
    for uri, found in world.store.objects.items():
        versions = [found.version, *_since_last_told(world, uri)]
        for source_id in world.matcher.sources_of(uri):
            files = [world.database.files.get(Identity(source_id, object_key(uri), version)) for version in versions]
            outcomes = [file and file.outcome for file in files]
            if FOR_GOOD.isdisjoint(outcomes):
                yield f"{uri} holds {versions}, {source_id} says {outcomes}"


def one_effective_load(world: World) -> Iterator[str]:
    """P2: loaded means once in the table, everything else means not in the table."""
    tables = {source.id: source.into.table for source in world.config.sources.values()}
    rows = Counter((row.table, row.uri, row.version) for row in world.table.rows)
    expected: Counter[tuple[str, str, str]] = Counter(
        (tables[key.source_id], row.uri, key.version)
        for key, row in world.database.files.items()
        if row.outcome == "loaded"
    )
    for extra, times in (rows - expected).items():
        yield f"{extra} is in the table {times} times too often"
    for absent in expected - rows:
        yield f"{absent} is loaded, but not in the table"
    for batch, times in Counter(snapshot.batch for snapshot in world.table.published).items():
        if times > 1:
            yield f"{batch} was published {times} times"
    for (batch, n), attempt in world.database.attempts.items():
        if attempt.outcome == "void" and attempt.claimed_by is not None:
            yield f"{batch}/{n} is void, but {attempt.claimed_by} works on it"
    for (batch, n), times in Counter((batch, n) for batch, n, _ in set(world.results.claims)).items():
        if times > 1:
            yield f"{batch}/{n} was claimed by {times} runs"


def completions(world: World) -> Iterator[str]:
    """P3: every batch that ended is told of, under one id, and as the ledger has it."""
    told: dict[str, dict[str, Any]] = {}
    for event in _published(world, COMPLETIONS_TOPIC):
        if "run" not in event["data"]:
            continue
        batch = event["data"]["run"]["batch"]
        if _whatever_is_named(told.setdefault(batch, event)) != _whatever_is_named(event):
            yield f"{batch} is told of as {told[batch]['id']} and as {event['id']}"
    for batch, row in world.database.batches.items():
        if row.request_id is not None:
            continue
        if row.ended is not None and (batch not in told or told[batch]["data"]["outcome"] != row.outcome):
            yield f"{batch} ended as {row.outcome}, told is {told.get(batch)}"
            continue
        ends = {(file["uri"], file["version"]): file["outcome"] for file in told[batch]["data"]["files"]}
        for key, file in world.database.files_of(batch):
            untold = file.outcome if told[batch]["data"]["files_truncated"] else None
            if ends.get((file.uri, key.version), untold) != file.outcome:
                yield f"{file.uri} {key.version} ended as {file.outcome}, told is {ends}"


def answers(world: World) -> Iterator[str]:
    """P3: every request that came is answered, each time by the same event, and by nothing that is still open."""
    told: dict[str, dict[str, Any]] = {}
    for event in _published(world, COMPLETIONS_TOPIC):
        if "request" in event["data"]:
            request_id = event["data"]["request"]
            if _whatever_is_named(told.setdefault(request_id, event)) != _whatever_is_named(event):
                yield f"{request_id} is answered by {told[request_id]} and by {event}"
    asked = {json.loads(record.value or b"{}")["id"] for log in world.desk.logs.values() for record in log}
    for request_id in asked - told.keys():
        yield f"{request_id} is not answered"
    for request_id, event in told.items():
        data = event["data"]
        still_open = [file for file in data["files"] if file["outcome"] in {"waiting", "in-flight"}]
        if still_open and data["outcome"] not in {"expired", "cancelled"}:
            yield f"{request_id} was answered while files of it are open: {still_open}"
        if data["counts"]["files"] != len(data["files"]) and not data["files_truncated"]:
            yield f"{request_id} counts other files than it names"


def in_order(world: World) -> Iterator[str]:
    """Events of one key come as they were recorded, but for their repetitions and for what was set aside."""
    recorded: dict[tuple[str, str], dict[str, None]] = {}
    late = {_id(world.database.recorded[row_id]) for row_id in world.database.set_aside}
    for event in world.database.recorded.values():
        if _id(event) not in late:
            recorded.setdefault((event.topic, event.key), {}).setdefault(_id(event))
    written: dict[tuple[str, str], dict[str, None]] = {}
    for event in world.publisher.written:
        if _id(event) not in late:
            written.setdefault((event.topic, event.key), {}).setdefault(_id(event))
    for key, ids in written.items():
        if list(ids) != list(recorded[key]):
            yield f"of {key} came {list(ids)}, recorded was {list(recorded[key])}"


def newest_wins(world: World) -> Iterator[str]:
    """P4: what was removed before its load is not in the table."""
    batches = {key: row.batch_id for key, row in world.database.files.items() if row.outcome == "removed"}
    for key, batch in batches.items():
        if batch is not None:
            yield f"{key} was removed out of {batch}"


def neighbours_are_loaded(world: World) -> Iterator[str]:
    """P9, in a world in which only files do harm: a file that kills the runs that hold it fails alone."""
    for key, row in world.database.files.items():
        if row.outcome == "failed" and not key.version.startswith((KILLER, LETHAL)):
            yield f"{row.uri} {key.version} failed, and did no harm: {row.reason}"
        if key.version.startswith((KILLER, LETHAL)) and row.outcome == "loaded":
            yield f"{row.uri} {key.version} is loaded, and kills whoever reads it"


def patience(world: World) -> Iterator[str]:
    """Nobody is given up early, whatever a router's clock says, nor counted as a crash because Prefect supposes so."""
    for (batch, n), row in world.database.attempts.items():
        if row.outcome == "void" and row.ended is not None and row.ended - row.created < timedelta(minutes=1):
            yield f"{batch}/{n} is void after {row.ended - row.created}"
        silence = row.ended - row.touched if row.cause == "silent" and row.ended and row.touched else None
        if silence is not None and silence < timedelta(minutes=3):
            yield f"{batch}/{n} was heard of {silence} before it was given up as silent"
        if row.cause == "crash" and any(unseen in (row.reason or "") for unseen in (UNHEARD, UNKNOWN)):
            yield f"{batch}/{n} is counted as a crash, and nobody saw its process end"


def as_it_is(world: World) -> Iterator[str]:
    """P8: what was loaded has the size that the storage knows, and landed when it did, whatever an event said."""
    for key, row in world.database.files.items():
        was_measured = row.estimate > 0  # or told; a retry takes what went missing before that as it is
        if row.outcome == "loaded" and was_measured and row.size != SIZE:
            yield f"{row.uri} {key.version} has {SIZE} bytes, recorded is {row.size}"
        if not NOON - SKEW <= row.landed <= world.clock.now() + SKEW:
            yield f"{row.uri} {key.version} landed at {row.landed}"


def _entries(world: World, record: Record) -> Iterator[tuple[int, Arrival | Rejected, list[str]]]:
    """What a record announces and to whom; without what is only counted."""
    for index, entry in enumerate(decode(record)):
        if isinstance(entry, Rejected):
            yield index, entry, []
            continue
        try:
            yield index, entry, world.matcher.sources_of(entry.uri)
        except Rejected as rejected:
            counted = world.config.arrival_topics[record.position.topic].unmatched == "count"
            if rejected.reason == "bad-uri" or not counted:
                yield index, rejected, []


def _since_last_told(world: World, uri: str) -> list[str]:
    """The versions that were put since an event last told of the object, by their own marks and the wrong ones.

    Whoever looked then saw one of them, or failed with a reason before that.
    """
    versions: list[str] = []
    for version, is_told in reversed(world.puts.get(uri, [])):
        versions += [version, wrong_mark(version)]
        if is_told:
            break
    return versions


def _whatever_is_named(event: dict[str, Any]) -> dict[str, Any]:
    """What stays the same when a broker takes only a shorter event."""
    return {**event, "data": {key: told for key, told in event["data"].items() if key not in SHORTENED}}


def _id(event: OutgoingEvent) -> str:
    found: str = json.loads(event.value)["id"]
    return found


def _published(world: World, topic: str) -> Iterator[dict[str, Any]]:
    for event in world.publisher.written:
        if event.topic == topic:
            found: dict[str, Any] = json.loads(event.value)
            yield found
