"""
Finds on a tape what is asked for: a pure function of the tape and of what was asked before.

Runs carry a lane: an effect's identity is its lane and its place there, never a search, and what is asserted at that
place is the request's canonical digest. Clients that carry no lane are matched by that digest, first in, first out
among equals, at a cost that does not grow with the tape.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable

from ..errors import Divergence
from ..http import Request
from .canonical import canonical_json, digest
from .effects import Effect, Interaction, Tape, ToolRun
from .redact import safe_url
from .secrets import Redaction

Key = tuple[str, str, bytes] | str
"""A request as it stands, or its digest."""


class Player:
    """Moves along a tape.

    Args:
        tape: what was recorded.
        name: the tape's name, for messages.
        resume: whether the run may go on beyond the tape. Then what was cut off, and a refusal that ended the
            recording, count as not there: they are asked again.
        redact: what is taken out of requests before they are compared, as it was out of those that are asked for.
    """

    def __init__(self, tape: Tape, name: str, *, resume: bool = False, redact: Redaction | None = None) -> None:
        self._name = name
        self._redact = redact or Redaction(shapes=False, env=False)
        self._resume = resume
        self._effects: list[Effect] = list(tape.effects)
        self._numbers = tape.numbers or range(len(tape.effects))
        self._lanes: dict[str, list[int]] = {}
        self._next: dict[str, int] = {}
        self._tools: dict[str, int] = {}
        self._unpaid: dict[str, list[int]] = {}
        self._played: set[int] = set()
        self._indices: dict[str | None, _Index] = {}
        self._claimed: set[str] = set()
        self._end = len(self._effects)
        for place, effect in enumerate(tape.effects):
            if isinstance(effect, ToolRun):
                if effect.ended == "complete" or effect.lane not in self._tools:
                    self._tools[effect.lane] = place
            elif not effect.superseded:
                self._lanes.setdefault(effect.lane, []).append(place)
        self._first = {lane: places[0] for lane, places in self._lanes.items()}
        for lane, places in self._lanes.items() if resume else ():
            keep = self._paid_for(places)
            self._unpaid[lane] = places[keep:]
            del places[keep:]

    @property
    def holds_tools(self) -> bool:
        """Whether tool effects were recorded at all; other people's cassettes hold none."""
        return bool(self._tools)

    def claim(self, base: str, request: Request) -> str:
        """The lane of a run that begins with `request`: of the lanes `base`, `base#1`, ... the first that was
        recorded with this request and was not claimed yet; else the first that was not claimed.

        So runs that go on at the same time find their lanes again, whichever asks first.
        """
        free = [lane for lane in self._run_lanes(base) if lane not in self._claimed]
        recorded = [lane for lane in free if lane in self._first]
        wanted = digest(request) if len(recorded) > 1 else ""
        same = (lane for lane in recorded if wanted and self._digest(self._first[lane]) == wanted)
        lane = next(same, free[0])
        self._claimed.add(lane)
        return lane

    def by_place(self, lane: str, request: Request) -> Interaction | None:
        """The interaction at the next place of `lane`, or None where the tape ends.

        Raises:
            Divergence: another request was recorded at this place.
        """
        place = self.next_place(lane)
        if place is None:
            return None
        recorded = self._call(place)
        same = recorded.request.body == request.body and recorded.request.url == request.url
        if not same and self._digest(place) != digest(request):
            raise self._changed(lane, place, request)
        return self._play(place)

    def by_digest(self, lane: str | None, request: Request) -> Interaction | None:
        """The first interaction that holds this request and was not played yet, or None where there is none.

        Args:
            lane: looked for in this lane only; None looks on the whole tape.
        """
        place = self._index(lane).take(request)
        return None if place is None else self._play(place)

    def at(self, place: int) -> Interaction:
        """Play what stands at a place on the tape, whatever was asked."""
        return self._play(place)

    def _outer_lanes(self, place: int) -> set[str]:
        """The lanes of the tools inside which an effect happened."""
        effect = self._effects[place]
        parts = re.split("([/#])", effect.lane)
        ends = range(1, len(parts) + (isinstance(effect, Interaction)), 2)
        return {"".join(parts[:end]) for end in ends}

    def next_place(self, lane: str) -> int | None:
        """The next place of `lane`, or None where the tape ends."""
        places, n = self._lanes.get(lane, []), self._next.get(lane, 0)
        while n < len(places) and places[n] in self._played:
            n += 1
        self._next[lane] = n
        return places[n] if n < len(places) else None

    def next_alike(self, lane: str | None, request: Request) -> int | None:
        """The place of the first interaction with the same method and path that was not played yet."""
        wanted = _target(request)
        return next((place for place in self._ahead(lane) if _target(self._call(place).request) == wanted), None)

    def cut(self, place: int) -> None:
        """Forget what stands at `place` and behind it, and was not played."""
        for lane, places in self._lanes.items():
            self._lanes[lane] = [p for p in places if p < place or p in self._played]
        self._tools = {lane: p for lane, p in self._tools.items() if p < place}
        self._unpaid = {}
        self._indices = {}
        self._end = place

    def number(self, place: int) -> int:
        """The effect's number in the file."""
        return self._numbers[place]

    def tool(self, lane: str, name: str, arguments: str) -> ToolRun | None:
        """The tool run of `lane`, or None where there is none.

        Raises:
            Divergence: another call was recorded at this place.
        """
        place = self._tools.get(lane)
        if place is None:
            return None
        recorded = self._tool(place)
        if _call(recorded.name, self._redact.text(recorded.arguments)) != _call(name, arguments):
            raise Divergence(
                f"tape {self._name!r} holds another tool call in lane {lane}: it has "
                f"{recorded.name}({recorded.arguments}), this run calls {name}({arguments}). {_WHAT_TO_DO}",
                lane=lane,
                kind="changed",
                effect=self.number(place),
            )
        return self.tool_at(place)

    def tool_place(self, lane: str) -> int | None:
        """Where the tool run of `lane` stands."""
        return self._tools.get(lane)

    def tool_at(self, place: int) -> ToolRun:
        """Play the tool run at a place on the tape, whatever was asked."""
        self._played.add(place)
        return self._tool(place)

    def ahead(self, lane: str) -> int:
        """How many interactions of `lane` were not played yet."""
        return sum(place not in self._played for place in self._lanes.get(lane, ()))

    def unplayed(self) -> tuple[int, ...]:
        """The places of all effects that were recorded and not played, in order. What happened inside a tool that was
        played counts as played with it."""
        calls = [place for places in self._lanes.values() for place in places]
        tools = [place for place in self._tools.values() if self._effects[place].ended == "complete"]
        left = [place for place in (*calls, *tools) if place not in self._played]
        played = {lane for lane, place in self._tools.items() if place in self._played}
        return tuple(sorted(place for place in left if played.isdisjoint(self._outer_lanes(place))))

    def superseded(self, lane: str, request: Request | None = None) -> list[int]:
        """The places of what is asked again: in `lane`, told once when the lane goes on live; or, where `request` is
        given, of those that hold it."""
        if request is None:
            return self._unpaid.pop(lane, [])
        places = self._index(None).unpaid(request)
        self._played.update(places)  # They are played no more, and are not told twice.
        return places

    def missing(self, lane: str, request: Request) -> Divergence:
        """The error for a request that the tape does not hold, where nothing may go out."""
        asked = f"{request.method} {safe_url(request.url)}"
        wanted = digest(request)
        before = [p for p, _ in self._calls() if p in self._played and self._digest(p) == wanted]
        if before:
            times = "once" if len(before) == 1 else f"{len(before)} times"
            return Divergence(
                f"tape {self._name!r} holds this request {times}, and that was played already: {asked}. This is "
                f"number {len(before) + 1}. {_GO_ON}",
                lane=lane,
                kind="consumed",
                effect=self.number(before[-1]),
            )
        count = len(self._lanes.get(lane, []))
        place = f"tape {self._name!r} holds {_calls(count)} in lane {lane}; this is number {count + 1}"
        lines = [f"{place}, and in mode 'replay' nothing goes out: {asked}."]
        if others := sorted(self._lanes.keys() - {lane}):
            lines.append(f"Other lanes: {', '.join(others[:8])}.")
        found, told = self._near(request)
        return Divergence(
            " ".join(lines) + told + f"{_GO_ON}",
            lane=lane,
            ordinal=count,
            kind="missing",
            differences=found,
        )

    def not_found(self, lane: str, request: Request) -> Divergence:
        """The error for a request that was looked for by its digest."""
        error = self.missing(lane, request)
        if error.kind == "consumed":
            return error
        asked = f"{request.method} {safe_url(request.url)}"
        found, told = self._near(request)
        if not found:
            return Divergence(f"tape {self._name!r} holds nothing like this request: {asked}. {_GO_ON}", lane=lane)
        return Divergence(
            f"tape {self._name!r} does not hold this request: {asked}.{told}{_WHAT_TO_DO}",
            lane=lane,
            kind="changed",
            differences=found,
        )

    def tool_missing(self, lane: str, name: str) -> Divergence:
        """The error for a tool that was not recorded, where nothing may happen."""
        near = ", ".join(sorted(self._tools)[:8])
        return Divergence(
            f"tape {self._name!r} holds no run of tool {name!r} in lane {lane} (it has: {near}), and in mode "
            "'replay' no tool runs that was not recorded. Go on live with mode 'resume', or record anew.",
            lane=lane,
            kind="missing",
        )

    def _run_lanes(self, base: str) -> list[str]:
        """The lanes that runs with this base may have: those on the tape and those claimed, and the next one."""
        lanes, n = [base], 1
        while lanes[-1] in self._lanes or lanes[-1] in self._claimed:
            lanes.append(f"{base}#{n}")
            n += 1
        return lanes

    def _play(self, place: int) -> Interaction:
        self._played.add(place)
        return self._call(place)

    def _digest(self, place: int) -> str:
        return digest(self._redact.request(self._call(place).request))

    def _call(self, place: int) -> Interaction:
        effect = self._effects[place]
        assert isinstance(effect, Interaction)  # noqa: S101 - lanes and indices hold nothing else
        return effect

    def _tool(self, place: int) -> ToolRun:
        effect = self._effects[place]
        assert isinstance(effect, ToolRun)  # noqa: S101 - the table of tools holds nothing else
        return effect

    def _calls(self) -> Iterable[tuple[int, Interaction]]:
        for place, effect in enumerate(self._effects):
            gone = place >= self._end and place not in self._played
            if isinstance(effect, Interaction) and not effect.superseded and not gone:
                yield place, effect

    def _ahead(self, lane: str | None) -> Iterable[int]:
        if lane is not None:
            places = self._lanes.get(lane, [])
        else:
            places = sorted(place for found in self._lanes.values() for place in found)
        return (place for place in places if place not in self._played)

    def _index(self, lane: str | None) -> _Index:
        if lane not in self._indices:
            calls = [(p, e) for p, e in self._calls() if lane is None or e.lane == lane]
            self._indices[lane] = _Index(calls, self._played, self._digest, resume=self._resume)
        return self._indices[lane]

    def _paid_for(self, places: list[int]) -> int:
        """How many calls need not be made again: all but those at the end that brought no answer."""
        count = len(places)
        while count and not answers(self._call(places[count - 1])):
            count -= 1
        return count

    def _changed(self, lane: str, place: int, asked: Request) -> Divergence:
        from .explain import differences

        recorded = self._call(place).request
        ordinal = self._lanes[lane].index(place)
        found = differences(recorded, asked)
        listed = "".join(f"\n  - {line}" for line in found)
        if any(line.startswith("stream:") for line in found):
            listed += "\n  One was made with agent.stream, the other with agent.run: use the same for both."
        elsewhere = self._elsewhere(place, asked)
        return Divergence(
            f"this run's request number {ordinal + 1} in lane {lane} is not the one on tape {self._name!r}:"
            f"{listed}\n{elsewhere}{_WHAT_TO_DO}",
            lane=lane,
            ordinal=ordinal,
            differences=found,
            kind="changed",
            effect=self.number(place),
        )

    def _elsewhere(self, place: int, asked: Request) -> str:
        wanted = digest(asked)
        for lane, places in self._lanes.items():
            for n, other in enumerate(places):
                if other != place and self._digest(other) == wanted:
                    played = ", where it was played already" if other in self._played else ""
                    return f"The same request stands in lane {lane} as number {n + 1}{played}.\n"
        return ""

    def _near(self, asked: Request) -> tuple[tuple[str, ...], str]:
        """The differences to the nearest recorded request, and how it is told."""
        from .explain import differences, nearest

        calls = list(self._calls())
        at = nearest(asked, [call.request for _, call in calls])
        if at is None:
            return (), " "
        place, call = calls[at]
        found = differences(call.request, asked)
        if not found:
            return (), " "
        played = ", played already" if place in self._played else ""
        listed = "".join(f"\n  - {line}" for line in found)
        return found, f" The nearest one is effect {self.number(place)} in lane {call.lane}{played}:{listed}\n"


