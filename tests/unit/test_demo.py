"""What the demo says and makes, without a stack."""

import json
from pathlib import Path

import pytest

from cli.commands.demo import ACTS, Played, announcement, how_to_go_on, report
from cli.demo.account import Account, Event, Landed
from cli.demo.act import Act
from cli.demo.asking import way_out
from cli.demo.screen import Screen
from cli.demo.trouble import POISON, in_lane, overtook, poisoned, quarantined
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

    assert {"flights", "history", "storm", "zipped", "lineitem", "backlog", "departures", "yours"} <= set(
        config.sources
    )
    tables = [source.into.table for source in config.sources.values()]
    assert len(set(tables)) == len(tables)


def test_downloads_are_told_with_their_size_before_they_begin(tmp_path: Path) -> None:
    home = Home(tmp_path, jars=tmp_path)
    before = announcement(home, first=True)
    for one in (jars.KAFKA, jars.SPARK):
        one.place(tmp_path).mkdir()

    assert f"Kafka 4.4.0 ({jars.KAFKA.megabytes} MB)" in before
    assert "to download: nothing" in announcement(home, first=False)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("autoloader resume departures", ["resume", "departures"]),
        ("autoloader explain b-1", None),
        ("rm -rf resume", None),
    ],
)
def test_only_a_resume_is_run_of_what_explain_offers(command: str, arguments: list[str] | None) -> None:
    assert way_out(EXPLAINED.format(command=command)) == arguments


def test_poison_is_a_dead_letter_with_its_reason() -> None:
    letter = {"id": "t/0/1/0", "data": {"value": POISON, "reason": "not-json", "detail": "write JSON"}}
    other = {"id": "t/0/2/0", "data": {"value": "{}", "reason": "missing-field", "detail": "no id"}}

    assert poisoned([letter, letter, other]) == ("poison record → dead letter not-json: write JSON", True)
    assert poisoned([other]).right is False


def test_half_a_file_is_quarantined_with_a_reason_and_its_neighbours_are_loaded() -> None:
    broken = {"outcome": "quarantined", "reason": "truncated gzip"}

    assert quarantined(broken, ["loaded", "loaded"]).right
    assert not quarantined(broken, ["loaded", "quarantined"]).right
    assert not quarantined({"outcome": "quarantined", "reason": None}, ["loaded"]).right
    assert not quarantined({"outcome": "loaded", "reason": None}, ["loaded"]).right


def ended(second: int, lane: str = "default") -> Event:
    data = {"counts": {"bytes": 9_668_977}, "run": {"lane": lane}}
    return {"time": f"2026-11-24T12:00:{second:02}Z", "data": data}


def test_a_big_file_takes_the_lane_for_big_ones() -> None:
    assert in_lane(ended(1, "high-memory"), "high-memory") == ("TPC-H lineitem, 9.7 MB → lane high-memory", True)
    assert not in_lane(ended(1, "default"), "high-memory").right


@pytest.mark.parametrize(("answered", "before"), [([8], 2), ([11], 1), ([31], 0), ([], 0)])
def test_a_request_overtakes_what_ends_after_its_answer(answered: list[int], before: int) -> None:
    others = [ended(10), ended(30)]

    judged = overtook([ended(second) for second in answered], ended(7, "priority"), others)

    assert judged.right == (before > 0)
    assert judged.text.endswith(f"lane priority, answered before {before} of 2 other batches")


def test_a_request_that_waited_in_the_default_lane_overtook_nothing() -> None:
    assert not overtook([ended(8)], ended(7), [ended(10)]).right


def test_the_last_line_is_written_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().last("lost 0 · twice 0 · completions 749/749")

    assert capsys.readouterr().out == "lost 0 · twice 0 · completions 749/749\n"


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
