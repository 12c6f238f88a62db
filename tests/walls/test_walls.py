"""Every wall is tried: a forbidden import is written into a copy of the tree, and the contracts must refuse it."""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
ROOMS = ("schemas", "storage", "router", "flows", "worker", "cli", "dev", "monitoring")
PURE = ("router/rules", "router/notifications")

FORBIDDEN = {
    "a vendor in a new module of the router": ("router/helpers.py", "import asyncpg"),
    "a new module of the router that no layer names": ("router/helpers.py", "from router import app"),
    "another's vendor in an adapter": ("router/adapters/kafka.py", "import httpx"),
    "an adapter in another adapter": ("router/adapters/kafka.py", "from router.adapters import storage"),
    "a vendor that no adapter has yet": ("router/adapters/storage.py", "import psycopg"),
    "a stage in another stage": ("router/stages/discovery.py", "from router.stages import intake"),
    "an adapter in a stage": ("router/stages/discovery.py", "from router.adapters import storage"),
    "an adapter in the wiring": ("router/wiring.py", "from router.adapters import storage"),
    "a vendor in a stage": ("router/stages/discovery.py", "import obstore"),
    "a log in a stage": ("router/stages/discovery.py", "import structlog"),
    "chance in a rule": ("router/rules/sizing.py", "import secrets"),
    "the network in a rule": ("router/rules/sizing.py", "import socket"),
    "a database in a rule": ("router/rules/sizing.py", "import psycopg"),
    "the clock in a notification": ("router/notifications/providers/s3.py", "import time"),
    "the disk in a notification": ("router/notifications/providers/s3.py", "import pathlib"),
    "a provider in another provider": (
        "router/notifications/providers/s3.py",
        "from router.notifications.providers import ours",
    ),
    "a vendor among the settings": ("router/settings.py", "import httpx"),
    "the ports in a rule": ("router/rules/sizing.py", "from router import ports"),
    "the router in the flows": ("flows/loading/load.py", "from router.rules import sizing"),
    "the flows in the router": ("router/rules/sizing.py", "from flows.loading import types"),
    "the command in the router": ("router/app.py", "import cli.main"),
    "Kafka in the flows": ("flows/loading/load.py", "import aiokafka"),
    "a new room of the flows that no layer names": ("flows/extra.py", "import flows.deploying"),
    "the router in the worker": ("worker/zygote.py", "from router.rules import sizing"),
    "Prefect in what forks": ("worker/zygote.py", "import prefect"),
    "the worker in the flows": ("flows/ingest.py", "from worker import lean"),
    "a side in what both agree on": ("schemas/manifest.py", "from flows.loading import types"),
    "a side in the storage": ("storage/s3.py", "from router.rules import sizing"),
    "a vendor in the storage": ("storage/local.py", "import httpx"),
    "a storage in another storage": ("storage/local.py", "from storage import s3"),
    "the storage in a rule": ("router/rules/matching.py", "import storage"),
    "one storage in a stage": ("router/stages/discovery.py", "from storage import s3"),
    "the storage in what both agree on": ("schemas/manifest.py", "import storage"),
    "a vendor in what both agree on": ("schemas/manifest.py", "import asyncpg"),
    "YAML in a model of the configuration": ("schemas/config/lanes.py", "import yaml"),
    "Prefect's errors in a command": ("cli/commands/deploy.py", "import httpx"),
    "the ledger's driver in the command": ("cli/commands/status.py", "import asyncpg"),
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the rooms, with the contracts."""
    copy = tmp_path_factory.mktemp("tree")
    for room in (*ROOMS, "tests/walls"):
        shutil.copytree(PROJECT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "tests/__init__.py", copy / "tests/__init__.py")
    shutil.copy(PROJECT / "pyproject.toml", copy)
    return copy


def linted(tree: Path) -> subprocess.CompletedProcess[str]:
    """What import-linter says of a tree."""
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as run; run()",
        "--no-cache",
        "--no-logo",
    ]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)


def test_the_walls_stand_in_the_tree_as_it_is(tree: Path) -> None:
    found = linted(tree)

    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(("path", "statement"), FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_a_forbidden_import_is_refused(tree: Path, path: str, statement: str) -> None:
    planted = tree / path
    before = planted.read_text() if planted.exists() else None
    planted.write_text(f"{before or ''}\n{statement}\n")
    try:
        found = linted(tree)
    finally:
        planted.unlink() if before is None else planted.write_text(before)

    assert found.returncode == 1, found.stdout
    assert path.removesuffix(".py").replace("/", ".") in found.stdout


def pure_modules() -> list[Path]:
    return [path for folder in PURE for path in sorted((PROJECT / folder).rglob("*.py"))]


def impurities(tree: ast.AST) -> Iterator[str]:
    """What needs no import to break purity: waiting, the built-in ways to the disk, and the clock of `datetime`."""
    for node in ast.walk(tree):
        match node:
            case ast.AsyncFunctionDef() | ast.Await():
                yield "waits"
            case ast.Call(func=ast.Name(id="open" | "print" | "input" | "exec" | "eval" | "__import__" as name)):
                yield f"calls {name}"
            case ast.Attribute(attr="now" | "utcnow" | "today" as name, value=ast.Name(id="datetime" | "date")):
                yield f"asks the clock by {name}"


@pytest.mark.parametrize("path", pure_modules(), ids=lambda path: path.stem)
def test_a_pure_module_neither_waits_nor_looks_outside(path: Path) -> None:
    assert list(impurities(ast.parse(path.read_text()))) == []


def test_an_impurity_is_seen() -> None:
    guilty = "async def f():\n    open('x'); eval('1'); return datetime.now(UTC), date.today()"

    assert list(impurities(ast.parse(guilty))) == ["waits", "calls open", "calls eval", *clocks("now", "today")]


def clocks(*names: str) -> list[str]:
    return [f"asks the clock by {name}" for name in names]
