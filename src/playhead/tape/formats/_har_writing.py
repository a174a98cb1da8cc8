"""Writes HAR files."""

from __future__ import annotations

import math
from datetime import datetime

import msgspec

from ...errors import TapeFormatError
from ..effects import Interaction, Tape
from . import _cassettes as cassettes
from ._har_fields import SIMPLE, Json, as_object
from ._har_reading import is_http, plain, read_entry, read_interaction, refuse_other_protocols
from ._har_record import entry_record, facts_of, log_facts, log_rest
from ._har_times import beginning
from ._losses import beside as in_words
from ._overlay import overlaid


def dump(tape: Tape) -> bytes:
    """The HAR file of a tape.

    Raises:
        TapeFormatError: the tape holds what is neither text nor plain data.
    """
    try:
        return msgspec.json.format(msgspec.json.encode({"log": _log_record(tape)}), indent=2) + b"\n"
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise TapeFormatError(f"the tape holds what HAR cannot: {error}") from error


def beside(tape: Tape) -> tuple[str, ...]:
    """What HAR has no field for."""
    log = _log_record(tape)
    return in_words(log.get("_playhead", {}), [entry.get("_playhead", {}) for entry in log["entries"]])


def _log_record(tape: Tape) -> Json:
    began = beginning(tape.meta)
    entries = [_entry_record(number, call, began) for number, call in enumerate(tape.interactions)]
    log, meta = overlaid(log_facts(), kept := as_object(tape.meta.get("har"))), tape.meta
    if kept and log_rest(log) == kept:
        meta = {name: value for name, value in meta.items() if name != "har"}
    else:
        log = log_facts()
    ours = ({"meta": meta} if meta != facts_of(entries) else {}) | cassettes.placed(tape)
    return log | ({"_playhead": ours} if ours else {}) | {"entries": entries}


def _entry_record(number: int, call: Interaction, began: datetime) -> Json:
    seconds = (call.started_s, call.head_s, call.duration_s, *(call.times or ()))
    if not all(math.isfinite(value) for value in seconds if value is not None):
        raise TapeFormatError(
            f"the tape holds interaction {number} with a time that is no number: HAR cannot hold it."
        )
    kept = as_object(call.foreign.get("har"))
    if kept:
        in_base64 = as_object(as_object(kept.get("response")).get("content")).get("encoding") == "base64"
        record = overlaid(entry_record(call, began, in_base64=in_base64), kept)
        others = {name: value for name, value in call.foreign.items() if name != "har"}
        if finished := _finished(record, call, others, began):
            return finished
        # Else it does not fit what somebody made of the interaction since, or was never HAR's.
    if finished := _finished(entry_record(call, began), call, call.foreign, began):
        return finished
    raise TapeFormatError(
        f"the tape holds interaction {number}, which HAR cannot hold: its times are not those of its pieces, or a "
        "value is not of its kind."
    )


def _finished(record: Json, call: Interaction, foreign: Json, began: datetime) -> Json | None:
    """The record with what HAR cannot hold; None where this interaction is not what would be read from it."""
    try:
        alone = plain(read_entry(record, "entry"), began, _pass_over)
        extra = _extra(call, alone, foreign)
        if extra or not is_http(call.request.url):
            record = record | {"_playhead": extra}
        entry = read_entry(record, "entry")
        refuse_other_protocols(record, entry, "entry")
        return record if read_interaction(record, entry, began, _pass_over) == call else None
    except (TapeFormatError, ValueError, OverflowError):
        return None


def _pass_over(_oddity: str) -> None:
    """What is odd was told when the file was read."""


def _extra(call: Interaction, alone: Interaction, foreign: Json) -> Json:
    extra = {name: getattr(call, name) for name in SIMPLE if getattr(call, name) != getattr(alone, name)}
    extra |= {"chunks": [len(chunk) for chunk in call.chunks]} if call.chunks != alone.chunks else {}
    return extra | ({"foreign": foreign} if foreign else {})
