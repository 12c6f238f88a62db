"""A breaker for each target: while what a load needs is away, nothing new is begun that needs it; the others go on.

It opens at the third failure without a success in between, for a while that doubles up to a cap. Then one batch is let
through to try, and its success closes the breaker. All times are by the ledger's clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from schemas.config import Config
from schemas.config.lanes import Lane
from schemas.config.sources import SourceConfig
from schemas.report import Target

OPENS_AT = 3  # one batch that fails by itself must not hold up others whose success stands between
FIRST_PAUSE = timedelta(seconds=15)
LONGEST_PAUSE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Breaker:
    """What failed so many times since its last success, and for how long it is not to be tried; negative: it may be."""

    target: str
    failures: int
    pause: timedelta
    reason: str

    @property
    def has_opened(self) -> bool:
        """Whether it failed so often that it counts as away, until it answers."""
        return self.failures >= OPENS_AT

    @property
    def is_open(self) -> bool:
        """Whether nothing is to be begun that needs it."""
        return self.has_opened and self.pause > timedelta(0)

    @property
    def is_half_open(self) -> bool:
        """Whether its pause is over, so that one batch may try."""
        return self.has_opened and self.pause <= timedelta(0)


def pause(failures: int) -> timedelta:
    """For how long nobody tries after so many failures."""
    if failures < OPENS_AT:
        return timedelta(0)
    doubled: timedelta = FIRST_PAUSE * 2 ** min(failures - OPENS_AT, 16)
    return min(doubled, LONGEST_PAUSE)


class Targets:
    """The configuration, ready to be asked what the batches of a source need."""

    def __init__(self, config: Config) -> None:
        self._needs: Mapping[str, Mapping[Target, str]] = {
            source.id: _needs(source) for source in config.sources.values()
        }

    def of(self, source_id: str, lane: Lane) -> frozenset[str]:
        """All a batch needs; in high-memory it has a Spark of its own. Of a source that is gone nothing is known."""
        needs = self._needs.get(source_id, {})
        return frozenset(name for target, name in needs.items() if target != "connect" or lane != "high-memory")

    def named(self, source_id: str, target: Target | None) -> str | None:
        """The name of a target as breakers have it; None for a target that has no breaker."""
        return None if target is None else self._needs.get(source_id, {}).get(target)

    def behind(self, lane: Lane, open_targets: Iterable[str]) -> frozenset[str]:
        """The sources of which nothing may be begun in a lane."""
        shut = frozenset(open_targets)
        return frozenset(source_id for source_id in self._needs if shut & self.of(source_id, lane))


def _needs(source: SourceConfig) -> Mapping[Target, str]:
    scheme, _, rest = source.from_.path.partition("://")
    bucket, catalog = rest.partition("/")[0], source.into.table.partition(".")[0]
    return {"storage": f"storage {scheme}://{bucket}", "catalog": f"catalog {catalog}", "connect": "Spark Connect"}
