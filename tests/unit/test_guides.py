"""The pages for people: every word that the code can say stands in them, and none that it cannot say."""

import re
from collections.abc import Iterable
from pathlib import Path
from textwrap import dedent
from typing import get_args, get_type_hints

import pytest

from cli.exits import Exit
from cli.main import app
from router import errors, facts
from router.notifications.decode import decode
from router.notifications.record import Arrival, Position, Record
from router.rules.recovery import OpenAttempt
from schemas.completions import BatchOutcome, CompletedFile, RequestedFile, RequestOutcome
from schemas.config import parse_config
from schemas.report import Cause, Target
from tests.unit.test_notifications import WRITTEN

TROUBLESHOOTING = Path("docs/troubleshooting.md").read_text()
STATES = Path("docs/states.md").read_text()
QUICKSTART = Path("docs/quickstart.md").read_text()
ARCHITECTURE = Path("ARCHITECTURE.md").read_text()
# What is told of the past (decisions, the changelog) names places as they were then.
PAGES = [
    *(Path(name) for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")),
    *(path for path in sorted(Path("docs").glob("*.md")) if path.name != "decisions.md"),
]
PLACE = re.compile(r"`((?:router|flows|worker|schemas|cli|dev|tests|docs|benchmarks|k8s)/[\w/.-]*)`")
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def section(page: str, heading: str) -> str:
    return page.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def words(literal: object) -> set[str]:
    """All words of a Literal, or of a union of Literals."""
    return {word for part in get_args(literal) for word in (words(part) or {part})}


def checked_words(column: str, *, beside: str) -> set[str]:
    """What the ledger lets a column hold, by the newest migration that says so; `beside` is one of them."""
    texts = [path.read_text() for path in sorted(Path("schemas/ledger/migrations/versions").glob("*.py"))]
    checks = [check for text in texts for check in re.findall(rf"CHECK \({column} IN \((.*?)\)\)", text)]
    return set(re.findall(r"'([\w-]+)'", next(check for check in reversed(checks) if f"'{beside}'" in check)))


def logged() -> set[str]:
    """What the router logs by name, besides facts."""
    code = "".join(path.read_text() for path in Path("router").rglob("*.py"))
    return set(re.findall(r'\blog\.\w+\("(\w+)"', code))


FILE_OUTCOMES = checked_words("outcome", beside="quarantined")


@pytest.mark.parametrize(
    ("heading", "said"),
    [
        ("Reasons of dead letters and of rejected requests", words(errors.Reason)),
        ("Outcomes of files", FILE_OUTCOMES | words(get_type_hints(RequestedFile)["outcome"])),
        ("Outcomes of batches", words(BatchOutcome)),
        ("Outcomes of requests", words(RequestOutcome)),
        ("Causes of failed attempts", words(Cause)),
        ("What is away", words(Target)),
        ("Facts", {facts.name_of(kind) for kind in get_args(facts.Fact)}),
        ("Other lines of the router's log", logged()),
        ("Exit codes of the commands", {str(code.value) for code in Exit}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_troubleshooting_explains_exactly_what_the_code_can_say(heading: str, said: Iterable[str]) -> None:
    explained = re.findall(r"^\| `([\w-]+)` \|", section(TROUBLESHOOTING, heading), flags=re.MULTILINE)

    assert sorted(explained) == sorted(said)


def test_every_reason_that_is_given_is_one_of_those_that_can_be() -> None:
    """mypy holds the other direction; a reason that nothing gives any more must go."""
    code = "".join(path.read_text() for path in Path("router").rglob("*.py") if path.name != "errors.py")

    assert [reason for reason in words(errors.Reason) if f'"{reason}"' not in code] == []


@pytest.mark.parametrize(
    ("heading", "on_the_way", "ends"),
    [
        ("File", {"arrival", "waiting", "in-flight"}, FILE_OUTCOMES),
        ("Request", {"recorded", "listed", "in-preview"}, words(RequestOutcome)),
        ("Batch", {"open", "closing"}, words(BatchOutcome) | {"previewed"}),
        ("Attempt", {"written", "submitted", "claimed"}, checked_words("outcome", beside="void")),
        ("Result", set(), words(get_type_hints(OpenAttempt)["result"]) - {type(None)}),
        ("Breaker", {"shut", "open", "half-open"}, set()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_states_are_those_of_the_ledger(heading: str, on_the_way: set[str], ends: set[str]) -> None:
    named = set(re.findall(r"--> (\w+)", section(STATES, heading)))

    assert {name.replace("_", "-") for name in named} == on_the_way | ends


def test_a_file_ends_in_the_ledger_as_its_completion_event_says() -> None:
    assert words(get_type_hints(CompletedFile)["outcome"]) < FILE_OUTCOMES


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_place_that_a_page_names_is_there(page: Path) -> None:
    assert [place for place in PLACE.findall(page.read_text()) if not Path(place).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target, heading in LINK.findall(page.read_text()):
        path = page.parent / target if target else page

        assert path.exists(), target
        assert not heading or heading in anchors(path), heading


def anchors(path: Path) -> set[str]:
    """How a heading is linked to."""
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in HEADING.findall(path.read_text())}


def test_every_row_of_what_to_edit_names_a_place() -> None:
    rows = [row for row in section(ARCHITECTURE, "To change X, edit Y").splitlines() if row.startswith("| ")][1:]

    assert rows
    assert [row for row in rows if not PLACE.search(row)] == []


def test_the_architecture_names_every_stage_and_every_room() -> None:
    stages = [path for path in Path("router/stages").glob("*.py") if path.stem != "__init__"]
    rooms = [
        path
        for top in ("router", "flows", "schemas")
        for path in Path(top).glob("*/")
        if (path / "__init__.py").exists()
    ]
    modules = [path for top in ("router", "flows") for path in Path(top).glob("*.py") if path.stem != "__init__"]
    house = section(ARCHITECTURE, "The house")

    assert [stage for stage in stages if f"`{stage}`" not in section(ARCHITECTURE, "The path of one file")] == []
    assert [room for room in rooms if f"{room.name}/" not in house] == []
    assert [module for module in modules if f" {module.name}" not in house] == []


def test_the_index_names_every_page() -> None:
    named = {target for target, _ in LINK.findall(Path("docs/README.md").read_text())}

    assert {path.name for path in Path("docs").glob("*.md")} - named == {"README.md"}


def test_the_sources_of_the_guides_are_read() -> None:
    (configuration,) = blocks("add-a-source.md", "yaml")
    (addition,) = re.findall(r"autoloader.yaml <<'END'\n(.*?)END\n", QUICKSTART, flags=re.DOTALL)
    environ = {"AUTOLOADER_HOME": "/home"}

    assert parse_config(configuration, {}).sources.keys() == {"orders"}
    assert "orders" in parse_config(Path("dev/autoloader.yaml").read_text() + addition, environ).sources


def test_the_commands_of_the_guides_are_there() -> None:
    known = {command.callback.__name__ for command in app.registered_commands if command.callback}
    named = {
        name
        for page in PAGES
        for name in re.findall(r"(?:^|`)autoloader ([a-z]+)", page.read_text(), flags=re.MULTILINE)
    }

    assert named
    assert named <= known


def test_the_programs_of_the_quickstart_are_python() -> None:
    programs = re.findall(r"python - <<'END'\n(.*?)END\n", QUICKSTART, flags=re.DOTALL)

    assert len(programs) == 4
    assert [compile(program, "quickstart", "exec") for program in programs]


def test_the_event_of_the_quickstart_is_understood() -> None:
    (program,) = re.findall(r"event = (\{.*?\n    \})", QUICKSTART, flags=re.DOTALL)
    written = program.replace("str(uuid.uuid4())", '"one"').replace('f"file', '"file').replace("{os.getcwd()}", "/here")
    record = Record(Position("t", 0, 0), None, re.sub(r",\s*\}", "}", written).encode(), (), WRITTEN)

    (arrival,) = decode(record)

    assert isinstance(arrival, Arrival)
    assert arrival.uri.endswith("/one.json")


def blocks(page: str, language: str) -> list[str]:
    """The examples of a page in a language, without their indent."""
    found = re.findall(rf" *```{language}\n.*? *```", (Path("docs") / page).read_text(), flags=re.DOTALL)
    return ["\n".join(dedent(block).splitlines()[1:-1]) for block in found]
