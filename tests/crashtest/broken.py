"""Playhead with one promise broken, each in a process of its own: the crash test has to find it."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from agents import plain

import playhead as ph
from playhead.tape.effects import ToolRun
from playhead.tape.opened import OpenTape
from playhead.tape.player import Player
from playhead.tape.playhead import Playhead
from playhead.tape.recorder import CallRecording, Recorder
from playhead.tape.writer import TapeWriter


def tool_end_late() -> ph.Agent:
    """The end of a tool is written when the next call is made, and not before the result is handed on."""
    ends: list[Callable[[], object]] = []
    call = Recorder.call

    async def run_tool(self: Playhead, asked: ToolRun, run: Callable[[], Awaitable[ToolRun]], **_: Any) -> ToolRun:
        recording = self.opened.record_tool(asked, self.lane)
        result = await run()
        if recording is not None:
            ends.append(lambda: recording.end(result))
        return result

    def first_the_ends(self: Recorder, *arguments: Any) -> CallRecording:
        while ends:
            ends.pop(0)()
        return call(self, *arguments)

    Playhead.run_tool = run_tool
    Recorder.call = first_the_ends
    return plain


def chunk_late() -> ph.Agent:
    """A piece is written when the next one comes, and not before the reader sees it."""
    chunk, end = CallRecording.chunk, CallRecording.end
    waiting: dict[int, bytes] = {}

    def late(self: CallRecording, data: bytes) -> None:
        before, waiting[id(self)] = waiting.get(id(self)), data
        if before is not None:
            chunk(self, before)

    def then_end(self: CallRecording, *arguments: Any) -> None:
        if (data := waiting.pop(id(self), None)) is not None:
            chunk(self, data)
        end(self, *arguments)

    CallRecording.chunk, CallRecording.end = late, then_end
    return plain


def line_late() -> ph.Agent:
    """The beginning of a call is written with the next line, when the call is out already."""
    append = TapeWriter.append_bytes
    waiting: list[bytes] = []

    def late(self: TapeWriter, data: bytes) -> None:
        if b'"type":"call.start"' in data:
            waiting.append(data)
        else:
            append(self, b"".join([*waiting, data]))
            waiting.clear()

    TapeWriter.append_bytes = late
    return plain


def no_doubt() -> ph.Agent:
    """A tool that may run only once is simply run again."""
    find = OpenTape.find_tool

    def found(self: OpenTape, call: ToolRun, effect: str) -> ToolRun | None:
        return find(self, call, "idempotent")

    OpenTape.find_tool = found
    return plain


def tool_again() -> ph.Agent:
    """A tool that finished is run again if it may."""
    find = OpenTape.find_tool

    def found(self: OpenTape, call: ToolRun, effect: str) -> ToolRun | None:
        run = find(self, call, effect)
        return None if effect == "read" and not self.closed else run

    OpenTape.find_tool = found
    return plain


def pays_twice() -> ph.Agent:
    """The last answer of a tape is asked for again."""
    paid_for = Player._paid_for
    Player._paid_for = lambda self, places: max(0, paid_for(self, places) - 1)
    return plain


def torn_line_stays() -> ph.Agent:
    """A torn line is written on."""
    TapeWriter._whole_lines = lambda self: self.path.stat().st_size
    return plain


def other_keys() -> ph.Agent:
    """Each resume has idempotency keys of its own."""
    OpenTape.id = property(lambda _: str(os.getpid()))
    return plain


def forgets() -> ph.Agent:
    """A resumed run begins anew."""
    open_writer = TapeWriter.__init__

    def anew(self: TapeWriter, *arguments: Any, keep: bool, **more: Any) -> None:
        open_writer(self, *arguments, keep=False, **more)

    TapeWriter.__init__ = anew
    return plain
