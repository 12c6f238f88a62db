"""Files at a steady rate, beside many sources and among many snapshots: is the hundredth minute as the first?

    .venv/bin/python -m benchmarks.steady [minutes] [files a second]

On a stack started for this, with 1,000 sources, of which one gets all files. A line a minute: event → completion of the
files that landed in it, by the ledger's clock, and at its end the memory of each part (PSS, MB, with its children) and
the connections of PostgreSQL. Before it the first files, after it as many at once as make 10,000, then one file on
the idle stack, thirty times, as `benchmarks.latency` measures it, and the first one after the stack was started again.

Tables may have a snapshot at any time here (`commit_interval: 0s`).
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.latency import one, p95
from benchmarks.stacks import memory, running
from cli.commands.land import announce
from dev.stack import Stack
from schemas.connections import kafka_connection

SOURCES, FILES, ONCE = 1000, 10_000, 1000
SOURCE = """
  %(name)s:
    id: %(name)s
    from: {path: "file://${AUTOLOADER_HOME}/landing/%(name)s/"}
    format: csv
    into: {table: lake.bench.%(name)s}
"""
A_FILE = "year,month,day\n" + "2013,1,1\n" * 10
HEADINGS = ("minute", "files", "runs", "p50 s", "p95", "max", "connections")


def sources() -> str:
    """One source that gets files, and all the others."""
    return "".join(SOURCE % {"name": name} for name in ["flights", *(f"s{n}" for n in range(1, SOURCES))])


class Site:
    """The running stack, and what it has been told of."""

    def __init__(self, stack: Stack, home: Path) -> None:
        self.stack = stack
        self._settings = stack.settings()
        self._place = home / "landing" / "flights"
        self.landed = 0

    def land(self, count: int) -> None:
        """So many small files, told of in one go."""
        self._place.mkdir(parents=True, exist_ok=True)
        files = [self._place / f"{self.landed + n:08}.csv" for n in range(count)]
        for file in files:
            file.write_text(A_FILE)
        self.landed += count
        asyncio.run(announce(kafka_connection(self._settings), [f"file://{file}" for file in files]))

    def restart(self) -> None:
        """Stop the stack and start it again."""
        self.stack.down()
        self.stack.up()

    def singles(self, times: int) -> list[dict[str, float]]:
        """One file on the idle stack, so many times."""
        with tempfile.TemporaryDirectory() as folder:
            return [asyncio.run(one(self._settings, n, Path(folder))) for n in range(times)]

    def wait(self, count: int) -> float:
        """Seconds until so many of the files have ended."""
        begun = time.monotonic()
        while (
            self._asked("SELECT count(*) FROM file WHERE outcome IS NOT NULL AND uri LIKE '%/flights/0%'")[0][0] < count
        ):
            time.sleep(0.2)
        return time.monotonic() - begun

    def minute(self, begun: float, ended: float) -> tuple[object, ...]:
        """What the ledger says of the files that landed in a minute."""
        rows = self._asked(
            "SELECT extract(epoch FROM b.ended - f.landed)::float8, b.id FROM file f JOIN batch b ON b.id = f.batch_id"
            " WHERE f.landed >= to_timestamp(%s) AND f.landed < to_timestamp(%s) AND b.ended IS NOT NULL",
            begun,
            ended,
        )
        seconds = [row[0] for row in rows]
        spread = (statistics.median(seconds), p95(seconds), max(seconds))
        [[connections]] = self._asked("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
        runs = len({row[1] for row in rows})
        return len(rows), runs, *(f"{each:.2f}" for each in spread), connections

    def _asked(self, query: str, *values: object) -> Sequence[Sequence[Any]]:
        with psycopg.connect(self._settings["DATABASE_URL"]) as connection:
            return connection.execute(query.encode(), values or None).fetchall()


def told(title: str, runs: Sequence[Mapping[str, float]]) -> None:
    """A line for some single files."""
    for span in ("event → rows", "event → completion"):
        seconds = [run[span] for run in runs]
        p50 = statistics.median(seconds)
        print(f"{title:32} {span:20} p50 {p50:.2f} s, p95 {p95(seconds):.2f}, max {max(seconds):.2f}")


def main(site: Site, minutes: int, rate: int) -> None:
    """The lines."""
    told("the first, which makes the table", site.singles(1))
    told("the next nine", site.singles(9))
    parts = tuple(memory(site.stack))
    print(" ".join(f"{heading:>11}" for heading in (*HEADINGS, *parts)), flush=True)
    for minute in range(minutes):
        begun = time.time()
        for second in range(60):
            site.land(rate)
            time.sleep(max(0.0, begun + second + 1 - time.time()))
        site.wait(site.landed)
        held = memory(site.stack)
        found = (minute + 1, *site.minute(begun, begun + 60), *(held[part] for part in parts))
        print(" ".join(f"{each!s:>11}" for each in found), flush=True)
    while site.landed < FILES:
        count = min(ONCE, FILES - site.landed)
        site.land(count)
        print(f"{count} files at once: {site.wait(site.landed):.1f} s")
    told(f"among {site.landed} files", site.singles(30))
    site.restart()
    told("the first after `up` again", site.singles(1))


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    with running(sources()) as (stack, home):
        main(Site(stack, home), *(numbers + [20, 5][len(numbers) :]))
