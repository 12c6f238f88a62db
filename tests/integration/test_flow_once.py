"""Whatever is killed, raced or late: a batch's rows are in the table at most once, and the ledger says so."""

import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from flows.loading import session
from flows.loading.errors import AlreadyPublished, Infrastructure, NotWanted
from flows.loading.ledger import Claimed
from flows.loading.reading.frames import empty
from flows.loading.translation import named_errors
from flows.loading.writing import append, history, tables
from flows.loading.writing.tables import Table
from schemas.report import Closed, Report
from tests.e2e.site import eventually
from tests.integration.flow_site import Lake, a_table, outcomes

pytestmark = pytest.mark.integration

A_ROW = "a\n1\n"


def a_batch(lake: Lake, table: str) -> str:
    return lake.batch(table, [lake.land("a.csv", A_ROW)])


def claimed(lake: Lake, batch: str, n: int = 1) -> Claimed:
    found = lake.ledger.claim(batch, n, str(uuid4()))
    assert found is not None
    return found


def test_a_publication_whose_row_was_lost_is_counted_in_the_table(lake: Lake) -> None:
    table = a_table()
    batch = a_batch(lake, table)
    lake.published(batch)
    lake.execute("DELETE FROM result WHERE batch_id = %s", (batch,))
    lake.attempt(batch, 2)

    report = lake.published(batch, 2)

    assert outcomes(report) == {"a.csv": ("loaded", 1)}
    assert lake.count(table, batch) == 1


@pytest.mark.parametrize("catalog", ["lake", "frail_rest"])
def test_a_namespace_may_have_the_name_of_a_catalog(lake: Lake, catalog: str) -> None:
    table = f"lake.{catalog}.t{uuid4().hex[:8]}"

    batch = a_batch(lake, table)

    assert outcomes(lake.published(batch)) == {"a.csv": ("loaded", 1)}
    assert lake.count(table, batch) == 1


def test_a_file_without_rows_is_what_the_storage_says_when_the_row_was_lost(lake: Lake) -> None:
    table = a_table()
    names = ("a", "empty", "gone", "changed")
    files = {name: lake.land(f"{name}.csv", "a\n" if name == "empty" else "a\n1\n") for name in names}
    batch = lake.batch(table, list(files.values()))
    files["gone"].unlink()
    files["changed"].write_text("a\n1\n2\n")
    before = lake.published(batch)
    lake.execute("DELETE FROM result WHERE batch_id = %s", (batch,))
    lake.attempt(batch, 2)

    report = lake.published(batch, 2)

    assert outcomes(report) == outcomes(before) == {
        "a.csv": ("loaded", 1), "empty.csv": ("loaded", 0),
        "gone.csv": ("missing", 0), "changed.csv": ("superseded", 0),
    }  # fmt: skip


def test_the_next_attempt_closes_the_session_of_the_one_before(lake: Lake) -> None:
    table = a_table()
    batch = a_batch(lake, table)
    zombie = lake.process(batch, 1, "record")
    lake.attempt(batch, 2)
    lake.published(batch, 2)

    assert zombie.go_on() != 0

    assert lake.count(table, batch) == 1


def test_a_run_that_begins_a_second_time_leaves_the_batch_to_the_next_attempt(lake: Lake) -> None:
    table, run_id = a_table(), str(uuid4())
    batch = a_batch(lake, table)
    lake.ledger.claim(batch, 1, run_id)

    assert lake.load(batch, 1, run_id=run_id) == "not wanted"
    lake.execute("UPDATE attempt SET touched = now() - interval '61 seconds' WHERE batch_id = %s", (batch,))
    with pytest.raises(Infrastructure, match="second time"):
        lake.load(batch, 1, run_id=run_id)
    lake.attempt(batch, 2)
    first = lake.load(batch, 2, run_id=run_id)
    again = lake.load(batch, 2, run_id=run_id)

    assert isinstance(first, Report)
    assert again == "not wanted"
    assert lake.count(table, batch) == 1


