"""An agent: a model, instructions and tools, ready to be run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Unpack

import msgspec

from .._settings import checked
from ..errors import ConfigError
from ..http import Transport
from ..ledger import Limits
from ..messages import Message, ProviderTool, Settings
from ..model import Model
from ..output import Output, as_output
from ..providers import Provider, resolve
from ..retry import Retry, Timeouts, as_retry
from ..tape.effects import Tape
from ..tape.open import Mode, TapeSource, playhead_for
from ..tools import Context, Toolset, as_tool
from .approvals import Approvals
from .around import around
from .checking import check_agent, check_run, kind
from .course import Course
from .handoff import Handoff
from .hooks import Hooks, as_hooks
from .nested import AgentTool, agent_tool
from .outputs import refuse_clash
from .pausing import opening_of
from .repairing import Repair
from .result import RunResult
from .run import Run
from .spec import Asked, Bounds, Prompt, RunOptions, Spec
from .steering import BeforeStep, StopCondition, SystemPrompts
from .sync import SyncRun, awaited, finished
from .toolbox import by_name

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from ..events import Event
    from .compaction import Compaction
    from .session import Session

    DepsT = TypeVar("DepsT", default=Any)
    OutputT = TypeVar("OutputT", default=str)
else:
    from typing import TypeVar

    DepsT = TypeVar("DepsT")
    OutputT = TypeVar("OutputT")

Tools = Sequence[Callable[..., Any] | ProviderTool | Toolset | Handoff]


class Agent(Generic[DepsT, OutputT]):
    """A model that uses tools.

    Args:
        model: `provider:model`, such as `openrouter:moonshotai/kimi-k2-0905`, or a compatible server's address,
            `compat:http://127.0.0.1:8080/v1#model`, or a `Model`.
        tools: functions, or what `@tool` makes of them; tools that the provider runs itself,
            `ProviderTool("web_search")`; sources of tools, such as MCP servers; other agents, `agent.as_tool()` and
            `handoff(agent)`.
        system: the system prompt: a text, a function of the run's `Context` that gives one when a run begins, or
            several of both. A history that has its own keeps it, unless a function is among them.
        output: the type of the output: a pydantic model, a dataclass, a TypedDict, a msgspec struct, a plain type, a
            list of types for one of them, or an `Output` that says more. Text where it is left out.
        deps_type: the type of the dependencies that runs are given as `deps=`; for type checkers alone.
        name: what the agent is called in ledgers, traces and hand-offs.
        provider: where the model is reached, over what `model` says.
        base_url: instead of the provider's address.
        api_key: instead of the provider's environment variable: the key, or a function that gives it. The function is
            asked for each request, and once more after one that was refused because the key is out of date.
        fallbacks: models that are asked in turn where the first one fails.
        retry: how often a model is asked again where that may help: a `Retry`, a number of attempts, or False.
        timeouts: how long a provider may take.
        limits: on tokens, money, steps, tool calls and seconds of a run, agents inside its tools included.
        stop_when: conditions under which a run ends well after a step; see `playhead.stop`.
        before_step: called before each step with a `NextStep`; may return another one.
        compaction: makes the conversation shorter where the model's context runs short.
        repair: called with a call that cannot be run as the model made it; may give the call that was meant.
        hooks: what looks on: `Hooks`, or functions of an event.
        max_steps: model calls of a run, at most.
        max_parallel_tools: tools of a run that run at the same time, at most.
        strict_settings: whether a setting that the provider does not know is an error. Otherwise it is left out, and
            told in `result.warnings`.
        transport: sends the requests; the network where it is left out. It is not closed by the agent.
        settings: how answers are made, as a mapping.
        more: the same as keywords, over `settings`: `max_tokens=4000, temperature=0`.

    Raises:
        ConfigError: the model's name does not say where it is, two tools have the same name, or the output's type
            cannot be told to a model.
        ToolDefinitionError: a function cannot be made into a tool.
    """

    def __init__(
        self,
        model: str | Model,
        *,
        tools: Tools = (),
        system: SystemPrompts = None,
        output: type[OutputT] | Output[OutputT] | Sequence[type[OutputT]] | None = None,
        deps_type: type[DepsT] | None = None,
        name: str | None = None,
        provider: Provider | None = None,
        base_url: str | None = None,
        api_key: str | Callable[[], str] | None = None,
        fallbacks: Sequence[str | Model] = (),
        retry: Retry | bool | int | None = None,
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
        stop_when: StopCondition | Sequence[StopCondition] = (),
        before_step: BeforeStep | None = None,
        compaction: Compaction | None = None,
        repair: Repair | None = None,
        hooks: Sequence[Hooks | Callable[[Event], None]] = (),
        max_steps: int = 50,
        max_parallel_tools: int = 16,
        strict_settings: bool = False,
        transport: Transport | None = None,
        settings: Settings | None = None,
        **more: Unpack[Settings],
    ) -> None:
        self.deps_type = deps_type
        check_agent(
            system=system,
            stop_when=stop_when,
            tools=tools,
            fallbacks=fallbacks,
            hooks=hooks,
            functions={"before_step": before_step, "repair": repair},
            counts={"max_steps": max_steps, "max_parallel_tools": max_parallel_tools},
            timeouts=timeouts,
            limits=limits,
            compaction=compaction,
            settings=settings,
            transport=transport,
        )
        tools = (tools,) if callable(tools) else tuple(tools)
        fallbacks = (fallbacks,) if isinstance(fallbacks, str | Model) else fallbacks
        chosen = _model(model, provider, base_url, api_key)
        own = [as_tool(tool) for tool in tools if not isinstance(tool, ProviderTool | Toolset | Handoff)]
        sources = [tool for tool in tools if isinstance(tool, Toolset)]
        toolsets = by_name(sources, "two sources of tools have", "name=")
        handoffs = tuple(tool for tool in tools if isinstance(tool, Handoff))
        wanted = as_output(output)
        refuse_clash(wanted, by_name([*own, *(handoff.tool for handoff in handoffs)]))
        self.spec = Spec(
            name=name or chosen.id,
            model=chosen,
            fallbacks=tuple(_model(other, None, None, None) for other in fallbacks),
            system=_prompts(system),
            tools=tuple(own),
            provider_tools=tuple(tool for tool in tools if isinstance(tool, ProviderTool)),
            toolsets=tuple(toolsets.values()),
            handoffs=handoffs,
            output=wanted,
            settings=_settings(settings, more),
            max_steps=max_steps,
            max_parallel_tools=max_parallel_tools,
            strict_settings=strict_settings,
            retry=as_retry(retry),
            timeouts=timeouts or Timeouts(),
            limits=limits,
            stop_when=(stop_when,) if callable(stop_when) else tuple(stop_when or ()),
            before_step=before_step,
            compaction=compaction,
            repair=repair,
            hooks=as_hooks(hooks),
            transport=transport,
        )

    @property
    def name(self) -> str:
        """What the agent is called."""
        return self.spec.name

    @property
    def model(self) -> Model:
        """The model that is asked first."""
        return self.spec.model

    def with_model(
        self,
        model: str | Model,
        *,
        provider: Provider | None = None,
        base_url: str | None = None,
        api_key: str | Callable[[], str] | None = None,
        transport: Transport | None = None,
    ) -> Agent[DepsT, OutputT]:
        """This agent with another model, and with another transport where one is given. Arguments and errors as in
        `Agent`."""
        chosen = _model(model, provider, base_url, api_key)
        name = chosen.id if self.spec.name == self.spec.model.id else self.spec.name
        return self._with(replace(self.spec, model=chosen, name=name, transport=transport or self.spec.transport))

    def _with(self, spec: Spec) -> Agent[DepsT, OutputT]:
        other = object.__new__(type(self))
        other.spec, other.deps_type = spec, self.deps_type
        return other

    def as_tool(
        self,
        name: str | None = None,
        description: str | None = None,
        *,
        prompt: str = "what it is to do, with all that it has to know",
    ) -> AgentTool:
        """This agent as a tool of another. Its run is a lane of the same tape, its usage adds up, its events are
        given as `Nested`, and its tool calls that wait for approval are pending in the run around it.

        Args:
            name: what the model calls it; the agent's name where it is left out.
            description: what the model is told of it.
            prompt: what the model is told of its one parameter.

        Raises:
            ToolDefinitionError: the name cannot be a tool's.
        """
        return agent_tool(self, name or self.name, description or f"Ask the agent {self.name}.", prompt)

    def session(
        self, tape: TapeSource | None = None, *, deps: DepsT | None = None, **more: Any
    ) -> Session[DepsT, OutputT]:
        """A conversation of many runs on one tape. See `playhead.Session`."""
        from .session import Session

        return Session(self, tape, deps=deps, **more)

    def __repr__(self) -> str:
        spec = self.spec
        tools = [*spec.tools, *spec.provider_tools, *spec.toolsets, *(handoff.tool for handoff in spec.handoffs)]
        return f"Agent({spec.model.name}, tools=[{', '.join(tool.name for tool in tools)}])"

    async def run(
        self,
        prompt: Prompt | None = None,
        **options: Unpack[RunOptions[DepsT]],
    ) -> RunResult[OutputT]:
        """Run to the end, with answers that are not streamed.

        Args:
            prompt: what the user says: text, or pieces of text and media. It may be left out where `messages` ends
                with what is to be answered.
            messages: a conversation to go on with, such as `result.messages`.
            tape: a file (`.jsonl` is Playhead's own format, `.yaml` is go-vcr's), a tape in memory, or one that
                `open_tape` gave. Without one it is the tape that is open around the run: that of the run whose tool
                this is called in, or of a `with open_tape(...)` block. Else the run is recorded in memory, in
                `result.tape`.
            mode: `record`, `replay`, `auto`, `resume` (where none is given) or `off`.
            settings: for this run, over the agent's.
            deps: what tools and functions of the agent find in `ctx.deps`. It is never written to a tape.
            limits: instead of the agent's.
            budget: limits that this run shares with others.
            approvals: decisions about tool calls that need them, by lane or by call id; or a function that is asked.
            cancel: ends the run from elsewhere.
            conversation: what the caller calls the conversation, for traces.

        Raises:
            ConfigError: something is missing, such as the API key; nothing was sent.
            ProviderError, TransportError, CodecError: a model call failed.
            TapeError: the tape cannot be used, or the run diverges from it.
            RunError: the loop could not go on. All of them carry the run so far in `error.run`.
        """
        async with self._begin(prompt, stream=False, **options) as run:
            return await run.finish()

    def stream(
        self,
        prompt: Prompt | None = None,
        **options: Unpack[RunOptions[DepsT]],
    ) -> Run[OutputT]:
        """Run with answers that are streamed. Arguments and errors as in `run`.

        async with agent.stream("...") as run:
            async for event in run: ...
        run.result
        """
        return self._begin(prompt, stream=True, **options)

    def run_sync(
        self,
        prompt: Prompt | None = None,
        **options: Unpack[RunOptions[DepsT]],
    ) -> RunResult[OutputT]:
        """`run`, for code that is not asynchronous. Also where an event loop runs already, as in a notebook."""
        return awaited(finished(self._begin(prompt, stream=False, **options)))

    def stream_sync(
        self,
        prompt: Prompt | None = None,
        **options: Unpack[RunOptions[DepsT]],
    ) -> SyncRun[OutputT]:
        """`stream`, for code that is not asynchronous.

        with agent.stream_sync("...") as run:
            for event in run: ...
        run.result
        """
        return SyncRun(self._begin(prompt, stream=True, **options))

    async def resume(
        self,
        tape: TapeSource,
        *,
        approvals: Approvals | None = None,
        deps: DepsT | None = None,
        **bounds: Unpack[Bounds],
    ) -> RunResult[OutputT]:
        """Go on with a run that ended because tool calls wait for approval; also in another process, and a day later.

        Args:
            tape: what it was recorded on; `result.tape` where that was in memory.
            approvals: decisions about the calls that wait, by lane or by call id: True, False, `Approve(...)` or
                `Deny(...)`; or a function that is asked.
            deps: as in `run`: they are not on the tape.
            bounds: `limits`, `budget` and `cancel`, as in `run`.

        Raises:
            ConfigError: the tape holds no such run.
            PlayheadError: as `run` does.
        """
        async with self.resume_stream(tape, approvals=approvals, deps=deps, **bounds) as run:
            return await run.finish()

    def resume_stream(
        self,
        tape: TapeSource,
        *,
        approvals: Approvals | None = None,
        deps: DepsT | None = None,
        **bounds: Unpack[Bounds],
    ) -> Run[OutputT]:
        """`resume`, for looking at the events. Answers are streamed if they were in the run that is resumed."""
        from ..tape.files import load_tape
        from ..tape.opened import OpenTape

        check_run(approvals=approvals, **bounds)
        held = tape.tape() if isinstance(tape, OpenTape) else tape if isinstance(tape, Tape) else load_tape(tape)
        begun, settings = opening_of(held or Tape())
        asked = Asked(messages=begun.messages, settings=settings, deps=deps, approvals=approvals, **bounds)
        return self._start(asked, tape, None if isinstance(tape, OpenTape) else "resume", stream=begun.stream)

    def resume_sync(
        self,
        tape: TapeSource,
        *,
        approvals: Approvals | None = None,
        deps: DepsT | None = None,
        **bounds: Unpack[Bounds],
    ) -> RunResult[OutputT]:
        """`resume`, for code that is not asynchronous."""
        return awaited(self.resume(tape, approvals=approvals, deps=deps, **bounds))

    def run_inside(self, prompt: str, context: Context[Any]) -> Run[OutputT]:
        """A run that is part of the run whose tool this is called in: streamed as that one is, with its dependencies
        and its approvals."""
        outside = around()
        asked = Asked(prompt=prompt, deps=context.deps, approvals=outside.approvals if outside is not None else None)
        return self._start(asked, None, None, stream=outside is not None and outside.stream)

    def _begin(
        self,
        prompt: Prompt | None,
        *,
        stream: bool,
        messages: Sequence[Message] = (),
        tape: TapeSource | None = None,
        mode: Mode | None = None,
        settings: Settings | None = None,
        conversation: str | None = None,
        **more: Any,
    ) -> Run[OutputT]:
        if prompt is None and not messages:
            raise ConfigError(
                "there is nothing to say: give a prompt, or messages that end with what is to be answered"
            )
        check_run(prompt=prompt, messages=messages, settings=settings, conversation=conversation, **more)
        asked = Asked(
            prompt=prompt,
            messages=tuple(messages),
            settings=checked(settings or {}),
            conversation=conversation,
            **more,
        )
        return self._start(asked, tape, mode, stream=stream)

    def _start(self, asked: Asked, tape: TapeSource | None, mode: Mode | None, *, stream: bool) -> Run[OutputT]:
        course = Course(
            self.spec,
            asked,
            stream=stream,
            open_playhead=lambda outlets: playhead_for(tape, mode, outlets, outlets.ready),
        )
        return Run(course, lambda before, approvals: self._again(before, tape, approvals))

    def _again(self, before: Course, tape: TapeSource | None, approvals: Approvals) -> Course:
        """The same run once more, on what it has recorded."""
        source = tape
        if tape is None or isinstance(tape, Tape):
            source = before.result.tape if before.result is not None else None
        if source is None:
            raise ConfigError("the run was not recorded: nothing is there to resume it from")
        return Course(
            self.spec,
            replace(before.asked, approvals=approvals),
            stream=before.stream,
            open_playhead=lambda outlets: playhead_for(source, "resume", outlets, outlets.ready),
        )


def _model(
    name: str | Model, provider: Provider | None, base_url: str | None, api_key: str | Callable[[], str] | None
) -> Model:
    if isinstance(name, Model):
        if provider is not None or base_url is not None or api_key is not None:
            raise ConfigError("a Model says already where it is reached: leave provider=, base_url= and api_key= out")
        return name
    kind("model", name, str, "'provider:model', such as 'openrouter:moonshotai/kimi-k2-0905', or a Model", none=False)
    kind("provider", provider, Provider, "a Provider(...)")
    provider, id = resolve(name, provider)
    if base_url is not None:  # Over what the provider says of this model, too.
        provider = msgspec.structs.replace(provider, base_url=base_url.rstrip("/"), routes=())
    return Model(provider, id, api_key=api_key)


def _prompts(system: SystemPrompts) -> Any:
    if system is None:
        return ()
    return (system,) if isinstance(system, str) or callable(system) else tuple(system)


def _settings(first: Settings | None, then: Settings) -> Settings:
    return checked({**(first or {}), **then})
