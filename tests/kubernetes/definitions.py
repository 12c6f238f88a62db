"""Resources that others define, KEDA and Kueue: their definitions, as the modules have them that Go fetches."""

import json
import shutil
from collections.abc import Mapping, Sequence

import yaml

from tests.kubernetes.lab.cluster import Kubectl, eventually
from tests.kubernetes.manifests import Manifest
from tests.servers.tools import TOOLS, sources

FOLDER = TOOLS / "definitions"
KEDA, KUEUE = "github.com/kedacore/keda/v2@v2.21.0", "sigs.k8s.io/kueue@v0.17.0"
FILES: Mapping[str, Sequence[str]] = {
    KEDA: ("config/crd/bases/keda.sh_scaledobjects.yaml",),
    KUEUE: tuple(f"config/components/crd/bases/kueue.x-k8s.io_{name}.yaml" for name in ("workloads", "localqueues")),
}


def fetch() -> None:
    """Keep all of them: where the tests run there is no way out."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for module, files in FILES.items():
        missing = [file for file in files if not (FOLDER / file.rpartition("/")[2]).exists()]
        for file in missing:
            shutil.copy(sources(module) / file, FOLDER)


def define(kubectl: Kubectl, module: str) -> None:
    """Have an API server know what a module defines. So big are some that only the server can compare them."""
    definitions = [_read(file) for file in FILES[module]]
    listed = {"apiVersion": "v1", "kind": "List", "items": definitions}
    kubectl("apply", "--server-side", "-f", "-", given=json.dumps(listed))
    names = [one["metadata"]["name"] for one in definitions]
    eventually(lambda: all(_is_established(kubectl, name) for name in names), f"{names} are established", 60)


def _is_established(kubectl: Kubectl, name: str) -> bool:
    conditions = kubectl.json("get", "crd", name)["status"].get("conditions") or []
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


def _read(file: str) -> Manifest:
    found: Manifest = yaml.safe_load((FOLDER / file.rpartition("/")[2]).read_text())
    return found
