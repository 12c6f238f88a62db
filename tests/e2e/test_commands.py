"""The command, as people and programs call it, on a running stack."""

import json
from pathlib import Path

import pytest

from tests.e2e.site import Site, autoloader, csv

pytestmark = pytest.mark.integration


def test_a_landed_file_is_explained_from_its_event_to_its_rows(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "by hand.csv"
    file.write_text(csv(4, order_id=1, amount=1))

    landed = autoloader(site, "land", "orders", str(file), "--into", "2026")
    uri = landed.stdout.strip()
    data = site.completion(uri)
    explained = autoloader(site, "explain", uri)
    (as_json,) = json.loads(autoloader(site, "explain", uri, "--json").stdout)
    of_batch = autoloader(site, "explain", data["run"]["batch"])

    assert uri == f"file://{site.landing}/orders/2026/by hand.csv"
    assert (explained.returncode, of_batch.returncode) == (0, 0)
    assert "4 rows are in lake.sales.orders" in explained.stdout
    assert as_json["standing"] == "loaded"
    assert "ingestion.file-arrivals" in explained.stdout
    assert f"trace {data['files'][0]['traceparent']}" in explained.stdout


def test_status_is_a_table_for_people_and_json_for_programs(site: Site) -> None:
    table, as_json = autoloader(site, "status"), autoloader(site, "status", "--json")

    assert (table.returncode, as_json.returncode) == (0, 0)
    assert "orders" in table.stdout
    told = json.loads(as_json.stdout)
    assert {"orders", "visits", "parts", "unwritable"} <= {row["name"] for row in told["sources"]}
    assert told["lanes"]["default"]["slots"] == 2


def test_cost_counts_the_runs_of_a_load_beside_a_pod_for_each(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "costs.csv"
    file.write_text(csv(4, order_id=1, amount=1))
    site.completion(autoloader(site, "land", "orders", str(file)).stdout.strip())

    table, as_json = autoloader(site, "cost", "--above", "1MiB"), autoloader(site, "cost", "--json")

    assert (table.returncode, as_json.returncode) == (0, 0)
    assert "measured" in table.stdout
    as_it_is, in_pods = json.loads(as_json.stdout)["costs"]
    assert as_it_is["lanes"]["default"]["runs"] == in_pods["lanes"]["default"]["runs"] >= 1
    assert as_it_is["lanes"]["default"]["run_hours"] > 0


def test_an_unknown_file_is_explained_by_the_nearest_reason(site: Site) -> None:
    there = site.write("orders", "nobody-told.csv", csv(1, order_id=1, amount=1))

    untold, outside = autoloader(site, "explain", there), autoloader(site, "explain", "file:///etc/passwd")

    assert (untold.returncode, outside.returncode) == (4, 4)
    assert "no event for it has come" in untold.stdout
    assert "not-allowed" in outside.stdout


def test_doctor_finds_a_healthy_stack_healthy(site: Site) -> None:
    found = autoloader(site, "doctor", "--json")

    assert found.returncode == 0, found.stdout
    assert {finding["part"] for finding in json.loads(found.stdout)} >= {
        "java",
        "config",
        "ledger",
        "kafka",
        "prefect",
        "router",
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("land", "ordres", "x.csv"), "no source 'ordres'; there are orders, visits, parts"),
        (("land", "orders", "not-there.csv"), "not-there.csv: cannot be put"),
        (("router",), "cannot listen on 127.0.0.1:"),
    ],
)
def test_trouble_is_one_line(site: Site, arguments: tuple[str, ...], said: str) -> None:
    ended = autoloader(site, *arguments)

    assert ended.returncode == 1
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
