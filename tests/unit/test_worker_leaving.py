"""How a child ends: as Python would, but for taking itself apart."""

import subprocess
import sys

import pytest

PROGRAM = """
from worker.leaving import Exit
leaving = Exit()
import atexit, sys, threading, time
class Apart:
    def __del__(self): print("taken apart")
apart = Apart()
atexit.register(lambda: print("sent"))
threading.Thread(target=lambda: (time.sleep(0.1), print("finished"))).start()
def life(): {life}
{lives}
"""


def ended(life: str, lives: str = "leaving.after(life)") -> tuple[int, list[str], str]:
    """Its exit code, what it printed, what it complained of."""
    program = PROGRAM.format(life=life, lives=lives)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines(), done.stderr


@pytest.mark.parametrize(
    ("life", "code", "said"),
    [
        ("pass", 0, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit('no')", 1, "no\n"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero\n"),
    ],
)
def test_its_code_is_pythons_and_what_waits_is_done(life: str, code: int, said: str) -> None:
    found, printed, complained = ended(life)

    assert (found, printed) == (code, ["finished", "sent"])
    assert complained.endswith(said)


def test_others_end_as_ever() -> None:
    assert ended("pass", "life()") == (0, ["finished", "sent", "taken apart"], "")
