"""The control plane and the one node, as processes of this machine inside the lab's network."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kubernetes.lab import configs, pki
from tests.kubernetes.lab.places import API_PORT, DNS, GATEWAY, IMAGES, KUBE, NODE, SERVICES, STATE
from tests.kubernetes.lab.processes import Processes

RUN = Path("/run/autoloader-lab")  # a socket's path has 107 bytes at most
SOCKET = RUN / "containerd.sock"
PKI = STATE / "pki"
PLUGINS = "PodSecurity,NodeRestriction"


@dataclass(frozen=True)
class Kubectl:
    """The API server as a kubeconfig sees it."""

    kubeconfig: Path
    command: tuple[str, ...] = (str(KUBE), "kubectl")

    def __call__(self, *words: str, given: str | None = None, check: bool = True) -> str:
        """Run kubectl; its output. Raises RuntimeError with what it says."""
        command = [*self.command, "--kubeconfig", str(self.kubeconfig), *words]
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise RuntimeError(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def json(self, *words: str) -> dict[str, Any]:
        """What it prints as JSON."""
        found: dict[str, Any] = json.loads(self(*words, "-o", "json"))
        return found

    def apply(self, *objects: Mapping[str, Any], dry_run: bool = False) -> str:
        """Make or change objects; a dry run asks the server and changes nothing."""
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        return self("apply", *(["--dry-run=server"] if dry_run else []), "-f", "-", given=listed)


class Cluster:
    """A cluster from its start to its end: `up`, and `down` whatever came between."""

    def __init__(self) -> None:
        self._processes = Processes(STATE / "logs")
        self.kubectl = Kubectl(PKI / "admin.kubeconfig")
        self.audit_log = STATE / "logs" / "audit.log"

    def up(self) -> None:
        """Start everything; returns when the node is ready."""
        self.down()
        for left_over in (STATE, RUN):  # of one that was killed: its socket would look like containerd's
            shutil.rmtree(left_over, ignore_errors=True)
        RUN.mkdir()
        pki.make(PKI)
        configs.write(STATE, PKI, SOCKET)
        self._start_containerd()
        self._start_control_plane()
        self.kubectl.apply(*configs.RIGHTS)
        self.start_kubelet()
        self._start_network()
        self._processes.await_ready("kubelet", self.is_ready)

    def down(self) -> None:
        """Stop everything, and remove what containers leave behind."""
        self._processes.stop("kubelet")
        if SOCKET.exists():
            _remove_containers()
        self._processes.stop_all()
        for line in reversed(Path("/proc/mounts").read_text().splitlines()):
            if (place := line.split()[1]).startswith((str(STATE), str(RUN))):
                subprocess.run(("umount", "-l", place), check=False)
        for controller in configs.cgroups():
            for folder, _, _ in os.walk(controller, topdown=False):
                Path(folder).rmdir()

    def is_ready(self) -> bool:
        """Whether the node takes pods."""
        told = self.kubectl("get", "node", NODE, "--no-headers", check=False).split()
        return "Ready" in told[1:2]

    def start_kubelet(self) -> None:
        """Start the node's agent."""
        self._processes.start(
            "kubelet", str(KUBE), "kubelet", f"--config={STATE}/kubelet.json", f"--kubeconfig={PKI}/kubelet.kubeconfig",
            f"--hostname-override={NODE}", f"--node-ip={GATEWAY}", f"--root-dir={STATE}/kubelet",
            f"--cert-dir={STATE}/kubelet/pki", "--v=1",
        )  # fmt: skip

    def kill_kubelet(self) -> None:
        """As if the node's agent had crashed: its pods go on."""
        self._processes.stop("kubelet", signal.SIGKILL)

    def import_image(self, archive: Path) -> None:
        """Give an image to the node."""
        _ctr("images", "import", str(archive))

    def denied_and_used(self, user: str) -> tuple[list[str], set[tuple[str, str]]]:
        """What a user was denied, and which rights (verb, resource) it used, by the audit log."""
        denied, used = [], set()
        for line in self.audit_log.read_text().splitlines():
            event = json.loads(line)
            if event["user"]["username"] != user or "objectRef" not in event:
                continue
            what = event["objectRef"]
            resource = "/".join(filter(None, [what.get("resource"), what.get("subresource")]))
            used.add((event["verb"], resource))
            if event.get("responseStatus", {}).get("code") == 403:
                denied.append(f"{event['verb']} {resource} in {what.get('namespace')}")
        return denied, used

    def _start_containerd(self) -> None:
        self._processes.start("containerd", "containerd", "--config", f"{STATE}/containerd.toml")
        self._processes.await_ready("containerd", _ctr_answers)
        self.import_image(IMAGES / "pause.tar")

    def _start_control_plane(self) -> None:
        start, kube = self._processes.start, str(KUBE)
        start("etcd", kube, "etcd", "--data-dir", f"{STATE}/etcd", "--unsafe-no-fsync", "--log-level", "warn")
        start(
            "apiserver", kube, "kube-apiserver", "--etcd-servers=http://127.0.0.1:2379",
            f"--bind-address={GATEWAY}", f"--advertise-address={GATEWAY}", f"--secure-port={API_PORT}",
            "--kubelet-preferred-address-types=InternalIP", f"--service-cluster-ip-range={SERVICES}",
            f"--tls-cert-file={PKI}/apiserver.crt", f"--tls-private-key-file={PKI}/apiserver.key",
            f"--client-ca-file={PKI}/ca.pem", "--authorization-mode=Node,RBAC", f"--enable-admission-plugins={PLUGINS}",
            "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={PKI}/accounts.pub",
            f"--service-account-signing-key-file={PKI}/accounts.key",
            f"--kubelet-certificate-authority={PKI}/ca.pem",
            f"--kubelet-client-certificate={PKI}/apiserver-kubelet.crt",
            f"--kubelet-client-key={PKI}/apiserver-kubelet.key",
            f"--audit-policy-file={STATE}/audit.json", f"--audit-log-path={self.audit_log}",
        )  # fmt: skip
        self._processes.await_ready("apiserver", lambda: self.kubectl("get", "--raw", "/readyz", check=False) == "ok")
        for name, component, more in (
            ("controllers", "kube-controller-manager", (
                "--use-service-account-credentials=true", f"--service-account-private-key-file={PKI}/accounts.key",
                f"--root-ca-file={PKI}/ca.pem",
            )),
            ("scheduler", "kube-scheduler", ()),
        ):  # fmt: skip
            config = f"{PKI}/{name}.kubeconfig"
            start(
                name, kube, component, f"--kubeconfig={config}", f"--authentication-kubeconfig={config}",
                f"--authorization-kubeconfig={config}", "--bind-address=127.0.0.1", "--leader-elect=false", *more,
            )  # fmt: skip

    def _start_network(self) -> None:
        start, kube = self._processes.start, str(KUBE)
        start("proxy", kube, "kube-proxy", f"--config={STATE}/proxy.json", "--v=1")
        start("dns", str(DNS), "-conf", f"{STATE}/Corefile")
        start("policies", kube, "network-policies", f"--kubeconfig={PKI}/policies.kubeconfig", f"--node={NODE}")
        self._processes.await_ready("proxy", lambda: _listens("127.0.0.1", 10256))
        self._processes.await_ready("dns", lambda: _listens(GATEWAY, 53))


def eventually(holds: Callable[[], bool], what: str, seconds: float = 120) -> None:
    """Wait until something holds; AssertionError when it does not in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.5)


def _remove_containers() -> None:
    """A pod's own processes would outlive their runtime."""
    for task in _ctr("task", "list", "-q", check=False).split():
        _ctr("task", "remove", "--force", task, check=False)


def _ctr_answers() -> bool:
    return SOCKET.exists() and bool(_ctr("version", check=False))


def _ctr(*words: str, check: bool = True) -> str:
    command = ["ctr", "--address", str(SOCKET), "--namespace", "k8s.io", *words]
    return subprocess.run(command, check=check, capture_output=True, text=True, timeout=300).stdout


def _listens(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True
