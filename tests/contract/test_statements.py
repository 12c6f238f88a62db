"""Every statement of the ledger is prepared on the migrated one: PostgreSQL finds its columns and types."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest

from flows.loading import ledger as flow_ledger
from router.adapters import postgres

pytestmark = pytest.mark.integration

FOLDER = Path(postgres.__file__).parent
# What is a statement of SQL, and not of a transaction or of a copy.
CALLS = re.compile(r"\.(?:fetch|fetchrow|fetchval|execute)\(\s*([^\s,)]+)")


def statements() -> Iterator[tuple[str, str]]:
    """Those of the router, by module and name."""
    for path in sorted(FOLDER.rglob("*.py")):
        place = ".".join(path.relative_to(FOLDER).with_suffix("").parts).removesuffix("__init__")
        module = import_module(f"{postgres.__name__}.{place}".rstrip("."))
        for node in ast.parse(path.read_text()).body:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id="Statement"))):
                    yield f"{place}.{name}", getattr(module, name)


def flow_statements() -> list[str]:
    """Those of the flows, which name their parameters."""
    begins = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b")
    return [value for value in vars(flow_ledger).values() if isinstance(value, str) and begins.match(value)]


async def test_every_statement_of_the_router_is_prepared(database_url: str) -> None:
    connection, wrong = await asyncpg.connect(database_url), {}
    for name, statement in statements():
        try:
            await connection.prepare(statement)
        except asyncpg.PostgresError as error:
            wrong[name] = str(error)
    await connection.close()

    assert wrong == {}


def test_every_statement_of_the_flows_is_prepared(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        for number, statement in enumerate(flow_statements()):
            connection.execute(f"PREPARE s{number} AS {_numbered(statement)}".encode())
        prepared = connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()

    assert prepared == (len(flow_statements()),)


def test_files_are_locked_in_their_order_and_then_joined(database_url: str) -> None:
    """Were they joined before, each statement would lock them in an order of its own, and two could deadlock."""
    locking = {name: statement for name, statement in statements() if "FOR UPDATE) k" in statement}
    not_in_order = []
    with psycopg.connect(database_url) as connection:
        connection.execute("SET plan_cache_mode = force_generic_plan")
        for number, (name, statement) in enumerate(locking.items()):
            connection.execute(f"PREPARE s{number} AS {statement}".encode())
            nothing = ", ".join(["NULL"] * len(set(re.findall(r"\$\d+", statement))))
            row = connection.execute(f"EXPLAIN (FORMAT JSON) EXECUTE s{number} ({nothing})".encode()).fetchone()
            assert row is not None
            [explained] = row[0]
            not_in_order += [name for each in _looked_up_from(explained["Plan"]) if not _ends_in(each, "Sort")]

    assert len(locking) > 5
    assert not_in_order == []


def _looked_up_from(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What stands beside each step that locks: the rows for which it does."""
    below = plan.get("Plans", [])
    if len(below) == 2 and _ends_in(below[1], "LockRows"):
        yield below[0]
    for each in below:
        yield from _looked_up_from(each)


def _ends_in(plan: dict[str, Any], kind: str) -> bool:
    """Whether it is a step of this kind, or passes on what one gives, one row after the other."""
    below = [each for each in plan.get("Plans", []) if each["Parent Relationship"] != "InitPlan"]
    return bool(plan["Node Type"].endswith(kind) or (len(below) == 1 and _ends_in(below[0], kind)))


def _numbered(statement: str) -> str:
    """With its named parameters as PostgreSQL counts them."""
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", statement)))
    return re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", statement)


def test_nothing_is_sent_that_is_no_statement() -> None:
    sent = {
        (path.name, found)
        for path in FOLDER.rglob("*.py")
        for found in CALLS.findall(path.read_text())
        if not re.fullmatch(r"_[A-Z_]+|statement", found)
    }

    assert sent == set()