class _Index:
    """Interactions by what was asked: first as it stands, which costs next to nothing, then by its digest."""

    def __init__(
        self,
        calls: Iterable[tuple[int, Interaction]],
        played: set[int],
        digest_at: Callable[[int], str],
        *,
        resume: bool,
    ) -> None:
        self._calls = list(calls)
        self._digest_at = digest_at
        self._played = played
        self._resume = resume
        self._exact = _grouped((_exact(call.request), place) for place, call in self._calls)
        self._digests: dict[Key, deque[int]] | None = None
        self._answers = {place: answers(call) for place, call in self._calls} if resume else {}

    def take(self, request: Request) -> int | None:
        """The first place that holds this request, was not played yet, and is not to be asked again."""
        group = self._exact.get(_exact(request))
        if (found := self._first(group)) is not None:
            return found
        return self._first(self._by_digest().get(digest(request)))

    def unpaid(self, request: Request) -> list[int]:
        """The places that hold this request, and brought no answer."""
        group = self._by_digest().get(digest(request), ())
        return [place for place in group if place not in self._played and not self._answers.get(place, True)]

    def _by_digest(self) -> dict[Key, deque[int]]:
        if self._digests is None:
            self._digests = _grouped((self._digest_at(place), place) for place, _ in self._calls)
        return self._digests

    def _first(self, group: deque[int] | None) -> int | None:
        while group:
            if group[0] in self._played:
                group.popleft()
            elif self._resume and not any(self._answers[place] for place in group):
                return None
            else:
                return group[0]
        return None


def answers(call: Interaction) -> bool:
    """Whether a call brought an answer, so that it need not be made again."""
    return call.ended == "complete" and call.outcome is None and (call.status or 0) < 400


def _grouped(pairs: Iterable[tuple[Key, int]]) -> dict[Key, deque[int]]:
    groups: dict[Key, deque[int]] = {}
    for key, place in pairs:
        groups.setdefault(key, deque()).append(place)
    return groups


def _exact(request: Request) -> Key:
    return request.method, request.url, request.body


def _target(request: Request) -> tuple[str, str]:
    return request.method.upper(), safe_url(request.url).partition("?")[0]


_GO_ON = "Go on live from here with mode 'resume', or record the tape anew with mode 'record'."
_WHAT_TO_DO = "If the change is meant, record the tape anew (mode 'record'); else undo it."


def _call(name: str, arguments: str) -> tuple[str, str]:
    try:
        return name, canonical_json(arguments)
    except (ValueError, RecursionError):
        return name, arguments


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count or 'no'} calls"
