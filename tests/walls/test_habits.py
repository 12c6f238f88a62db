"""The habits of the house that no linter holds: reasons beside what is silenced, short files, short functions."""

import ast
import re
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOMS = ("schemas", "storage", "router", "flows", "worker", "cli", "dev", "monitoring", "tests", "benchmarks")
FILES = sorted(path for room in ROOMS for path in Path(room).rglob("*.py"))
SILENCED = re.compile(r"#\s*(?:noqa(?::\s*[A-Z0-9, ]+?)?|type:\s*ignore(?:\[[\w, -]+\])?)\s*(?P<reason>[-#].*)?$")
REASON_LETTERS = 10
MOST_LINES, MOST_LINES_OF_A_FUNCTION = 300, 40

# What is longer, and why that is better than cutting it. Who makes one short again takes it out of here.
LONG_FILES: Mapping[str, str] = {
    "tests/builders.py": "a builder for each value; cut, a test would look in two places",
    "tests/contract/ledgers.py": "one harness, answered by the fake and by PostgreSQL",
    "tests/contract/test_batching.py": "one subject, case by case",
    "tests/contract/test_ending.py": "one subject, case by case",
    "tests/contract/test_lanes.py": "one subject, case by case",
    "tests/contract/test_listing.py": "one subject, case by case",
    "tests/contract/test_listing_storage.py": "one subject, case by case",
    "tests/contract/test_requests.py": "one subject, case by case",
    "tests/fakes/database.py": "the tables of the ledger, as one database has them",
    "tests/fakes/requests.py": "as long as the port it answers to",
    "tests/integration/test_database_away.py": "one subject, case by case",
    "tests/integration/test_doors.py": "one subject, case by case",
    "tests/integration/test_flow_once.py": "one subject, case by case",
    "tests/integration/test_kafka.py": "one subject, case by case",
    "tests/simulation/test_one_request.py": "one subject, case by case",
    "tests/simulation/world.py": "one world, in which everything can be killed anywhere",
    "tests/unit/test_flow_errors.py": "one row for each error of each vendor",
    "tests/unit/test_notifications.py": "one subject, case by case",
    "tests/unit/test_recovery.py": "the decision table, row by row",
}
LONG_FUNCTIONS: Mapping[str, str] = {
    "router/adapters/metrics.py::__init__": "every metric, one below the other",
    "router/app.py::run": "the life of the process, read from top to bottom",
    "tests/simulation/world.py::__init__": "all parts of the world",
}


def unexplained(text: str) -> Iterator[int]:
    """The lines on which a check is silenced without a reason."""
    for token in tokenize.generate_tokens(iter(text.splitlines(keepends=True)).__next__):
        found = SILENCED.search(token.string) if token.type == tokenize.COMMENT else None
        if found is not None and sum(letter.isalpha() for letter in found["reason"] or "") < REASON_LETTERS:
            yield token.start[0]


def long_functions(path: Path) -> Iterator[str]:
    """Those of a file, as `path::name`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MOST_LINES_OF_A_FUNCTION:
                yield f"{path}::{node.name}"


def test_every_silenced_check_has_its_reason_beside_it() -> None:
    assert [f"{path}:{line}" for path in FILES for line in unexplained(path.read_text())] == []


@pytest.mark.parametrize(
    ("line", "is_explained"),
    [
        ("x = 1  # noqa: S608", False),
        ("x = 1  # noqa", False),
        ("x = 1  # noqa: N812, PLC0415 - as above", False),
        ("x = 1  # type: ignore[attr-defined]", False),
        ("x = 1  # noqa: S608 - nothing of an event is in it", True),
        ("x = 1  # type: ignore[import-untyped]  # noqa: PLC0415 - it imports for seconds", True),
        ("x = '# noqa'", True),
    ],
)
def test_a_reason_is_told_from_none(line: str, is_explained: bool) -> None:
    found = list(unexplained(line))

    assert found == ([] if is_explained else [1])


def test_files_are_short_but_for_those_named_here() -> None:
    assert {str(path) for path in FILES if len(path.read_text().splitlines()) > MOST_LINES} == LONG_FILES.keys()


def test_functions_are_short_but_for_those_named_here() -> None:
    assert {name for path in FILES for name in long_functions(path)} == LONG_FUNCTIONS.keys()
