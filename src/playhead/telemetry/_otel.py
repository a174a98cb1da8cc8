"""Spans and metrics of runs, model calls and tools, by OpenTelemetry's conventions for generative AI."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING

from opentelemetry import context as contexts
from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider

from .._version import __version__
from ..agent.hooks import Hooks, RunInfo
from ..agent.result import RunResult
from ..events import Event, MessageEnd, MessageStart, PartDelta, PartEnd, PartStart, ToolEnd
from ..messages import ModelRequest, ToolCallPart, ToolResultPart
from ..model import Model
from ._attributes import Attributes, answered, asked, error_type, failed, provider_name, used, where
from ._content import Content
from ._cost import cost_of_attempt, cost_of_run
from ._instruments import Instruments
from ._under_way import Chat, RunningTool, Watched

if TYPE_CHECKING:
    from ..agent.calling import AttemptMade

_SCOPE = "playhead"
_IN_A_TOOL_OF = contexts.create_key("playhead-in-a-tool-of")
"""Under which the context says in a tool of which run something happens."""

_OF_A_MESSAGE = frozenset({MessageStart, PartStart, PartDelta, PartEnd, MessageEnd})


class OpenTelemetry(Hooks):
    """Spans and metrics of runs, model calls and tools: `Agent(hooks=[OpenTelemetry()])`.

    What is played from a tape has `playhead.played` on its spans, and is not counted in the metrics.

    Args:
        tracer_provider: where spans go; the global one where it is left out.
        meter_provider: where metrics go; the global one where it is left out.
        content: whether the spans hold what was said: instructions, messages, tool arguments and results. Known
            secrets are taken out of it, and the bytes of images and documents are left out.

    Raises:
        MissingDependency: opentelemetry-api is not installed.
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        *,
        content: bool = False,
    ) -> None:
        self._tracer = trace.get_tracer(_SCOPE, __version__, tracer_provider)
        self._instruments = Instruments(metrics.get_meter(_SCOPE, __version__, meter_provider))
        self._content = Content() if content else None
        self._runs: dict[str, Watched] = {}

    def run_start(self, run: RunInfo) -> None:
        """Begin the span of a run."""
        provider, _, model = run.model.partition(":")
        attributes: Attributes = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.provider.name": provider_name(provider),
            "playhead.run.id": run.id,
            "playhead.lane": run.lane,
        }
        known = {
            "gen_ai.agent.name": run.agent,
            "gen_ai.conversation.id": run.conversation,
            "gen_ai.request.model": model,
            "playhead.tape": run.tape,
        }
        attributes.update({name: value for name, value in known.items() if value})
        name = f"invoke_agent {run.agent}" if run.agent else "invoke_agent"
        above = self._above(run)
        started = time.time_ns()
        span = self._tracer.start_span(name, above, SpanKind.INTERNAL, attributes, start_time=started)
        self._runs[run.id] = Watched(span, trace.set_span_in_context(span, above), attributes, started)

    def _above(self, run: RunInfo) -> Context:
        """What a run's span belongs to: what is current, and the run that handed it the conversation."""
        current = contexts.get_current()
        if run.parent is None or contexts.get_value(_IN_A_TOOL_OF, current) == run.parent.id:
            return current
        parent = self._runs.get(run.parent.id)
        return current if parent is None else parent.context

    def request(self, run: RunInfo, request: ModelRequest, model: Model) -> None:
        """Begin the span of a try at an answer."""
        watched = self._runs.get(run.id)
        if watched is None:
            return
        if watched.chat is not None:  # It could not even be sent.
            _end(watched.chat.span, {"error.type": "not_sent"})
        watched.described = {tool.name: tool.description for tool in request.tools}
        if watched.first is None:
            watched.first = request
        chat = self._chat(run, watched, model)
        chat.span.set_attributes(asked(request))
        chat.stream = request.stream
        if self._content is not None and chat.span.is_recording():
            chat.span.set_attributes(self._content.of_request(request))

    def _chat(self, run: RunInfo, watched: Watched, model: Model, started_ns: int | None = None) -> Chat:
        attributes: Attributes = {"gen_ai.operation.name": "chat", **where(model)}
        span = self._tracer.start_span(
            f"chat {model.id}", watched.context, SpanKind.CLIENT, attributes, start_time=started_ns
        )
        if run.conversation:
            span.set_attribute("gen_ai.conversation.id", run.conversation)
        watched.chat = Chat(span, attributes, time.perf_counter())
        return watched.chat

    def event(self, run: RunInfo, event: Event) -> None:
        """See when the first piece of an answer comes, and what a tool gave."""
        kind = type(event)
        if kind in _OF_A_MESSAGE:
            watched = self._runs.get(run.id)
            if watched is not None and (chat := watched.chat) is not None and chat.first_at is None:
                chat.first_at = time.perf_counter()
        elif isinstance(event, ToolEnd):
            watched = self._runs.get(run.id)
            if watched is not None:
                self._tool_end(run, watched, event)

    def attempt(self, run: RunInfo, attempt: AttemptMade) -> None:
        """End the span of a try at an answer."""
        watched = self._runs.get(run.id)
        if watched is None:
            return
        began = time.time_ns() - int(attempt.duration_s * 1e9)
        chat = watched.chat or self._chat(run, watched, attempt.model, began)
        watched.chat = None
        watched.saw(played=attempt.played)
        attributes = chat.attributes
        answer = attempt.response or attempt.partial
        if answer is not None:
            attributes |= answered(answer, whole=attempt.response is not None)
        if attempt.error is not None:
            attributes |= failed(attempt.error)
        first_s = chat.first_at - chat.asked_at if chat.stream and chat.first_at is not None else None
        if not attempt.played:
            self._instruments.call(attributes, attempt.duration_s, first_s, answer.usage if answer else None)
        if first_s is not None:
            attributes["gen_ai.response.time_to_first_chunk"] = first_s
        attributes["playhead.lane"] = attempt.lane
        if attempt.effect is not None:
            attributes["playhead.effect"] = attempt.effect
        attributes |= cost_of_attempt(attempt)
        if self._content is not None and answer is not None and chat.span.is_recording():
            attributes |= self._content.of_answer(answer, whole=attempt.response is not None)
        _end(chat.span, attributes, played=attempt.played)

    def around_tool(self, run: RunInfo, call: ToolCallPart, lane: str) -> AbstractContextManager[None]:
        """The span of a tool, which is the current one in the tool's own code."""
        return _Inside(self, run, call, lane)

    def enter_tool(self, run: RunInfo, call: ToolCallPart, lane: str) -> Context | None:
        """Begin the span of a tool; the context that the tool is to have, or None where its run is not known."""
        watched = self._runs.get(run.id)
        if watched is None:
            return None
        tool = self._tool(run, watched, call, lane, time.time_ns())
        return contexts.set_value(_IN_A_TOOL_OF, run.id, trace.set_span_in_context(tool.span))

    def leave_tool(self, run: RunInfo, lane: str, error: BaseException | None) -> None:
        """A tool has run. Its span ends with the next word about it: whether its result came from the tape."""
        watched = self._runs.get(run.id)
        if watched is not None and (tool := watched.tools.get(lane)) is not None:
            tool.ended_ns, tool.error = time.time_ns(), error

    def _tool(self, run: RunInfo, watched: Watched, call: ToolCallPart, lane: str, started_ns: int) -> RunningTool:
        attributes: Attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": call.name,
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": call.id,
            "playhead.lane": lane,
        }
        if described := watched.described.get(call.name):
            attributes["gen_ai.tool.description"] = described
        if run.agent:
            attributes["gen_ai.agent.name"] = run.agent
        if self._content is not None:
            attributes |= self._content.of_arguments(call)
        name = f"execute_tool {call.name}"
        span = self._tracer.start_span(name, watched.context, SpanKind.INTERNAL, attributes, start_time=started_ns)
        tool = watched.tools[lane] = RunningTool(span, attributes, started_ns)
        return tool

    def _tool_end(self, run: RunInfo, watched: Watched, event: ToolEnd) -> None:
        tool = watched.tools.get(event.lane) or self._tool(run, watched, event.call, event.lane, time.time_ns())
        del watched.tools[event.lane]
        watched.saw(played=event.played)
        if tool.ended_ns is None:
            tool.ended_ns = tool.started_ns if event.played else time.time_ns()
        self._end_tool(tool, event.result, played=event.played)

    def _end_tool(self, tool: RunningTool, result: ToolResultPart | None, *, played: bool) -> None:
        attributes, ended_ns = tool.attributes, tool.ended_ns or time.time_ns()
        if tool.error is not None:
            attributes["error.type"] = error_type(tool.error)
        elif result is not None and result.is_error:
            attributes["error.type"] = "tool_error"
        if not played:
            self._instruments.tool(attributes, (ended_ns - tool.started_ns) / 1e9)
        if self._content is not None and result is not None:
            attributes |= self._content.of_result(result.text)
        _end(tool.span, attributes, played=played, at_ns=ended_ns)

    def run_end(self, run: RunInfo, result: RunResult, error: BaseException | None) -> None:
        """End the span of a run, and what was under way in it."""
        watched = self._runs.pop(run.id, None)
        if watched is None:
            return
        for tool in watched.tools.values():  # Cut down, or waiting for an approval.
            self._end_tool(tool, None, played=False)
        if watched.chat is not None:
            _end(watched.chat.span, {"error.type": error_type(error) if error else "not_sent"})
        attributes = watched.attributes
        if error is not None:
            attributes |= failed(error)
        played = watched.played and not watched.live
        ended_ns = time.time_ns()
        if not played:
            self._instruments.agent(attributes, (ended_ns - watched.started_ns) / 1e9)
        attributes |= used(result.usage) | cost_of_run(result)
        if result.finish_reason:
            attributes["gen_ai.response.finish_reasons"] = (result.finish_reason,)
        if self._content is not None and watched.span.is_recording():
            if watched.first is not None:
                attributes |= self._content.of_request(watched.first)
            if result.steps:
                answer = result.steps[-1].response
                attributes |= self._content.of_answer(answer, whole=error is None)
        _end(watched.span, attributes, played=played, at_ns=ended_ns)


class _Inside:
    """Around a tool: its span is the current one."""

    def __init__(self, watcher: OpenTelemetry, run: RunInfo, call: ToolCallPart, lane: str) -> None:
        self._watcher = watcher
        self._of = (run, call, lane)

    def __enter__(self) -> None:
        inside = self._watcher.enter_tool(*self._of)
        self._token = None if inside is None else contexts.attach(inside)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            contexts.detach(self._token)
        run, _, lane = self._of
        self._watcher.leave_tool(run, lane, error)


def _end(span: Span, attributes: Attributes, *, played: bool = False, at_ns: int | None = None) -> None:
    """End a span. What an error says is not told: it may quote a key, or what somebody said."""
    span.set_attributes(attributes)
    if played:
        span.set_attribute("playhead.played", True)
    if "error.type" in attributes:
        span.set_status(Status(StatusCode.ERROR, str(attributes["error.type"])))
    span.end(at_ns)
