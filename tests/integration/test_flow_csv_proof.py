"""New columns of CSV that our own look has typed: nobody can tell by the table that Spark has not."""

import csv
import io
import os
import random
from collections.abc import Callable, Sequence

import pytest

from flows.loading.reading import csv_proof
from tests.integration.flow_site import CSV, Lake, a_table
from tests.integration.test_flow_plain import loaded, samples

pytestmark = pytest.mark.integration

SEEDS = range(int(os.environ.get("RIGHT_ROWS_SEEDS", "4")))  # make fuzz has more
FIRST = int(os.environ.get("RIGHT_ROWS_FIRST", "0"))
KINDS: Sequence[Callable[[random.Random], str]] = (
    lambda chance: str(chance.randint(-(10**9), 10**9)),
    lambda chance: f"{chance.randint(-(10**6), 10**6) / 100:.2f}",
    lambda chance: str(chance.randint(-1000, 1000) / 8),
    lambda chance: chance.choice(["true", "false"]),
    lambda chance: f"2024-0{chance.randint(1, 9)}-1{chance.randint(0, 9)}",
    lambda chance: f"2024-01-31T10:00:{chance.randint(0, 59):02}Z",
    lambda chance: chance.choice(['a "b"', "x, y", "", " z "]),
)
ODD = ("-0", "007", "1e5", "2023-02-29", "12345678901234567890", "10:00", "TRUE", "")
GIVEN = {"id": "bigint", "c0": "decimal(12,2)"}


def table(chance: random.Random, first: int, odds: float) -> str:
    """A file of some columns, each of one kind, where a few values may be odd."""
    kinds = random.Random(first // 10_000).sample(KINDS, len(KINDS))  # noqa: S311 - no secret is made of it
    order = ["id", *chance.sample([f"c{at}" for at in range(len(kinds))], len(kinds) - 1)]
    written = io.StringIO()
    writer = csv.writer(written, lineterminator=chance.choice(["\n", "\r\n"]))
    writer.writerow(order)
    for number in range(first, first + 200):
        row = [chance.choice(ODD) if chance.random() < odds else kinds[int(name[1:])](chance) for name in order[1:]]
        writer.writerow([number, *row][: -1 if chance.random() < odds / 10 else None])
    return written.getvalue()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_table_is_the_same_as_if_spark_had_proven_its_types(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(FIRST + seed)  # noqa: S311 - no secret is made of it
    odds = chance.choice([0.001, 0.01]) if seed else 0
    files = [lake.land(f"{n}.csv", table(chance, (FIRST + seed) * 10_000 + n * 1000, odds)) for n in range(3)]
    told: list[object] = []
    sampled = samples(monkeypatch, told)
    hints = GIVEN if seed % 2 else {}
    for proven in (csv_proof.types, lambda *_: None):
        monkeypatch.setattr(csv_proof, "types", proven)
        name = a_table()
        batch = lake.batch(name, files, CSV, hints=hints, bad_rows={"max": "100%"})
        told.append(loaded(lake, name, lake.published(batch)))

    assert told[0] == told[1]
    assert seed or set(sampled) == {1}
