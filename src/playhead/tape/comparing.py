"""Compares two tapes: which effects belong together, where the runs part, and in what each pair differs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import reduce
from itertools import zip_longest
from typing import Any, Literal, Protocol, TypeAlias, cast

import msgspec

from ..errors import PlayheadError
from ..http import Request
from ..messages import Message, ModelResponse, RefusalPart, Usage, add_known
from .aligning import Between, Pairs, align, common_prefix
from .canonical import Number, canonical_json, content_type, digest, parts_of, read_json, write_json
from .effects import Effect, Interaction, Reading, Tape, ToolRun
from .explain import Difference, compare_values, find_differences
from .redact import safe_url


class Heard(Protocol):
    """An interaction, decoded, as `playhead.transcript.hear` gives it."""

    @property
    def response(self) -> ModelResponse: ...

    @property
    def error(self) -> PlayheadError | None: ...


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """What one tape holds at a step. What is not known is None.

    Attributes:
        effect: its number among all effects of the tape, as `playhead show` has it.
        name: method and URL, the tool's name, or that of a reading.
        first_byte_s: seconds from the request to the body's first piece; to the headers, where only that is known.
        duration_s: seconds from the request, or the call, to its end.
    """

    effect: int
    lane: str
    name: str
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    first_byte_s: float | None = None
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """Two effects that belong together, or one that has no counterpart.

    Attributes:
        request: in what the requests differ; of a tool run, in what the calls differ.
        answer: in what the answers differ: status, how it ended, text, tool calls, tokens, cost; of a reading, its
            value. Times and ids do not count, and numbers that were read neither: they are clocks and draws.
    """

    kind: Literal["call", "tool", "reading"]
    a: Side | None
    b: Side | None
    request: tuple[Difference, ...] = ()
    answer: tuple[Difference, ...] = ()

    @property
    def same(self) -> bool:
        """Whether both tapes hold it, and nothing differs but times and ids."""
        return None not in (self.a, self.b) and not self.request and not self.answer


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over a tape's interactions, of those that were answered. None where one of them does not say.

    Attributes:
        duration_s: of all interactions, added up, though they may have gone on at the same time.
    """

    calls: int
    tools: int
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    duration_s: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two tapes, held against each other.

    Attributes:
        steps: in the order of the first tape; what only the second one holds stands where it is there.
        notes: what could not be compared.
    """

    steps: tuple[Step, ...]
    a: Totals
    b: Totals
    notes: tuple[str, ...] = ()

    @property
    def first(self) -> int | None:
        """The index of the first step that differs: there the runs part."""
        return next((n for n, step in enumerate(self.steps) if not step.same), None)

    @property
    def same(self) -> bool:
        """Whether nothing differs but times and ids."""
        return self.first is None

    def plain(self) -> dict[str, Any]:
        """All of it as plain data: what `playhead diff --json` prints. See `docs/diff.md`."""
        return {
            "same": self.same,
            "first": self.first,
            "steps": [_plain_step(step) for step in self.steps],
            "totals": {"a": msgspec.to_builtins(self.a), "b": msgspec.to_builtins(self.b)},
            "notes": list(self.notes),
        }


Word: TypeAlias = tuple[Literal[" ", "-", "+"], str]
"""A piece of text that both have, only the first has, or only the second has."""


def compare(a: Tape, b: Tape, heard_a: Sequence[Heard], heard_b: Sequence[Heard]) -> Comparison:
    """Compare two tapes.

    Interactions belong together by lane and place; where one has been put in or left out, by what they ask. Tool runs
    belong together by lane, readings by lane and name. Interactions that a resumed run asked again are left out.

    Args:
        heard_a: the first tape's interactions, decoded, in their order.
        heard_b: likewise.
    """
    (calls_a, tools_a, read_a), (calls_b, tools_b, read_b) = _entries(a, heard_a), _entries(b, heard_b)
    pairs = _pairs_of_calls(calls_a, calls_b)
    notes: tuple[str, ...] = ()
    for what, of_a, of_b, pair in (
        ("tool runs", tools_a, tools_b, _pairs_of_tools),
        ("readings", read_a, read_b, _pairs_of_readings),
    ):
        if bool(of_a) == bool(of_b):
            pairs += pair(of_a, of_b)
        else:
            notes += (f"Only {'A' if of_a else 'B'} holds {what}. They are not compared.",)
    steps = tuple(_step(*pair) for pair in _merged(pairs))
    return Comparison(steps, _totals(calls_a, tools_a), _totals(calls_b, tools_b), notes)


def word_diff(old: str, new: str) -> list[Word]:
    """Two texts in one, word by word."""
    words = _WORD.findall(old), _WORD.findall(new)
    found: list[Word] = []

    def add(tag: Literal[" ", "-", "+"], text: str) -> None:
        if text:
            found.append((tag, text))

    removed = added = gap = ""
    for was, now in [*_runs(*words), ("", "")]:
        if was != now:
            removed, added, gap = removed + gap + was, added + gap + now, ""
        elif was and not _SAYS.search(was) and (removed or added):
            gap += was  # A space or a stop between two changes is part of both.
        else:
            add("-", removed)
            add("+", added)
            add(" ", gap + was)
            removed = added = gap = ""
    return found


_WORD = re.compile(r"\s+|\w+|[^\w\s]")
_SAYS = re.compile(r"\w")

_MOST_WORDS = 4_000_000
"""Of the table of two texts' words, below which the longest common runs of words are looked for."""


