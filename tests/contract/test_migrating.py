"""A ledger of an earlier release is brought up to date with what it holds."""

from collections.abc import Mapping

import asyncpg
import pytest
from alembic import command

from schemas.ledger.migrate import alembic_config, upgrade
from schemas.ledger.revision import newest_revision

pytestmark = pytest.mark.integration

WAITING = (
    "INSERT INTO file (source_id, object, version, uri, size, landed) VALUES ('s', 'o', 'v', 's3://b/k', 7, now())"
)
AGAIN = "ALTER TABLE file ADD COLUMN again boolean NOT NULL DEFAULT false"


@pytest.mark.parametrize("between", ["", AGAIN])
async def test_a_first_ledger_goes_on_with_what_waits_in_it(real_parts: Mapping[str, str], between: str) -> None:
    name = f"first_light_{len(between)}"
    url = real_parts["DATABASE_URL"].rpartition("/")[0] + f"/{name}"
    server = await asyncpg.connect(real_parts["DATABASE_URL"])
    await server.execute(f"CREATE DATABASE {name}")
    await server.close()
    command.upgrade(alembic_config(url), "0001")
    ledger = await asyncpg.connect(url)
    await ledger.execute(f"{WAITING}; {between}")

    upgrade(url)

    row = await ledger.fetchrow("SELECT estimate, lane, rank FROM file")
    revision = await ledger.fetchval("SELECT version_num FROM alembic_version")
    await ledger.close()
    assert row is not None
    assert tuple(row) == (7, "default", 1)
    assert revision == newest_revision()


async def test_a_ledger_of_a_later_release_is_left_as_it_is(real_parts: Mapping[str, str]) -> None:
    url = real_parts["DATABASE_URL"].rpartition("/")[0] + "/later"
    server = await asyncpg.connect(real_parts["DATABASE_URL"])
    await server.execute("CREATE DATABASE later")
    await server.close()
    upgrade(url)
    ledger = await asyncpg.connect(url)
    await ledger.execute("UPDATE alembic_version SET version_num = '9999'")

    upgrade(url)

    assert await ledger.fetchval("SELECT version_num FROM alembic_version") == "9999"
    await ledger.close()
