"""The environment in which the parts run: the caller's, minus what would lead them astray."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dev.ports import ADDRESS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dev.home import Home

# The caller's own Prefect and Spark; PATH, HOME, certificates, cloud credentials and the rest stay.
_NOT_INHERITED = ("PREFECT_", "SPARK_", "PYSPARK_")


def for_parts(environ: Mapping[str, str], home: Home) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if not name.startswith(_NOT_INHERITED)}
    return {**kept, **_no_proxy(kept), **_compiled_python(kept, home), **_any_name(kept)}


def _no_proxy(environ: Mapping[str, str]) -> dict[str, str]:
    """The parts talk to each other, never through a proxy."""
    named = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    hosts = [host for host in named.split(",") if host]
    joined = ",".join(dict.fromkeys([*hosts, ADDRESS, "localhost"]))
    return {"NO_PROXY": joined, "no_proxy": joined}


def _any_name(environ: Mapping[str, str]) -> dict[str, str]:
    """Java opens only files whose names the locale can spell. An unset one Python itself corrects for its children."""
    return {"LC_ALL": "C.UTF-8"} if environ.get("LC_ALL") in {"C", "POSIX"} else {}


def _compiled_python(environ: Mapping[str, str], home: Home) -> dict[str, str]:
    """Where to keep compiled Python when the caller wants none beside the sources.

    Without any, each start and each flow run compiles Prefect anew: ten seconds, every time.
    """
    if not environ.get("PYTHONDONTWRITEBYTECODE"):
        return {}
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(home.cache / "python")}