def _runs(old: list[str], new: list[str]) -> Iterator[tuple[str, str]]:
    """Runs of words that are the same, and what is between them."""
    start = common_prefix(old, new)
    end = common_prefix(old[start:][::-1], new[start:][::-1])
    was, now = old[start : len(old) - end], new[start : len(new) - end]
    yield "".join(old[:start]), "".join(new[:start])
    if len(was) * len(now) <= _MOST_WORDS:
        for _, i, i_end, j, j_end in SequenceMatcher(None, was, now, autojunk=False).get_opcodes():
            yield "".join(was[i:i_end]), "".join(now[j:j_end])
    else:
        yield "".join(was), "".join(now)
    yield "".join(old[len(old) - end :]), "".join(new[len(new) - end :])


# --- what belongs together

_NOTHING_SAID = ModelResponse(Message("assistant"))
_NOTHING_ASKED = Request("", "")


@dataclass(frozen=True, slots=True)
class _Entry:
    """An effect where it stands.

    Attributes:
        at: its place among all effects of the tape.
        number: its number there, which need not be the same.
        said: what was answered to an interaction.
        error: why that is not whole.
        asked: an interaction's request, with names in place of ids.
        key: the digest of that.
    """

    at: int
    number: int
    effect: Effect
    said: ModelResponse = _NOTHING_SAID
    error: PlayheadError | None = None
    asked: Request = _NOTHING_ASKED
    key: str = ""


_Pair: TypeAlias = tuple[_Entry | None, _Entry | None]


def _entries(tape: Tape, heard: Sequence[Heard]) -> tuple[list[_Entry], list[_Entry], list[_Entry]]:
    """The interactions that count, the tool runs, and the readings."""
    calls: list[_Entry] = []
    tools: list[_Entry] = []
    readings: list[_Entry] = []
    decoded = iter(heard)
    for at, (number, effect) in enumerate(tape.numbered):
        if not isinstance(effect, Interaction):
            (tools if isinstance(effect, ToolRun) else readings).append(_Entry(at, number, effect))
            continue
        said = next(decoded)
        if not effect.superseded:
            asked = _without_ids(effect.request)
            calls.append(_Entry(at, number, effect, said.response, said.error, asked, digest(asked)))
    return calls, tools, readings


def _pairs_of_calls(a: list[_Entry], b: list[_Entry]) -> list[_Pair]:
    lanes_a, lanes_b = _by_lane(a), _by_lane(b)
    pairs = [pair for lane in lanes_a.keys() & lanes_b.keys() for pair in _aligned(lanes_a[lane], lanes_b[lane])]
    # What has no counterpart in its own lane may have one in another.
    paired = {entry.at for entry, other in pairs if entry and other}, {o.at for e, o in pairs if e and o}
    left = [entry for entry in a if entry.at not in paired[0]], [entry for entry in b if entry.at not in paired[1]]
    both = [pair for pair in pairs if None not in pair]
    return both + _aligned(*left, _apart)


def _aligned(a: list[_Entry], b: list[_Entry], between: Between | None = None) -> list[_Pair]:
    pairs = align([entry.key for entry in a], [entry.key for entry in b], between)
    return [(None if i is None else a[i], None if j is None else b[j]) for i, j in pairs]


def _apart(rows: range, columns: range) -> Pairs:
    return [*((n, None) for n in rows), *((None, n) for n in columns)]


