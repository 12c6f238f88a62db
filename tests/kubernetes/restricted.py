"""Pod Security *restricted*: what it would refuse in a pod template, of what can stand in one of `k8s/`."""

from collections.abc import Iterator

from tests.kubernetes.manifests import Manifest

VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}
SHARED = ("hostNetwork", "hostPID", "hostIPC")


def unrestricted(pod: Manifest) -> Iterator[str]:
    """Say in a few words each what would be refused."""
    spec = pod["spec"]
    context = spec.get("securityContext", {})
    if context.get("runAsNonRoot") is not True or context.get("runAsUser") == 0:
        yield "may run as root"
    if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "has no seccomp profile"
    yield from (f"shares {shared}" for shared in SHARED if spec.get(shared))
    yield from (f"has the volume {one['name']}" for one in spec.get("volumes", []) if not one.keys() & VOLUMES)
    for container in (*spec.get("initContainers", []), *spec["containers"]):
        yield from (f"{container['name']} {what}" for what in _of_container(container))


def _of_container(container: Manifest) -> Iterator[str]:
    context = container.get("securityContext", {})
    if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
        yield "may get more rights"
    if context.get("capabilities") != {"drop": ["ALL"]}:
        yield "keeps capabilities"
    if any("hostPort" in port for port in container.get("ports", [])):
        yield "takes a port of the node"
