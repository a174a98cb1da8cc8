"""What Playhead promises of a run that was killed, held against what happened in truth."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias, cast

import msgspec

from ..agent.background import BACKGROUND
from ..events import PartDelta
from ..tape.effects import ROOT, Effect, Interaction, Reading, Tape, ToolRun
from ..tape.player import answers
from ..transcript import hear
from .job import Said
from .ledger import Notes
from .reference import Reference

Promise: TypeAlias = Literal["result", "kept", "intent", "end", "seen", "paid", "once", "key", "run"]
"""
    result   a resumed run comes to the same result, and plays to it
    kept     what was on the tape stays there
    intent   what happens is on the tape before it does
    end      a result is on the tape before anybody has it
    seen     what was seen of an answer is on the tape
    paid     no answer is asked for twice
    once     no tool that finished runs again, and no other without leave
    key      a tool that runs again has the same idempotency key
    run      a run comes to its end
"""


class Broken(msgspec.Struct, frozen=True):
    """A promise that was not kept, and how."""

    promise: Promise
    words: str


def check_kill(reference: Reference, before: Tape, after: Tape, notes: Notes, attempt: int) -> Iterator[Broken]:
    """What one attempt has broken.

    Args:
        reference: the run that answers.
        before: the tape before the attempt.
        after: the tape behind it.
        notes: the ledger of all attempts so far.
    """
    yield from _kept(before, after)
    yield from _intent(reference, after, notes)
    yield from _ends(after)
    yield from _results(after, notes, attempt)
    yield from _seen(after, notes, attempt)
    yield from _paid(reference, before, notes, attempt)
    yield from _once(before, notes, attempt)
    yield from _keys(notes)


def check_end(expected: dict[str, Any], said: Said) -> Iterator[Broken]:
    """What a run that came to its end has broken.

    Args:
        expected: the result of the reference.
        said: what the run came to.
    """
    if said.result is None:
        yield Broken("run", f"it failed with {said.error}")
        return
    if (found := difference(expected, said.result)) is not None:
        yield Broken("result", f"the resumed run's result is another: {found}")
    elif said.again is None:
        yield Broken("result", f"its tape cannot be played: {said.error}")
    elif (found := difference(expected, said.again)) is not None:
        yield Broken("result", f"its tape plays to another result: {found}")
    elif said.unplayed:
        yield Broken("result", f"its tape holds {said.unplayed} effects that are not needed")


def difference(expected: Any, found: Any) -> str | None:
    """The first difference between plain data, in words; None where there is none."""
    return next((f"{path.lstrip('.')} {said}" for path, said in _differences("", expected, found)), None)


def _differences(path: str, expected: Any, found: Any) -> Iterator[tuple[str, str]]:
    if isinstance(expected, dict) and isinstance(found, dict):
        first, second = cast("dict[str, Any]", expected), cast("dict[str, Any]", found)
        for key in dict.fromkeys((*first, *second)):
            yield from _differences(f"{path}.{key}", first.get(key), second.get(key))
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):  # pyright: ignore[reportUnknownArgumentType]
        for n, (one, other) in enumerate(zip(cast("list[Any]", expected), cast("list[Any]", found), strict=True)):
            yield from _differences(f"{path}[{n}]", one, other)
    elif expected != found:
        yield path, f"is {_short(found)}, and should be {_short(expected)}"


def _kept(before: Tape, after: Tape) -> Iterator[Broken]:
    now = Counter(_content(effect) for effect in after.effects if effect.ended == "complete")
    for effect in before.effects:
        if effect.ended == "complete":
            if not now[_content(effect)]:
                yield Broken("kept", f"{_name(effect)} was complete on the tape, and is not there any more")
            now[_content(effect)] -= 1


def _intent(reference: Reference, after: Tape, notes: Notes) -> Iterator[Broken]:
    begun = reference.begun(after)
    for key, times in notes.asked().items():
        if begun[key] < times:
            yield Broken("intent", f"call {key} went out {times} times, and the tape holds {begun[key]}")
    runs = Counter(run.lane for run in after.tools)
    for lane, times in notes.tools("began").items():
        if runs[lane] < times:
            yield Broken("intent", f"tool {lane} began {times} times, and the tape holds {runs[lane]}")


def _ends(after: Tape) -> Iterator[Broken]:
    """A call has the results of all tools before it, so that those have their ends; but for work in the background,
    which the model is told of later."""
    open_tools: defaultdict[str, set[str]] = defaultdict(set)
    background = {reading.lane for reading in after.readings if reading.name == BACKGROUND}
    for effect in after.effects:
        if isinstance(effect, ToolRun) and effect.lane in background:
            continue
        if isinstance(effect, ToolRun):
            within = effect.lane.rpartition("/")[0]
            (open_tools[within].discard if effect.ended == "complete" else open_tools[within].add)(effect.lane)
        elif isinstance(effect, Interaction) and open_tools[effect.lane]:
            lanes = ", ".join(sorted(open_tools[effect.lane]))
            yield Broken("end", f"the results of {lanes} went into a call, and have no end on the tape")


def _results(after: Tape, notes: Notes, attempt: int) -> Iterator[Broken]:
    there = {(run.lane, run.result) for run in after.tools if run.ended == "complete"}
    for note in notes.of("result", attempt=attempt):
        if (note.lane, note.text) not in there:
            yield Broken("end", f"the result of {note.lane} was seen, and is not on the tape")


def _seen(after: Tape, notes: Notes, attempt: int) -> Iterator[Broken]:
    seen: defaultdict[int, defaultdict[str, str]] = defaultdict(lambda: defaultdict(str))
    for note in notes.of("saw", "reset", attempt=attempt):
        if note.what == "reset":
            del seen[note.number]
        else:
            seen[note.number][note.key] += note.text
    calls = [call for call in after.interactions if call.lane == ROOT and not call.superseded]
    whole = [call for call in calls if answers(call)]
    for note in notes.of("whole", attempt=attempt):
        if note.number >= len(whole):
            yield Broken("end", f"answer {note.number} was seen to its end, and has none on the tape")
    for number, parts in seen.items():
        call = whole[number] if number < len(whole) else calls[-1] if calls else None
        there = _deltas(call)
        for part, text in parts.items():
            if not there[part].startswith(text):
                tape = f"the tape has {_short(there[part])}"
                yield Broken("seen", f"of answer {number}, part {part}, {_short(text)} was seen, and {tape}")


def _deltas(call: Interaction | None) -> defaultdict[str, str]:
    deltas: defaultdict[str, str] = defaultdict(str)
    for _, event in hear(call).events if call is not None else ():
        if isinstance(event, PartDelta):
            deltas[f"{event.index} {event.kind}"] += event.delta
    return deltas


def _paid(reference: Reference, before: Tape, notes: Notes, attempt: int) -> Iterator[Broken]:
    """Each call goes out as often as in the reference, less what the tape had. So a call that is cut off may go out
    once more in the next attempt, and no other does."""
    complete = reference.complete(before)
    for key, times in notes.asked(attempt).items():
        left = reference.count(key) - complete[key]
        if times > left:
            yield Broken("paid", f"call {key} went out {times} times in attempt {attempt}, and {left} were missing")


def _once(before: Tape, notes: Notes, attempt: int) -> Iterator[Broken]:
    finished = {run.lane for run in before.tools if run.ended == "complete"}
    for lane in notes.tools("began", attempt).keys() & finished:
        yield Broken("once", f"tool {lane} had its end on the tape, and ran again in attempt {attempt}")
    leave = Counter(note.lane for note in notes.of("settled", "reconciled") if note.text == "rerun")
    began = Counter(note.lane for note in notes.of("began") if note.effect == "once")
    did = Counter(note.lane for note in notes.of("did") if note.effect == "once")
    for lane, times in began.items():
        if times > 1 + leave[lane]:
            yield Broken("once", f"tool {lane} may run only once, and began {times} times without anybody's leave")
        if did[lane] > 1:
            yield Broken("once", f"tool {lane} may run only once, and did its work {did[lane]} times")


def _keys(notes: Notes) -> Iterator[Broken]:
    keys: defaultdict[str, set[str]] = defaultdict(set)
    for note in notes.of("began"):
        keys[note.lane].add(note.key)
    for lane, different in keys.items():
        if len(different) > 1:
            yield Broken("key", f"tool {lane} ran again with another idempotency key")


def _content(effect: Effect) -> bytes:
    """The effect without what a resume may say of it."""
    same = msgspec.structs.replace(effect, superseded=False) if isinstance(effect, Interaction) else effect
    return msgspec.json.encode(same)


def _name(effect: Effect) -> str:
    match effect:
        case Interaction():
            return f"a call in lane {effect.lane}"
        case ToolRun():
            return f"tool {effect.lane}"
        case Reading():
            return f"reading {effect.name!r} in lane {effect.lane}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"


_LONGEST = 160
"""Characters of a value in a message."""
