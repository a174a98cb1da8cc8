"""
Finds on a tape what is asked for: a pure function of the tape and of what was asked before.

Runs carry a lane: an effect's identity is its lane and its place there, never a search, and what is asserted at that
place is the request's canonical digest. Clients that carry no lane are matched by that digest, first in, first out
among equals, at a cost that does not grow with the tape.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import msgspec

from ..errors import Divergence
from ..http import Request
from .canonical import canonical_json, digest
from .claims import Claims
from .effects import Effect, Interaction, Reading, Tape, ToolRun
from .index import Index, answers
from .passed import Passed, outer_lanes
from .readings import Readings
from .redact import safe_url, taken_names, without
from .secrets import Redaction


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
        self._indices: dict[str | None, Index] = {}
        self._alike: dict[tuple[str, str], deque[int]] | None = None
        self._end = len(self._effects)
        self._keys = taken_names(call.request.url for call in tape.interactions)
        for place, effect in enumerate(tape.effects):
            if isinstance(effect, ToolRun):
                if effect.ended == "complete" or effect.lane not in self._tools:
                    self._tools[effect.lane] = place
            elif isinstance(effect, Interaction) and not effect.superseded:
                self._lanes.setdefault(effect.lane, []).append(place)
        self._recorded = {lane: list(places) for lane, places in self._lanes.items()}
        first = {lane: places[0] for lane, places in self._lanes.items()}
        self._claims = Claims(
            first.keys(), lambda lane: self._digest(first[lane]), lambda lane: answers(self._call(first[lane]))
        )
        for lane, places in self._lanes.items() if resume else ():
            keep = self._paid_for(places)
            self._unpaid[lane] = places[keep:]
            del places[keep:]
        kept = frozenset(place for places in self._lanes.values() for place in places)
        self._passed = Passed(self._effects, kept, self._played)
        self._readings = Readings(self._effects, kept, self._played)

    @property
    def holds_tools(self) -> bool:
        """Whether tool effects were recorded at all; other people's cassettes hold none."""
        return bool(self._tools)

    def claim(self, base: str, request: Request) -> str:
        """The lane of a run that begins in `base` with `request`. See `Claims`."""
        lane = self._claims.of_run(base, lambda: digest(_keyless(request, self._keys)))
        self._passed.begin(lane)
        return lane

    def release(self, lane: str) -> None:
        """A run that begins with what does not stand in its lane leaves it to others."""
        self._claims.release(lane)

    def client_lane(self, base: str) -> str:
        """The lane in which calls of clients in `base` are recorded."""
        return self._claims.of_clients(base)

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
        if not same and self._digest(place) != digest(_keyless(request, taken_names((recorded.request.url,)))):
            raise self._changed(lane, place, request)
        return self._play(place)

    def by_digest(self, base: str | None, request: Request, *, anywhere: bool = True) -> Interaction | None:
        """The first interaction that holds this request and was not played yet, or None where there is none.

        Args:
            base: where the client stands: what was recorded there comes first. None is nowhere.
            anywhere: whether it is looked for on the whole tape then.
        """
        keyless = _keyless(request, self._keys)
        for asked in (request,) if keyless is request else (request, keyless):
            for lane in self._claims.open_to_clients(base) if base is not None else ():
                if (place := self._index(lane).take(asked)) is not None:
                    self._claims.clients_found(base or "", lane)
                    return self._play(place)
            place = self._index(None).take(asked) if anywhere else None
            if place is not None:
                return self._play(place)
        return None

    def at(self, place: int) -> Interaction:
        """Play what stands at a place on the tape, whatever was asked."""
        return self._play(place)

    def _outer_lanes(self, place: int) -> set[str]:
        """The lanes of the tools inside which an effect happened."""
        effect = self._effects[place]
        found = outer_lanes(effect.lane)
        return set(found[:-1] if isinstance(effect, ToolRun) else found)

    def next_place(self, lane: str) -> int | None:
        """The next place of `lane`, or None where the tape ends."""
        places, n = self._lanes.get(lane, []), self._next.get(lane, 0)
        while n < len(places) and places[n] in self._played:
            n += 1
        self._next[lane] = n
        return places[n] if n < len(places) else None

    def next_alike(self, lane: str | None, request: Request) -> int | None:
        """The place of the first interaction with the same method and path that was not played yet; in `lane`, where
        one is given."""
        if self._alike is None:
            self._alike = {}
            for place, call in self._calls():
                self._alike.setdefault(_target(call.request), deque()).append(place)
        places = self._alike.get(_target(request), deque())
        while places and places[0] in self._played:
            places.popleft()
        mine = (p for p in places if p not in self._played and lane in (None, self._call(p).lane))
        return next(mine, None)

    def cut(self, place: int) -> None:
        """Forget what stands at `place` and behind it, and was not played."""
        for lane, places in self._lanes.items():
            self._lanes[lane] = [p for p in places if p < place or p in self._played]
        self._tools = {lane: p for lane, p in self._tools.items() if p < place}
        self._unpaid = {}
        self._indices, self._alike = {}, None
        self._end = place
        self._passed.cut(place)
        self._readings.cut(place)

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
        run = self._tool(place)
        if run.ended == "complete":
            self._passed.tool(run.lane)
        return run

    def reading(self, lane: str, name: str, *, take: bool = True) -> Reading | None:
        """The next reading of `name` in `lane`, or None where there is none.

        Args:
            take: whether it is played. Else it stays the next one.
        """
        return self._readings.next(lane, name, take=take)

    def reading_missing(self, lane: str, name: str) -> Divergence:
        """The error for something that is to be read, and was not recorded, where nothing may happen."""
        taken, known = self._readings.known(lane, name)
        holds = f"{taken or 'no'} reading{'' if taken == 1 else 's'} of {name!r}"
        others = "" if taken or not known else f" (it has: {', '.join(known[:8])})"
        return Divergence(
            f"tape {self._name!r} holds {holds} in lane {lane}{others}; this run asks for number {taken + 1}, and in "
            f"mode 'replay' nothing is read that was not recorded. {_GO_ON}",
            kind="consumed" if taken else "missing",
            lane=lane,
            ordinal=taken,
        )

    def passed(self, lane: str) -> list[tuple[int, Interaction]]:
        """The interactions in `lane` and below it by which the playhead has come, by number. See `Passed`."""
        return [(self.number(place), self._as_it_counts(place)) for place in self._passed.inside(lane)]

    def pass_by(self, lane: str) -> None:
        """What was recorded in `lane` and below it led to a reading that was played, and counts as played with it."""
        self._passed.tool(lane)

    def asked_again(self, lane: str) -> list[tuple[int, Interaction]]:
        """The interactions of `lane` that are superseded, or will be once the lane goes on live, by number."""
        return [(self.number(place), self._as_it_counts(place)) for place in self._passed.asked_again(lane)]

    def _as_it_counts(self, place: int) -> Interaction:
        call = self._call(place)
        again = self._passed.is_asked_again(place) and not call.superseded
        return msgspec.structs.replace(call, superseded=True) if again else call

    def goes_on(self, lane: str) -> bool:
        """Whether there are interactions of `lane` that were not played yet."""
        return any(place not in self._played for place in reversed(self._lanes.get(lane, [])))

    def played_from(self, place: int) -> list[int]:
        """The numbers of the effects at `place` and behind it that were played."""
        return [self.number(p) for p in sorted(self._played) if p >= place]

    def unplayed(self) -> tuple[int, ...]:
        """The places of all effects that were recorded and not played, in order. What happened inside a tool that was
        played counts as played with it."""
        calls = [place for places in self._lanes.values() for place in places]
        tools = [place for place in self._tools.values() if self._effects[place].ended == "complete"]
        left = [p for p in (*calls, *tools, *self._readings.expected()) if p not in self._played]
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
        """The error for a request beyond the end of a lane, where nothing may go out."""
        asked = f"{request.method} {safe_url(request.url)}"
        count = len(self._lanes.get(lane, []))
        holds = f"tape {self._name!r} holds {_calls(count)} in lane {lane}; this is number {count + 1}"
        lines = [f"{holds}, and in mode 'replay' nothing goes out: {asked}."]
        if others := sorted(self._lanes.keys() - {lane}):
            lines.append(f"Other lanes: {', '.join(others[:8])}.")
        return self._not_there(" ".join(lines), lane, request, ordinal=count)

    def not_found(self, lane: str, request: Request) -> Divergence:
        """The error for a request that was looked for by its digest."""
        asked = f"{request.method} {safe_url(request.url)}"
        error = self._not_there(f"tape {self._name!r} does not hold this request: {asked}.", lane, request)
        if error.differences:
            error.kind = "changed"
        return error

    def _not_there(self, said: str, lane: str, request: Request, ordinal: int = 0) -> Divergence:
        wanted = digest(request)
        before = [p for p, _ in self._calls() if p in self._played and self._digest(p) == wanted]
        if before:
            times = "once" if len(before) == 1 else f"{len(before)} times"
            return Divergence(
                f"tape {self._name!r} holds this request {times}, and that was played already: {request.method} "
                f"{safe_url(request.url)}. This is number {len(before) + 1}. {_GO_ON}",
                lane=lane,
                ordinal=ordinal,
                kind="consumed",
                effect=self.number(before[-1]),
            )
        found, told, place = self._near(request)
        if not found:
            return Divergence(
                f"{said} There is nothing like it. {_GO_ON}", lane=lane, ordinal=ordinal, kind="missing"
            )
        return Divergence(
            f"{said}{told}{_GO_ON}", lane=lane, ordinal=ordinal, kind="missing", differences=found, effect=place
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

    def _play(self, place: int) -> Interaction:
        self._played.add(place)
        call = self._call(place)
        self._passed.begin(call.lane)
        return call

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
            if isinstance(effect, Interaction) and not effect.superseded and not self._is_gone(place):
                yield place, effect

    def _is_gone(self, place: int) -> bool:
        return place >= self._end and place not in self._played

    def _index(self, lane: str | None) -> Index:
        if lane not in self._indices:
            places = [place for place, _ in self._calls()] if lane is None else self._recorded.get(lane, [])
            calls = [(place, self._call(place)) for place in places if not self._is_gone(place)]
            self._indices[lane] = Index(calls, self._played, self._digest, resume=self._resume)
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

    def _near(self, asked: Request) -> tuple[tuple[str, ...], str, int | None]:
        """The differences to the nearest recorded request, how it is told, and its number."""
        from .explain import differences
        from .nearest import nearest

        calls = list(self._calls())
        at = nearest(asked, [call.request for _, call in calls])
        found = () if at is None else differences(calls[at][1].request, asked)
        if at is None or not found:
            return (), "", None
        place, call = calls[at]
        played = ", played already" if place in self._played else ""
        listed = "".join(f"\n  - {line}" for line in found)
        number = self.number(place)
        return found, f" The nearest one is effect {number} in lane {call.lane}{played}:{listed}\n", number


def _keyless(request: Request, names: frozenset[str]) -> Request:
    """The request without the values that were taken out of recorded addresses: a key for tests, which looks like
    none, makes no other request."""
    url = without(request.url, names)
    return request if url == request.url else msgspec.structs.replace(request, url=url)


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
