"""A contract for import-linter: what each module of a package may import from outside our packages.

Nothing is allowed that is not named, so a new module or a new vendor is refused until somebody says where it belongs.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

STANDARD_LIBRARY = "stdlib"


class Refused(NamedTuple):
    """An import that no line of the contract allows."""

    importer: str
    imported: str


class OutsideContract(Contract):
    """`modules`: the package it is about. `allowed`: lines `module: package package …`; `stdlib` is all of Python.

    A module is held to the line that names the longest part of its path; one that no line names may import nothing.
    """

    modules = fields.StringField()
    allowed = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Find what is refused."""
        found = list(refused(graph, str(self.modules), parsed(self.allowed)))
        return ContractCheck(kept=not found, metadata={"refused": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Say who imported what."""
        for importer, imported in check.metadata["refused"]:
            output.print_error(f"{importer} is not allowed to import {imported}")


def parsed(lines: Any) -> Mapping[str, frozenset[str]]:
    """What each named module may import."""
    named = (line.partition(":") for line in lines)
    return {module.strip(): frozenset(packages.split()) for module, _, packages in named}


def refused(graph: ImportGraph, package: str, allowed: Mapping[str, frozenset[str]]) -> Iterator[Refused]:
    """The imports of the package's modules from outside that are not allowed."""
    ours = {module.partition(".")[0] for module in graph.modules if not graph.is_module_squashed(module)}
    for module in sorted(graph.modules):
        if module != package and not module.startswith(f"{package}."):
            continue
        may = _of(module, allowed)
        for imported in sorted(graph.find_modules_directly_imported_by(module)):
            root = imported.partition(".")[0]
            is_standard = root in sys.stdlib_module_names and STANDARD_LIBRARY in may
            if root not in ours and not is_standard and root not in may:
                yield Refused(module, imported)


def _of(module: str, allowed: Mapping[str, frozenset[str]]) -> frozenset[str]:
    while module:
        if module in allowed:
            return allowed[module]
        module = module.rpartition(".")[0]
    return frozenset()
