"""What a provider's requests have of their own, as data; and what encoding gives."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """The facts in which a provider's requests differ from its wire format's plain form. Never a function.

    Attributes:
        body: fields that go into every request unless the user says otherwise.
        stream_usage: whether `stream_options.include_usage` is understood.
        reasoning_effort: the field that takes the effort: `reasoning_effort`, or `reasoning` with an object.
        reasoning_history: whether assistant messages with tool calls must carry `reasoning_content` even when
            there was none (Kimi and DeepSeek refuse history without it).
        option_fields: provider options that are fields of the body.
        option_headers: provider options that are headers, and their names on the wire.
    """

    body: dict[str, Any] = {}
    stream_usage: bool = True
    reasoning_effort: Literal["reasoning_effort", "reasoning"] = "reasoning_effort"
    reasoning_history: bool = False
    option_fields: tuple[str, ...] = ()
    option_headers: dict[str, str] = {}


class Encoded(msgspec.Struct, frozen=True):
    """A request in a wire format.

    Attributes:
        body: the bytes to send.
        headers: headers that settings ask for.
        losses: what the format or the provider could not be told, one sentence each.
    """

    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    losses: tuple[str, ...] = ()


class RequestSummary(msgspec.Struct, frozen=True):
    """What a recorded request asked for; None is what it does not say.

    Attributes:
        model: the model's id.
        stream: whether the answer was to be streamed.
        prompt: what the user said last.
    """

    model: str | None = None
    stream: bool | None = None
    prompt: str | None = None
