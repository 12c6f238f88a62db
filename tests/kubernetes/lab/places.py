"""Where everything of the lab lies, and the few numbers that all its parts agree on."""

from pathlib import Path

from tests.servers.tools import TOOLS

PROJECT = Path(__file__).resolve().parents[3]
STATE = PROJECT / ".autoloader" / "kubernetes"  # of one run: certificates, data, logs
IMAGES = PROJECT / ".autoloader" / "images"
KUBE, DNS = TOOLS / "kube", TOOLS / "coredns"
IMAGE, PAUSE = "localhost/autoloader:test", "localhost/pause:1"

NETNS = "autoloader"
BRIDGE = "autoloader0"
GATEWAY = "10.88.0.1"  # the node, and whatever listens beside the cluster
PODS = "10.88.0.0/24"
FIRST_POD = "10.88.0.16"
SERVICES = "10.96.0.0/24"
API_SERVICE = "10.96.0.1"
API_PORT = 6443
API = f"https://{GATEWAY}:{API_PORT}"
NODE = "node-1"
