"""A network namespace in which the whole cluster lives: nothing of it is reached from outside, or reaches out."""

import subprocess
from pathlib import Path

from tests.kubernetes.lab.places import BRIDGE, GATEWAY, NETNS, PODS, SERVICES, STATE

_SYSCTLS = {
    "net/ipv4/ip_forward": "1",  # else a pod does not reach another by its Service
    "net/bridge/bridge-nf-call-iptables": "1",  # else the answer to that comes back undone
}
# New connections of pods are judged by their NetworkPolicies in user space; those of the node itself (probes) are not.
# While nobody listens to the queue all pass: the cluster comes up before its policies do.
_JUDGED = ("-m", "conntrack", "--ctstate", "NEW", "-j", "NFQUEUE", "--queue-num", "100", "--queue-bypass")


def make() -> None:
    """Make it anew, with the pods' bridge."""
    remove()
    _run("ip", "netns", "add", NETNS)
    for command in (
        ("ip", "link", "set", "lo", "up"),
        ("ip", "link", "add", BRIDGE, "type", "bridge"),
        ("ip", "addr", "add", f"{GATEWAY}/{PODS.rpartition('/')[2]}", "dev", BRIDGE),
        ("ip", "link", "set", BRIDGE, "up"),
        ("ip", "route", "add", SERVICES, "dev", BRIDGE),  # of the node itself, before kube-proxy chooses a pod
        *(("sh", "-c", f"echo {value} > /proc/sys/{name}") for name, value in _SYSCTLS.items()),
        ("iptables", "-t", "mangle", "-A", "FORWARD", "-i", BRIDGE, "-o", BRIDGE, *_JUDGED),
        ("iptables", "-t", "mangle", "-A", "INPUT", "-i", BRIDGE, "!", "-s", GATEWAY, *_JUDGED),
    ):
        _run(*inside(*command))


def remove() -> None:
    """Remove it, with its bridge and rules; the namespaces of pods that are left over too."""
    for name in subprocess.run(("ip", "netns", "list"), capture_output=True, text=True, check=True).stdout.split():
        if name == NETNS or name.startswith("cni-"):
            _run("ip", "netns", "delete", name)


def inside(*command: str) -> tuple[str, ...]:
    """The command that runs a program in the network."""
    return ("nsenter", f"--net=/run/netns/{NETNS}", *command)


def alone(*command: str) -> tuple[str, ...]:
    """The same, with mounts of its own: those of containers end with it, and names are asked of the cluster."""
    names = STATE.parent / "resolv.conf"
    names.write_text(f"nameserver {GATEWAY}\nsearch cluster.local\n")
    ready = f'mount --make-rshared / && mount --bind {names} /etc/resolv.conf && exec "$@"'
    return inside("unshare", "--mount", "--propagation", "private", "sh", "-c", ready, "sh", *command)


def is_here() -> bool:
    """Whether this process is in it."""
    return Path(f"/sys/class/net/{BRIDGE}").exists() or BRIDGE in Path("/proc/net/dev").read_text()


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
