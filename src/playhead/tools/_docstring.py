"""What a docstring says about a function and about its parameters, in Google's, NumPy's or Sphinx's style.

Docstrings are written for people, so nothing in one is an error: what is not understood is left alone.
"""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Iterable, Sequence

import msgspec

_ARGS_TITLES = frozenset(
    {
        "args",
        "arguments",
        "keyword args",
        "keyword arguments",
        "other parameters",
        "parameters",
        "params",
    }
)
_OTHER_TITLES = frozenset(
    {
        "attributes",
        "caution",
        "danger",
        "error",
        "example",
        "examples",
        "hint",
        "important",
        "methods",
        "note",
        "notes",
        "raises",
        "receives",
        "references",
        "return",
        "returns",
        "see also",
        "tip",
        "todo",
        "usage",
        "warning",
        "warnings",
        "warns",
        "yield",
        "yields",
    }
)
_INLINE_TITLES = frozenset({"raises", "return", "returns", "yield", "yields"})
_PARAM_FIELDS = frozenset({"arg", "argument", "key", "keyword", "param", "parameter"})
_OTHER_FIELDS = frozenset(
    {
        "except",
        "exception",
        "raise",
        "raises",
        "return",
        "returns",
        "rtype",
        "type",
        "var",
        "yield",
        "yields",
        "ytype",
    }
)

_TITLE = re.compile(r"(\w[\w ]*?)\s*:\s*(.*)")
_FIELD = re.compile(r"\s*:(\w+)([^:]*):\s*(.*)")
_UNDERLINE = re.compile(r"\s*-{3,}\s*")
_NAMES = r"[*`\\]*\w+[*`]*(?:\s*,\s*[*`\\]*\w+[*`]*)*"
_GOOGLE_ITEM = re.compile(rf"(?:[-*+]\s+)?({_NAMES})\s*(?:\(.*?\))?\s*:\s*(.*)")
_NUMPY_ITEM = re.compile(rf"({_NAMES})\s*(?::.*)?")

_STARTS_LINE = re.compile(r"\s|[-*+•]\s|\d+[.)]\s")
_VERBATIM = re.compile(r"\s*(```|>>>|\|)")
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|etc|vs|cf|ca|approx|incl)\.")
_ENDS_IN_ABBREVIATION = re.compile(r"\betc\.$|(?:\b[^\W\d_]\.){2,}$")
_SENTENCE_END = re.compile(r"""[.!?…]["')\]]*\s""")


class Docstring(msgspec.Struct, frozen=True):
    """The text before the first section, and the description of each parameter by its name."""

    description: str = ""
    parameters: dict[str, str] = {}


def parse_docstring(text: str) -> Docstring:
    """Take a docstring apart. Never raises.

    The description is what stands before the first section: the lines of a paragraph are joined by a space,
    paragraphs stay apart by a blank line, and list items and indented lines keep a line of their own.
    Parameter descriptions are one line each. Both lose their full stop where they are one sentence
    (`without_full_stop`).
    """
    lines = inspect.cleandoc(text).splitlines()
    starts = [index for index in range(len(lines)) if _starts_section(lines, index)]
    found: dict[str, str] = {}
    for start, end in itertools.pairwise([*starts, len(lines)]):
        for name, words in _parameters(lines[start:end]):
            found.setdefault(name, without_full_stop(" ".join(words.split())))
    before = lines[: starts[0]] if starts else lines
    return Docstring(without_full_stop(_reflow(before)), found)


def without_full_stop(text: str) -> str:
    """The text, without its final full stop where it is one sentence.

    PEP 257 asks docstrings for the stop; a name such as "Add two numbers" needs none. More than one sentence,
    an ellipsis, `!`, `?` and abbreviations such as "etc." stay as written.
    """
    if not text.endswith(".") or text.endswith("..") or "\n" in text:
        return text
    if _ENDS_IN_ABBREVIATION.search(text) or _SENTENCE_END.search(_ABBREVIATION.sub("", text)):
        return text
    return text[:-1].rstrip()


def _starts_section(lines: Sequence[str], index: int) -> bool:
    line = lines[index]
    if field := _FIELD.fullmatch(line):
        return field[1].lower() in _PARAM_FIELDS | _OTHER_FIELDS
    if _is_underlined(lines, index):
        return line.strip().lower() in _ARGS_TITLES | _OTHER_TITLES
    title = _TITLE.fullmatch(line)
    if title is None:
        return False
    name = title[1].lower()
    if title[2]:
        return name in _INLINE_TITLES
    return name in _ARGS_TITLES or (name in _OTHER_TITLES and _is_indented_after(lines, index))


def _is_underlined(lines: Sequence[str], index: int) -> bool:
    return index + 1 < len(lines) and _UNDERLINE.fullmatch(lines[index + 1]) is not None


def _is_indented_after(lines: Sequence[str], index: int) -> bool:
    """Whether a block follows: "Note:" with text at the same margin below it is a sentence, not a section."""
    following = next((line for line in lines[index + 1 :] if line.strip()), " ")
    return following[0].isspace()


def _parameters(section: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Names and descriptions in one section, its title first; none for a section of another kind."""
    if field := _FIELD.fullmatch(section[0]):
        return _sphinx_parameter(field, section[1:])
    if section[0].strip().rstrip(":").rstrip().lower() not in _ARGS_TITLES:
        return ()
    if _is_underlined(section, 0):
        return _items(section[2:], _NUMPY_ITEM)
    return _items(section[1:], _GOOGLE_ITEM)


def _sphinx_parameter(field: re.Match[str], below: Sequence[str]) -> Iterable[tuple[str, str]]:
    words = field[2].split()
    if field[1].lower() not in _PARAM_FIELDS or not words:
        return ()
    paragraph: list[str] = []
    for line in below:
        if not line.strip():
            break
        paragraph.append(line)
    return ((words[-1].strip("*\\`"), " ".join([field[3], *paragraph])),)


def _items(lines: Sequence[str], pattern: re.Pattern[str]) -> Iterable[tuple[str, str]]:
    """The items of a section: each starts at the margin of the first, and what is deeper belongs to it."""
    margin = next((_indent(line) for line in lines if line.strip()), 0)
    found: list[tuple[list[str], list[str]]] = []
    for line in lines:
        if line.strip() and _indent(line) < margin:
            break
        item = pattern.fullmatch(line.strip()) if _indent(line) == margin else None
        if item is not None:
            text = item[2] if pattern.groups > 1 else ""
            found.append((re.findall(r"\w+", item[1]), [text]))
        elif found:
            found[-1][1].append(line)
    return [(name, " ".join(words)) for names, words in found for name in names]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _reflow(lines: Sequence[str]) -> str:
    paragraphs: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            paragraphs[-1].append(line.rstrip())
        elif paragraphs[-1]:
            paragraphs.append([])
    return "\n\n".join(_paragraph(paragraph) for paragraph in paragraphs).strip()


def _paragraph(lines: Sequence[str]) -> str:
    if any(_VERBATIM.match(line) for line in lines):
        return "\n".join(lines)
    text = ""
    for line in lines:
        between = "\n" if _STARTS_LINE.match(line) else " "
        text = f"{text}{between}{line}" if text else line
    return text
