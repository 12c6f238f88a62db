"""What the demo says and makes, without a stack."""

import json
from pathlib import Path

import pytest

from cli.demo.account import Account, Landed
from cli.demo.act import Act
from cli.demo.asking import way_out
from cli.demo.command import ACTS, Played, announcement, how_to_go_on, report
from dev import jars, nycflights, samples, tpch
from dev.home import Home
from schemas.config import load_config

EXPLAINED = """file:///x.csv
  waiting for 3 s
  why      its source is paused since 12:00:00
  next     nothing, until it is resumed
  you can  {command}
  2026-11-24 12:00:00  landed"""


def test_there_are_five_acts() -> None:
    assert len(ACTS) == 5


def test_every_act_s_source_is_configured() -> None:
    config = load_config(Path("dev/autoloader.yaml"), {"AUTOLOADER_HOME": "/data"})

    assert {"flights", "history", "storm", "zipped", "lineitem", "backlog", "paused", "yours"} <= set(config.sources)
    tables = [source.into.table for source in config.sources.values()]
    assert len(set(tables)) == len(tables)


def test_downloads_are_told_with_their_size_before_they_begin(tmp_path: Path) -> None:
    home = Home(tmp_path, jars=tmp_path)
    before = announcement(home)
    for one in (jars.KAFKA, jars.SPARK):
        (tmp_path / one.name).mkdir()
        (tmp_path / one.name / "pinned.txt").write_text(one.pin())

    assert f"Kafka 4.4.0 ({jars.KAFKA.megabytes} MB)" in before
    assert "to download: nothing" in announcement(home)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("autoloader resume paused", ["resume", "paused"]),
        ("autoloader explain b-1", None),
        ("rm -rf resume", None),
    ],
)
def test_only_a_resume_is_run_of_what_explain_offers(command: str, arguments: list[str] | None) -> None:
    assert way_out(EXPLAINED.format(command=command)) == arguments


def test_the_report_says_what_was_counted_and_what_was_wrong() -> None:
    landed = [Landed("file:///a", "l.a.t", 10)]
    right = Account(rows=10, lost=0, twice=0, answered=1, asked=1, problems=[])
    wrong = Account(rows=9, lost=1, twice=0, answered=2, asked=2, problems=["file:///b: 1 rows lost from l.a.t"])
    played = [Played("one", Act(landed, figures={"runs": 1}), right, 2.0), Played("two", Act(landed), wrong, 3.0)]

    told = json.loads(json.dumps(report(played, {"all": 5.04})))

    assert (told["right"], told["line"]) == (False, "lost 1 · twice 0 · completions 2/2")
    assert (told["runs"], told["seconds"]) == (1, {"all": 5.0})
    assert [act["problems"] for act in told["acts"]] == [[], wrong.problems]


def test_a_stack_left_running_is_left_with_what_to_do() -> None:
    said = how_to_go_on({"PREFECT_API_URL": "http://127.0.0.1:4200/api"}, "file:///data/landing/yours/")

    assert "land yours /data/landing/yours/FILE.csv" in said
    assert "http://127.0.0.1:4200\n" in said
    assert "autoloader down" in said


def test_a_year_of_flights_is_365_files(tmp_path: Path) -> None:
    days = nycflights.flights_by_day(tmp_path)

    assert len(days) == 365
    assert sum(day.rows for day in days) == 336_776
    assert days[0] == samples.Sample(tmp_path / "2013-01-01.csv", 842)
    assert len(days[-1].path.read_text().splitlines()) == days[-1].rows + 1


def test_a_year_of_weather_is_364_files_of_json_lines(tmp_path: Path) -> None:
    days = nycflights.weather_by_day(tmp_path)

    assert len(days) == 364
    assert sum(day.rows for day in days) == 26_115
    rows = [json.loads(line) for day in days for line in day.path.read_text().splitlines()]
    assert {type(row["pressure"]) for row in rows} == {float, type(None)}


def test_planes_come_in_parts_that_add_up(tmp_path: Path) -> None:
    parts = nycflights.planes_in_parts(tmp_path, 7)

    assert [part.path.name for part in parts][::6] == ["planes-01.parquet", "planes-07.parquet"]
    assert sum(part.rows for part in parts) == 3_322


def test_lineitem_is_made_without_a_network(tmp_path: Path) -> None:
    first, again = tpch.lineitem(tmp_path / "a", scale=0.001), tpch.lineitem(tmp_path / "b", scale=0.001)

    assert first.rows == again.rows == 6_005
    assert first.path.read_bytes() == again.path.read_bytes()


def test_half_a_file_has_no_rows(tmp_path: Path) -> None:
    whole = samples.Sample(tmp_path / "a.csv", 3)
    whole.path.write_text("n\n" + "1\n" * 3)
    zipped = samples.zipped(whole)
    size = zipped.path.stat().st_size

    broken = samples.cut_in_half(zipped)

    assert (zipped.rows, broken.rows) == (3, 0)
    assert broken.path.stat().st_size == size // 2
