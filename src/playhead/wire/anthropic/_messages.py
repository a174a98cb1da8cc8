"""
The conversation in a request of the Anthropic format.

https://docs.claude.com/en/docs/agents-and-tools/tool-use/implement-tool-use
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from ...errors import DecodeError, EncodeError
from ...messages import (
    CacheTTL,
    MediaPart,
    Message,
    Opaque,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from .._dialect import Dialect
from .._history import call_ids, issuer, own, stayed_home
from .._json import JSONObject, loads, objs
from .._report import Report
from ._blocks import DIRECT, NAME, reasoning_block, text_block
from ._media import encode_media

CALL_ID = r"[a-zA-Z0-9_-]+"
"""What the API takes as the id of a call."""

_NEVER_CACHED = frozenset({"thinking", "redacted_thinking"})


class Conversation(msgspec.Struct):
    """The blocks of the system prompt, and the turns."""

    system: list[JSONObject]
    turns: list[JSONObject]

    def blocks(self) -> Iterator[JSONObject]:
        """All blocks, in order."""
        yield from self.system
        for turn in self.turns:
            yield from turn["content"]

    def goes_on_without_thoughts(self) -> bool:
        """Whether the last turn gives results to calls before which nothing was thought, as another model's.

        https://docs.claude.com/en/docs/build-with-claude/extended-thinking#preserving-thinking-blocks
        """
        for n in range(len(self.turns) - 1, -1, -1):
            kinds = {block["type"] for block in self.turns[n]["content"]}
            if self.turns[n]["role"] == "assistant":
                if kinds & _NEVER_CACHED:
                    return False
            elif "tool_result" not in kinds:
                return n < len(self.turns) - 1 and self.turns[-1]["role"] == "user"
        return False

    def set_breakpoints(self, ttl: CacheTTL) -> None:
        """Have what stands before the last two turns' ends, and the system prompt, cached."""
        for blocks in [self.system, *(objs(turn["content"]) for turn in self.turns[-2:])]:
            for block in reversed(blocks):
                if block["type"] not in _NEVER_CACHED:
                    cached(block, ttl)
                    break


def cached(block: JSONObject, ttl: CacheTTL) -> JSONObject:
    """The block, with a breakpoint behind it."""
    block["cache_control"] = {"type": "ephemeral"} if ttl == "5m" else {"type": "ephemeral", "ttl": ttl}
    return block


def encode_conversation(
    messages: Sequence[Message], dialect: Dialect, origin: str | None, report: Report
) -> Conversation:
    """The messages as the format has them: the system prompt apart, results of tools in the user's turns.

    A system message in the middle is moved to the top. The results of parallel calls, and what the user says after
    them, become one turn. Texts of nothing but white space are left out: the API refuses them.

    Raises:
        EncodeError: a message holds what the format has no words for, a result has no call before it, or nothing
            is said at all.
    """
    encoder = _Encoder(origin, report, call_ids(messages, dialect.call_id or CALL_ID))
    conversation = Conversation([], [])
    earlier = None
    for message in messages:
        if message.role == "system":
            if conversation.turns:
                report.lost("a system message in the middle of the conversation was moved to its beginning")
            conversation.system += encoder.system(message)
            continue
        content = encoder.content(message)
        if not content:
            continue
        role = "assistant" if message.role == "assistant" else "user"
        if earlier == "tool" and role == "user":
            conversation.turns[-1]["content"] += content
        else:
            conversation.turns.append({"role": role, "content": content})
        earlier = message.role
    if not conversation.turns:
        raise EncodeError("the Anthropic format needs at least one message that says something, besides the system's")
    return conversation


