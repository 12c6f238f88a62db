"""Globs below a prefix: `*` and `?` within a folder, `**` across folders, `[ab]`, `{a,b}`, as wcmatch reads them.

But matched in time that grows with the name and the glob, whatever both are. What stands between two `*` takes the
first place where it fits, and keeps it: if the rest fits behind a later place it fits behind the first one too. The
same holds for the folders between two `**`. So every search stands in an atomic group, and nothing is tried twice.

A glob is read once (`_path`) into segments of letters and stars, and that is used twice: as a regular expression that
matches names (`compiled`), and as a walk letter by letter (`_Walk`). Two walks that can be at their ends at once,
having read the same letters, show that a file may match both globs (`may_share`).
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain, product, zip_longest
from string import printable
from typing import Literal, NamedTuple, TypeAlias
from warnings import catch_warnings, simplefilter

import bracex
from wcmatch import glob as wcmatch

FLAGS = wcmatch.GLOBSTAR | wcmatch.DOTGLOB | wcmatch.BRACE | wcmatch.FORCEUNIX | wcmatch.CASE
MAX_ALTERNATIVES = 1000  # of a glob with braces
NEVER = "(?!)"
LETTERS = frozenset(printable) | {"\u00e9"}  # one stands for all that no glob names

_BRACKET = re.compile(r"\[[!^]?\]?(?:\[:[a-z]+:\]|\\[^/]|[^\]\\/])*\]")
_NOT_SLASH = "[^/]"

STAR: Literal["*"] = "*"


class Letter(NamedTuple):
    pattern: str  # one letter, as a regular expression


Segment: TypeAlias = tuple[Letter | Literal["*"], ...]
Path: TypeAlias = tuple[Segment | Literal["**"], ...]


class GlobError(ValueError):
    """A glob that cannot be used, with the reason."""


def compiled(glob: str) -> re.Pattern[str]:
    """Compile a glob, to be matched with the part of a URI below its prefix.

    Raises:
        GlobError: its braces make too many globs.
    """
    return _regex("|".join(_of_path(path) for path in _paths(glob)))


def check(glob: str) -> None:
    """Raises GlobError when no file can match, or its braces make too many globs."""
    if all(_is_dead(path) for path in _paths(glob)):
        raise GlobError(f"no file can match {glob!r}; it is a glob below path, without a slash at its begin or end")


def may_share(prefix: str, glob: str, other_prefix: str, other_glob: str) -> bool:
    """Whether a file can match both, each below its own prefix."""
    if not (prefix.startswith(other_prefix) or other_prefix.startswith(prefix)):
        return False
    shared = min(len(prefix), len(other_prefix))
    letters = frozenset(chain(LETTERS, glob, other_glob, prefix[shared:], other_prefix[shared:]))
    mine, others = _walks(prefix[shared:], glob, letters), _walks(other_prefix[shared:], other_glob, letters)
    return any(_meet(one, other) for one, other in product(mine, others))


@lru_cache(1024)
def _paths(glob: str) -> Sequence[Path]:
    """Expand the braces of a glob: one with braces stands for several."""
    try:
        expanded = list(bracex.iexpand(glob, keep_escapes=True, limit=MAX_ALTERNATIVES))
    except bracex.ExpansionLimitException as error:
        raise GlobError(f"the braces of {glob[:100]!r} make more than {MAX_ALTERNATIVES} globs") from error
    return [_path(one) for one in expanded]


def _regex(pattern: str) -> re.Pattern[str]:
    with catch_warnings():
        simplefilter("ignore", FutureWarning)  # a bracket in brackets may once be a set of sets
        return re.compile(pattern, re.DOTALL)


def _path(glob: str) -> Path:
    """Split a glob at its slashes; a segment is empty only at the begin and the end. Several `**` in a row are one."""
    segments: list[list[Letter | Literal["*"]]] = [[]]
    texts = [""]
    place = 0
    while place < len(glob):
        text, read = _read(glob, place)
        place += len(text)
        if text == "\\":  # nothing stands behind it
            break
        if read is None:
            if segments[-1] or len(segments) == 1:
                segments.append([])
                texts.append("")
            continue
        texts[-1] += text
        if read != STAR or segments[-1][-1:] != [STAR]:
            segments[-1].append(read)
    path: list[Segment | Literal["**"]] = []
    for found, text in zip(segments, texts, strict=True):
        if text != "**":
            path.append(tuple(found))
        elif path[-1:] != ["**"]:
            path.append("**")
    return tuple(path)


def _read(glob: str, place: int) -> tuple[str, Letter | Literal["*"] | None]:
    """Read what comes next of a glob: its text, and what that stands for; None for a slash."""
    letter = glob[place]
    match letter:
        case "/":
            return "/", None
        case "*":
            return "*", STAR
        case "?":
            return "?", Letter(_NOT_SLASH)
        case "\\" if glob[place + 1 : place + 2] == "/":
            return "\\/", None
        case "\\" if place + 1 < len(glob):
            return glob[place : place + 2], Letter(re.escape(glob[place + 1]))
        case "[" if bracket := _BRACKET.match(glob, place):
            return bracket[0], Letter(_of_bracket(bracket[0]))
        case _:
            return letter, Letter(re.escape(letter))


def _of_bracket(bracket: str) -> str:
    """Translate a bracket as wcmatch does where it stands between a letter and the end."""
    [translated], _ = wcmatch.translate(f"x{bracket}", flags=FLAGS)
    return str(translated).removeprefix("^(?s:x").removesuffix("[/]*?)$")


def _is_dead(path: Path) -> bool:
    """Whether no file can match: it begins or ends with a slash, is empty, or asks for a folder that no URI has."""
    dots = (tuple(Letter(re.escape(letter)) for letter in name) for name in (".", ".."))
    return () in path or any(name in path for name in dots)


def _of_path(path: Path) -> str:
    if _is_dead(path):
        return NEVER
    blocks: list[list[str]] = [[]]
    for segment in path:
        if segment == "**":
            blocks.append([])
        else:
            blocks[-1].append(_of_segment(segment))
    first, *others = blocks
    if not others:
        return "/".join(first) + r"\Z"
    begin = "".join(f"{segment}/" for segment in first)
    middle = "".join(f"(?>(?:[^/]++/)*?{'/'.join(block)}/)" for block in others[:-1])
    end = rf"(?>(?:[^/]++/)*?{'/'.join(others[-1])}\Z)" if others[-1] else r".+\Z"
    return begin + middle + end


def _of_segment(segment: Segment) -> str:
    pieces = [""]
    for read in segment:
        if read == STAR:
            pieces.append("")
        else:
            pieces[-1] += read.pattern
    first, *others = pieces
    if not others:
        return first
    middle = "".join(f"(?>[^/]*?{piece})" for piece in others[:-1])
    end = rf"(?>[^/]*?{others[-1]}(?=/|\Z))" if others[-1] else "[^/]*+"
    return first + middle + end


class _Item(NamedTuple):
    """A step of a walk: letters of which one comes, or none or more, or none or more folders of such letters."""

    letters: frozenset[str]
    times: Literal["once", "any", "folders"]


_State: TypeAlias = tuple[int, bool]  # the item it stands before, and whether it stands within a folder of that


class _Walk:
    """Reads a glob below its prefix letter by letter."""

    def __init__(self, prefix: str, path: Path, alphabet: frozenset[str]) -> None:
        self._alphabet = alphabet
        self.moves = lru_cache(None)(self._moves)
        self._items = [_Item(frozenset(letter), "once") for letter in prefix]
        for segment, following in zip_longest(path, path[1:]):
            self._items += self._of(segment, is_last=following is None)

    def ends(self, state: _State) -> bool:
        return (len(self._items), False) in self._reached(state)

    def _moves(self, state: _State) -> Sequence[tuple[frozenset[str], _State]]:
        """List the letters that may come, and where each of them leads."""
        return list(self._leads(state))

    def _leads(self, state: _State) -> Iterator[tuple[frozenset[str], _State]]:
        for place, is_within in self._reached(state):
            if place == len(self._items):
                continue
            letters, times = self._items[place]
            match times:
                case "once":
                    yield letters, (place + 1, False)
                case "any":
                    yield letters, (place, False)
                case "folders":
                    yield letters, (place, True)
                    if is_within:
                        yield frozenset("/"), (place, False)

    def _reached(self, state: _State) -> Iterator[_State]:
        """Follow the items that may stand for nothing: where the walk is without another letter."""
        yield state
        place, is_within = state
        while not is_within and place < len(self._items) and self._items[place].times != "once":
            place += 1
            yield (place, False)

    def _of(self, segment: Segment | Literal["**"], *, is_last: bool) -> list[_Item]:
        if segment == "**":
            every = self._alphabet
            if is_last:
                return [_Item(every, "once"), _Item(every, "any")]
            return [_Item(every - {"/"}, "folders")]
        items = [
            _Item(self._alphabet - {"/"}, "any") if read == STAR else _Item(self._letters(read), "once")
            for read in segment
        ]
        return items if is_last else [*items, _Item(frozenset("/"), "once")]

    def _letters(self, read: Letter) -> frozenset[str]:
        pattern = _regex(read.pattern)
        return frozenset(letter for letter in self._alphabet if pattern.fullmatch(letter))


@lru_cache(1024)
def _walks(prefix: str, glob: str, alphabet: frozenset[str]) -> Sequence[_Walk]:
    return [_Walk(prefix, path, alphabet) for path in _paths(glob) if not _is_dead(path)]


def _meet(one: _Walk, other: _Walk) -> bool:
    """Whether both walks can read the same letters to their ends."""
    seen = {((0, False), (0, False))}
    left = list(seen)
    while left:
        mine, others = left.pop()
        if one.ends(mine) and other.ends(others):
            return True
        for (letters, here), (other_letters, there) in product(one.moves(mine), other.moves(others)):
            if letters & other_letters and (here, there) not in seen:
                seen.add((here, there))
                left.append((here, there))
    return False
