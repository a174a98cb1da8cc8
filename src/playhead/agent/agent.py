"""An agent: a model, instructions and tools, ready to be run."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar, Unpack

import msgspec

from .._settings import checked
from ..errors import ConfigError
from ..http import Transport
from ..messages import MediaPart, Message, ProviderTool, Settings, TextPart
from ..model import Model
from ..providers import Provider, demo, resolve
from ..tape.open import Mode, TapeSource, playhead_for
from ..tape.playhead import Playhead
from ..transport.auth import AuthTransport, scheme_for
from .loop import opening
from .result import RunResult
from .run import Course, Run
from .sync import SyncRun
from .toolbox import Toolbox

Prompt = str | Sequence[str | TextPart | MediaPart]

T = TypeVar("T")


class Agent:
    """A model that uses tools.

    Args:
        model: `provider:model`, such as `openrouter:moonshotai/kimi-k2-0905`, or a compatible server's address,
            `compat:http://127.0.0.1:8080/v1#model`.
        tools: functions, or what `@tool` makes of them; and tools that the provider runs itself,
            `ProviderTool("web_search")`.
        system: the system prompt.
        provider: where the model is reached, over what `model` says.
        base_url: instead of the provider's address.
        api_key: instead of the provider's environment variable.
        max_steps: model calls of a run, at most.
        max_parallel_tools: tools of a run that run at the same time, at most.
        strict_settings: whether a setting that the provider does not know is an error. Otherwise it is left out, and
            told in `result.warnings`.
        transport: sends the requests; the network where it is left out. It is not closed by the agent.
        settings: how answers are made, as a mapping.
        more: the same as keywords, over `settings`: `max_tokens=4000, temperature=0`.

    Raises:
        ConfigError: the model's name does not say where it is, or two tools have the same name.
        ToolDefinitionError: a function cannot be made into a tool.
    """

    def __init__(
        self,
        model: str,
        *,
        tools: Sequence[Callable[..., Any] | ProviderTool] = (),
        system: str | None = None,
        provider: Provider | None = None,
        base_url: str | None = None,
        api_key: str | None = None,
        max_steps: int = 50,
        max_parallel_tools: int = 16,
        strict_settings: bool = False,
        transport: Transport | None = None,
        settings: Settings | None = None,
        **more: Unpack[Settings],
    ) -> None:
        self.model = _model(model, provider, base_url, api_key)
        self.system = system
        self.settings = _settings(settings, more)
        self.max_steps = max_steps
        self.strict_settings = strict_settings
        self._provider_tools = tuple(tool for tool in tools if isinstance(tool, ProviderTool))
        own = [tool for tool in tools if not isinstance(tool, ProviderTool)]
        self._toolbox = Toolbox(own, max_parallel_tools)
        self._transport = transport

    def with_model(
        self, model: str, *, provider: Provider | None = None, base_url: str | None = None, api_key: str | None = None
    ) -> Agent:
        """This agent with another model. Arguments and errors as in `Agent`."""
        other = copy.copy(self)
        other.model = _model(model, provider, base_url, api_key)
        return other

    def __repr__(self) -> str:
        tools = ", ".join([*self._toolbox.tools, *(tool.name for tool in self._provider_tools)])
        return f"Agent({self.model.provider.name}:{self.model.id}, tools=[{tools}])"

    async def run(
        self,
        prompt: Prompt | None = None,
        *,
        messages: Sequence[Message] = (),
        tape: TapeSource | None = None,
        mode: Mode | None = None,
        settings: Settings | None = None,
    ) -> RunResult:
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

        Raises:
            ConfigError: something is missing, such as the API key; nothing was sent.
            ProviderError, TransportError, CodecError: a model call failed.
            TapeError: the tape cannot be used, or the run diverges from it.
            RunError: the loop could not go on. All of them carry the run so far in `error.run`.
        """
        async with self._start(prompt, messages, tape, mode, settings, stream=False) as run:
            return await run.finish()

    def stream(
        self,
        prompt: Prompt | None = None,
        *,
        messages: Sequence[Message] = (),
        tape: TapeSource | None = None,
        mode: Mode | None = None,
        settings: Settings | None = None,
    ) -> Run:
        """Run with answers that are streamed. Arguments and errors as in `run`.

        async with agent.stream("...") as run:
            async for event in run: ...
        run.result
        """
        return self._start(prompt, messages, tape, mode, settings, stream=True)

    def run_sync(
        self,
        prompt: Prompt | None = None,
        *,
        messages: Sequence[Message] = (),
        tape: TapeSource | None = None,
        mode: Mode | None = None,
        settings: Settings | None = None,
    ) -> RunResult:
        """`run`, for code that is not asynchronous. Also where an event loop runs already, as in a notebook."""
        return _await(self.run(prompt, messages=messages, tape=tape, mode=mode, settings=settings))

    def stream_sync(
        self,
        prompt: Prompt | None = None,
        *,
        messages: Sequence[Message] = (),
        tape: TapeSource | None = None,
        mode: Mode | None = None,
        settings: Settings | None = None,
    ) -> SyncRun:
        """`stream`, for code that is not asynchronous.

        with agent.stream_sync("...") as run:
            for event in run: ...
        run.result
        """
        return SyncRun(self.stream(prompt, messages=messages, tape=tape, mode=mode, settings=settings))

    def _start(
        self,
        prompt: Prompt | None,
        messages: Sequence[Message],
        tape: TapeSource | None,
        mode: Mode | None,
        settings: Settings | None,
        *,
        stream: bool,
    ) -> Run:
        if prompt is None and not messages:
            raise ConfigError(
                "there is nothing to say: give a prompt, or messages that end with what is to be answered"
            )
        course = Course(
            self.model,
            self._toolbox,
            opening(prompt, self.system, messages),
            _settings(self.settings, settings or {}),
            stream=stream,
            max_steps=self.max_steps,
            provider_tools=self._provider_tools,
            strict_settings=self.strict_settings,
            open_playhead=lambda: self._playhead(tape, mode),
        )
        return Run(course)

    def _playhead(self, tape: TapeSource | None, mode: Mode | None) -> Playhead:
        transport = _Kept(self._transport) if self._transport is not None else _network(self.model.provider)
        signing = AuthTransport(transport, scheme_for(self.model.provider.auth, self.model.key))
        return playhead_for(tape, mode, signing, self.model.require_key)