def test_what_nobody_wants_is_left_alone(lake: Lake) -> None:
    table = a_table()
    batch = a_batch(lake, table)
    lake.ledger.claim(batch, 1, str(uuid4()))

    assert lake.load(batch, 1) == "not wanted"  # another run has it
    lake.attempt(batch, 2)
    lake.attempt(batch, 3)
    assert lake.load(batch, 2) == "not wanted"  # not the newest
    lake.execute("UPDATE batch SET closing = 'crashes' WHERE id = %s", (batch,))
    assert lake.load(batch, 3) == "not wanted"  # being closed
    assert lake.load("b-unknown", 1) == "not wanted"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE attempt SET ended = now(), outcome = 'void' WHERE batch_id = %s",
        "UPDATE batch SET closing = 'crashes' WHERE id = %s",
        "UPDATE batch SET ended = now(), outcome = 'failed' WHERE id = %s",
    ],
)
def test_the_fence_stops_a_load_whose_batch_went_on_without_it(lake: Lake, statement: str) -> None:
    table = a_table()
    batch = a_batch(lake, table)

    def meanwhile(step: str) -> None:
        if step == "audit":
            lake.execute(statement, (batch,))

    with pytest.raises(NotWanted):
        lake.load(batch, watch=meanwhile)

    assert lake.result(batch, 1) is None
    assert lake.attempt_of(batch, 1) == (None, None)
    assert lake.count(table, batch) == 0


def test_closing_a_batch_whose_table_does_not_exist_needs_no_snapshot(lake: Lake) -> None:
    batch = a_batch(lake, a_table())
    lake.execute("UPDATE batch SET closing = '3 crashes' WHERE id = %s", (batch,))
    lake.attempt(batch, 2, "close")

    assert lake.load(batch, 2) == Closed(cause="crash", reason="3 crashes")


def test_closing_a_batch_that_is_loaded_finds_that_it_is_loaded(lake: Lake) -> None:
    table = a_table()
    batch = a_batch(lake, table)
    lake.process(batch, 1, "publish").kill()
    lake.execute("UPDATE batch SET closing = '3 crashes' WHERE id = %s", (batch,))
    lake.attempt(batch, 2, "close")

    assert outcomes(lake.published(batch, 2)) == {"a.csv": ("loaded", 1)}


def test_a_closed_batch_stays_closed_for_every_later_attempt(lake: Lake) -> None:
    table = a_table()
    lake.published(a_batch(lake, table))
    batch = a_batch(lake, table)
    lake.process(batch, 1, "record").kill()
    lake.execute("UPDATE batch SET closing = '3 crashes' WHERE id = %s", (batch,))
    lake.attempt(batch, 2, "close")
    closed = lake.load(batch, 2)
    lake.execute("UPDATE batch SET closing = NULL WHERE id = %s", (batch,))
    lake.attempt(batch, 3)

    assert lake.load(batch, 3) == closed == Closed(cause="crash", reason="3 crashes")
    assert lake.count(table, batch) == 0


@pytest.mark.parametrize("overtaken", [False, True], ids=["fast-forward", "over another"])
def test_the_catalog_refuses_a_staged_load_once_its_batch_is_closed(lake: Lake, overtaken: bool) -> None:
    table = Table.named(a_table())
    lake.published(a_batch(lake, table.name))
    batch = a_batch(lake, table.name)

    with session.opened(claimed(lake, batch), lake.settings) as opened:
        columns = tables.columns(opened, table)
        began = history.read(opened, table)
        load = append.stage(opened, table, empty(opened, columns), batch)
        said = history.closing(Closed(cause="crash", reason="x"))
        closing = append.stage(opened, table, empty(opened, columns), batch, said)
        if overtaken:
            lake.published(a_batch(lake, table.name))
        append.publish(opened, table, closing, batch, began.head)
        late = append.publish(opened, table, load, batch, began.head)
        now = history.read(opened, table)

    assert late.by_another
    assert now.closed_by(late.snap) == ("crash", "x", False)
    assert [snap.id for snap in now.ancestors() if batch in snap.batches] == [late.snap.id]


