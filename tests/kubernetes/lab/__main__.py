"""`python -m tests.kubernetes.lab [pytest's arguments]`: build what is missing, then test in a network of its own.

With `KUBECONFIG` set the tests that need no access to a node run against that cluster instead.
"""

import os
import subprocess
import sys

from tests.kubernetes.lab import build, needs, network
from tests.kubernetes.lab.places import GATEWAY, PROJECT

PYTEST = (sys.executable, "-m", "pytest", "tests/kubernetes")


def main(words: list[str]) -> int:
    """Build, test, and leave nothing behind; pytest's exit code."""
    if os.environ.get("KUBECONFIG"):
        return subprocess.run((*PYTEST, "-m", "not node", *words), cwd=PROJECT, check=False).returncode
    if found := ", ".join(needs.lacking()):
        sys.exit(f"it makes networks and containers, and lacks {found}; or set KUBECONFIG to a cluster of yours")
    build.everything()
    network.make()
    try:
        environ = {**os.environ, "AUTOLOADER_ADDRESS": GATEWAY}
        return subprocess.run(network.alone(*PYTEST, *words), cwd=PROJECT, env=environ, check=False).returncode
    finally:
        network.remove()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
