"""Writes go-vcr's cassettes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from ...http import Request
from ..effects import Interaction, Tape
from . import _cassettes as cassettes
from . import _go_duration as go_duration
from . import _yaml_text as yaml_text
from ._govcr_fields import (
    INTERACTION_OURS,
    REQUEST_OURS,
    RESPONSE_OURS,
    TEXTS,
    V1,
    V2,
    Extra,
    Version,
    reason,
    written_texts,
)
from ._losses import beside as in_words
from ._yaml_text import Body

_Json = dict[str, Any]


def dump(tape: Tape) -> bytes:
    """The cassette of a tape, in version 2.

    Raises:
        TapeFormatError: the tape holds what is neither text nor plain data, or no HTTP.
    """
    return yaml_text.document(_cassette(tape, V2))


def dump_v1(tape: Tape) -> bytes:
    """The cassette of a tape, in version 1.

    Raises:
        TapeFormatError: the tape holds what is neither text nor plain data, or no HTTP.
    """
    return yaml_text.document(_cassette(tape, V1))


def beside(tape: Tape) -> tuple[str, ...]:
    """What version 2 has no field for."""
    return _beside(tape, V2)


def beside_v1(tape: Tape) -> tuple[str, ...]:
    """What version 1 has no field for."""
    return _beside(tape, V1)


def _beside(tape: Tape, version: Version) -> tuple[str, ...]:
    cassette = _cassette(tape, version)
    return in_words(cassette.get("playhead", {}), [call.get("playhead", {}) for call in cassette["interactions"]])


def _cassette(tape: Tape, version: Version) -> _Json:
    ours = ({"meta": tape.meta} if tape.meta else {}) | cassettes.placed(tape)
    return {
        "version": version.number,
        **({"playhead": ours} if ours else {}),
        "interactions": [_record(number, call, version) for number, call in enumerate(tape.interactions)],
    }


def _record(number: int, call: Interaction, version: Version) -> _Json:
    cassettes.refuse_other_protocols(call.request, f"interaction {number}")
    here, rest = _sorted(call, version) if call.foreign else ({}, {})
    record: _Json = {} if version is V1 else {"id": number}
    record["request"] = _request_record(call.request, here.get("request", {}), version)
    if response := _response_record(call, here.get("response", {}), version):
        record["response"] = response
    record |= here.get("interaction", {})
    if extra := msgspec.to_builtins(cassettes.set_fields(_extra(call, here, rest, version))):
        record["playhead"] = extra
    return record


def _request_record(request: Request, here: _Json, version: Version) -> _Json:
    fields = {**version.request_facts(request), **here}
    fields |= {"body": Body(request.body), "url": request.url, "method": request.method}
    fields |= {"headers": cassettes.grouped(request.headers)} if request.headers or version is V1 else {}
    return _ordered(fields, version.request)


def _response_record(call: Interaction, here: _Json, version: Version) -> _Json:
    fields: _Json = {**version.response_facts(call)}
    written = written_texts(call)
    in_full = version is V1 and call.status is not None
    fields |= written if in_full else {name: text for name, text in written.items() if text}
    fields |= here
    fields |= {"proto": call.http_version} if call.http_version and "proto" in version.response else {}
    if call.status is not None or call.chunks or call.headers:
        fields |= {"body": Body(call.body), "headers": cassettes.grouped(call.headers)}
    fields |= {"code": call.status} if call.status is not None else {}
    return _ordered(fields, version.response)


def _ordered(fields: _Json, order: tuple[str, ...]) -> _Json:
    return {name: fields[name] for name in order if name in fields} | fields


def _extra(call: Interaction, here: dict[str, _Json], rest: _Json, version: Version) -> Extra:
    duration = here.get("response", {}).get("duration", go_duration.text(call.head_s))
    return Extra(
        lane=call.lane,
        http_version="" if "proto" in version.response else call.http_version,
        answered=call.status is not None,
        request_headers=cassettes.lost_order(call.request.headers),
        response_headers=cassettes.lost_order(call.headers),
        chunks=cassettes.lengths(call),
        times=call.times,
        started_s=call.started_s,
        head_s=None if go_duration.seconds(duration) == call.head_s else call.head_s,
        duration_s=call.duration_s,
        ended=call.ended,
        error=call.error,
        outcome=call.outcome,
        superseded=call.superseded,
        foreign=rest,
    )


# What is kept of a cassette, and put back where it stood


def _sorted(call: Interaction, version: Version) -> tuple[dict[str, _Json], _Json]:
    """What an interaction keeps: that which has a place in this cassette, and the rest."""
    facts: dict[str, Mapping[str, Any]] = {
        "request": version.request_facts(call.request),
        "response": version.response_facts(call),
        "interaction": {},
    }
    here: dict[str, _Json] = {}
    rest: _Json = {}
    for part, kept in call.foreign.items():
        if part not in facts or not isinstance(kept, dict) or not kept:
            rest[part] = kept
            continue
        fields = cast("_Json", kept)
        here[part] = {
            name: value for name, value in fields.items() if _fits(part, name, value, call, version, facts[part])
        }
        if others := {name: value for name, value in fields.items() if name not in here[part]}:
            rest[part] = others
    return here, rest


_OURS = {"request": REQUEST_OURS, "response": RESPONSE_OURS, "interaction": INTERACTION_OURS}


def _fits(part: str, name: str, value: Any, call: Interaction, version: Version, facts: Mapping[str, Any]) -> bool:
    """Whether a field that is kept would be read again as it is, from the place where it stood."""
    if part == "response" and name in ("status", "duration"):
        return _is_odd(name, value, call)
    known = {"request": version.request, "response": version.response}.get(part, ())
    newer = {"request": V2.request, "response": V2.response}.get(part, ())
    has_place = name not in _OURS[part] and (name in known or name not in newer)
    return has_place and (name not in facts or facts[name] != value) and (name not in TEXTS or _is_text(value))


def _is_odd(name: str, value: Any, call: Interaction) -> bool:
    """Whether a status or a duration says the same as the interaction in another way."""
    if not isinstance(value, str) or not value or value == written_texts(call)[name]:
        return False
    if name == "duration":  # One that is a time would be read as that of a call which has none.
        return call.head_s is not None or go_duration.seconds(value) is None
    return reason(call.status, value) == call.reason


def _is_text(value: Any) -> bool:
    match value:
        case dict():
            return all(map(_is_text, cast("_Json", value).values()))
        case list():
            return all(map(_is_text, cast("list[Any]", value)))
        case _:
            return value is None or isinstance(value, str)
