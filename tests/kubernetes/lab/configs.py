"""The configuration files of the cluster's parts, and the rights of those that are no part of Kubernetes."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.kubernetes.lab.places import BRIDGE, FIRST_POD, GATEWAY, NODE, PAUSE, PODS

CGROUP = "autoloader-lab"
SHARES = {"cpu.shares": "8192", "cpu.weight": "800"}  # of all pods together: eight times that of one other process
PLUGINS = "/usr/lib/cni"


def write(state: Path, pki: Path, containerd: Path) -> None:
    """Write them all into `state`; `containerd` is its socket."""
    for name, content in (
        ("kubelet.json", _kubelet(state, pki, containerd)),
        ("proxy.json", _proxy(pki)),
        ("audit.json", _AUDIT),
        ("cni/10-bridge.conflist", _bridge(state)),
    ):
        (state / name).parent.mkdir(parents=True, exist_ok=True)
        (state / name).write_text(json.dumps(content))
    (state / "containerd.toml").write_text(_containerd(state, containerd))
    (state / "Corefile").write_text(_dns(pki))
    for controller in cgroups(there=False):
        controller.mkdir(exist_ok=True)
        for name, share in SHARES.items():
            if (controller / name).exists():
                (controller / name).write_text(share)


def cgroups(*, there: bool = True) -> Iterator[Path]:
    """The control groups of our pods, apart from those of another kubelet; only those that exist."""
    root = Path("/sys/fs/cgroup")
    roots = [root] if (root / "cgroup.controllers").exists() else [one for one in root.iterdir() if one.is_dir()]
    yield from (one / CGROUP for one in roots if not one.is_symlink() and (not there or (one / CGROUP).exists()))


def _kubelet(state: Path, pki: Path, containerd: Path) -> Mapping[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": GATEWAY,
        "authentication": {
            "x509": {"clientCAFile": f"{pki}/ca.pem"}, "webhook": {"enabled": False}, "anonymous": {"enabled": False},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{CGROUP}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [GATEWAY],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": f"unix://{containerd}",
        "enforceNodeAllocatable": [],
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "healthzPort": 0,
        "imageGCHighThresholdPercent": 100,
        "makeIPTablesUtilChains": False,
        "podLogsDir": f"{state}/pods",
        "readOnlyPort": 0,
        "resolvConf": "",
        "tlsCertFile": f"{pki}/kubelet-server.crt",
        "tlsPrivateKeyFile": f"{pki}/kubelet-server.key",
    }  # fmt: skip


def _proxy(pki: Path) -> Mapping[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "bindAddress": GATEWAY,
        "clientConnection": {"kubeconfig": f"{pki}/proxy.kubeconfig"},
        "clusterCIDR": PODS,
        "conntrack": {"maxPerCore": 0},  # the machine's own limits stay
        "healthzBindAddress": "127.0.0.1:10256",
        "hostnameOverride": NODE,
        "metricsBindAddress": "127.0.0.1:10249",
    }


def _bridge(state: Path) -> Mapping[str, Any]:
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": PODS, "rangeStart": FIRST_POD}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": f"{state}/addresses",
    }
    bridge = {
        "type": "bridge", "bridge": BRIDGE, "isGateway": True, "ipMasq": False, "hairpinMode": True, "ipam": addresses,
    }  # fmt: skip
    return {"cniVersion": "1.0.0", "name": "lab", "plugins": [bridge]}


def _containerd(state: Path, socket: Path) -> str:
    return f"""version = 2
root = "{state}/containerd"
state = "{socket.parent}/containerd"
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{PLUGINS}"
    conf_dir = "{state}/cni"
"""


def _dns(pki: Path) -> str:
    """The cluster's names; all others are not there, at once."""
    return f"""cluster.local:53 in-addr.arpa:53 {{
  bind {GATEWAY}
  errors
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {pki}/dns.kubeconfig lab
    ttl 5
  }}
}}
.:53 {{
  bind {GATEWAY}
  template IN ANY . {{
    rcode NXDOMAIN
  }}
}}
"""


_AUDIT: Mapping[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "userGroups": ["system:serviceaccounts:autoloader"]},
        {"level": "None"},
    ],
}


def _may_watch(user: str, *rules: tuple[str, Sequence[str]]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    group = "rbac.authorization.k8s.io"
    role = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": user},
        "rules": [
            {"apiGroups": [api], "resources": resources, "verbs": ["get", "list", "watch"]} for api, resources in rules
        ],
    }
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": user},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": user},
        "subjects": [{"kind": "User", "name": user, "apiGroup": group}],
    }
    return role, binding


RIGHTS = (
    *_may_watch(
        "coredns",
        ("", ["services", "namespaces", "pods", "endpoints"]),
        ("discovery.k8s.io", ["endpointslices"]),
    ),
    *_may_watch("network-policies", ("", ["namespaces", "pods"]), ("networking.k8s.io", ["networkpolicies"])),
)