def _by_lane(entries: Iterable[_Entry]) -> dict[str, list[_Entry]]:
    lanes: dict[str, list[_Entry]] = {}
    for entry in entries:
        lanes.setdefault(entry.effect.lane, []).append(entry)
    return lanes


def _pairs_of_tools(a: list[_Entry], b: list[_Entry]) -> list[_Pair]:
    """Tool runs of the same place: a lane without the tool's name, as another tool may have been called there."""
    places_a, places_b = ({_place(entry.effect.lane): entry for entry in side} for side in (a, b))
    places = dict.fromkeys([*places_a, *places_b])
    return [(places_a.get(place), places_b.get(place)) for place in places]


def _pairs_of_readings(a: list[_Entry], b: list[_Entry]) -> list[_Pair]:
    """Readings of one name in one lane: the first with the first."""
    groups: dict[tuple[str, str], tuple[list[_Entry], list[_Entry]]] = {}
    for side, entries in enumerate((a, b)):
        for entry in entries:
            groups.setdefault((entry.effect.lane, getattr(entry.effect, "name", "")), ([], []))[side].append(entry)
    return [pair for group in groups.values() for pair in zip_longest(*group)]


def _place(lane: str) -> str:
    parent, slash, last = lane.rpartition("/")
    return parent + slash + last.partition(".")[0]


def _merged(pairs: list[_Pair]) -> list[_Pair]:
    """In the order of the first tape; what only the second holds stands before what follows it there."""
    only_b = sorted((b.at, n) for n, (a, b) in enumerate(pairs) if a is None and b is not None)
    merged: list[_Pair] = []
    for a, b in sorted((pair for pair in pairs if pair[0] is not None), key=_at):
        while only_b and b is not None and only_b[0][0] < b.at:
            merged.append(pairs[only_b.pop(0)[1]])
        merged.append((a, b))
    return merged + [pairs[n] for _, n in only_b]


def _at(pair: _Pair) -> int:
    return pair[0].at if pair[0] else 0


# --- ids

_CONVERSATION = ("messages", "input", "contents")
_IDS = ("id", "call_id", "tool_call_id", "tool_use_id")
_OPAQUE = ("input", "args", "arguments", "response")
"""What stands in messages, but is the tool's: an `id` in there is none of the provider's."""


def _without_ids(request: Request) -> Request:
    """The request with names in place of the ids that a provider gives anew in each run: `add#2` for the second call
    of `add`. What belongs together still does."""
    if b'id"' not in request.body or parts_of(request.body, content_type(request)) is not None:
        return request
    try:
        tree = read_json(request.body.decode())
        if not isinstance(tree, dict):
            return request
        fields = cast("dict[str, Any]", tree)
        names = _Names()
        for key in _CONVERSATION:
            if isinstance(fields.get(key), list):
                fields[key] = names.put_into(fields[key])
        if isinstance(fields.get("previous_response_id"), str):
            fields["previous_response_id"] = "previous"
        body = write_json(fields).encode()
    except (ValueError, RecursionError):
        return request
    return msgspec.structs.replace(request, body=body)


