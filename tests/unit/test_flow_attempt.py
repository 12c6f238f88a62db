import subprocess
import sys

NOT_CLAIMED = """
import sys
from unittest.mock import Mock

from flows.loading.attempt import carry_out

ended = carry_out("a-batch", 1, "a-run", ledger=Mock(claim=Mock(return_value=None)), environ={}, lives=False)
print(ended, "pyspark" in sys.modules)
"""


def test_a_run_that_is_not_wanted_does_not_wait_for_pyspark_to_be_imported() -> None:
    said = subprocess.run([sys.executable, "-c", NOT_CLAIMED], check=True, capture_output=True, text=True).stdout

    assert said == "not wanted False\n"
