"""Both ledgers. The real one is a database of its own, made once a session and emptied before each test."""

from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest

from dev.stack import Stack
from router.adapters.postgres.database import Database
from schemas.ledger.migrate import upgrade
from tests.conftest import ENVIRON
from tests.contract.ledgers import FakeLedger, Ledger, RealLedger

CONFIG = Path(__file__).parents[2] / "dev" / "autoloader.yaml"


@pytest.fixture(scope="session")
def real_parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The settings of a PostgreSQL and a Kafka of their own: both are up in seconds."""
    parts = Stack(
        tmp_path_factory.mktemp("parts"), CONFIG, parts=("postgres", "kafka"), progress=print, environ=ENVIRON
    )
    parts.up()
    yield parts.settings()
    parts.down()


@pytest.fixture(scope="session")
def database_url(real_parts: Mapping[str, str]) -> str:
    """A ledger whose tables may be emptied."""
    upgrade(real_parts["DATABASE_URL"])
    return real_parts["DATABASE_URL"]


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
