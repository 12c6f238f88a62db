"""Which commands there are, and what each makes a user wait for."""

import subprocess
import sys

from cli.main import COMMANDS, app, wanted

# What runs, workers and the router need, in this order.
HEAVY = ("pyspark", "prefect", "router.app")


def test_every_command_has_its_name() -> None:
    assert [command.callback.__name__ for command in app.registered_commands if command.callback] == list(COMMANDS)


def test_the_one_that_is_called_is_made_and_all_where_none_is() -> None:
    assert wanted(["status", "--watch"]) == ["status"]
    assert wanted(["--help"]) == wanted(["no-such"]) == wanted([]) == COMMANDS


def test_a_command_imports_nothing_that_only_others_need() -> None:
    program = f"""
import sys
sys.argv = ["autoloader", "status"]
import cli.main
assert not (found := [name for name in {HEAVY} if name in sys.modules]), found
"""

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
