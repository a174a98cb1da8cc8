"""The conversation as the Responses format's list of input items."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ...errors import EncodeError
from ...messages import (
    Citation,
    MediaPart,
    Message,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from .._history import call_ids, issuer, object_text, own, stayed_home
from .._json import JSONObject, obj, text
from .._report import Report
from ._items import CUSTOM, NAME, own_item

REASONING_MODELS = re.compile(r"(^|/)(o[1-9]|gpt-[5-9]|gpt-1\d|codex-|computer-use)(?![^/]*-chat)")
"""Model ids that take instructions as `developer`, and refuse or ignore sampling settings."""

_NEVER_THINKS = re.compile(r"(^|/)(gpt-[34]|chatgpt-4o|gpt-5-chat)")
"""Model ids that refuse reasoning of others in their input. https://github.com/openai/openai-agents-python/issues/569"""

_AUDIO = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}
_CALL_ID = r"(?s).{1,64}"
_SAY_FAILURES = ("shell_call", "apply_patch_call")
"""The calls whose results have a word for it that they failed."""

_REST = frozenset({"id", "item", "logprobs", "fields", "status", "from", "phase", "role", "instructions"})
"""What of opaque data has its own place."""


class Input:
    """Messages in, items out.

    Args:
        model: by its name the role of the system prompt is chosen.
        origin: the provider that it goes to.
        call_id: a pattern for the ids of calls.
        stored: whether the provider keeps what it answered, and finds reasoning by its id.
    """

    def __init__(
        self,
        messages: Sequence[Message],
        model: str,
        origin: str | None,
        report: Report,
        *,
        call_id: str | None = None,
        stored: bool = False,
    ) -> None:
        self.instructions: str | None = None
        self._messages = messages
        self._role = "developer" if REASONING_MODELS.search(model) else "system"
        self._origin = origin
        self._report = report
        self._stored = stored
        self._takes_thoughts = _NEVER_THINKS.search(model) is None
        self._ids = call_ids(messages, call_id or _CALL_ID)
        self._kinds: dict[str, str] = {}

    def items(self) -> list[JSONObject]:
        """The items, in order. `instructions` is what came so, and goes back so.

        Raises:
            EncodeError: the format has no words for a part.
        """
        return [item for n, message in enumerate(self._messages) for item in self._message(n, message)]

    def _message(self, n: int, message: Message) -> Iterable[JSONObject]:
        match message.role:
            case "system":
                return self._system(n, message)
            case "user":
                return [{"role": "user", "content": [self._piece(part, "user") for part in message.parts]}]
            case "assistant":
                return self._assistant(message)
            case "tool":
                return [self._result(part) for part in message.parts]

    def _system(self, n: int, message: Message) -> Iterator[JSONObject]:
        data: JSONObject = {}
        for part in message.parts:
            if not isinstance(part, TextPart):
                raise EncodeError(f"a system message cannot hold a {type(part).__name__} in this wire format")
            data = self._own(part) or data
        if n == 0 and data.get("instructions") is True:
            self.instructions = message.text
        else:
            yield {"role": text(data.get("role")) or self._role, "content": message.text}

    def _own(self, part: Part | Citation) -> JSONObject | None:
        return own(part.opaque, NAME, self._origin)

    def _data(self, part: Part) -> JSONObject:
        """What the issuer wants back with a part; what another issued stays home, and that is reported."""
        data = self._own(part)
        if data is None and part.opaque is not None:
            what = part.__struct_config__.tag
            self._report.lost(f"what {issuer(part.opaque)} wanted back with a {what} stayed home")
        return data or {}

    def _media(self, part: MediaPart) -> JSONObject:
        body = encode_media(part)
        if part.filename and "filename" not in body:
            self._report.lost(f"the file name {part.filename!r} was left out: only files sent as bytes have one here")
        return body

    # What users and tools give

    def _piece(self, part: Part, role: str) -> JSONObject:
        fields = obj(self._data(part).get("fields"))
        match part:
            case TextPart():
                return {"type": "input_text", "text": part.text} | fields
            case MediaPart():
                return self._media(part) | fields
            case _:
                raise EncodeError(f"a {role} message cannot hold a {type(part).__name__} in this wire format")

    def _result(self, part: Part) -> JSONObject:
        if not isinstance(part, ToolResultPart):
            raise EncodeError(f"a tool message cannot hold a {type(part).__name__}")
        fields = obj(self._data(part).get("fields"))
        kind = self._kinds.get(part.call_id)
        if kind not in _SAY_FAILURES and part.is_error and not part.text.lower().startswith("error"):
            self._report.lost("that a tool's result is an error is said by its text alone")
        if kind is None or kind == CUSTOM:
            if any(media.media_type.startswith("audio/") for media in part.media):
                raise EncodeError(
                    f"the result of {part.name!r} holds a sound: here results are text, images and files"
                )
            output: Any = part.text
            if part.media:
                words = [TextPart(part.text)] if part.text else []
                output = [self._piece(piece, "tool") for piece in (*words, *part.media)]
            kind = kind or "function_call"
            return {"type": f"{kind}_output", "call_id": self._id(part.call_id), "output": output} | fields
        if kind == "computer_call":
            return self._screenshot(part) | fields
        if part.media:
            self._report.lost(f"the media that {part.name!r} returned were left out: its results are text here")
        return self._builtin_result(kind, part) | fields

    def _id(self, call_id: str) -> str:
        return call_id if call_id in self._kinds else self._ids[call_id]

    def _screenshot(self, part: ToolResultPart) -> JSONObject:
        images = [media for media in part.media if media.media_type.startswith("image/")]
        if not images:
            raise EncodeError(f"call {part.call_id!r} of the computer wants a screenshot: return an image")
        shown = self._media(images[-1])
        shown = {"type": "computer_screenshot"} | {key: shown[key] for key in shown if key != "type"}
        if part.text or len(part.media) > 1:
            self._report.lost("of what the computer returned only the last image was sent")
        return {"type": "computer_call_output", "call_id": part.call_id, "output": shown}

    def _builtin_result(self, kind: str, part: ToolResultPart) -> JSONObject:
        match kind:
            case "local_shell_call":
                return {"type": "local_shell_call_output", "id": part.call_id, "output": part.text}
            case "shell_call":
                outcome = {"type": "exit", "exit_code": int(part.is_error)}
                output = [{"stdout": part.text, "stderr": "", "outcome": outcome}]
                return {"type": "shell_call_output", "call_id": part.call_id, "output": output}
            case _:
                status = "failed" if part.is_error else "completed"
                return {"type": f"{kind}_output", "call_id": part.call_id, "status": status, "output": part.text}

    # What models said

    def _assistant(self, message: Message) -> Iterator[JSONObject]:
        """Reasoning and what follows it go back together or not at all; so a message falls into groups."""
        group: list[Part] = []
        for part in message.parts:
            if self._thought(part) and group and not self._thought(group[-1]):
                yield from self._group(group)
                group = []
            group.append(part)
        yield from self._group(group)

    def _thought(self, part: Part) -> bool:
        return isinstance(part, ReasoningPart) and not own_item(self._own(part))

    def _group(self, parts: list[Part]) -> list[JSONObject]:
        thoughts = [part for part in parts if self._thought(part)]
        said = [part for part in parts if not self._thought(part)]
        sent: list[JSONObject] = []
        missing = False
        for part in thoughts:
            data = self._own(part)
            if data is not None and not self._takes_thoughts:
                missing = True
                self._report.lost(f"reasoning of {issuer(part.opaque)} was left out: the model takes none")
                continue
            if data is not None and self._goes(data):
                sent.append({"type": "reasoning", "summary": [], **data})
                continue
            missing = missing or data is not None
            if data is None:
                if isinstance(part, ReasoningPart) and (part.text or part.opaque):
                    stayed_home(part, self._report)
            elif isinstance(part, ReasoningPart) and part.text:
                self._report.lost(f"reasoning of {issuer(part.opaque)} was left out: it came without encrypted data")
        items = list(self._said(said, ids=bool(sent), orphaned=missing and not sent))
        if sent and not items:
            self._report.lost("reasoning that nothing follows was left out: it would be refused")
            return []
        return sent + items

    def _goes(self, data: JSONObject) -> bool:
        return bool(data.get("encrypted_content") or data.get("content") or (self._stored and data.get("id")))

    def _said(self, parts: list[Part], *, ids: bool, orphaned: bool) -> Iterator[JSONObject]:
        """
        Args:
            ids: whether items have their ids: the reasoning before them is there, and wants them.
            orphaned: whether there was reasoning before them that is not sent.
        """
        words: list[TextPart | RefusalPart] = []
        for part in parts:
            data = self._own(part) or {}
            if isinstance(part, TextPart | RefusalPart):
                if words and data.get("id") != (self._own(words[-1]) or {}).get("id"):
                    yield from self._words(words, ids)
                    words = []
                self._data(part)
                words.append(part)
                continue
            yield from self._words(words, ids)
            words = []
            if item := own_item(data):
                yield from self._whole(part, item, orphaned)
            elif isinstance(part, ToolCallPart) and not part.provider_executed:
                yield self._call(part, self._data(part), ids)
            elif "from" not in data:
                stayed_home(part, self._report)
        yield from self._words(words, ids)

    def _whole(self, part: Part, item: JSONObject, orphaned: bool) -> Iterator[JSONObject]:
        """An item that goes back as it came."""
        if isinstance(part, ToolCallPart) and not part.provider_executed:
            self._kinds[part.id] = text(item.get("type"))
        elif orphaned and isinstance(part, ToolCallPart | ToolResultPart):
            self._report.lost(
                f"what {issuer(part.opaque)} did by its own tool {part.name!r} was left out: the reasoning before "
                "it came without encrypted data, and they go back together or not at all"
            )
            return
        yield item

    def _call(self, call: ToolCallPart, data: JSONObject, ids: bool) -> JSONObject:
        item: JSONObject = {"type": "function_call", "call_id": self._ids[call.id], "name": call.name}
        item["arguments"] = object_text(call, self._report)
        item |= {key: value for key, value in data.items() if key not in _REST}
        return item | ({"id": data["id"]} if ids and data.get("id") else {})

    def _words(self, parts: list[TextPart | RefusalPart], ids: bool) -> Iterator[JSONObject]:
        """One message: in the short form where that says all."""
        parts = [part for part in parts if part.text]
        if not parts:
            return
        data = self._own(parts[0]) or {}
        message: JSONObject = {"role": "assistant"}
        if data.get("phase") is not None:
            message["phase"] = data["phase"]
        first = parts[0]
        if ids and data.get("id"):
            status = data.get("status") or "completed"
            message = {"type": "message", "id": data["id"], "status": status, **message}
        elif len(parts) == 1 and isinstance(first, TextPart) and not first.citations:
            yield message | {"content": first.text}
            return
        yield message | {"content": [self._output(part) for part in parts]}

    def _output(self, part: TextPart | RefusalPart) -> JSONObject:
        if isinstance(part, RefusalPart):
            return {"type": "refusal", "refusal": part.text}
        annotations = [found for it in part.citations if (found := annotation_of(it, self._origin, self._report))]
        return {"type": "output_text", "text": part.text, "annotations": annotations}


