"""The fields of HAR, as far as they are read, and what stands beside them."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias, cast

import msgspec
from msgspec import UNSET, UnsetType

from ..effects import Ended, NoAnswer
from . import _cassettes as cassettes

VERSION = "1.2"

Json: TypeAlias = dict[str, Any]
Number: TypeAlias = float | None


class Pair(msgspec.Struct, frozen=True):
    name: str
    value: str = ""


class PostData(msgspec.Struct, frozen=True, rename="camel"):
    mime_type: str | None = None
    text: str | None = None
    params: list[Pair] | None = None
    proposed_encoding: str | None = msgspec.field(default=None, name="encoding")
    """As the proposal for HAR 1.3 has it."""
    our_encoding: str | None = msgspec.field(default=None, name="_encoding")


class RequestFields(msgspec.Struct, frozen=True, rename="camel"):
    method: str
    url: str
    headers: list[Pair] = []
    post_data: PostData | None = None
    body_size: Number = None


class Content(msgspec.Struct, frozen=True, rename="camel"):
    text: str | None = None
    encoding: str | None = None
    size: Number = None
    file: Any = msgspec.field(default=None, name="_file")
    """Playwright's name of another file that holds the body."""


class ResponseFields(msgspec.Struct, frozen=True, rename="camel"):
    status: Annotated[int, msgspec.Meta(lt=10**9)]
    status_text: str | None = None
    http_version: str | None = None
    headers: list[Pair] = []
    content: Content = Content()
    error: Any = msgspec.field(default=None, name="_error")


class Timings(msgspec.Struct, frozen=True):
    """Milliseconds; -1 where a phase is not known, or was not there. `ssl` is a part of `connect`."""

    blocked: Number = None
    dns: Number = None
    connect: Number = None
    send: Number = None
    wait: Number = None
    receive: Number = None


class Extra(msgspec.Struct, frozen=True, kw_only=True):
    """What stands under `_playhead` in an entry, each where the rest of the entry says something else.

    Attributes:
        chunks: lengths in bytes.
        foreign: what another format left in the interaction.
    """

    lane: str | UnsetType = UNSET
    status: int | UnsetType | None = UNSET
    chunks: tuple[cassettes.Place, ...] | UnsetType = UNSET
    times: tuple[float, ...] | UnsetType | None = UNSET
    started_s: float | UnsetType | None = UNSET
    head_s: float | UnsetType | None = UNSET
    duration_s: float | UnsetType | None = UNSET
    ended: Ended | UnsetType = UNSET
    error: dict[str, str] | UnsetType | None = UNSET
    outcome: NoAnswer | UnsetType | None = UNSET
    superseded: bool | UnsetType = UNSET
    foreign: Json | UnsetType = UNSET


SIMPLE = tuple(name for name in Extra.__struct_fields__ if name not in ("chunks", "foreign"))


class Entry(msgspec.Struct, frozen=True, rename="camel"):
    request: RequestFields
    response: ResponseFields
    started_date_time: str | None = None
    time: Number = None
    timings: Timings | None = None
    playhead: Extra | None = msgspec.field(default=None, name="_playhead")


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What stands under `_playhead` in the log."""

    meta: Json | UnsetType = UNSET
    tools: tuple[cassettes.PlacedTool, ...] = ()
    readings: tuple[cassettes.PlacedReading, ...] = ()


def as_object(value: Any) -> Json:
    """The value, where it is an object; else an empty one."""
    return cast("Json", value) if isinstance(value, dict) else {}