class _Encoder:
    """Makes blocks of parts.

    Attributes:
        called: the ids of the calls so far that are the caller's to answer.
    """

    def __init__(self, origin: str | None, report: Report, ids: dict[str, str]) -> None:
        self.origin = origin
        self.report = report
        self.ids = ids
        self.called: set[str] = set()

    def system(self, message: Message) -> list[JSONObject]:
        for part in message.parts:
            if not isinstance(part, TextPart):
                raise EncodeError(f"a system message cannot hold a {type(part).__name__}, only text")
        return self.content(message)

    def content(self, message: Message) -> list[JSONObject]:
        encode = self._assistant if message.role == "assistant" else self._user
        blocks: list[JSONObject] = []
        for part in message.parts:
            if message.role == "tool" and not isinstance(part, ToolResultPart):
                raise EncodeError(f"a tool message cannot hold a {type(part).__name__}, only results")
            block = encode(part)
            if block is None:
                continue
            ttl = getattr(part, "cache", None)
            blocks.append(block if ttl is None else cached(block, ttl))
        return blocks

    def _user(self, part: Part) -> JSONObject | None:
        match part:
            case TextPart():
                return self._text(part)
            case MediaPart():
                return self._media(part)
            case ToolResultPart():
                return self._result(part)
            case _:
                raise EncodeError(f"a user message cannot hold a {type(part).__name__} in this wire format")

    def _assistant(self, part: Part) -> JSONObject | None:
        match part:
            case TextPart():
                return self._text(part)
            case RefusalPart():
                self.report.lost("a refusal was sent as text")
                return self._text(TextPart(part.text, opaque=part.opaque))
            case ReasoningPart():
                return self._reasoning(part)
            case ToolCallPart():
                return self._call(part)
            case ToolResultPart() | MediaPart():
                return self._provided(part)

    def _text(self, part: TextPart) -> JSONObject | None:
        data = self._data(part.opaque, "text")
        if (block := data.get("block")) is not None:
            return dict(block)
        if not part.text.strip():
            if part.text:
                self.report.lost("a text of nothing but white space was left out: the API refuses it")
            return None
        for cited in part.citations:
            if own(cited.opaque, NAME, self.origin) is None:
                self.report.lost(f"citations of {issuer(cited.opaque)} stayed home")
        return text_block(part, data, self.origin)

    def _media(self, part: MediaPart) -> JSONObject:
        data = self._data(part.opaque, "media")
        if "block" in data:
            return dict(data["block"])
        block = encode_media(part, data)
        if part.filename and "title" not in block:
            self.report.lost(f"the file name {part.filename!r} was left out: only documents have one here")
        return block

    def _reasoning(self, part: ReasoningPart) -> JSONObject | None:
        data = own(part.opaque, NAME, self.origin)
        if data is None:
            if part.opaque is not None:
                stayed_home(part, self.report)
            elif part.text:
                self.report.lost("reasoning without a signature was left out: the API refuses it")
            return None
        # A server that does not sign may have its own back; to anybody unknown an empty signature is a wrong one.
        if "redacted" not in data and not data.get("signature") and (not part.opaque or part.opaque.origin is None):
            self.report.lost("reasoning without a signature was left out: the API refuses it")
            return None
        return reasoning_block(part, data)

    def _call(self, part: ToolCallPart) -> JSONObject | None:
        if part.provider_executed and own(part.opaque, NAME, self.origin) is None:
            stayed_home(part, self.report)
            return None
        data = dict(self._data(part.opaque, "tool_call"))
        kind = data.pop("type", "tool_use")
        if kind == "tool_use":
            self.called.add(part.id)
            if data.get("caller") == DIRECT:  # It goes without saying, and the vendor's own clients do not say it.
                del data["caller"]
        # What the provider runs keeps its id: its result goes back as it came.
        id = self.ids[part.id] if kind == "tool_use" else part.id
        return {"type": kind, "id": id, "name": part.name, "input": self._input(part)} | data

    def _input(self, part: ToolCallPart) -> object:
        given = input_of(part.arguments)
        if given is not None:
            return given
        self.report.lost(
            f"the arguments of a call of {part.name!r} are not a JSON object; they were sent as the text of one field"
        )
        return {"invalid_json": part.arguments}

    def _result(self, part: ToolResultPart) -> JSONObject:
        if part.call_id not in self.called:
            raise EncodeError(
                f"the result of {part.name or 'a tool'!r} has no call {part.call_id!r} before it: Anthropic refuses "
                "results without their calls; keep both of them in the conversation, or neither"
            )
        data = self._data(part.opaque, "tool_result")
        content: list[JSONObject] = [{"type": "text", "text": part.text}] if part.text.strip() else []
        content += [self._media(item) for item in part.media] if "content" not in data else []
        block: JSONObject = {"type": "tool_result", "tool_use_id": self.ids[part.call_id], "content": content}
        if part.is_error and len(content) == len([item for item in content if item["type"] == "text"]):
            block["is_error"] = True
        elif part.is_error and not part.text.lower().startswith("error"):
            self.report.lost("that a result with media is an error is said by its text alone: the API refuses both")
        if part.text and not part.text.strip():
            self.report.lost("a text of nothing but white space was left out: the API refuses it")
        return block | data

    def _provided(self, part: ToolResultPart | MediaPart) -> JSONObject | None:
        """What the provider itself put into its answer."""
        data = own(part.opaque, NAME, self.origin) or {}
        if "block" in data:
            return dict(data["block"])
        if isinstance(part, MediaPart):
            self.report.lost(f"{part.media_type} of an assistant was left out: Anthropic takes media from users only")
        else:
            stayed_home(part, self.report)
        return None

    def _data(self, opaque: Opaque | None, what: Literal["text", "media", "tool_call", "tool_result"]) -> JSONObject:
        data = own(opaque, NAME, self.origin)
        if data is None:
            if opaque is not None and opaque.data != {"caller": DIRECT}:
                self.report.lost(f"what {issuer(opaque)} noted on a {what.replace('_', ' ')} stayed home")
            return {}
        return data


def input_of(arguments: str) -> object:
    """Raw arguments as the input of a call, byte for byte; None where they are not a JSON object."""
    if not arguments.strip():
        return {}
    try:
        raw = arguments.encode()
        value: object = msgspec.json.decode(raw)
        return msgspec.Raw(raw) if isinstance(value, dict) else None
    except (ValueError, RecursionError):
        pass
    try:
        value = loads(arguments.encode("utf-8", "replace"), "the arguments")
    except DecodeError:
        return None
    return value if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType]
