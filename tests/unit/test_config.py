"""The configuration file: what it may hold, and what is said of what it may not."""

from datetime import timedelta
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from schemas.config import ConfigError, load_config, parse_config
from schemas.ledger.migrate import alembic_config
from schemas.ledger.revision import newest_revision
from schemas.manifest import Manifest

GOOD = """
version: 1
allow: ["s3://landing/"]
lanes: {high-memory: {pool: {type: process}}}
start_deadline: 10m
sources:
  orders:
    id: orders-v1
    from: {path: "s3://landing/orders", match: "**/*.csv"}
    format: {csv: {header: true}}
    schema: {hints: {order_id: bigint, amount: "decimal(18,2)"}}
    into: {table: lake.sales.orders, mode: append, partition: ["days(ordered_at)", "bucket(16, order_id)"]}
    batch: {max_files: 1000, max_bytes: 2GiB}
"""


def test_the_file_of_the_design_is_read() -> None:
    config = parse_config(GOOD, {})

    orders = config.sources["orders"]
    assert orders.from_.path == "s3://landing/orders/"
    assert orders.batch.max_bytes == 2 * 1024**3
    assert config.start_deadline == timedelta(minutes=10)
    assert config.lanes.high_memory.pool.type == "process"


def test_the_demo_s_file_is_read() -> None:
    config = load_config(Path("dev/autoloader.yaml"), {"AUTOLOADER_HOME": "/data"})

    assert config.sources["flights"].from_.path == "file:///data/landing/flights/"


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("from:", "frm:", "sources.orders: unknown key 'frm'; did you mean 'from'?"),
        ("csv:", "cvs:", "sources.orders.format: unknown key 'cvs'; did you mean 'csv'?"),
        ("max_files", "max-files", "sources.orders.batch: unknown key 'max-files'; did you mean 'max_files'?"),
        ("version: 1", "version: 1\nqqq: 1", "the file: unknown key 'qqq'; known keys: allow, commit_burst"),
        ("version: 1", "version: 2", "version: Input should be 1"),
        ("2GiB", "2 Gobs", "sources.orders.batch.max_bytes: could not interpret byte unit"),
        ("10m", "10 minutes", "start_deadline: '10 minutes' is not a duration"),
        ("orders-v1", "Orders V1", "sources.orders.id: String should match"),
        ('["s3://landing/"]', '["s3://other/"]', "s3://landing/orders/ is outside `allow`"),
        ('["s3://landing/"]', '["landing"]', "allow: 'landing' does not begin with s3:// or file://"),
        ("{csv: {header: true}}", "{csv: {}, json: {}}", "name exactly one format"),
        ("lake.sales.orders", "orders", "sources.orders.into.table: String should match"),
        ("days(ordered_at)", "days(x); DROP TABLE y", "sources.orders.into.partition.0: String should match"),
        ("bigint", "bigint; DROP", "hints.order_id: String should match"),
        ("version: 1", "version: [", "not YAML"),
        ("version: 1", "version: 2026-13-45", "not YAML: month must be in 1..12"),
        ("{header: true}", "{delimiter: '\"'}", "sources.orders.format.csv.delimiter"),
        ("s3://landing/orders", "s3://${BUCKET}/orders", "${BUCKET} is not set in the environment"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_what_to_write(good: str, bad: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(GOOD.replace(good, bad), {})

    assert said in str(caught.value)


def test_an_id_belongs_to_one_source() -> None:
    twice = GOOD + GOOD[GOOD.index("  orders:") :].replace("  orders:", "  copies:", 1)

    with pytest.raises(ConfigError, match="'orders-v1' is used twice"):
        parse_config(twice, {})


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file or directory; set AUTOLOADER_CONFIG"):
        load_config(tmp_path / "none.yaml", {})


def test_a_manifest_survives_the_ledger() -> None:
    source = parse_config(GOOD, {}).sources["orders"]
    manifest = Manifest(
        source_id=source.id,
        source_name="orders",
        table=source.into.table,
        format=source.format,
        columns=source.columns,
        partition=source.into.partition,
    )

    assert Manifest.model_validate_json(manifest.model_dump_json(by_alias=True, exclude_unset=True)) == manifest


def test_the_newest_revision_is_alembic_s_head() -> None:
    head = ScriptDirectory.from_config(alembic_config("")).get_current_head()

    assert newest_revision() == head
