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


PARTNERS = (
    GOOD
    + """
  partners:
    id: partners-v1
    from: {path: "s3://partners/in", credentials: partners}
    format: csv
    into: {table: lake.sales.partners}
"""
)


def test_credentials_are_known_by_the_bucket_that_they_are_for() -> None:
    config = parse_config(PARTNERS.replace('["s3://landing/"]', "[s3://landing/, s3://partners/]"), {})

    assert config.credentials == {"s3://partners/": "partners"}


@pytest.mark.parametrize("theirs", ["", ", credentials: others"])
def test_a_bucket_is_opened_with_one_set_of_keys(theirs: str) -> None:
    text = PARTNERS.replace('s3://partners/in"', 's3://landing/in"')
    text = text.replace('"**/*.csv"}', f'"**/*.csv"{theirs}}}')

    with pytest.raises(ConfigError, match=r"credentials: another source has .* for s3://landing/; write the same"):
        parse_config(text, {})


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
        ("s3://landing/orders", "s3://${LINES}/orders", "${LINES} holds a line break"),
        # what would stop the router, or a consumer
        ("allow:", "topics: {ingestion.file-arrivals: {}}\nallow:", "ingestion.file-arrivals is ours"),
        ("allow:", "topics: {ingestion.requests: {}}\nallow:", "ingestion.requests is ours"),
        ("allow:", "topics: {ingestion.completions: {}}\nallow:", "ingestion.completions is ours"),
        ("allow:", "topics: {ingestion.dead-letters: {}}\nallow:", "ingestion.dead-letters is ours"),
        ("allow:", "topics: {a topic: {}}\nallow:", "topics.a topic.[key]: String should match"),
        ("10m", "0s", "start_deadline: Input should be greater than or equal to 1 minute"),
        ("10m", "-5", "start_deadline: Input should be greater than or equal to 1 minute"),
        ("10m", "9999999999999999d", "start_deadline: Input should be less than or equal to"),
        ("10m", ".nan", "start_deadline: Input should be a valid timedelta"),
        ("allow:", "commit_interval: 9999999d\nallow:", "commit_interval: Input should be less than or equal to"),
        ("allow:", "commit_burst: 99999999999999\nallow:", "commit_burst: Input should be less than or equal to"),
        ("{type: process}", "{type: process}, longer_than: 0s", "longer_than: Input should be greater than or equal"),
        ("{type: process}", "{type: process}, workers: 99999999999", "workers: Input should be less than or equal to"),
        ("{type: process}", "{type: process}, above: 999999999TiB", "above: Input should be less than or equal to"),
        ("{type: process}", "{type: process}, classes: [{cpu: 1, memory: 1}]", "memory: Input should be greater than"),
        ("2GiB", ".inf", "sources.orders.batch.max_bytes: inf is not a number of bytes"),
        ("2GiB", ".nan", "sources.orders.batch.max_bytes: nan is not a number of bytes"),
        ("batch:", "weight: .nan\n    batch:", "sources.orders.weight: Input should be"),
        ("batch:", "weight: 1e-300\n    batch:", "sources.orders.weight: Input should be greater than or equal"),
        ("**/*.csv", "/*.csv", "no file can match '/*.csv'"),
        ("**/*.csv", "{1..2000}", "more than 1000 globs"),
        ("{header: true}", '{null_value: "\\0"}', "holds a NUL character"),
        ("order_id: bigint", '"\\0": bigint', "holds a NUL character"),
        ("  orders:", '  "a\\u200bb":', "[key]: String should match"),
        # what would lose something, or load it twice
        ("version: 1", "version: 1\nversion: 1", "the key 'version' is written 2 times"),
        ("    id: orders-v1", "    id: orders-v1\n    id: orders-v2", "the key 'id' is written 2 times"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_what_to_write(good: str, bad: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(GOOD.replace(good, bad), {"LINES": "a\nb: c"})

    assert said in str(caught.value)


def test_what_stands_in_a_comment_is_not_asked_of_the_environment() -> None:
    commented = GOOD.replace("allow:", "# ${NOT_SET}, ${LINES}\nallow:").replace("10m", "10m  # ${NOT_SET}")

    assert parse_config(commented, {"LINES": "a\nallow: []"}) == parse_config(GOOD, {})


def test_a_key_may_replace_one_that_was_merged() -> None:
    merged = GOOD.replace("{max_files: 1000, max_bytes: 2GiB}", "{<<: {max_files: 7}, max_bytes: 1GiB}")

    assert parse_config(merged, {}).sources["orders"].batch.max_files == 7


def with_another(source: str) -> str:
    """Beside the source `orders`."""
    return f"{GOOD}  {source}\n"


ANOTHER = (
    "copies: {id: copies-v1, from: {path: s3://landing/orders/, match: '**/*.csv'}, format: csv, into: {table: %s}}"
)


def test_no_file_is_loaded_into_a_table_by_two_sources() -> None:
    with pytest.raises(ConfigError, match="files of orders can be files of it too"):
        parse_config(with_another(ANOTHER % "lake.sales.orders"), {})


@pytest.mark.parametrize(
    ("same", "other"),
    [
        ("lake.sales.orders", "lake.sales.copies"),
        ("**/*.csv", "**/*.json"),
        ("s3://landing/orders/", "s3://landing/copies/"),
        ("match: '**/*.csv'", "trigger: requests"),
    ],
)
def test_two_sources_may_share_files_or_a_table(same: str, other: str) -> None:
    parse_config(with_another((ANOTHER % "lake.sales.orders").replace(same, other)), {})


def test_a_name_is_no_other_source_s_id() -> None:
    named = (ANOTHER % "lake.sales.copies").replace("copies:", "orders-v1:", 1)

    with pytest.raises(ConfigError, match="another source has the id 'orders-v1'; a request could mean either"):
        parse_config(with_another(named), {})


def test_a_name_that_is_the_id_of_another_source_is_refused_whichever_stands_first() -> None:
    one, two = "{id: two, from: {path: s3://landing/1/}", "{id: other, from: {path: s3://landing/2/}"
    rest = ", format: csv, into: {table: l.a.b}}"
    head = 'version: 1\nallow: ["s3://landing/"]\nsources:\n'

    for sources in (f"  one: {one}{rest}\n  two: {two}{rest}\n", f"  two: {two}{rest}\n  one: {one}{rest}\n"):
        with pytest.raises(ConfigError, match="another source has the id 'two'"):
            parse_config(head + sources, {})


def test_a_source_is_found_by_its_name_and_by_its_id() -> None:
    config = parse_config(GOOD, {})

    assert config.named_sources == dict.fromkeys(("orders", "orders-v1"), ("orders", config.sources["orders"]))


def test_a_source_may_be_named_by_its_own_id() -> None:
    parse_config(GOOD.replace("  orders:", "  orders-v1:"), {})


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
