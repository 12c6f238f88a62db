"""A run of the lane high-memory has a Spark of its own, as large as its pod allows."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.integration.flow_site import PROJECT, Lake, a_table

pytestmark = pytest.mark.integration

AWAY = {"SPARK_CONNECT_URL": "sc://127.0.0.1:9"}


def inherited(lake: Lake) -> dict[str, str]:
    """The environment that a worker hands down."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SPARK_")}
    return {**ours, **lake.settings, **AWAY}


def heap_mebibytes(environ: Mapping[str, str], limit: Path) -> int:
    command = [sys.executable, "-m", "tests.integration.flow_heap", str(limit)]
    done = subprocess.run(command, env=dict(environ), cwd=PROJECT, check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1])


def test_a_run_in_the_lane_high_memory_never_uses_the_connect_server(lake: Lake) -> None:
    table = a_table()
    batch = lake.batch(table, [lake.land("a.csv", "a\n1\n")], lane="high-memory")

    assert lake.process(batch, 1, "result", inherited(lake)).go_on() == 0

    assert lake.rows(table, "a") == [(1,)]


def test_a_spark_that_does_not_start_is_not_the_fault_of_the_files(lake: Lake) -> None:
    batch = lake.batch(a_table(), [lake.land("a.csv", "a\n1\n")], lane="high-memory")
    conf = json.dumps({"spark.serializer": "no.such.Serializer"})

    assert lake.begun(batch, 1, environ={**inherited(lake), "AUTOLOADER_SPARK_CONF": conf}).process.wait(240) == 1

    cause, reason = lake.attempt_of(batch, 1)
    assert (cause, reason) == ("infrastructure", "Spark gives us no session: Py4JJavaError: no.such.Serializer")


def test_it_closes_the_session_that_an_earlier_attempt_has_on_the_server(lake: Lake) -> None:
    table = a_table()
    batch = lake.batch(table, [lake.land("a.csv", "a\n1\n")])
    zombie = lake.process(batch, 1, "record")
    lake.attempt(batch, 2, lane="high-memory")

    assert lake.process(batch, 2, "result").go_on() == 0
    assert zombie.go_on() != 0

    assert lake.count(table, batch) == 1


def test_its_heap_is_seven_tenths_of_the_pod_and_elsewhere_as_configured(lake: Lake) -> None:
    environ, limit = inherited(lake), lake.folder / "memory.max"
    limit.write_text(f"{1000 * 2**20}\n")

    in_a_pod = heap_mebibytes({**environ, "KUBERNETES_SERVICE_HOST": "192.0.2.1"}, limit)
    elsewhere = heap_mebibytes(environ, limit)

    assert 650 < in_a_pod <= 700  # Java leaves out a part of the heap
    assert 1900 < elsewhere <= 2048


BENT = """
spark.sql.files.ignoreCorruptFiles true
spark.sql.session.timeZone Asia/Tokyo
spark.sql.columnNameOfCorruptRecord a
spark.sql.ansi.enabled false
spark.sql.legacy.timeParserPolicy LEGACY
spark.hadoop.mapreduce.input.linerecordreader.line.maxlength 30
spark.wap.branch audit
"""


def test_a_file_means_the_same_whatever_the_server_was_given(lake: Lake) -> None:
    table, settings, name = a_table(), Path(lake.settings["SPARK_CONF_DIR"]), "${spark.app.name}"
    odd = lake.folder / "bent"
    odd.mkdir()
    (odd / "spark-defaults.conf").write_text((settings / "spark-defaults.conf").read_text() + BENT)
    whole = lake.land("whole.csv", f"a,clock,at,{name}\n{'x' * 100},2026-01-01T00:00:00,2026-01-01T00:00:00Z,1\n")
    rows = b"".join(b"%d,2026-01-01T00:00:00,2026-01-01T00:00:00Z,%d\n" % (n, n * n) for n in range(5000))
    packed = gzip.compress(rows)
    half = lake.land("half.csv.gz", gzip.compress(whole.read_bytes()) + packed[: len(packed) // 2])
    batch = lake.batch(table, [whole, half], lane="high-memory")

    assert lake.process(batch, 1, "result", {**inherited(lake), "SPARK_CONF_DIR": str(odd)}).go_on() == 0

    assert lake.rows(table, "a", "string(clock)", "unix_seconds(at)") == [
        ("x" * 100, "2026-01-01 00:00:00", 1767225600)
    ]
    assert lake.session.table(table).columns[:4] == ["a", "clock", "at", name]
