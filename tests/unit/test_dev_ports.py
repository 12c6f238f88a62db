"""The local stack's ports: remembered, replaced when taken, and refused when asked for and taken."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev import ports
from dev.errors import StackError


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which this test process listens."""
    with socket.create_server((ports.ADDRESS, 0)) as server:
        yield server.getsockname()[1]


def test_every_name_gets_a_port_of_its_own(tmp_path: Path) -> None:
    chosen = ports.choose(tmp_path / "ports.json", {}, ports.NAMES, print)

    assert set(chosen) == set(ports.NAMES)
    assert len(set(chosen.values())) == len(ports.NAMES)


def test_the_second_start_uses_the_ports_of_the_first(tmp_path: Path) -> None:
    first = ports.choose(tmp_path / "ports.json", {}, ports.NAMES, print)

    second = ports.choose(tmp_path / "ports.json", {}, ports.NAMES, print)

    assert second == first


def test_a_damaged_memory_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text("[1, 2")

    assert ports.recall(tmp_path / "ports.json") == {}


def test_a_port_asked_for_by_the_environment_is_taken(tmp_path: Path) -> None:
    chosen = ports.choose(tmp_path / "ports.json", {"AUTOLOADER_PORT_KAFKA": "31999"}, (), print)

    assert chosen["kafka"] == 31_999


def test_a_port_asked_for_but_held_by_another_names_the_port_the_holder_and_the_remedy(
    tmp_path: Path, taken_port: int
) -> None:
    environ = {"AUTOLOADER_PORT_KAFKA": str(taken_port)}

    with pytest.raises(StackError) as caught:
        ports.choose(tmp_path / "ports.json", environ, ports.NAMES, print)

    text = str(caught.value)
    assert str(taken_port) in text
    assert f"pid {os.getpid()}" in text
    assert "unset AUTOLOADER_PORT_KAFKA" in text


@pytest.mark.parametrize("asked", ["", "kafka", "0", "70000", "-1"])
def test_what_is_not_a_port_is_refused(tmp_path: Path, asked: str) -> None:
    with pytest.raises(StackError, match="is not a port"):
        ports.choose(tmp_path / "ports.json", {"AUTOLOADER_PORT_ROUTER": asked}, (), print)


def test_a_remembered_port_that_was_taken_meanwhile_is_replaced_and_told(tmp_path: Path, taken_port: int) -> None:
    remembered = {"kafka": taken_port}
    (tmp_path / "ports.json").write_text(json.dumps(remembered))
    told: list[str] = []

    chosen = ports.choose(tmp_path / "ports.json", {}, ["kafka"], told.append)

    assert chosen["kafka"] != taken_port
    assert len(told) == 1
    assert f"port {taken_port} is taken by pid" in told[0]
    assert f"using {chosen['kafka']}" in told[0]


def test_a_remembered_port_of_a_part_that_is_not_started_stays(tmp_path: Path, taken_port: int) -> None:
    (tmp_path / "ports.json").write_text(json.dumps({"kafka": taken_port}))

    chosen = ports.choose(tmp_path / "ports.json", {}, ["postgres"], print)

    assert chosen["kafka"] == taken_port
