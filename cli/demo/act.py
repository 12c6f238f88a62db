"""What an act is: it lands files, waits for their ends, and says what it saw that is not as it should be.

Whether every row and completion is there once is not an act's to say: `account` does, of all acts so far together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from cli.demo.account import Landed
from cli.demo.screen import Screen
from cli.demo.site import Site
from dev.samples import Sample


@dataclass(frozen=True, slots=True)
class Samples:
    """The files that the acts land, made beforehand."""

    flights: Sequence[Sample]
    weather: Sequence[Sample]
    zipped: Sequence[Sample]
    broken: Sample
    lineitem: Sample
    planes: Sequence[Sample]


@dataclass(frozen=True, slots=True)
class Act:
    """What an act did: its files, its requests, the dead letters it caused, figures of its own, and what went wrong."""

    landed: Sequence[Landed]
    requests: Sequence[str] = ()
    dead_letters: int = 0
    figures: Mapping[str, Any] = field(default_factory=dict)
    problems: Sequence[str] = ()


class Play(Protocol):
    """Plays one of the five acts."""

    def __call__(self, site: Site, samples: Samples, screen: Screen) -> Act:
        """Play it. Raises StackError when what it waits for does not come."""


class Judged(NamedTuple):
    """A line for people, and whether it says what was promised."""

    text: str
    right: bool


def pace(site: Site, landed: Sequence[Landed], seconds: float) -> Mapping[str, Any]:
    """Figures of a load: how many runs it took, and how fast that was."""
    rows = sum(file.rows for file in landed)
    return {
        "files": len(landed),
        "rows": rows,
        "runs": site.runs(landed),
        "seconds": round(seconds, 1),
        "rows_per_second": round(rows / seconds),
    }


def shown(figures: Mapping[str, Any]) -> str:
    """The figures of `pace` in words, for people."""
    runs = "1 run" if figures["runs"] == 1 else f"{figures['runs']} runs"
    return (
        f"{figures['files']:,} files, {figures['rows']:,} rows: {runs} in {figures['seconds']:.1f} s, "
        f"{figures['rows_per_second']:,} rows/s"
    )
