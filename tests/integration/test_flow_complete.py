"""What a table's own snapshots tell of how far its source is complete, for whoever reads it with any engine."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.integration.flow_site import PROJECT, Lake, PausedLoad, a_table

pytestmark = pytest.mark.integration

EVENTS = PROJECT / "docs" / "events.md"
EARLIER = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def source(lake: Lake) -> "Source":
    return Source(lake)


class Source:
    """One of this test alone, with a table of its own."""

    def __init__(self, lake: Lake) -> None:
        self._lake, self._id, self._table = lake, f"s-{uuid4().hex[:8]}", a_table()

    def batch(self, *contents: str) -> str:
        """A batch of files, which have landed now."""
        files = [self._lake.land(f"{n}.csv", content) for n, content in enumerate(contents)]
        batch = self._lake.batch(self._table, files, schema={"columns": {"a": "bigint"}})
        self._lake.execute(
            "UPDATE batch SET source_id = %s, manifest = jsonb_set(manifest, '{source_id}', to_jsonb(%s::text))"
            " WHERE id = %s",
            (self._id, self._id, batch),
        )
        return batch

    def load(self, *contents: str) -> datetime:
        """Load these files in one batch; when they have landed."""
        batch = self.batch(*contents)
        self._lake.published(batch)
        self._lake.execute("UPDATE batch SET ended = now(), outcome = 'loaded' WHERE id = %s", (batch,))
        return self._lake.landed(batch)

    def paused(self, *contents: str) -> PausedLoad:
        """The load of these files, when it has staged."""
        return self._lake.process(self.batch(*contents), 1, "stage")

    def waits(self, landed: datetime) -> None:
        """A file of it is in no batch yet."""
        self._lake.execute(
            "INSERT INTO file (source_id, object, version, uri, size, landed) VALUES (%s, %s, '1', %s, 1, %s)",
            (self._id, uuid4().bytes, f"file:///{uuid4()}", landed),
        )

    def told(self) -> datetime:
        """What the statement of docs/events.md finds."""
        statement = EVENTS.read_text().partition("```sql\n")[2].partition("```")[0]
        asked = statement.replace("lake.shop.orders", self._table).replace("orders-v1", self._id)
        [[through]] = self._lake.session.sql(asked).collect()
        return datetime.fromisoformat(through)


def test_it_is_complete_up_to_its_last_file_while_none_waits_else_up_to_the_first_that_waits(source: Source) -> None:
    landed = source.load("a\n1\n")
    assert source.told() == landed

    source.waits(EARLIER)
    source.load("a\n2\n")
    assert source.told() == EARLIER


def test_a_snapshot_that_is_staged_again_without_a_bad_file_tells_it_too(source: Source) -> None:
    assert source.load("a\n1\n", "a\nx\n") == source.told()


def test_one_that_is_published_over_another_tells_what_was_known_when_it_was_staged(source: Source) -> None:
    source.load("a\n1\n")
    source.waits(EARLIER)
    overtaken = source.paused("a\n2\n")
    source.waits(EARLIER - timedelta(days=1))
    source.load("a\n3\n")
    assert source.told() == EARLIER - timedelta(days=1)

    overtaken.go_on()

    assert source.told() == EARLIER
