"""What a provider's requests have of their own, as data; and what encoding gives."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """The facts in which a provider's requests differ from its wire format's plain form. Never a function.

    Attributes:
        path: instead of the wire format's path; `{model}` stands for the model.
        stream_path: the same for answers that are streamed.
        body: fields that go into every request unless the user says otherwise.
        without: fields of the body that the provider does not want, such as `model` where it stands in the path; of
            chat completions also `refusal`, in messages.
        unsupported: settings that the provider does not take: they are left out and told in the warnings.
        names: settings that the provider calls otherwise, such as `seed`: `random_seed`.
        max_tokens: the field that takes the limit of chat completions; by the model's name where it is None.
        stream_usage: whether `stream_options.include_usage` is understood.
        reasoning: how chat completions are told how much to think: `reasoning_effort`; `reasoning` with an object
            (OpenRouter); `thinking` with an object (z.ai); `enable_thinking`, or not at all.
        reasoning_history: whether assistant messages with tool calls must carry `reasoning_content` even when
            there was none (Kimi and DeepSeek refuse history without it).
        cache: how chat completions are told of caching: `key` (`prompt_cache_key`), `breakpoints`
            (`cache_control` on pieces of content), or not at all.
        schema: how far chat completions can be held to a JSON schema: `json_schema`, or only `json_object`.
        output: how models are held to the type of an output: by the format of the answer (`native`), by the arguments
            of a tool, or by words; what works with all of the provider's models. Never `native` without `schema`.
        output_with_tools: the same for requests that have tools; as `output` says where it is None. Servers that hold
            the answer to a format from its first token on let no tool be called.
        call_id: a pattern that ids of tool calls must match; others are replaced, the same way everywhere.
        option_fields: provider options that are fields of the body.
        option_headers: provider options that are headers, and their names on the wire.
    """

    path: str | None = None
    stream_path: str | None = None
    body: dict[str, Any] = {}
    without: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()
    names: dict[str, str] = {}
    max_tokens: Literal["max_tokens", "max_completion_tokens"] | None = None
    stream_usage: bool = True
    reasoning: Literal["reasoning_effort", "reasoning", "thinking", "enable_thinking"] | None = "reasoning_effort"
    reasoning_history: bool = False
    cache: Literal["key", "breakpoints"] | None = None
    schema: Literal["json_schema", "json_object"] | None = "json_schema"
    output: Literal["native", "tool", "prompt"] = "native"
    output_with_tools: Literal["native", "tool", "prompt"] | None = "tool"
    call_id: str | None = None
    option_fields: tuple[str, ...] = ()
    option_headers: dict[str, str] = {}


class Encoded(msgspec.Struct, frozen=True):
    """A request in a wire format.

    Attributes:
        body: the bytes to send.
        headers: headers that settings ask for.
        losses: what of the conversation the provider could not be told, one sentence each.
        unsupported: settings that it could not be told, one sentence each.
    """

    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    losses: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()


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