def test_nothing_is_published_when_the_history_was_cut_off_meanwhile(lake: Lake) -> None:
    table = a_table()
    lake.published(a_batch(lake, table))
    first = lake.rows(f"{table}.snapshots", "snapshot_id")[0][0]
    lake.published(a_batch(lake, table))
    batch = a_batch(lake, table)

    def roll_back(step: str) -> None:
        if step == "record":
            lake.session.sql(f"CALL lake.system.rollback_to_snapshot('{table}', {first})").collect()
            time.sleep(append.FRESH_SECONDS)

    with pytest.raises(Infrastructure, match="history was cut off"):
        lake.load(batch, watch=roll_back)

    assert lake.attempt_of(batch, 1)[0] == "infrastructure"
    assert lake.count(table, batch) == 0


def test_sessions_that_have_ended_do_not_keep_their_connections_to_the_catalog(lake: Lake) -> None:
    table = Table.named(a_table())
    before = len(lake.connections("iceberg"))  # of the sessions that wait in the workers too

    for _ in range(30):
        with session.opened(claimed(lake, a_batch(lake, table.name)), lake.settings) as opened:
            tables.exists(opened, table)

    eventually(lambda: len(lake.connections("iceberg")) < before + 15, "the connections of 30 sessions are closed")


def without_staging(lake: Lake, table: str) -> Callable[[str], None]:
    """Somebody takes the property away between the look at the table and the append."""

    def watch(step: str) -> None:
        if step == "read":
            lake.session.sql(f"ALTER TABLE {table} UNSET TBLPROPERTIES ('write.wap.enabled')").collect()

    return watch


def test_a_table_that_stops_staging_while_it_is_loaded_has_the_rows_once(lake: Lake) -> None:
    table = a_table()
    lake.published(a_batch(lake, table))
    batch = a_batch(lake, table)

    report = lake.published(batch, watch=without_staging(lake, table))

    assert outcomes(report) == {"a.csv": ("loaded", 1)}
    assert report.snapshot is not None
    assert lake.count(table, batch) == 1


@pytest.mark.parametrize("step", ["stage", "audit"])
def test_rows_that_were_visible_before_their_load_died_are_not_loaded_again(lake: Lake, step: str) -> None:
    table = a_table()
    lake.published(a_batch(lake, table))
    batch = a_batch(lake, table)

    def dies(name: str) -> None:
        without_staging(lake, table)(name)
        if name == step:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lake.load(batch, watch=dies)
    lake.attempt(batch, 2)
    report = lake.published(batch, 2)

    assert outcomes(report) == {"a.csv": ("loaded", 1)}
    assert lake.count(table, batch) == 1


def test_rows_that_are_visible_are_not_staged_again_when_their_file_changes(lake: Lake) -> None:
    table = a_table()
    lake.published(a_batch(lake, table))
    file = lake.land("a.csv", A_ROW)
    batch = lake.batch(table, [file, lake.land("b.csv", A_ROW)])

    def changes(name: str) -> None:
        without_staging(lake, table)(name)
        if name == "audit":
            file.write_text("a\n2\n3\n")

    lake.published(batch, watch=changes)

    assert lake.count(table, batch) == 2


def test_closing_finds_a_batch_whose_rows_were_visible_at_once(lake: Lake) -> None:
    table = a_table()
    lake.published(a_batch(lake, table))
    batch = a_batch(lake, table)

    def dies(name: str) -> None:
        without_staging(lake, table)(name)
        if name == "stage":
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lake.load(batch, watch=dies)
    lake.execute("UPDATE batch SET closing = '3 crashes' WHERE id = %s", (batch,))
    lake.attempt(batch, 2, "close")

    assert outcomes(lake.published(batch, 2)) == {"a.csv": ("loaded", 1)}


