"""Names of Prefect that it calls its own and the worker needs: one that is gone is told here, not by a run."""

import importlib

import pytest

from worker.lean import REPLACED

# What breaks without it.
NEEDED = {
    "a run is claimed among workers": "prefect.workers.base:BaseWorker._propose_pending_state",
    "a run is taken": "prefect.workers.base:BaseWorker._submit_run",
    "a slot is free again": "prefect.workers.base:BaseWorker._release_limit_slot",
    "a run's environment (1)": "prefect.workers.base:BaseJobConfiguration._base_flow_run_environment",
    "a run's environment (2)": "prefect.workers.base:BaseJobConfiguration._base_attribution_environment",
    "job variables": "prefect.workers.process:ProcessJobConfiguration.from_template_and_values",
    "a run's process is watched": "prefect.runner._flow_run_executor:FlowRunExecutorContext.create_executor",
    "a run's process is ended": "prefect.runner._process_manager:ProcessHandle.graceful_kill",
    "a run is cancelled": "prefect.runner._cancellation_manager:CancellationManager.cancel_by_id",
    "a run tells its own end (1)": "prefect.runner._control_channel:ControlChannel.register",
    "a run tells its own end (2)": "prefect._internal.control_listener:configure_from_env",
    "a run is carried out (1)": "prefect.engine:handle_engine_signals",
    "a run is carried out (2)": "prefect.engine:_drive_run_flow_result",
    "a run is carried out (3)": "prefect.flow_engine:run_flow",
}
ONLY_FASTER = {
    f"without it a run or worker takes more: {name}": f"{module.__name__}:{name}" for module, name in REPLACED
}
MEMBERS = ("_submitting_flow_run_ids", "_cancelling_observer", "_limiter")


@pytest.mark.parametrize(("what", "name"), [*NEEDED.items(), *ONLY_FASTER.items()])
def test_prefect_has_what_the_worker_takes_of_its_own(what: str, name: str) -> None:
    module, _, path = name.partition(":")
    found = importlib.import_module(module)
    for part in path.split("."):
        assert hasattr(found, part), f"{what}: {name} is gone from this Prefect; see worker/__init__.py"
        found = getattr(found, part)


@pytest.mark.parametrize("name", MEMBERS)
def test_a_worker_of_prefect_has_the_members_that_are_used(name: str) -> None:
    base = importlib.import_module("prefect.workers.process").ProcessWorker

    assert hasattr(base(work_pool_name="a-pool"), name), (
        f"{name} is gone from Prefect's worker: see worker/process_pool.py"
    )
