"""What a script answers with: values, made by functions that are named after them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from ..errors import ProviderError
from ..events import MessageEnd, MessageEvent, MessageStart, PartDelta, PartEnd, PartKind, PartStart
from ..http import Headers
from ..messages import (
    FinishReason,
    Message,
    ModelResponse,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    Usage,
)

Arguments: TypeAlias = Mapping[str, Any] | str
"""A call's arguments: an object, or raw JSON, also where it is broken."""

Call: TypeAlias = str | tuple[str] | tuple[str, Arguments] | tuple[str, Arguments, str] | ToolCallPart
"""A tool call: the tool's name, its arguments, and the call's id. What is left out is none, and made up."""


class Answer(msgspec.Struct, frozen=True):
    """An answer of a model.

    Attributes:
        response: what it is. An id, a model and the ids of calls are made up where they are empty.
        chunk_size: characters in each piece of a stream; None for a word in each.
    """

    response: ModelResponse
    chunk_size: int | None = None


class Refusal(msgspec.Struct, frozen=True):
    """A refusal of the provider.

    Attributes:
        status: the HTTP status.
        message: the provider's words.
        code: its own code for it.
        retry_after: seconds to wait, said in the header.
        headers: more of them.
    """

    status: int
    message: str = ""
    code: str | None = None
    retry_after: float | None = None
    headers: Headers = ()

    def error(self) -> ProviderError:
        """The error that a wire format makes its words from."""
        from ..wire._refusal_kinds import classify  # It has long tables.

        message = self.message or f"refused with status {self.status}"
        kind = classify(self.status, [self.code] if self.code else [], message).kind
        return ProviderError(message, kind=kind, status=self.status, code=self.code)


class Cut(msgspec.Struct, frozen=True):
    """An answer that breaks off.

    Attributes:
        answer: what it would have been.
        after: pieces of text, reasoning or arguments that arrive.
        error: what the provider says at that place; None where the connection is cut.
    """

    answer: Answer
    after: int = 1
    error: Refusal | None = None


def answer(
    text: str = "",
    *,
    calls: Iterable[Call] = (),
    reasoning: str = "",
    usage: Usage | None = None,
    cost: float | None = None,
    finish_reason: FinishReason | None = None,
    chunk_size: int | None = None,
) -> Answer:
    """An answer of a model.

    Args:
        text: what it says.
        calls: the tools that it calls: `("add", {"a": 1, "b": 2})`.
        reasoning: what it thinks first.
        usage: what it took; not said where it is left out, in formats where that can be.
        cost: in US dollars, in formats that say it (`openai_chat`).
        finish_reason: `tool_calls` where there are calls, else `stop`, where it is left out.
        chunk_size: characters in each piece where it is streamed; a word in each where it is left out.

    Raises:
        ValueError: a piece cannot have that many characters.
        TypeError: that is no call.
    """
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"chunk_size is a number of characters from 1 on, not {chunk_size}")
    parts: list[Part] = [ReasoningPart(reasoning)] if reasoning else []
    parts += [TextPart(text)] if text else []
    parts += [_call(call) for call in calls]
    message = Message("assistant", tuple(parts))
    return Answer(ModelResponse(message, finish_reason or _reason(message), usage=usage, cost=cost), chunk_size)


def calls(*calls: Call) -> Answer:
    """An answer that calls tools: `calls(("add", {"a": 1, "b": 2}), ("now",))`.

    Raises:
        TypeError: that is no call.
    """
    return answer(calls=calls)


def refusal(
    status: int,
    message: str = "",
    *,
    code: str | None = None,
    retry_after: float | None = None,
    headers: Mapping[str, str] | None = None,
) -> Refusal:
    """A refusal of the provider: `refusal(429, "Slow down.", retry_after=1)`.

    Args:
        status: the HTTP status, from 400 on.
        message: the provider's words.
        code: its own code, such as `context_length_exceeded`.
        retry_after: seconds to wait.
        headers: more of them.

    Raises:
        ValueError: the status is none of a refusal.
    """
    if not 400 <= status <= 599:
        raise ValueError(f"the status of a refusal is from 400 to 599, not {status}")
    return Refusal(status, message, code, retry_after, tuple((headers or {}).items()))


def cut(said: str | Answer, *, after: int = 1, error: Refusal | None = None) -> Cut:
    """An answer that breaks off in the middle.

    Args:
        said: what it would have been.
        after: pieces of text, reasoning or arguments that arrive, where it is streamed; else half of the body does.
        error: what the provider says at that place; the connection is cut where it is left out.

    Raises:
        ValueError: there is no such place.
    """
    if after < 0:
        raise ValueError(f"after is a number of pieces from 0 on, not {after}")
    return Cut(answer(said) if isinstance(said, str) else said, after, error)


def answer_of(value: object) -> Answer | None:
    """The answer that a text, a message or a response is; None where it is something else."""
    match value:
        case Answer():
            return value
        case str():
            return answer(value)
        case ModelResponse():
            return Answer(value)
        case Message():
            return Answer(ModelResponse(value, _reason(value)))
        case _:
            return None


def events_of(said: Answer) -> Iterator[MessageEvent]:
    """The events of an answer, in the pieces in which it is streamed."""
    response = said.response
    yield MessageStart(response.id, response.model)
    for index, part in enumerate(response.message.parts):
        kind, text, empty = _split(part)
        yield PartStart(index, empty)
        if kind is not None:
            for piece in _pieces(text, said.chunk_size):
                yield PartDelta(index, kind, piece)
        yield PartEnd(index, part)
    yield MessageEnd(response)


def shown(value: object) -> str:
    """An answer of a script in a few words, for a message."""
    match value:
        case Answer(response=response):
            said = [f"{call.name}({call.arguments})" for call in response.tool_calls]
            return _short(" ".join(filter(None, [repr(response.text) if response.text else "", *said])) or "nothing")
        case Refusal():
            return _short(f"refusal({value.status}, {value.message!r})")
        case Cut():
            return f"{shown(value.answer)}, cut after {value.after}"
        case Message() | ModelResponse():
            found = answer_of(value)
            return shown(found)
        case _:
            return _short(repr(value))


def _call(call: Call) -> ToolCallPart:
    if isinstance(call, ToolCallPart):
        return call
    name, arguments, id = (*((call,) if isinstance(call, str) else call), "", "", "")[:3]
    if not (isinstance(name, str) and isinstance(arguments, str | Mapping) and isinstance(id, str)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a call is a name and its arguments, as in ('add', {{'a': 1}}), not {call!r}")
    raw = arguments if isinstance(arguments, str) else msgspec.json.encode(dict(arguments)).decode()
    return ToolCallPart(id, name, raw or "{}")


def _reason(message: Message) -> FinishReason:
    return "tool_calls" if message.tool_calls else "stop"


def _split(part: Part) -> tuple[PartKind | None, str, Part]:
    """What of a part comes in pieces, and the part without it."""
    match part:
        case TextPart():
            return "text", part.text, TextPart(opaque=part.opaque)
        case RefusalPart():
            return "refusal", part.text, RefusalPart(opaque=part.opaque)
        case ReasoningPart():
            return "reasoning", part.text, ReasoningPart(opaque=part.opaque)
        case ToolCallPart():
            return "tool_call", part.arguments, msgspec.structs.replace(part, arguments="")
        case _:
            return None, "", part


def _pieces(text: str, size: int | None) -> Sequence[str]:
    if size is None:
        return re.findall(r"\S+\s*|\s+", text)
    return [text[n : n + size] for n in range(0, len(text), size)]


def _short(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:117]}..."
