"""Writes VCR.py's cassettes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from ...http import Headers, Request
from ..effects import Interaction, Tape
from . import _cassettes as cassettes
from ._content_encoding import codings, decoded_body
from ._losses import beside as in_words
from ._vcrpy_bodies import restorable
from ._vcrpy_fields import JSON, KEY, OURS, TOP_OURS, VERSION, YAML, Extra, Kept, Serializer
from ._yaml_text import Body


def dump(tape: Tape) -> bytes:
    """The cassette of a tape, in YAML.

    Raises:
        TapeFormatError: the tape holds what is neither text nor plain data.
    """
    return YAML.document(_cassette(tape, YAML))


def dump_json(tape: Tape) -> bytes:
    """The cassette of a tape, in JSON.

    Raises:
        TapeFormatError: the tape holds what is neither text nor plain data, or a body that is not text.
    """
    return JSON.document(_cassette(tape, JSON))


def beside(tape: Tape) -> tuple[str, ...]:
    """What VCR.py has no field for."""
    return _beside(tape, YAML)


def beside_json(tape: Tape) -> tuple[str, ...]:
    """The same, of a cassette in JSON."""
    return _beside(tape, JSON)


def _beside(tape: Tape, serializer: Serializer) -> tuple[str, ...]:
    cassette = _cassette(tape, serializer)
    head: dict[str, Any] = cassette.get("playhead", {})
    calls = [*cassette["interactions"], *head.get("unanswered", ())]
    return in_words(head, [call.get("playhead", {}) for call in calls])


def _cassette(tape: Tape, serializer: Serializer) -> dict[str, Any]:
    rest = _own_meta(tape)
    meta = {name: value for name, value in tape.meta.items() if not (rest and name == KEY)}
    calls: list[dict[str, Any]] = []
    unanswered: list[dict[str, Any]] = []
    for at, effect in enumerate(tape.effects):
        if not isinstance(effect, Interaction):
            continue
        if effect.status is None:
            unanswered.append(_record(effect, serializer, at))
        else:
            calls.append(_record(effect, serializer, None))
    ours = _filled({"meta": meta, **cassettes.placed(tape), "unanswered": unanswered})
    return {"interactions": calls, **({"playhead": ours} if ours else {}), **rest, "version": VERSION}


def _own_meta(tape: Tape) -> dict[str, Any]:
    """What is to stand at the top of the cassette as it came from there."""
    own: Any = tape.meta.get(KEY)
    if not isinstance(own, dict):
        return {}
    fields = cast("dict[Any, Any]", own)
    fit = all(isinstance(name, str) and name not in TOP_OURS for name in fields)
    return fields if fit else {}


def _filled(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def _record(call: Interaction, serializer: Serializer, at: int | None) -> dict[str, Any]:
    cassettes.refuse_other_protocols(call.request, "an interaction")
    wanted = _wanted(call)
    request_as, request_data = _held(call.request.body, wanted.request_as, serializer)
    response_as, response_data = _held(call.body, None if wanted.response_body else wanted.response_as, serializer)
    as_is = wanted.as_is and _is_as_is(call)
    headers, dropped = (call.headers, ()) if as_is else _true_headers(call)
    kept = msgspec.structs.replace(wanted, request_as=request_as, response_as=response_as, as_is=as_is)
    record: dict[str, Any] = {"request": _request_record(call.request, kept, request_data)}
    more = wanted.response or wanted.response_body or wanted.status
    if at is None or call.reason or call.headers or call.chunks or more:
        record["response"] = _response_record(call, headers, kept, response_data)
    record |= kept.interaction
    if extra := cassettes.set_fields(_extra(call, headers, dropped, _other(call, kept), at)):
        record["playhead"] = extra
    return record


def _wanted(call: Interaction) -> Kept:
    """How the cassette that the interaction came from held it; as usual where it came from none, or from another
    Playhead's."""
    own: Any = call.foreign.get(KEY)
    try:
        kept = msgspec.convert(own, Kept)
    except msgspec.ValidationError:
        return Kept()
    clash = any(OURS[part] & set(getattr(kept, part)) for part in OURS)
    return Kept() if clash else kept


def _other(call: Interaction, kept: Kept) -> dict[str, Any]:
    """What is in `foreign` and will not be seen from the cassette's own fields."""
    own = call.foreign.get(KEY)
    seen = cassettes.set_fields(kept)
    return {name: value for name, value in call.foreign.items() if name != KEY or not seen or seen != own}


def _held(body: bytes, held_as: str | None, serializer: Serializer) -> tuple[Any, Any]:
    """How a body is to be held, and the data for it; the bytes themselves where it cannot be held so."""
    if held_as == "text" and not body:
        return held_as, Body(b"")
    if held_as in ("body", "parsed_body"):
        data = restorable(body, serializer)
        kinds = (dict, list) if held_as == "body" else (dict, list, str, int, float, bool)
        if type(data) in kinds:
            return held_as, data
    return None, Body(body)


def _request_record(request: Request, kept: Kept, data: Any) -> dict[str, Any]:
    key = "parsed_body" if kept.request_as == "parsed_body" else "body"
    body = None if kept.request_as is None and not request.body else data
    fields = {key: body, "headers": cassettes.grouped(request.headers), "method": request.method, "uri": request.url}
    return fields | kept.request


def _response_record(call: Interaction, headers: Headers, kept: Kept, data: Any) -> dict[str, Any]:
    body = {"parsed_body": data} if kept.response_as else {"body": {"string": data, **kept.response_body}}
    status = {"code": call.status, "message": call.reason}
    return {**body, "headers": cassettes.grouped(headers), "status": status | kept.status} | kept.response


def _is_as_is(call: Interaction) -> bool:
    """Whether the body is read as it stands, though a header names a content encoding."""
    return bool(call.chunks and call.body and codings(call.headers)) and decoded_body(call.headers, call.body) is None


def _true_headers(call: Interaction) -> tuple[Headers, tuple[tuple[int, str, str], ...]]:
    """The headers that are true of a body that is decoded, and the others, with their places."""
    if not (codings(call.headers) and call.body):
        return call.headers, ()
    length = str(len(call.body))

    def is_true(name: str, value: str) -> bool:
        name = name.lower()
        return name != "content-encoding" and (name != "content-length" or value == length)

    dropped = tuple((at, *pair) for at, pair in enumerate(call.headers) if not is_true(*pair))
    return tuple(pair for pair in call.headers if is_true(*pair)), dropped


def _extra(
    call: Interaction,
    headers: Headers,
    dropped: tuple[tuple[int, str, str], ...],
    foreign: dict[str, Any],
    at: int | None,
) -> Extra:
    return Extra(
        at=at,
        request_headers=cassettes.lost_order(call.request.headers),
        response_headers=cassettes.lost_order(headers),
        dropped=dropped,
        chunks=cassettes.lengths(call),
        foreign=foreign,
        **{name: getattr(call, name) for name in cassettes.SAME},
    )
