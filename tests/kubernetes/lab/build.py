"""Everything the lab is made of, from nothing: Debian's packages, Go's binaries, the image. What is there is kept.

The package clients' settings of this machine (sources, indexes, authorities) are mounted for the image's build and
come into no layer of it.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from configparser import ConfigParser
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from tests.kubernetes import definitions
from tests.kubernetes.lab.places import DNS, IMAGE, IMAGES, KUBE, PAUSE, PROJECT
from tests.kubernetes.manifests import kustomize
from tests.servers import prometheus, s3
from tests.servers.tools import TOOLS

HERE = Path(__file__).parent
PACKAGES = (
    "buildah", "conntrack", "containerd", "containernetworking-plugins", "debootstrap", "iproute2", "iptables",
    "nftables", "runc",
)  # fmt: skip
KUBERNETES = "v1.36.3"
SUITE = "bookworm"
BASE = "localhost/base:bookworm-slim"
STAGE = "localhost/autoloader-build:test"
# What images that call themselves slim leave out.
SLIMMED = ("usr/share/doc", "usr/share/info", "usr/share/locale", "usr/share/man", "var/cache/apt", "var/lib/apt/lists")
BUILDAH = ("buildah",)  # it takes the best storage driver there is
TRUST = "/run/trust"
ARCHIVE = IMAGES / "autoloader.tar"
SOURCES = (
    "Dockerfile",
    "requirements-runtime.txt",
    "pyproject.toml",
    "cli",
    "dev",
    "flows",
    "router",
    "schemas",
    "storage",
    "worker",
)
# Where the package clients of this machine look, and whom they trust: mounted where there is such a file.
SETTINGS = {
    "/etc/apt/sources.list": "/etc/apt/sources.list",
    "/etc/apt/sources.list.d": "/etc/apt/sources.list.d",
    "/etc/apt/apt.conf.d": "/etc/apt/apt.conf.d",
    "/usr/share/keyrings": "/usr/share/keyrings",
    "~/.m2/settings.xml": "/root/.m2/settings.xml",
    "~/.cache/pip": "/root/.cache/pip",
    "/etc/resolv.conf": "/etc/resolv.conf",
}


def everything() -> None:
    """Build what is missing; the binaries beside the image, on as many processors."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    TOOLS.mkdir(parents=True, exist_ok=True)
    with _timed("packages"):
        _packages()
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(step) for step in (_binaries, _image)]:
            done.result()


def image_sources() -> str:
    """What the image is made of, as one word: it is built anew when this changes."""
    digest = hashlib.sha256()
    for name in SOURCES:
        found = PROJECT / name
        for file in sorted(found.rglob("*")) if found.is_dir() else [found]:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(PROJECT)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def _packages() -> None:
    if all(map(shutil.which, ("buildah", "containerd", "debootstrap", "iptables", "nft", "conntrack", "runc"))):
        return
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run("apt-get", "update", "--quiet", environ=environ)
    _run("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *PACKAGES, environ=environ)


def _binaries() -> None:
    version = f"-X k8s.io/component-base/version.gitVersion={KUBERNETES}"
    _go("kube", KUBE, version)
    _go("dns", DNS, "")
    with _timed("go install"):
        kustomize()
        s3.program()
        definitions.fetch()
    prometheus.program("prometheus")


def _go(module: str, binary: Path, flags: str) -> None:
    sources = HERE / module
    note, wanted = binary.with_suffix(".made-of"), _digest(sources)
    if binary.exists() and note.exists() and note.read_text() == wanted:
        return
    with _timed(f"go build {module}"):
        command = ("go", "build", "-mod=readonly", "-gcflags=all=-dwarf=false", "-ldflags", f"-s -w {flags}")
        _run(*command, "-o", str(binary), ".", environ={**os.environ, "CGO_ENABLED": "0"}, folder=sources)
    note.write_text(wanted)


def _digest(folder: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(folder.iterdir()))).hexdigest()


def _image() -> None:
    pause(IMAGES / "pause.tar")
    note, wanted = ARCHIVE.with_suffix(".made-of"), image_sources()
    if ARCHIVE.exists() and note.exists() and note.read_text() == wanted:
        return
    if not _has_image(BASE):
        with _timed("debootstrap"):
            _base()
    with _timed("buildah"):
        mounts = {Path(here).expanduser(): there for here, there in SETTINGS.items()} | _trust()
        volumes = [word for here, there in mounts.items() if here.exists() for word in ("--volume", f"{here}:{there}")]
        arguments = ("--isolation", "chroot", "--layers", "--pull-never", "--build-arg", f"BASE={BASE}", *volumes)
        # With a name of its own the first stage outlives the pruning of earlier builds, each as large as the image.
        for more in (("--target", "build", "--tag", STAGE), ("--tag", IMAGE)):
            _run(*BUILDAH, "build", *arguments, *more, str(PROJECT))
        _run(*BUILDAH, "rmi", "--prune")
    with _timed("archive"):
        ARCHIVE.unlink(missing_ok=True)
        _run(*BUILDAH, "push", IMAGE, f"oci-archive:{ARCHIVE}:{IMAGE}")
    note.write_text(wanted)


