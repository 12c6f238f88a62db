"""What Prefect and its workers write when a process has ended, and what they write when they only suppose so."""

import pytest
from prefect._internal.infrastructure_exit_codes import get_infrastructure_exit_info

from router.adapters.prefect.messages import cause_told
from schemas.report import Cause


@pytest.mark.parametrize(
    ("code", "cause"),
    [(-9, "out-of-memory"), (137, "out-of-memory"), (-15, "infrastructure"), (143, "infrastructure"), (1, "crash")],
)
def test_a_worker_tells_with_which_status_a_process_ended(code: int, cause: Cause) -> None:
    words = get_infrastructure_exit_info(code).explanation

    assert cause_told(f"Process exited with status code: {code}. {words}") == cause
    assert cause_told(f"Flow run infrastructure exited with non-zero status code {code}. {words}") == cause


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("Flow run encountered an exception: flows.loading.errors.Infrastructure: away", "infrastructure"),
        ("Flow run encountered an exception: flows.loading.errors.OutOfMemory: full", "out-of-memory"),
        ("Flow run encountered an exception: ValueError: Infrastructure", "crash"),
        ("Execution was aborted by a termination signal.", "infrastructure"),
        ("Execution was interrupted by an unexpected exception: boom", "crash"),
        ("Request to http://127.0.0.1/api failed: ConnectError.", "infrastructure"),
        ("Failed to submit flow run to infrastructure: OSError: no more processes", "infrastructure"),
        ("Kubernetes job was deleted", "infrastructure"),
        ("No active or succeeded pods found for any job", "crash"),
        (
            "ECS task failed to start: RESOURCE:MEMORY. The capacity provider could not place the task.",
            "infrastructure",
        ),
        ("The following containers stopped with a non-zero exit code: ['prefect']", "crash"),
    ],
)
def test_who_saw_a_process_end_says_why(message: str, cause: Cause) -> None:
    assert cause_told(message) == cause


@pytest.mark.parametrize("message", ["", "no heartbeat: its process is gone", "State changed by Automation 7", "oh my"])
def test_nobody_else_saw_it(message: str) -> None:
    assert cause_told(message) is None


def test_what_an_error_quotes_is_not_taken_for_a_worker_s_word() -> None:
    quoted = "Flow run encountered an exception: ValueError: Process exited with status code: -9."

    assert cause_told(quoted) == "crash"
    assert cause_told("a person: Process exited with status code: -9.") is None
