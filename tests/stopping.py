"""Stops runs at every place where they wait: an event loop that counts what it runs, and runs of many shapes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import selectors
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import playhead as ph
from chatwire import Script
from chatwire import tool_call as _tool_call
from playhead import Agent
from playhead.http import Request, Response
from playhead.tools import Tool


class CountingLoop(asyncio.SelectorEventLoop):
    """An event loop that does something behind the k-th thing that it runs: between any two waits of any task.

    Attributes:
        steps: things that were run since `watch`.
        complaints: what nobody else was told of: destroyed tasks, errors that were never looked at.
    """

    def __init__(self) -> None:
        super().__init__(selectors.DefaultSelector())
        self.steps = 0
        self.complaints: list[str] = []
        self._at: int | None = None
        self._act: Callable[[], None] = lambda: None
        self.set_exception_handler(lambda _, context: self.complaints.append(f"{context['message']}: {context}"))

    def watch(self, at: int, act: Callable[[], None]) -> None:
        """Count from here, and act once behind step `at`."""
        self.steps, self._at, self._act = 0, at, act

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> Any:
        def counted(*given: Any) -> None:
            callback(*given)
            self.steps += 1
            if self.steps == self._at:
                self._at = None
                self._act()

        return super().call_soon(counted, *args, context=context)

    def _asyncgen_finalizer_hook(self, agen: Any) -> None:
        self.complaints.append(f"left to the garbage collector: {agen.ag_code.co_qualname}")

    @property
    def fired(self) -> bool:
        return self._at is None


class SlowTransport:
    """A provider that is waited for: before its answer, and before each piece of it.

    Attributes:
        asked: how many requests came in.
        open: how many answers are being read.
    """

    def __init__(self, script: Script) -> None:
        self.script, self.asked, self.open = script, 0, 0

    async def send(self, request: Request) -> Response:
        self.asked += 1
        await asyncio.sleep(0)
        response = await self.script.transport.send(request)
        self.open += 1
        over = [False]

        async def pieces() -> AsyncIterator[bytes]:
            async for piece in response:
                await asyncio.sleep(0)
                yield piece

        async def close() -> None:
            if not over[0]:
                over[0] = True
                self.open -= 1
            await response.aclose()

        return Response(response.status, response.headers, pieces(), close=close)

    async def aclose(self) -> None:
        pass


class Keyed(Script):
    """Gives each answer by how often the assistant has spoken in the request: the same, whoever asks again."""

    def _answer(self, request: Request) -> Response:
        spoken = sum(message["role"] == "assistant" for message in json.loads(request.body)["messages"])
        all_answers = list(self._answers)
        self._answers = [all_answers[spoken]]
        try:
            return super()._answer(request)
        finally:
            self._answers = all_answers


class SlowTools:
    """A source of tools that is waited for. Attributes: opened, closed: how often."""

    name = "slow"

    def __init__(self, *tools: Any) -> None:
        self._tools, self.opened, self.closed = tools, 0, 0

    async def tools(self, read: Any) -> list[Any]:
        self.opened += 1

        async def ask() -> list[str]:
            await asyncio.sleep(0)
            return [tool.name for tool in self._tools]

        await read("slow.tools", ask)
        await asyncio.sleep(0)
        return list(self._tools)

    async def aclose(self) -> None:
        self.closed += 1
        await asyncio.sleep(0)


@dataclass
class Case:
    """An agent that is about to run, and what is looked at afterwards.

    Attributes:
        began: how often each tool began, by lane.
        ended: how often each tool came to its end, by lane.
    """

    agent: Agent[Any, Any]
    provider: SlowTransport
    began: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    given: dict[str, Any] = field(default_factory=dict)
    prompt: str = "Go."


Build = Callable[[], Case]
_ids = itertools.count()


def tool_call(name: str, arguments: Any = None) -> dict[str, Any]:
    """A call with an id of its own."""
    return _tool_call(name, arguments, id=f"call_{next(_ids)}")


KEYED = ("parallel", "threads", "approved", "background", "typed", "prompted")
"""Shapes whose provider can be asked again, as each of its answers goes with a length of the conversation."""


def _case(*answers: Any, make: Callable[[Callable[..., Any], Script], Agent[Any, Any]], **given: Any) -> Case:
    keyed = make.__qualname__.partition(".")[0] in KEYED
    provider = SlowTransport(script := (Keyed if keyed else Script)(*answers))
    script_agent = script.agent

    def agent(*tools: Any, **more: Any) -> Agent[Any, Any]:
        more.setdefault("transport", provider)
        transport = more.pop("transport")
        made = script_agent(*tools, **more)
        return made.with_model(made.model, transport=transport)

    case = Case(None, provider, given=given)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    tools = _tools(case)
    case.agent = make(
        lambda *names, **more: agent(*(tools[n] if isinstance(n, str) else n for n in names), **more), script
    )
    return case


def _tools(case: Case) -> dict[Any, Tool[..., Any]]:
    @contextlib.contextmanager
    def counted(context: ph.Context[Any]) -> Iterator[None]:
        case.began[context.lane] += 1
        yield
        case.ended[context.lane] += 1

    @ph.tool(effect="read")
    async def wait(context: ph.Context[Any]) -> str:
        """Wait."""
        with counted(context):
            await asyncio.sleep(0)
            context.progress("half")
            await asyncio.sleep(0)
        return "waited"

    @ph.tool(effect="read")
    def blocking(context: ph.Context[Any]) -> str:
        """Block a thread."""
        with counted(context):
            time.sleep(0.0002)
        return "blocked"

    @ph.tool(effect="read", approve=True)
    async def delete(context: ph.Context[Any]) -> str:
        """Delete."""
        with counted(context):
            await asyncio.sleep(0)
        return "deleted"

    @ph.tool(effect="read", background=True)
    async def slow(context: ph.Context[Any]) -> str:
        """Work on."""
        with counted(context):
            for _ in range(12):
                await asyncio.sleep(0)
        return "done at last"

    @ph.tool(effect="read")
    async def fails(context: ph.Context[Any]) -> str:
        """Fail."""
        with counted(context):
            await asyncio.sleep(0)
            raise OSError("no luck")

    return {tool.name: tool for tool in (wait, blocking, delete, slow, fails)}


def parallel() -> Case:
    return _case(
        ("I look.", tool_call("wait"), tool_call("fails"), tool_call("wait")),
        ("And once more.", tool_call("wait")),
        ("All is done.",),
        make=lambda agent, _: agent("wait", "fails"),
    )


def threads() -> Case:
    return _case(
        (None, tool_call("blocking"), tool_call("wait")),
        ("Done.",),
        make=lambda agent, _: agent("wait", "blocking"),
    )


def nested() -> Case:
    return _case(
        ("I ask.", tool_call("helper", {"prompt": "help"}), tool_call("wait")),
        (None, tool_call("wait")),
        ("I have helped.",),
        ("Thanks.",),
        make=lambda agent, _: agent(agent("wait", name="helper").as_tool(), "wait"),
    )


async def _yes(_: ph.Approval) -> bool:
    await asyncio.sleep(0)
    return True


def approved() -> Case:
    return _case(
        (None, tool_call("delete"), tool_call("wait")),
        ("Deleted.",),
        make=lambda agent, _: agent("delete", "wait"),
        approvals=_yes,
    )


def pending() -> Case:
    return _case(
        (None, tool_call("helper", {"prompt": "x"}), tool_call("wait")),
        ("I delete.", tool_call("delete")),
        make=lambda agent, _: agent(agent("delete", name="helper").as_tool(), "wait"),
    )


def background() -> Case:
    return _case(
        (None, tool_call("slow"), tool_call("wait")),
        ("I wait for it.",),
        ("It is there.",),
        make=lambda agent, _: agent("slow", "wait"),
    )


def typed() -> Case:
    return _case(
        (None, tool_call("final_result", {"result": "x"})),
        (None, tool_call("final_result", {"result": 3}), tool_call("wait")),
        make=lambda agent, _: agent("wait", output=ph.Output(int, mode="tool")),
    )


def prompted() -> Case:
    return _case(
        ('{"result": "x"}',),
        ('{"result": 3}',),
        make=lambda agent, _: agent(output=ph.Output(int, mode="prompt")),
    )


REFUSED = {"status": 503, "body": b'{"error":{"message":"busy"}}', "headers": (("retry-after", "0"),)}


def failing() -> Case:
    cut = {
        "status": 200,
        "body": [b'data: {"id":"r","model":"m","choices":[{"index":0,"delta":{"content":"Hal"}}]}\n\n'],
    }
    return _case(
        REFUSED,
        ("I look.", tool_call("wait")),
        cut,
        REFUSED,
        ("The other one knows.",),
        make=lambda agent, _: agent(
            "wait",
            retry=ph.Retry(attempts=2, base_s=0.0),
            fallbacks=["compat:http://other.test/v1#n"],
        ),
    )


def compacted() -> Case:
    return _case(
        ("I look.", tool_call("wait")),
        ("A summary.",),
        ("The end.",),
        make=lambda agent, _: agent("wait", compaction=ph.Compaction(at_tokens=12, keep=1)),
        messages=[ph.user("Old."), ph.Message("assistant", (ph.TextPart("Old answer."),))],
    )


def steered() -> Case:
    async def system(_: ph.Context[Any]) -> str:
        await asyncio.sleep(0)
        return "Be brief."

    async def before(step: Any) -> None:
        await asyncio.sleep(0)

    async def enough(state: Any) -> bool:
        await asyncio.sleep(0)
        return state.steps >= 3

    def make(agent: Callable[..., Agent[Any, Any]], _: Script) -> Agent[Any, Any]:
        other = agent("wait", SlowTools(), name="other", system=system)
        return agent(ph.handoff(other), SlowTools(), system=system, before_step=before, stop_when=[enough])

    return _case(
        (None, tool_call("transfer_to_other")),
        (None, tool_call("wait")),
        ("All is well.",),
        make=make,
    )


SHAPES: dict[str, Build] = {
    shape.__name__: shape
    for shape in (
        parallel,
        threads,
        nested,
        approved,
        pending,
        background,
        typed,
        prompted,
        failing,
        compacted,
        steered,
    )
}


def in_loop(loop: CountingLoop, coroutine: Any) -> Any:
    """Run, and see that nothing is left behind in the loop."""
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.run_until_complete(asyncio.sleep(0))
        left = list(asyncio.all_tasks(loop))
        loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        loop.close()
        assert not left, f"tasks are left: {left}"


def alive() -> set[threading.Thread]:
    return set(threading.enumerate())