def annotation_of(citation: Citation, origin: str | None, report: Report) -> JSONObject | None:
    """A citation as an annotation; None where the format has no form for it, which is reported."""
    data = own(citation.opaque, NAME, origin)
    if data and isinstance(data.get("annotation"), dict):
        return obj(data["annotation"])
    if citation.url is None:
        report.lost("citations of documents were left out: this format cites pages by their URL")
        return None
    start, end = citation.start or 0, citation.end or 0
    found = {"type": "url_citation", "url": citation.url, "title": citation.title or ""}
    return found | {"start_index": start, "end_index": end}


def encode_media(part: MediaPart) -> JSONObject:
    """An image, a sound or a file as a piece of input. Documents of text are files, too.

    Raises:
        EncodeError: the format cannot carry it.
    """
    kind = part.media_type
    data = None if part.data is None else base64.b64encode(part.data).decode()
    url = part.url or (None if data is None else f"data:{kind};base64,{data}")
    if part.file_id is None and url is None:
        raise EncodeError(f"a {kind} part has neither `data` nor `url` nor `file_id`")
    if kind.startswith("image/"):
        place = {"image_url": url} if url is not None else {"file_id": part.file_id}
        return {"type": "input_image", **place}
    if kind in _AUDIO and data is not None:
        return {"type": "input_audio", "input_audio": {"data": data, "format": _AUDIO[kind]}}
    if kind.startswith(("audio/", "video/")):
        how = "by URL or id" if data is None else "as bytes"
        raise EncodeError(
            f"the Responses format cannot carry {kind} {how}: of sounds WAV and MP3 go as bytes, of films none"
        )
    if part.url is None and data is not None:
        return {"type": "input_file", "filename": part.filename or _filename(kind), "file_data": url}
    # The API refuses a name beside either of them.
    place = {"file_url": part.url} if part.url is not None else {"file_id": part.file_id}
    return {"type": "input_file", **place}


def _filename(kind: str) -> str:
    """A name whose ending says what is in the file: the provider goes by it."""
    endings = {"plain": "txt", "markdown": "md", "msword": "doc", "x-python": "py"}
    last = re.sub(r"[^\w-].*", "", kind.rpartition("/")[2]) or "bin"
    return f"document.{endings.get(last, last)}"


def input_of(arguments: str) -> str:
    """The free text in the arguments of a custom tool's call; they themselves where they are something else."""
    try:
        value: object = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    found = obj(value).get("input")
    return found if isinstance(found, str) else arguments
