"""Pools by their type, and the sizes that they have."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from router.rules.sizing import Sizing
from schemas.config import ConfigError
from schemas.config.lanes import HighMemory
from schemas.config.pools import Pool, PoolType
from schemas.config.pools.vertex_ai import VertexPool
from tests.builders import config
from tests.pools import POOLS, lane_of, size_of


def test_a_pool_is_read_by_its_type() -> None:
    found = TypeAdapter[Any](Pool).validate_python({"type": "vertex-ai", **POOLS["vertex-ai"]})

    assert isinstance(found, VertexPool)
    assert found.deadline == timedelta(minutes=90)


@pytest.mark.parametrize(
    ("pool", "size", "said"),
    [
        ("ecs", {"cpu": 3, "memory": "8GiB"}, "Fargate has no 3 CPU; write one of 1, 2, 4, 8, 16"),
        ("ecs", {"cpu": 8, "memory": "18GiB"}, "Fargate has 16 to 60GiB for 8 CPU, in steps of 4GiB"),
        ("ecs", {"cpu": 8, "memory": "64GiB"}, "Fargate has 16 to 60GiB for 8 CPU, in steps of 4GiB"),
        ("cloud-run-v2", {"cpu": 16, "memory": "32GiB"}, "Cloud Run has no 16 CPU; write one of 1, 2, 4, 6, 8"),
        ("cloud-run-v2", {"cpu": 4, "memory": "32GiB"}, "Cloud Run has 2 to 16GiB for 4 CPU"),
        ("vertex-ai", {"cpu": 96, "memory": "1GiB"}, "Vertex AI has no machine with 96 CPU"),
    ],
)
def test_a_class_that_a_pool_does_not_have_is_refused(pool: PoolType, size: object, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        HighMemory.model_validate({"pool": {"type": pool, **POOLS[pool]}, "classes": [size]})


def test_a_machine_of_one_s_own_in_ecs_has_any_size_and_its_own_disk() -> None:
    lane = {"pool": {"type": "ecs", "image": "a:1", "launch_type": "EC2"}, "classes": [{"cpu": 3, "memory": "7GiB"}]}

    assert size_of(HighMemory.model_validate(lane), 0)["cpu"] == 3072
    with pytest.raises(ValidationError, match="scratch is the disk of a task on Fargate"):
        lane_of("ecs", launch_type="EC2")
    with pytest.raises(ValidationError, match="write vpc too"):
        lane_of("ecs", vpc=None)


def test_a_pin_whose_size_the_pool_does_not_have_is_refused() -> None:
    text = """
version: 1
allow: ["s3://b/"]
lanes:
  high-memory: {pool: {type: cloud-run-v2, image: "a:1", region: r}, classes: [{cpu: 8, memory: 32GiB}]}
sources:
  big:
    id: big
    from: {path: "s3://b/"}
    format: csv
    into: {table: l.a.big}
    lane: {pin: high-memory, cpu: 16, memory: 64GiB}
"""
    with pytest.raises(ConfigError, match=r"sources\.big\.lane: Cloud Run has no 16 CPU"):
        config(text)

    sizing = Sizing(config(text.replace("cpu: 16, memory: 64GiB", "cpu: 6, memory: 20GiB")))
    assert (sizing.job_variables("big", 1)["cpu"], sizing.job_variables("big", 2)["cpu"]) == ("6", "8")