def _model(name: str, provider: Provider | None, base_url: str | None, api_key: str | None) -> Model:
    provider, id = resolve(name, provider)
    if base_url is not None:  # Over what the provider says of this model, too.
        provider = msgspec.structs.replace(provider, base_url=base_url.rstrip("/"), routes=())
    return Model(provider, id, api_key=api_key)


class _Kept:
    """A transport that somebody else closes."""

    def __init__(self, inner: Transport) -> None:
        self.send = inner.send

    async def aclose(self) -> None:
        """Leave it open."""


def _network(provider: Provider) -> Transport:
    if provider.base_url == demo.PROVIDER.base_url:
        from ..serve.demo import DemoTransport

        return DemoTransport()
    from ..transport.live import LiveTransport

    return LiveTransport()


def _settings(first: Settings | None, then: Settings) -> Settings:
    return checked({**(first or {}), **then})


def _await(coroutine: Coroutine[Any, Any, T]) -> T:
    return _on_a_thread(coroutine) if _a_loop_runs() else asyncio.run(coroutine)


def _a_loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _on_a_thread(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end on another thread, as in a notebook, where a loop runs in this one. Ctrl-C cancels it."""
    begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()
    outcome: Future[T] = Future()
    inside = contextvars.copy_context()

    async def told() -> T:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this is one
        begun.set_result((asyncio.get_running_loop(), task))
        return await coroutine

    def run() -> None:
        try:
            outcome.set_result(inside.run(asyncio.run, told()))
        except BaseException as error:
            outcome.set_exception(error)

    thread = threading.Thread(target=run, name="playhead-run")
    thread.start()
    try:
        return outcome.result()
    except BaseException:
        if not outcome.done():  # It is this thread that is interrupted.
            loop, task = begun.result()
            with suppress(RuntimeError):  # The loop has just been closed.
                loop.call_soon_threadsafe(task.cancel)
        raise
    finally:
        thread.join()