class _Names:
    """Gives each id a name, from what it first stands at."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._counts: Counter[str] = Counter()

    def put_into(self, value: Any) -> Any:
        """The value with names in place of ids."""
        if isinstance(value, list):
            return [self.put_into(item) for item in cast("list[Any]", value)]
        if not isinstance(value, dict):
            return value
        fields = cast("dict[str, Any]", value)
        return {key: self._field(key, item, fields) for key, item in fields.items()}

    def _field(self, key: str, item: Any, fields: dict[str, Any]) -> Any:
        if key in _IDS and type(item) is str:
            return self._name(item, fields)
        return item if key in _OPAQUE else self.put_into(item)

    def _name(self, id: str, fields: dict[str, Any]) -> str:
        if id not in self._names:
            function = fields.get("function")
            inner = cast("dict[str, Any]", function) if isinstance(function, dict) else fields
            what = str(inner.get("name") or fields.get("type") or fields.get("role") or "id")
            self._counts[what] += 1
            self._names[id] = f"{what}#{self._counts[what]}"
        return self._names[id]


# --- in what they differ


def _step(a: _Entry | None, b: _Entry | None) -> Step:
    entry = a or b
    kind = _KINDS[type(entry.effect)] if entry else "call"
    if not (a and b):
        return Step(kind, _side(a), _side(b))
    if kind != "call":
        request = _differing(_called(a.effect), _called(b.effect))
    else:
        request = () if a.key == b.key else find_differences(a.asked, b.asked)
    return Step(kind, _side(a), _side(b), request, _differing(_answer(a), _answer(b)))


_KINDS: dict[type[Effect], Literal["call", "tool", "reading"]] = {
    Interaction: "call",
    ToolRun: "tool",
    Reading: "reading",
}


def _differing(a: dict[str, Any], b: dict[str, Any]) -> tuple[Difference, ...]:
    return tuple(found for key in a for found in compare_values(key, a[key], b[key]))


def _called(effect: Effect) -> dict[str, Any]:
    return {"name": effect.name, "arguments": _json(effect.arguments)} if isinstance(effect, ToolRun) else {}


def _answer(entry: _Entry) -> dict[str, Any]:
    """What counts of an answer, the most telling first."""
    effect = entry.effect
    if isinstance(effect, ToolRun):
        fields = ("ended", "result", "is_error", "media", "stop")
        return {key: msgspec.to_builtins(getattr(effect, key)) for key in fields}
    if isinstance(effect, Reading):
        return {"value": _NUMBER if type(effect.value) in (int, float) else effect.value}
    usage = entry.said.usage or Usage()
    refusals = (part.text for part in entry.said.message.parts if isinstance(part, RefusalPart))
    return {
        "status": effect.status,
        "ended": effect.ended,
        "error": _error(effect, entry.error),
        "text": entry.said.text,
        "refusal": "".join(refusals),
        "tool_calls": [{"name": call.name, "arguments": _json(call.arguments)} for call in entry.said.tool_calls],
        "finish_reason": entry.said.raw_finish_reason,
        "reasoning": entry.said.reasoning,
        "model": entry.said.model,
        **{name: getattr(usage, name) for name in _TOKENS},
        "cost": entry.said.cost,
    }


_NUMBER = "a number"
"""Stands for every number that was read."""

_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")


def _error(call: Interaction, error: PlayheadError | None) -> str | None:
    if call.error is not None:
        return f"{call.error.get('kind')}: {call.error.get('message')}"
    return None if error is None else str(error)


def _json(arguments: str) -> Any:
    """Arguments as JSON in its canonical form, so that only what they say counts; the text where they are none."""
    try:
        return read_json(canonical_json(arguments or "{}"))
    except (ValueError, RecursionError):
        return arguments


def _side(entry: _Entry | None) -> Side | None:
    if entry is None:
        return None
    effect = entry.effect
    if isinstance(effect, ToolRun):
        return Side(effect=entry.number, lane=effect.lane, name=effect.name, duration_s=effect.duration_s)
    if isinstance(effect, Reading):
        return Side(effect=entry.number, lane=effect.lane, name=effect.name)
    usage = entry.said.usage or Usage()
    return Side(
        effect=entry.number,
        lane=effect.lane,
        name=f"{effect.request.method} {safe_url(effect.request.url)}",
        model=entry.said.model or None,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost=entry.said.cost,
        first_byte_s=effect.times[0] if effect.times else effect.head_s,
        duration_s=effect.head_s if effect.duration_s is None else effect.duration_s,
    )


def _totals(calls: list[_Entry], tools: list[_Entry]) -> Totals:
    answered = [side for entry in calls if entry.error is None and (side := _side(entry))]

    def total(name: str) -> Any:
        values = [getattr(side, name) for side in answered]
        return reduce(add_known, values) if values else None

    names = ("input_tokens", "output_tokens", "cost", "duration_s")
    return Totals(calls=len(calls), tools=len(tools), **{name: total(name) for name in names})


# --- as plain data


def _plain_step(step: Step) -> dict[str, Any]:
    return {
        "kind": step.kind,
        "same": step.same,
        "a": msgspec.to_builtins(step.a),
        "b": msgspec.to_builtins(step.b),
        "request": list(map(_plain_difference, step.request)),
        "answer": list(map(_plain_difference, step.answer)),
    }


def _plain_difference(found: Difference) -> dict[str, Any]:
    return {"path": found.path, "kind": found.kind, "a": _plain(found.old), "b": _plain(found.new)}


def _plain(value: Any) -> Any:
    if isinstance(value, Number):
        try:
            return msgspec.json.decode(value.encode())
        except ValueError:  # NaN and its like, which JSON has no number for.
            return str(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_plain(item) for item in cast("list[Any]", value)]
    return value