def test_the_catalog_refuses_a_staged_snapshot_of_a_batch_that_became_visible_unstaged(lake: Lake) -> None:
    table = Table.named(a_table())
    lake.published(a_batch(lake, table.name))
    batch = a_batch(lake, table.name)

    with session.opened(claimed(lake, batch), lake.settings) as opened:
        nothing = empty(opened, tables.columns(opened, table))
        staged = append.stage(opened, table, nothing, batch)
        without_staging(lake, table.name)("read")
        direct = append.stage(opened, table, nothing, batch)

        with pytest.raises(AlreadyPublished), named_errors():
            opened.sql(f"CALL lake.system.cherrypick_snapshot('{table.name}', {staged.snap.id})").collect()
        assert append.publish(opened, table, staged, batch, None).snap.id == direct.snap.id


def test_a_batch_whose_snapshot_has_expired_is_found_by_its_rows(lake: Lake) -> None:
    table = a_table()
    lake.published(a_batch(lake, table))
    batch = a_batch(lake, table)
    lake.process(batch, 1, "publish").kill()
    lake.published(a_batch(lake, table))
    lake.session.sql(
        f"CALL lake.system.expire_snapshots(table => '{table}',"
        " older_than => TIMESTAMP '2100-01-01 00:00:00', retain_last => 1)"
    ).collect()
    lake.attempt(batch, 2)

    report = lake.published(batch, 2)

    assert outcomes(report) == {"a.csv": ("loaded", 1)}
    assert report.snapshot is None
    assert lake.count(table, batch) == 1


def metadata_files(lake: Lake, table: str) -> int:
    (entry,) = lake.rows(f"{table}.metadata_log_entries", "max_by(file, timestamp)")
    return len(list(Path(entry[0].removeprefix("file:")).parent.glob("*.metadata.json")))


def test_the_metadata_files_of_a_table_stay_as_many_as_it_keeps(lake: Lake) -> None:
    table = a_table()
    lake.published(a_batch(lake, table))
    lake.session.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('write.metadata.previous-versions-max' = '3')").collect()
    batches = [a_batch(lake, table) for _ in range(4)]

    for batch in batches:
        lake.published(batch)

    assert metadata_files(lake, table) == 4
    assert [lake.count(table, batch) for batch in batches] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("given", "kept"), [("", "true"), ("'write.metadata.delete-after-commit.enabled'='false'", "false")]
)
def test_a_table_of_somebody_else_forgets_old_metadata_unless_it_was_told_otherwise(
    lake: Lake, given: str, kept: str
) -> None:
    table = a_table()
    properties = f"TBLPROPERTIES ({given})" if given else ""
    lake.session.sql("CREATE NAMESPACE IF NOT EXISTS lake.flows").collect()
    lake.session.sql(f"CREATE TABLE {table} (a int) USING iceberg {properties}").collect()

    lake.published(a_batch(lake, table))

    found = {row[0]: row[1] for row in lake.session.sql(f"SHOW TBLPROPERTIES {table}").collect()}
    assert found["write.metadata.delete-after-commit.enabled"] == kept


def test_a_server_that_is_away_is_said_to_be_infrastructure(lake: Lake) -> None:
    batch = a_batch(lake, a_table())
    away = Lake({**lake.settings, "SPARK_CONNECT_URL": "sc://127.0.0.1:9"}, lake.folder, lake.session)

    with pytest.raises(Infrastructure, match=r"Spark Connect: 127\.0\.0\.1:9 does not answer"):
        away.load(batch)

    cause, reason = lake.attempt_of(batch, 1)
    assert cause == "infrastructure"
    assert reason is not None
    assert "Spark Connect" in reason