def _trust() -> dict[Path, str]:
    """Settings of pip and Maven that trust whom this machine trusts."""
    folder = IMAGES / "trust"
    folder.mkdir(exist_ok=True)
    pip = ConfigParser()
    pip.read(["/etc/pip.conf", Path("~/.config/pip/pip.conf").expanduser()])
    pip.read_dict({"global": {"cert": f"{TRUST}/ca.crt"}})
    with (folder / "pip.conf").open("w") as file:
        pip.write(file)
    store = f"-Djavax.net.ssl.trustStore={TRUST}/cacerts -Djavax.net.ssl.trustStorePassword=changeit"
    (folder / "mavenrc").write_text(f'MAVEN_OPTS="{store}"\n')
    for here, name in (("/etc/ssl/certs/ca-certificates.crt", "ca.crt"), ("/etc/ssl/certs/java/cacerts", "cacerts")):
        shutil.copy(here, folder / name)
    return {folder: TRUST, folder / "pip.conf": "/etc/pip.conf", folder / "mavenrc": "/etc/mavenrc"}


def _has_image(name: str) -> bool:
    return (
        subprocess.run((*BUILDAH, "inspect", "--type", "image", name), capture_output=True, check=False).returncode == 0
    )


def _base() -> None:
    """Debian with Python, in the place of an image that would be pulled."""
    root = IMAGES / "base"
    shutil.rmtree(root, ignore_errors=True)
    _run(
        "debootstrap",
        "--variant=minbase",
        "--include=ca-certificates,python3,python3-venv",
        SUITE,
        str(root),
        *_mirror(),
    )
    for folder in SLIMMED:
        shutil.rmtree(root / folder, ignore_errors=True)
    container = subprocess.run((*BUILDAH, "from", "scratch"), check=True, capture_output=True, text=True).stdout.strip()
    _run(*BUILDAH, "copy", "--quiet", container, str(root), "/")
    _run(*BUILDAH, "commit", "--quiet", "--rm", container, BASE)
    shutil.rmtree(root)


def _mirror() -> Iterator[str]:
    """The machine's own mirror, where apt is told one."""
    for file in [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*.sources")]:
        for line in file.read_text().splitlines() if file.exists() else ():
            words = line.split()
            if words[:1] in (["URIs:"], ["deb"]):
                yield words[1]
                return


def pause(archive: Path) -> None:
    """The image of what holds a pod's network: a program that waits, and nothing else."""
    source = IMAGES / "pause.c"
    source.write_text("#include <signal.h>\n#include <unistd.h>\nstatic void end(int n){_exit(0);}\n"
                      "int main(){signal(SIGTERM,end);signal(SIGINT,end);for(;;)pause();}\n")  # fmt: skip
    _run("cc", "-static", "-O2", "-s", "-o", str(IMAGES / "pause"), str(source))
    layer = BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(IMAGES / "pause", "pause")
    _write_oci(archive, PAUSE, layer.getvalue(), ["/pause"])


def _write_oci(archive: Path, name: str, layer: bytes, entry: list[str]) -> None:
    """An OCI archive of one layer. Source: the OCI image format specification."""
    vendor = "application/vnd.oci.image"
    blobs: dict[str, bytes] = {}

    def kept(content: bytes, kind: str) -> dict[str, object]:
        digest = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = content
        return {"mediaType": f"{vendor}.{kind}", "digest": f"sha256:{digest}", "size": len(content)}

    layers = [kept(layer, "layer.v1.tar")]
    config = {
        "architecture": "amd64", "os": "linux", "config": {"Entrypoint": entry},
        "rootfs": {"type": "layers", "diff_ids": [layers[0]["digest"]]},
    }  # fmt: skip
    manifest = {"schemaVersion": 2, "config": kept(json.dumps(config).encode(), "config.v1+json"), "layers": layers}
    named = {"annotations": {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name}}
    index = {"schemaVersion": 2, "manifests": [kept(json.dumps(manifest).encode(), "manifest.v1+json") | named]}
    files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": json.dumps(index).encode(), **blobs}
    with tarfile.open(archive, "w") as tar:
        for path, content in files.items():
            entry_of = tarfile.TarInfo(path)
            entry_of.size = len(content)
            tar.addfile(entry_of, BytesIO(content))


@contextmanager
def _timed(what: str) -> Iterator[None]:
    begun = time.monotonic()
    yield
    print(f"{what:<20} {time.monotonic() - begun:6.1f} s", flush=True)  # noqa: T201 - its progress


def _run(*command: str, environ: dict[str, str] | None = None, folder: Path | None = None) -> None:
    """Run a program to its end, its output in the lab's build log; raises RuntimeError with the end of that."""
    log = IMAGES / f"{Path(command[0]).name}.log"
    with log.open("ab") as output:
        done = subprocess.run(command, env=environ, cwd=folder, stdout=output, stderr=output, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} … ended with {done.returncode}:\n{log.read_text()[-3000:]}")
