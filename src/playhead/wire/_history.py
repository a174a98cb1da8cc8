"""Histories from elsewhere: opaque data goes home or stays home, and ids of calls fit the format."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from ..errors import DecodeError
from ..messages import Message, Opaque, Part, ToolCallPart, ToolResultPart
from ._json import loads
from ._report import Report


def own(opaque: Opaque | None, wire: str, origin: str | None) -> dict[str, Any] | None:
    """The data of `opaque` if it may go to `origin` in `wire`; None where it must stay home, or there is none.

    Data of an unknown issuer, and data for an unknown receiver, goes by its wire format alone.
    """
    if opaque is None or opaque.wire != wire or (None not in (opaque.origin, origin) and opaque.origin != origin):
        return None
    return opaque.data


def issuer(opaque: Opaque | None) -> str:
    """Who issued the data, in words."""
    return "somebody else" if opaque is None else opaque.origin or f"another {opaque.wire} provider"


def stayed_home(part: Part, report: Report) -> None:
    """Report that the opaque data of a part is not sent, and nothing else of the part either."""
    match part:
        case ToolCallPart() | ToolResultPart():
            what = f"what {issuer(part.opaque)} did by its own tool {part.name!r}"
        case _:
            what = f"{part.__struct_config__.tag} of {issuer(part.opaque)}"  # such as `reasoning of anthropic`
    report.lost(f"{what} stayed home")


_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


def object_text(call: ToolCallPart, report: Report) -> str:
    """A call's arguments as JSON text, byte for byte. What is no JSON object goes inside of one: providers refuse a
    history with anything else."""
    if not call.arguments:
        return "{}"
    try:
        _OBJECT.decode(call.arguments)
    except (ValueError, RecursionError):
        if _is_object(call.arguments):
            return call.arguments
    else:
        return call.arguments
    report.lost(f"the arguments of a call of {call.name!r} are no JSON object, and were sent inside of one")
    return msgspec.json.encode({"invalid_json": call.arguments.encode("utf-8", "replace").decode()}).decode()


def _is_object(text: str) -> bool:
    """As tolerant readers see it, who take NaN and the like."""
    try:
        return isinstance(loads(text.encode("utf-8", "replace"), "the arguments"), dict)
    except DecodeError:
        return False


def call_ids(messages: Sequence[Message], pattern: str | None) -> dict[str, str]:
    """For each id of a tool call or a result, the id to send: the same, unless it does not match `pattern`.

    Others are made of the old one's hash, so that a call and its result still meet, in every request.

    Args:
        pattern: a regular expression for the whole id; its made-up ones are 9 letters and digits.
    """
    ids = dict.fromkeys(_ids(messages))
    if pattern is None:
        return {id: id for id in ids}
    fits = re.compile(pattern).fullmatch
    return {id: id if fits(id) else hashlib.sha256(id.encode()).hexdigest()[:9] for id in ids}


def _ids(messages: Iterable[Message]) -> Iterable[str]:
    for message in messages:
        for part in message.parts:
            if isinstance(part, ToolCallPart):
                yield part.id
            elif isinstance(part, ToolResultPart):
                yield part.call_id
