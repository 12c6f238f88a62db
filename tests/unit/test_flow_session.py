"""Which Spark a run uses, that one of its own has the size of the pod, and that a sick one is not the files' fault."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import grpc
import pytest

from flows.loading import room
from flows.loading.errors import Denied, Infrastructure, cause_of, target_of
from flows.loading.session import connected, is_alone
from schemas.config.lanes import Lane

IN_A_POD = {"KUBERNETES_SERVICE_HOST": "192.0.2.1"}
GIB = 2**30


def test_the_heap_is_seven_tenths_of_what_the_pod_asks_for(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text(f"{64 * GIB}\n")
    told = {**IN_A_POD, "AUTOLOADER_MEMORY": str(32 * GIB), "AUTOLOADER_CPUS": "16"}

    assert room.settings(told, tmp_path) == {"spark.driver.memory": "22937m", "spark.master": "local[16]"}
    assert room.settings({"AUTOLOADER_MEMORY": str(32 * GIB)}, tmp_path) == {}


@pytest.mark.parametrize("limit", ["memory.max", "memory/memory.limit_in_bytes"])
def test_a_pod_that_is_told_nothing_has_the_limit_of_its_control_group(tmp_path: Path, limit: str) -> None:
    (tmp_path / limit).parent.mkdir(exist_ok=True)
    (tmp_path / limit).write_text(f"{32 * GIB}\n")

    assert room.settings(IN_A_POD, tmp_path) == {"spark.driver.memory": "22937m"}


@pytest.mark.parametrize("text", ["max\n", "", "9223372036854771712\n", None])
def test_a_pod_without_a_limit_leaves_it_to_sparks_configuration(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "memory.max").write_text(text)

    assert room.settings(IN_A_POD, tmp_path) == {}


def test_executors_elsewhere_find_the_pod_by_its_address(tmp_path: Path) -> None:
    found = room.settings({**IN_A_POD, "AUTOLOADER_POD_IP": "10.1.2.3"}, tmp_path)

    assert found == {"spark.driver.host": "10.1.2.3", "spark.driver.bindAddress": "10.1.2.3"}


@pytest.mark.parametrize(
    ("lane", "environ", "alone"),
    [
        ("default", {}, False),
        ("high-memory", {"SPARK_CONNECT_URL": "sc://spark"}, True),
        ("default", {"AUTOLOADER_SPARK": "embedded", "SPARK_CONNECT_URL": "sc://spark"}, True),
        ("high-memory", {"AUTOLOADER_SPARK": "connect", "SPARK_CONNECT_URL": "sc://spark"}, False),
    ],
)
def test_a_lane_may_choose_its_spark(lane: Lane, environ: Mapping[str, str], alone: bool) -> None:
    assert is_alone(lane, environ) is alone


def test_a_lane_of_a_server_that_nobody_names_waits_for_a_person() -> None:
    with pytest.raises(Denied, match="SPARK_CONNECT_URL is not set"):
        is_alone("high-memory", {"AUTOLOADER_SPARK": "connect"})


@pytest.fixture(params=["Application error processing RPC", "java.lang.OutOfMemoryError: Metaspace"])
def sick(request: pytest.FixtureRequest) -> Iterator[str]:
    """A Connect server whose Java has lost a part of itself: it is there, and fails at the first question."""

    def fails(_asked: bytes, context: grpc.ServicerContext) -> None:
        context.abort(grpc.StatusCode.UNKNOWN, request.param)

    questions = {"Config": grpc.unary_unary_rpc_method_handler(fails)}
    service = grpc.method_handlers_generic_handler("spark.connect.SparkConnectService", questions)
    server = grpc.server(ThreadPoolExecutor(2), [service])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"sc://127.0.0.1:{port}"
    server.stop(None).wait()


def test_a_server_that_makes_no_session_is_away_whatever_it_says(sick: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_CONNECT_MODE_ENABLED", "")

    with pytest.raises(Infrastructure) as told:
        connected(sick, uuid4())

    assert (cause_of(told.value), target_of(told.value)) == ("infrastructure", "connect")
    assert str(told.value).startswith("Spark gives us no session: SparkConnectGrpcException: Spark Connect: ")
