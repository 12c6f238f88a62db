"""The demo's last line: right only when every row and every completion is there once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from cli.demo.account import Event, Found, Landed, Recorded, account

TABLE = "lake.nyc.flights"
FILES = [Landed("file:///a", TABLE, 10), Landed("file:///b", TABLE, 20)]
BROKEN = Landed("file:///c", TABLE, 0, outcome="quarantined")


def named(file: Landed) -> Event:
    return {"uri": file.uri, "outcome": file.outcome, "rows": file.rows}


def completion(batch: str, files: Sequence[Landed], *, n: int = 1, names: Sequence[Event] | None = None) -> Event:
    loaded = [file for file in files if file.outcome == "loaded"]
    counts = {
        "files_loaded": len(loaded),
        "files_not_loaded": len(files) - len(loaded),
        "rows": sum(file.rows for file in files),
    }
    shown = [named(file) for file in files] if names is None else names
    data = {"run": {"batch": batch}, "counts": counts, "files": shown, "files_truncated": len(shown) < len(files)}
    return {"id": f"{batch}/{n}/loaded", "data": data}


def answer(request: str, outcome: str = "loaded") -> Event:
    return {"id": f"{request}/{outcome}", "data": {"request": request, "outcome": outcome, "reason": "so it is"}}


def dead_letter(offset: int) -> Event:
    return {"id": f"t/0/{offset}/0", "data": {"reason": "not-json", "detail": "it begins with 't'"}}


RIGHT = Found(
    rows={(TABLE, "file:///a"): 10, (TABLE, "file:///b"): 20},
    files=[Recorded("file:///a", "loaded", "b-1"), Recorded("file:///b", "loaded", "b-1")],
    completions=[completion("b-1", FILES)],
)


def line(found: Found, landed: Sequence[Landed] = FILES, requests: Sequence[str] = (), letters: int = 0) -> str:
    """The last line, which must not look right while there are problems."""
    counted = account(landed, requests, letters, found)
    assert counted.right == (not counted.problems)
    return counted.line if counted.right else f"{counted.line} ({len(counted.problems)})"


def test_every_file_loaded_and_told_once_is_right() -> None:
    assert line(RIGHT) == "lost 0 · twice 0 · completions 2/2"


def test_an_event_that_came_again_under_its_id_counts_once() -> None:
    assert line(replace(RIGHT, completions=[*RIGHT.completions] * 3)) == "lost 0 · twice 0 · completions 2/2"


def test_the_files_that_a_full_event_does_not_name_are_counted_in_it() -> None:
    truncated = completion("b-1", FILES, names=[named(FILES[0])])

    assert line(replace(RIGHT, completions=[truncated])) == "lost 0 · twice 0 · completions 2/2"


def test_a_broken_file_that_was_quarantined_is_right_too() -> None:
    landed = [*FILES, BROKEN]
    files = [*RIGHT.files, Recorded(BROKEN.uri, "quarantined", "b-1")]
    found = replace(RIGHT, files=files, completions=[completion("b-1", landed)])

    assert line(found, landed) == "lost 0 · twice 0 · completions 3/3"
    assert line(replace(found, rows={**RIGHT.rows, (TABLE, BROKEN.uri): 4}), landed).startswith("lost 0 · twice 4")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({(TABLE, "file:///a"): 10}, "lost 20 · twice 0"),
        ({(TABLE, "file:///a"): 20, (TABLE, "file:///b"): 20}, "lost 0 · twice 10"),
        ({**RIGHT.rows, (TABLE, "file:///stranger"): 5}, "lost 0 · twice 5"),
        ({(TABLE, "file:///a"): 10, ("lake.nyc.weather", "file:///b"): 20}, "lost 20 · twice 20"),
        ({(TABLE, "file:///a"): 11, (TABLE, "file:///b"): 19}, "lost 1 · twice 1"),
    ],
)
def test_rows_are_compared_by_table_and_file(rows: Mapping[tuple[str, str], int], said: str) -> None:
    assert line(replace(RIGHT, rows=rows)).startswith(f"{said} · completions 2/2 (")


@pytest.mark.parametrize(
    "changed",
    [
        {"completions": []},
        {"completions": [completion("b-1", FILES), completion("b-1", FILES, n=2)]},
        {"files": [Recorded("file:///a", "failed", "b-1"), Recorded("file:///b", None, None)]},
        {"files": [*RIGHT.files, *RIGHT.files]},
        {"files": []},
    ],
)
def test_a_file_is_answered_by_one_event_of_its_batch(changed: Mapping[str, Any]) -> None:
    assert " · completions 0/2 (" in line(replace(RIGHT, **changed))


def test_a_file_named_by_the_event_of_another_batch_is_named() -> None:
    other = completion("b-2", [FILES[1]])

    counted = account(FILES, [], 0, replace(RIGHT, completions=[*RIGHT.completions, other]))

    assert counted.answered == 1
    assert counted.problems[0] == "file:///b: named by the completion events of ['b-1', 'b-2'], and its batch is b-1"


def test_what_an_earlier_demo_left_in_a_batch_is_taken_as_the_ledger_has_it() -> None:
    left = Landed("file:///left", TABLE, 7)
    files = [*RIGHT.files, Recorded(left.uri, "loaded", "b-1", rows=7)]
    found = replace(RIGHT, files=files, completions=[completion("b-1", [*FILES, left]), completion("b-0", [left])])

    assert line(found) == "lost 0 · twice 0 · completions 2/2"


def test_an_event_that_counts_wrongly_is_named() -> None:
    wrong = completion("b-1", [*FILES, BROKEN], names=[named(file) for file in FILES])

    (problem,) = account(FILES, [], 0, replace(RIGHT, completions=[wrong])).problems

    assert "says (2, 1, 30)" in problem
    assert "right is (2, 0, 30)" in problem


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([answer("r-1")], "completions 3/3"),
        ([answer("r-1"), answer("r-1")], "completions 3/3"),
        ([], "completions 2/3 (1)"),
        ([answer("r-1", "failed")], "completions 2/3 (1)"),
        ([answer("r-1"), answer("r-1", "failed")], "completions 2/3 (1)"),
    ],
)
def test_a_request_is_answered_once_too(answers: Sequence[Event], said: str) -> None:
    found = replace(RIGHT, completions=[*RIGHT.completions, *answers])

    assert line(found, requests=["r-1"]).endswith(said)


@pytest.mark.parametrize(("letters", "right"), [([], False), ([4], True), ([4, 4], True), ([4, 5], False)])
def test_dead_letters_are_those_that_were_meant(letters: Sequence[int], right: bool) -> None:
    found = replace(RIGHT, dead_letters=[dead_letter(offset) for offset in letters])

    assert account(FILES, [], 1, found).right == right
