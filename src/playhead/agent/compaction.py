"""Makes a conversation shorter where the model's context runs short: by a model that sums it up, or by a function."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias, cast

import msgspec

from ..errors import ConfigError, RunError
from ..messages import Message, ModelResponse, TextPart, ToolCallPart, user
from ..model import Model
from ..prices import context_window
from ..tape.playhead import Playhead

PROMPT = (
    "Summarise the conversation so far, so that it can be gone on with from the summary alone. Keep what was asked "
    "and decided, facts, names, numbers, results of tools, and what is still to be done. Write the summary and "
    "nothing else."
)
"""What a model is asked that sums a conversation up."""

_HEAD = "Summary of the conversation so far:\n\n"

Shorten: TypeAlias = Callable[[tuple[Message, ...]], Sequence[Message] | Awaitable[Sequence[Message]]]
"""Gives the messages that stand instead of those of a conversation. It is not given system messages."""

Summarise: TypeAlias = Callable[[tuple[Message, ...], "Model | str | None"], Awaitable[str]]
"""Asks a model for a text: the messages, and the model where it is not the agent's."""


class Compaction(msgspec.Struct, frozen=True, kw_only=True):
    """When and how a conversation is made shorter.

    It is due when the last answer's tokens, those of its request included, reach `at_tokens`, or the share `at` of
    the model's context, where the price table knows that; and where a provider refuses a request as too long. A turn
    of a session begins with what the turn before it said. Where no answer says how many tokens there are, as when a
    run begins with `messages`, a token is taken for four characters. What stands
    instead is on the tape, and the caller is told by `Compacted`. To undo it, fork the tape before it.

    Args:
        at_tokens: tokens from which on it is due.
        at: the share of the model's context from which on it is due, from 0 to 1. It needs the extra `prices`.
        context_tokens: how long the model's context is, where the table does not know it.
        keep: messages at the end that stay as they are, at least; never a tool's result without its call.
        model: who sums up: `provider:model`, or a `Model`; the agent's own where it is left out.
        prompt: what it is asked.
        function: gives the messages that stand instead, in place of a model.

    Raises:
        ConfigError: a number is out of its range.
    """

    at_tokens: int | None = None
    at: float = 0.8
    context_tokens: int | None = None
    keep: int = 4
    model: Any = None
    prompt: str = PROMPT
    function: Shorten | None = None

    def __post_init__(self) -> None:
        if not 0 < self.at <= 1:
            raise ConfigError(f"at of a Compaction should be a share above 0 and up to 1, but is {self.at!r}")
        for name in ("at_tokens", "context_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} of a Compaction should be above 0, but is {value!r}")
        if self.keep < 0:
            raise ConfigError(f"keep of a Compaction should be 0 or more, but is {self.keep!r}")

    def due(self, last: ModelResponse | None, model: Model, messages: Sequence[Message] = ()) -> bool:
        """Whether the conversation is to be made shorter before the model is asked again.

        Args:
            last: the last answer. Where there is none, as when a run begins with `messages`, or where it does not say
                how many tokens the conversation has, they are estimated.
            model: who is asked next.
            messages: the conversation.
        """
        limit = self.at_tokens
        if limit is None:
            whole = self.context_tokens or context_window(model.provider.name, model.id)
            limit = None if whole is None else int(whole * self.at)
        if limit is None:
            return False
        usage = last.usage if last is not None else None
        if usage is None or usage.input_tokens is None:
            return _estimated(messages) >= limit
        return usage.input_tokens + (usage.output_tokens or 0) >= limit

    def head(self, messages: tuple[Message, ...]) -> int:
        """How many of the messages, which are none of the system's, are summed up; the others stay."""
        place = max(0, len(messages) - self.keep)
        while 0 < place < len(messages) and messages[place].role != "user":
            place -= 1  # A turn begins with the user: nothing of it is torn off.
        return place


async def compacted(
    compaction: Compaction, messages: tuple[Message, ...], playhead: Playhead, summarise: Summarise
) -> tuple[tuple[Message, ...], str]:
    """The conversation made shorter, and the words that stand for what went.

    Args:
        summarise: asks a model; in a lane of its own, so that it is played, too.

    Raises:
        RunError: the function gave what is no conversation.
        PlayheadError: the model could not be asked.
    """
    first = tuple(message for message in messages if message.role == "system")
    rest = tuple(message for message in messages if message.role != "system")
    if compaction.function is not None:
        made = await playhead.read("compaction", lambda: _shortened(compaction, rest))
        new = msgspec.convert(made, tuple[Message, ...])
        return (*first, *new), _said(rest, new)
    place = compaction.head(rest)
    if all(message.text.startswith(_HEAD) for message in rest[:place]):  # To sum up a summary gains nothing.
        place = _within_the_last_turn(rest)
    if not place:
        return messages, ""
    summary = await summarise((*first, *rest[:place], user(compaction.prompt)), compaction.model)
    inserted = user(_HEAD + summary.strip())
    new = (inserted, *rest[place:])
    # For who reads the conversation from the tape alone: what went, and what stands instead.
    await playhead.read("compaction", lambda: {"dropped": place, "inserted": [msgspec.to_builtins(inserted)]})
    return (*first, *new), summary.strip()


def _estimated(messages: Sequence[Message]) -> int:
    """The tokens of a conversation: about four characters each, pictures and the like not counted."""
    texts = (
        part.arguments if isinstance(part, ToolCallPart) else getattr(part, "text", "")
        for message in messages
        for part in message.parts
    )
    return sum(map(len, texts)) // 4


def _within_the_last_turn(messages: tuple[Message, ...]) -> int:
    """Where the conversation is one long turn: all but its last pair of calls and results."""
    calls = [n for n, message in enumerate(messages) if message.role == "assistant" and message.tool_calls]
    return calls[-1] if len(calls) > 1 else 0


async def _shortened(compaction: Compaction, messages: tuple[Message, ...]) -> list[Any]:
    assert compaction.function is not None  # noqa: S101 - else nobody asks
    found: object = compaction.function(messages)
    if inspect.isawaitable(found):
        found = await cast("Awaitable[object]", found)
    if not isinstance(found, list | tuple) or not all(isinstance(each, Message) for each in cast("list[Any]", found)):
        raise RunError("a compaction's function should give a list of messages, as it was given")
    return [msgspec.to_builtins(message) for message in cast("list[Message]", found)]


def _said(before: tuple[Message, ...], after: tuple[Message, ...]) -> str:
    """The text of what is new."""
    old = set(map(id, before))
    texts = (
        part.text
        for message in after
        if id(message) not in old and message not in before
        for part in message.parts
        if isinstance(part, TextPart)
    )
    return "\n".join(texts)
