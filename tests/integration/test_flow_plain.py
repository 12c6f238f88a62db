"""Values that our look has found plain are read by Spark as the column's type: nobody can tell by the rows."""

import os
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from flows.loading.reading import beginnings, json_blocks, json_files
from flows.loading.reading.parts import Part
from flows.loading.reading.plain import is_read_rightly
from flows.loading.reading.proving import Proof
from schemas.report import Report
from storage import local
from tests.integration.flow_site import JSON, Lake, a_table, outcomes

pytestmark = pytest.mark.integration

SEEDS = range(int(os.environ.get("RIGHT_ROWS_SEEDS", "4")))  # make fuzz has more
FIRST = int(os.environ.get("RIGHT_ROWS_FIRST", "0"))
COLUMNS = {
    "n": "bigint",
    "whole": "bigint",
    "price": "decimal(12,2)",
    "share": "double",
    "day": "date",
    "at": "timestamp",
    "text": "string",
}


def some_date(chance: random.Random) -> date:
    return date(1, 1, 1) + timedelta(days=chance.randint(0, 3_650_000))


# Values as a file spells them.
PLAIN: Mapping[str, Callable[[random.Random], str]] = {
    "whole": lambda chance: str(chance.randint(-(10 ** chance.randint(1, 18)) + 1, 10**9)),
    "price": lambda chance: f"{chance.randint(-(10**7), 10**7) / 100:.{chance.randint(1, 2)}f}",
    "share": lambda chance: chance.choice(["0.5", "-0.0", "0", "7", f"{chance.random():.12f}"]),
    "day": lambda chance: f'"{some_date(chance)}"',
    "at": lambda chance: (
        f'"{some_date(chance)}T{chance.randint(0, 23):02}:{chance.randint(0, 59):02}:07'
        f'{chance.choice(["", ".5", ".000001"])}{chance.choice(["Z", "+01:30", "-12:00"])}"'
    ),
    "text": lambda chance: chance.choice(['""', '"a"', '"2024-01-31"']),
    "more": lambda chance: f'{{"x": {chance.randint(-9, 9)}, "each": [1, {chance.randint(1, 10**18 - 1)}]}}',
}
ODD: Mapping[str, tuple[str, ...]] = {
    "whole": ("-0", "1234567890123456789", "12345678901234567890", "1.5", "1e2", '"1"'),
    "price": ("1e2", "12345678901.25", "1.005", "-0", '"1.50"', '"x"'),
    "share": ("1e-400", "-0", "0.1234567890123456789", "123456789012345678901", '"NaN"'),
    "day": ('"2023-02-29"', '"2024-1-1"', '"2024-01-31T10:00:00Z"', '"10000-01-01"', '""'),
    "at": ('"2024-01-31"', '"2024-01-31T10:00:00"', '"2024-01-31T10:00Z"', '"2024-01-31T10:00:00 Europe/Berlin"'),
    "text": ("1", '{"x": 1}'),
    "more": ('{"x": -0}', '{"x": 12345678901234567890}', '{"each": [1.5]}', '{"y": "z"}'),
}


def lines(chance: random.Random, first: int, odds: float, records: int = 300) -> str:
    """So many records from this number on, of which a few may be odd."""
    odd = [name for name in ODD if chance.random() < odds]
    found = []
    for n in range(first, first + records):
        one = {"n": str(n)}
        for name, made in PLAIN.items():
            if chance.random() < 0.9:
                is_odd = name in odd and chance.random() < 0.02
                one[name] = "null" if chance.random() < 0.1 else chance.choice(ODD[name]) if is_odd else made(chance)
        found.append("{" + ", ".join(f'"{name}": {value}' for name, value in one.items()) + "}")
    return "\n".join(found)


def test_a_preview_trusts_nothing_in_what_follows_the_beginning(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_blocks, "LEAST_BYTES", 0)
    monkeypatch.setattr(beginnings, "WHOLE_BYTES", 0)
    monkeypatch.setattr(beginnings, "BYTES", 100)
    monkeypatch.setattr(local, "PIECE_BYTES", 100)
    first = "".join(f'{{"n": {n}, "price": 1.25}}\n' for n in range(9))
    file = lake.land("a.json", f'{first}{{"n": 9, "price": 1.005}}\n')

    preview = lake.previewed(lake.preview(file, JSON, hints={"price": "decimal(12,2)"}))

    assert preview.rows == tuple((str(n), "1.25") for n in range(9))


def loaded(lake: Lake, table: str, report: Report) -> tuple[object, ...]:
    """What anybody can tell of a load."""
    columns = lake.session.table(table).dtypes
    rows = lake.rows(table, *(name for name, _ in columns if name not in {"_batch_id", "_loaded_at"}), by=columns[0][0])
    return outcomes(report), [one.reason for one in report.files], columns, list(map(repr, rows))


def samples(monkeypatch: pytest.MonkeyPatch, told: Sequence[object]) -> list[int]:
    """Each time that Spark is asked for texts to guess from: how many loads were told of by then."""
    found: list[int] = []
    sample = Proof.sample

    def sampling(proof: Proof, parts: Sequence[Part]) -> None:
        found.append(len(told))
        sample(proof, parts)

    monkeypatch.setattr(Proof, "sample", sampling)
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_the_rows_are_the_same_as_if_all_were_read_as_texts(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(FIRST + seed)  # noqa: S311 - no secret is made of it
    monkeypatch.setattr(json_blocks, "LEAST_BYTES", 0)
    files = [lake.land(f"{n}.json", lines(chance, n * 1000, 0.3 if seed else 0)) for n in range(2)]
    trusted: list[str] = []

    def trusting(*asked: Any) -> bool:
        found = is_read_rightly(*asked)
        trusted.extend([asked[0].simpleString()] if found else [])
        return found

    told = []
    for trusts in (trusting, lambda *_: False):
        monkeypatch.setattr(json_files, "is_read_rightly", trusts)
        table = a_table()
        batch = lake.batch(table, files, JSON, schema={"columns": COLUMNS}, bad_rows={"max": "100%"})
        told.append(loaded(lake, table, lake.published(batch)))

    assert told[0] == told[1]
    assert seed or set(trusted) == {"decimal(12,2)", "double", "date", "timestamp"}


@pytest.mark.parametrize("seed", SEEDS)
def test_new_columns_are_the_same_as_if_their_types_were_proven(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(FIRST + seed)  # noqa: S311 - no secret is made of it
    odds, records = (0.3 if seed > 1 else 0), (60 if seed % 2 else 600)
    files = [lake.land(f"{n}.json", lines(chance, n * 1000, odds, records)) for n in range(2)]
    told: list[object] = []
    sampled = samples(monkeypatch, told)
    for refuses in (Part.refuses_nothing, lambda *_: False):
        monkeypatch.setattr(Part, "refuses_nothing", refuses)
        table = a_table()
        told.append(loaded(lake, table, lake.published(lake.batch(table, files, JSON, bad_rows={"max": "100%"}))))

    assert told[0] == told[1]
    assert odds or set(sampled) == {1}
