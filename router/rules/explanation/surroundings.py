"""What stands around a file that is explained: what the configuration says of it, and what does not answer."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from router.rules.breaker import Breaker, Targets
from router.rules.explanation.known import KnownFile, Surroundings
from schemas.config import Config
from schemas.config.lanes import Lane


def newest(files: Iterable[KnownFile]) -> Sequence[KnownFile]:
    """The first file of each source: of versions that come newest first, the newest."""
    found: dict[str, KnownFile] = {}
    for file in files:
        found.setdefault(file.source_id, file)
    return list(found.values())


def configured(around: Surroundings, file: KnownFile, config: Config, breakers: Sequence[Breaker]) -> Surroundings:
    """Add to what the ledger knows what the configuration says of the source and its lane, and what is away."""
    named = next(((name, one) for name, one in config.sources.items() if one.id == file.source_id), None)
    lane = file.lane if file.batch is None else file.batch.lane
    return replace(
        around,
        source=named[0] if named else around.source,
        slots=config.lanes.of(file.lane).slots,
        min_wait=named[1].batch.min_wait if named else around.min_wait,
        commit_interval=config.commit_interval,
        away=away(breakers, file.source_id, lane, config),
    )


def away(breakers: Sequence[Breaker], source_id: str, lane: Lane, config: Config) -> str | None:
    """The first of what batches of a source in a lane need that does not answer, and why."""
    needs = Targets(config).of(source_id, lane)
    return next((f"{one.target}: {one.reason}" for one in breakers if one.target in needs and one.has_opened), None)


def only_requested(source_ids: Sequence[str], config: Config) -> str | None:
    """The name of the first of these sources, if none of them loads what lands by itself."""
    triggers = {name: one.from_.trigger for name, one in config.sources.items() if one.id in source_ids}
    return None if "events" in triggers.values() else next(iter(triggers), None)
