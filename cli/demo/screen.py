"""The demo on the terminal: a heading an act, a few lines below it, one moving line while something is waited for."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

BAR = 32


class Screen:
    """Prints the demo; without a terminal (a file, CI) the moving line is left out."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)

    def heading(self, text: str) -> None:
        """Print the title of an act."""
        self._console.print(f"\n{text}", style="bold", markup=False)

    def say(self, text: str, style: str = "") -> None:
        """Print lines of an act."""
        for line in text.splitlines():
            self._console.print(f"  {line}", style=style, markup=False)

    def aside(self, text: str) -> None:
        """Print, dimmed, what need not be read."""
        self.say(text, "dim")

    def judge(self, text: str, *, right: bool) -> None:
        """Print what was checked, and whether it was right."""
        self.say(f"{'✓' if right else '✗'} {text}", "green" if right else "bold red")

    def last(self, text: str) -> None:
        """Print the result of the demo."""
        self._console.print(text, markup=False)

    @contextmanager
    def working(self) -> Iterator[Callable[[str], None]]:
        """Show, while inside, a moving line with the text last told."""
        with self._console.status("") as status:
            yield lambda text: status.update(f"  {text}")

    def spans(self, seconds: Mapping[str, float]) -> None:
        """Print durations one below the other, as bars."""
        longest = max(seconds.values(), default=0) or 1
        table = Table.grid(padding=(0, 2))
        for name, value in seconds.items():
            table.add_row(name, f"{value:.2f} s", "▇" * max(1, round(BAR * value / longest)))
        self._console.print(Padding(table, (0, 0, 0, 2)))
