"""A run's conversation from its effects: what was recorded, read as the run itself saw it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast
from urllib.parse import urlsplit

import msgspec

from ..errors import CodecError, DecodeError, ProviderError
from ..events import Approval, MessageEnd
from ..messages import Message, ModelRequest, ModelResponse, TextPart, ToolCallPart, ToolResultPart
from ..providers import provider_for_url
from ..tape.effects import CANCELLED, GONE_ON, Interaction, Reading, Tape, ToolRun
from ..wire import describe_request, wire_for_path
from .approvals import DECIDED, WANTED
from .background import BACKGROUND, STARTED
from .loop import answered, lanes_of
from .pausing import OPENING, Opening
from .toolbox import CANCELLED as CANCELLED_TEXT
from .toolbox import CUT, WAITING, result_of

TurnEnded: TypeAlias = Literal["stopped", "cancelled", "approval", "unfinished"]
"""Why a turn ended before the model had no more to do: as a run does, or it was cut down and can be gone on with."""


@dataclass(frozen=True, slots=True)
class Retold:
    """What a run came to.

    Attributes:
        messages: the conversation, without a system prompt; every call in it has a result.
        ended: why it ended, as far as its own effects tell.
        pending: the calls that wait for approval.
    """

    messages: tuple[Message, ...]
    ended: TurnEnded | None
    pending: tuple[Approval, ...] = ()


class Told:
    """The effects of a tape by the lanes that they stand in.

    Args:
        tape: what was recorded.
    """

    def __init__(self, tape: Tape) -> None:
        self._lanes: dict[str, list[Interaction | Reading]] = {}
        self._tools: dict[str, ToolRun] = {}
        for effect in tape.effects:
            if isinstance(effect, ToolRun):
                if effect.ended == "complete" or effect.lane not in self._tools:
                    self._tools[effect.lane] = effect
            elif isinstance(effect, Reading) or not effect.superseded:
                self._lanes.setdefault(effect.lane, []).append(effect)

    def of(self, lane: str) -> Sequence[Interaction | Reading]:
        """What stands in a lane, in order."""
        return self._lanes.get(lane, ())

    def values(self, lane: str, name: str) -> list[Any]:
        """What was read of a name in a lane, in order."""
        return [effect.value for effect in self.of(lane) if isinstance(effect, Reading) and effect.name == name]

    def tool(self, lane: str) -> ToolRun | None:
        """The run of a tool that has come to its end."""
        run = self._tools.get(lane)
        return run if run is not None and run.ended == "complete" else None

    def waiting(self, lane: str) -> tuple[Approval, ...]:
        """The calls in a lane and below it that wait for approval."""
        return tuple(
            msgspec.convert(self.values(where, WANTED)[-1], Approval)
            for where in self._lanes
            if (where == lane or where.startswith((f"{lane}/", f"{lane}#")))
            and self.values(where, WANTED)
            and not self.values(where, DECIDED)
            and self.tool(where) is None
        )

    def opening(self, lane: str) -> tuple[Message, ...] | None:
        """With what a run began, without a system prompt; None where nothing tells it."""
        if found := self.values(lane, OPENING):
            return msgspec.convert(found[-1], Opening).messages
        for effect in self.of(lane):
            if isinstance(effect, Interaction) and (asked := request_of(effect)) is not None:
                return tuple(message for message in asked.messages if message.role != "system")
        return None


def retold(told: Told, lane: str, opening: tuple[Message, ...], origins: Mapping[str, str]) -> Retold:
    """What a run came to, from the tape alone.

    Args:
        lane: the run's.
        opening: the conversation with which it began, without a system prompt.
        origins: who issues the opaque data that comes from addresses which do not tell it, by address.
    """
    cancelled = told.values(lane, CANCELLED)[len(told.values(lane, GONE_ON)) :]
    last = cast("dict[str, Any] | None", cancelled[-1] if cancelled else None)
    story = _Story(told, lane, opening, origins, last)
    for effect in told.of(lane):
        if isinstance(effect, Interaction):
            story.heard(effect)
        else:
            story.read(effect.name, effect.value)
    return story.over()


class _Story:
    """A run, told from its beginning to its end.

    Args:
        cancelled: the reading that says that the run was cancelled, if it was.
    """

    def __init__(
        self,
        told: Told,
        lane: str,
        opening: tuple[Message, ...],
        origins: Mapping[str, str],
        cancelled: dict[str, Any] | None,
    ) -> None:
        self._told = told
        self._lane = lane
        self._origins = origins
        self._messages = opening
        self._calls: Sequence[ToolCallPart] = ()
        self._lanes: Sequence[str] = ()
        self._made = 0
        self._answered = False
        self._cancelled = cancelled
        # An answer may be whole on the tape, and the run was cancelled before it came to its end.
        self._left = None if cancelled is None else cancelled["step"] + (cancelled["phase"] == "tools")

    def heard(self, call: Interaction) -> None:
        """A model was asked."""
        self._close(call)
        response = answer_of(call, self._origin(call)) if self._left != 0 else None
        if response is None:
            self._answered = False
            return
        self._left = None if self._left is None else self._left - 1
        self._messages = (*self._messages, response.message)
        self._calls = response.tool_calls
        self._lanes = lanes_of(self._calls, self._lane, self._made)
        self._made += len(self._calls)
        self._answered = True

    def read(self, name: str, value: Any) -> None:
        """Something was read that changes the conversation."""
        if name == "message":
            self._close(None)
            self._messages = (*self._messages, msgspec.convert(value, Message))
            self._answered = False
        elif name == "compaction":
            self._close(None)
            self._messages = shortened(self._messages, value)

    def over(self) -> Retold:
        """The end of what the tape tells."""
        calls, lanes, pending = self._calls, self._lanes, ()
        if (cancelled := self._cancelled) is not None:
            said = cast("dict[str, str]", cancelled.get("results") or {})
            self._close(None, lambda n: said.get(lanes[n], CANCELLED_TEXT))
            if text := cancelled.get("heard"):
                self._messages = (*self._messages, Message("assistant", (TextPart(text),)))
            return Retold(self._messages, "cancelled")
        whole = self._answered
        if calls:
            pending = tuple(found for where in lanes for found in self._told.waiting(where))
            # Where all results are there, a tool, a condition or the output may have been the end.
            whole = all(self._told.tool(where) is not None for where in lanes)
            self._close(None, lambda n: WAITING if self._told.waiting(lanes[n]) else CUT)
        if pending:
            return Retold(self._messages, "approval", pending)
        return Retold(self._messages, None if whole else "unfinished")

    def _close(self, following: Interaction | None, otherwise: Callable[[int], str] | None = None) -> None:
        """The calls of the step get their results.

        Args:
            following: the next request, which tells what tools gave that left no effect.
            otherwise: gives what is said of a call without a result, by its place.
        """
        if not self._calls:
            return
        calls, self._calls = self._calls, ()
        # A request holds the whole conversation: it is read only where the tape does not have the results.
        kept = [self._kept(n, call) for n, call in enumerate(calls)]
        there = _results_in(following) if following is not None and None in kept else {}
        results = [
            self._result(n, call, there, otherwise) if (found := kept[n]) is None else found
            for n, call in enumerate(calls)
        ]
        self._messages = (*self._messages, answered(results))
        self._answered = False

    def _kept(self, n: int, call: ToolCallPart) -> ToolResultPart | None:
        """What the tape has of a call; None where it has no result."""
        lane = self._lanes[n]
        if self._told.values(lane, BACKGROUND):
            return ToolResultPart(call.id, call.name, STARTED)
        return None if (run := self._told.tool(lane)) is None else result_of(call, run)

    def _result(
        self, n: int, call: ToolCallPart, there: Mapping[str, ToolResultPart], otherwise: Callable[[int], str] | None
    ) -> ToolResultPart:
        if (found := there.get(call.id)) is not None:
            return msgspec.structs.replace(found, name=call.name, cache=None)
        text = CUT if otherwise is None else otherwise(n)
        return ToolResultPart(call.id, call.name, text, text != WAITING)

    def _origin(self, call: Interaction) -> str | None:
        url = call.request.url
        return next((origin for base, origin in self._origins.items() if url.startswith(base)), None)


def shortened(messages: tuple[Message, ...], made: Any) -> tuple[Message, ...]:
    """The conversation with what the reading of a compaction puts in its place."""
    if isinstance(made, dict):
        plain = cast("dict[str, Any]", made)
        return (*msgspec.convert(plain["inserted"], tuple[Message, ...]), *messages[plain["dropped"] :])
    return msgspec.convert(made, tuple[Message, ...])


def request_of(call: Interaction) -> ModelRequest | None:
    """What was asked, decoded; None where the interaction is no model call.

    Raises:
        CodecError: it cannot be read.
    """
    path = urlsplit(call.request.url).path
    wire = wire_for_path(path)
    return None if wire is None else wire.decode_request(call.request.body, path, None)


def answer_of(call: Interaction, origin: str | None = None) -> ModelResponse | None:
    """The answer, if it is whole; None where it is not, or the interaction is no model call.

    Args:
        origin: who issues its opaque data, where its address does not tell.
    """
    url = call.request.url
    try:
        wire, known = wire_for_path(urlsplit(url).path), provider_for_url(url)
    except ValueError:  # An address that is none.
        return None
    if wire is None or call.status is None or not 200 <= call.status < 300 or call.status == 204:
        return None
    if known is not None and origin is None:
        model = describe_request(call.request.body, urlsplit(url).path).model or ""
        origin = known.for_model(model).origin
    decoder = wire.Decoder(origin)
    try:
        for chunk in call.chunks:
            for event in decoder.feed(chunk):
                if isinstance(event, MessageEnd):
                    return event.response
        for event in decoder.close():
            if isinstance(event, MessageEnd):
                return event.response
    except (DecodeError, ProviderError):
        return None
    return None


def _results_in(call: Interaction) -> dict[str, ToolResultPart]:
    """The results that a request tells, by call."""
    try:
        asked = request_of(call)
    except CodecError:
        return {}
    messages = asked.messages if asked is not None else ()
    return {part.call_id: part for message in messages for part in message.parts if isinstance(part, ToolResultPart)}
