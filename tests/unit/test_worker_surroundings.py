"""The environment that a run's job variables ask for, and what Prefect reads of it."""

import os
from contextvars import copy_context

import pytest
from prefect.settings import get_current_settings

from worker.surroundings import Surroundings, without_its_run


@pytest.fixture(autouse=True)
def nothing_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {**os.environ, "OF_THE_WORKER": "here"})


def test_changes_are_made_instead_of_those_before() -> None:
    surroundings = Surroundings()

    surroundings.become({"OF_THE_WORKER": "there", "OF_THE_RUN": "1"})
    surroundings.become({"OF_THE_NEXT": "2"})

    assert os.environ["OF_THE_WORKER"] == "here"
    assert os.environ["OF_THE_NEXT"] == "2"
    assert "OF_THE_RUN" not in os.environ


def test_what_a_library_has_set_for_itself_stays() -> None:
    surroundings = Surroundings()
    surroundings.become({"OF_THE_RUN": "1"})

    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"  # as pyspark's is, when a session is opened ahead
    surroundings.become({"OF_THE_RUN": "1", "PREFECT__FLOW_RUN_ID": "a-run"})

    assert os.environ["SPARK_CONNECT_MODE_ENABLED"] == "1"


def test_prefect_reads_its_settings_again_when_one_is_another() -> None:
    def heartbeat() -> int | None:
        Surroundings().become({"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "77"})
        return get_current_settings().flows.heartbeat_frequency

    before = get_current_settings().flows.heartbeat_frequency

    assert copy_context().run(heartbeat) == 77  # what is read in it does not stay for other tests
    assert get_current_settings().flows.heartbeat_frequency == before != 77


def test_of_a_run_its_own_number_is_no_setting() -> None:
    environ = {"PREFECT__FLOW_RUN_ID": "a-run", "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30", "OF_THE_RUN": "1"}

    assert without_its_run(environ) == {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30", "OF_THE_RUN": "1"}
