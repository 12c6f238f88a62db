"""All webhooks are lost: everything ends right all the same, a sweep later."""

import json
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from tests.e2e.site import Site, autoloader, csv, eventually, free_port

pytestmark = pytest.mark.integration

ROWS = 3


@pytest.fixture
def without_webhooks(site: Site) -> Iterator[None]:
    """Prefect calls a port where nobody listens."""
    nobody = f"http://127.0.0.1:{free_port()}/webhooks/prefect"
    deployed = autoloader(site, "deploy", AUTOLOADER_WEBHOOK_URL=nobody)
    assert "webhook autoloader: changed" in deployed.stdout, deployed.stderr
    yield
    assert "webhook autoloader: changed" in autoloader(site, "deploy").stdout


@pytest.mark.usefixtures("without_webhooks")
def test_without_a_single_webhook_every_batch_and_request_is_settled_by_the_sweep(site: Site) -> None:
    before = repairs(site)
    uris = [site.write("orders", f"{uuid4()}.csv", csv(ROWS, order_id=1, amount=1)) for _ in range(4)]
    torn = site.write("orders", f"{uuid4()}.csv", 'order_id,amount\n"torn')
    asked = site.write("parts", f"{uuid4()}.parquet", b"no parquet")

    site.announce(*uris, torn)
    answer = json.loads(autoloader(site, "request", "parts", asked, "--json").stdout)

    for uri in uris:
        assert site.completion(uri)["files"]
    assert {site.rows("lake.sales.orders", uri) for uri in uris} == {ROWS}
    assert site.completion(torn)["counts"]["files_quarantined"] == 1
    assert answer["outcome"] == "nothing-loaded"
    eventually(lambda: repairs(site) > before, "the metrics tell of sweeps that repaired")


def repairs(site: Site) -> float:
    """Attempts that a sweep settled, as the router counts them."""
    text = httpx.get(f"http://127.0.0.1:{site.settings['AUTOLOADER_HTTP_PORT']}/metrics").text
    [line] = [line for line in text.splitlines() if line.startswith("autoloader_sweep_repairs_total ")]
    return float(line.split()[1])
