"""What a load of one small file asks of the Connect server: numbers that may only fall."""

from collections import Counter
from collections.abc import Callable
from typing import Any, cast

import pytest

from flows.loading import session
from flows.loading.steps import Steps
from flows.loading.work import work
from schemas.report import Report
from tests.integration.flow_site import Lake, a_table
from tests.integration.test_flow_once import claimed

pytestmark = pytest.mark.integration

MOST = {"ExecutePlan": 7, "AnalyzePlan": 1, "Config": 8}


class Counted:
    """A client's stub that counts its calls by their name."""

    def __init__(self, stub: Any, calls: Counter[str]) -> None:
        self._stub = stub
        self._calls = calls

    def __getattr__(self, name: str) -> Callable[..., Any]:
        self._calls[name] += 1
        found: Callable[..., Any] = getattr(self._stub, name)
        return found


def test_a_small_load_into_a_table_that_is_there_makes_few_trips(lake: Lake) -> None:
    table, calls = a_table(), Counter[str]()
    lake.published(lake.batch(table, [lake.land("a.csv", "a,b\n1,x\n")]))
    batch = lake.batch(table, [lake.land("b.csv", "a,b\n2,y\n")])
    claim = claimed(lake, batch)

    with session.opened(claim, lake.settings) as opened:
        client = cast("Any", opened).client
        client._stub = Counted(client._stub, calls)  # all calls go through it
        ended = work(opened, lake.ledger, claim, Steps())

    assert isinstance(ended, Report)
    assert ended.rows == 1
    assert all(calls[name] <= most for name, most in MOST.items()), calls
