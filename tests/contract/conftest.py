"""Both ledgers. The real one is a database of its own, made once a session and emptied before each test."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dev.stack import Stack
from router.adapters.postgres.database import Database
from schemas.ledger.migrate import upgrade
from tests.contract.ledgers import FakeLedger, Ledger, RealLedger

CONFIG = Path(__file__).parents[2] / "dev" / "autoloader.yaml"


@pytest.fixture(scope="session")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`AUTOLOADER_TEST_DATABASE_URL` names a database whose tables may be emptied; else a server is started."""
    if url := os.environ.get("AUTOLOADER_TEST_DATABASE_URL"):
        upgrade(url)
        yield url
        return
    stack = Stack(tmp_path_factory.mktemp("ledger"), CONFIG, parts=("postgres",), progress=lambda _line: None)
    stack.up()
    try:
        url = stack.settings()["DATABASE_URL"]
        upgrade(url)
        yield url
    finally:
        stack.down()


@pytest.fixture
async def real_ledger(database_url: str) -> AsyncIterator[RealLedger]:
    database = Database(database_url)
    ledger = RealLedger(database, database_url)
    await ledger.empty()
    yield ledger
    await database.close()


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.integration)])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    if request.param == "fake":
        return FakeLedger()
    real: RealLedger = request.getfixturevalue("real_ledger")
    return real
