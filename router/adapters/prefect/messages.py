"""What the message of a run's state says of how its process ended: the words of Prefect 3.9 and its workers.

| who says it              | words                                               | cause                    |
|--------------------------|-----------------------------------------------------|--------------------------|
| a worker, of its child   | `… status code: -9`, `… non-zero status code 137`   | out of memory: killed    |
|                          | the same with -15, 143, -2, 130                     | infrastructure: a stop   |
|                          | any other status                                    | crash                    |
| the run, as it ends      | `… an exception: Infrastructure: …`, `OutOfMemory`  | as it says               |
|                          | `… aborted by a termination signal`                 | infrastructure           |
|                          | `Request to … failed`: Prefect did not answer it    | infrastructure           |
|                          | another exception                                   | crash                    |
| a worker without a child | `Failed to submit flow run to infrastructure`       | infrastructure           |
| Kubernetes               | `Kubernetes job was deleted`                        | infrastructure           |
| ECS                      | `ECS task failed to start`                          | infrastructure           |
|                          | `The following containers stopped with a non-zero…` | crash                    |
|                          | `No active or succeeded pods found`                 | crash                    |
| anybody else             | `no heartbeat`, what a person wrote                 | none: nobody saw it end  |

Only how a message begins is looked at: further on stands what an error said, and so perhaps what stood in an event.
"""

import re

from schemas.report import Cause

_STATUS = re.compile(r"(?:Process exited with|Flow run infrastructure exited with non-zero) status code:? (-?\d+)")
_KILLED, _STOPPED = {-9, 137, 247}, {-15, 143, -2, 130}
_EXCEPTION = r"Flow run encountered an exception: "
_WORDS: tuple[tuple[re.Pattern[str], Cause], ...] = (
    (re.compile(_EXCEPTION + r"(\w+\.)*Infrastructure\b"), "infrastructure"),
    (re.compile(_EXCEPTION + r"(\w+\.)*OutOfMemory\b"), "out-of-memory"),
    (re.compile(_EXCEPTION + r"(\w+\.)*ServerLost\b"), "server-lost"),
    (re.compile(r"Execution was (aborted by an? (termination|interrupt) signal|cancelled by the)"), "infrastructure"),
    (re.compile(r"Request to \S+ failed|Request failed while attempting to contact the server"), "infrastructure"),
    (re.compile(r"Failed to submit flow run to infrastructure|Kubernetes job was deleted"), "infrastructure"),
    (re.compile(r"ECS task failed to start"), "infrastructure"),
    (re.compile(r"Flow run process exited after a cancellation request"), "cancelled"),
    (re.compile(_EXCEPTION + "|Execution was |Flow run process failed|Flow run execution failed"), "crash"),
    (re.compile(r"No active or succeeded pods found|The following containers stopped with a non-zero exit"), "crash"),
)


def cause_told(message: str) -> Cause | None:
    """Why the process ended, as somebody tells who saw it; None when nobody did."""
    if status := _STATUS.match(message):
        code = int(status[1])
        return "out-of-memory" if code in _KILLED else "infrastructure" if code in _STOPPED else "crash"
    return next((cause for words, cause in _WORDS if words.match(message)), None)
