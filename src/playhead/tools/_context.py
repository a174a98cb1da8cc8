"""What a tool, a dynamic system prompt and the like may know of the run that they are called in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, cast

import msgspec

from ..messages import Message, Usage
from ._schema import to_json_value

if TYPE_CHECKING:
    import datetime as dt
    import uuid

    from typing_extensions import TypeVar

    DepsT_co = TypeVar("DepsT_co", covariant=True, default=Any)
else:
    from typing import TypeVar

    DepsT_co = TypeVar("DepsT_co", covariant=True)

Reader = Callable[[str, Callable[[], Any]], Any]
"""Gives the value that the tape has under this name, or makes one and records it. It records nothing where making one
raises."""

ProgressSink = Callable[[str, float | None], None]
"""Is told how far a tool is; from any thread."""


class Context(msgspec.Struct, Generic[DepsT_co], frozen=True, kw_only=True):
    """What is known of the run, and what a run may read from outside.

    A tool's parameter annotated `Context` or `Context[Deps]` receives it, whatever its name and place. The model is
    not told of it.

    A clock, a random draw or anything else that is not the same in every run goes through `now`, `random`, `uuid`,
    `read` and `aread`: the value is recorded on the tape, and a replay is given it again. Values are kept by lane and
    name, in the order in which they were read.

    Attributes:
        lane: the line of work, such as `root` or `root/0.add`.
        call_id: the id of this call, as the model gave it; empty outside a tool.
        tool: the tool's name; empty outside a tool.
        step: the step of the run, from 0.
        messages: the conversation so far; in a tool, the last one is the answer that asks for this call.
        idempotency_key: the same whenever this call is run again; hand it on to whatever must happen once.
        deps: what the run was given as `deps=`. It is never written to a tape.
        usage: the tokens of the run so far.
        agent: the name of the agent, where it has one.
    """

    lane: str = "root"
    call_id: str = ""
    tool: str = ""
    step: int = 0
    messages: tuple[Message, ...] = ()
    idempotency_key: str = ""
    deps: DepsT_co = None  # pyright: ignore[reportAssignmentType] - whoever says Context[Deps] hands some in
    usage: Usage = Usage()
    agent: str = ""
    _reader: Reader | None = None
    _progress: ProgressSink | None = None

    def progress(self, message: str, fraction: float | None = None) -> None:
        """Tell the run's caller how far the tool is. The model does not see it.

        May be called from any thread. Outside of a run nothing happens.

        Args:
            message: in the tool's own words.
            fraction: of the work that is done, from 0 to 1; what is beyond counts as the nearest of the two.
        """
        if self._progress is not None:
            inside = None if fraction is None or fraction != fraction else min(max(float(fraction), 0.0), 1.0)
            self._progress(str(message), inside)

    def now(self) -> dt.datetime:
        """The time, in UTC. A replay is given the recorded one."""
        import datetime as dt

        return dt.datetime.fromisoformat(self.read("now", lambda: dt.datetime.now(dt.UTC).isoformat()))

    def random(self) -> float:
        """A random number from 0 to 1, without 1. A replay is given the recorded one. Not for secrets."""
        import random

        return float(self.read("random", random.random))

    def uuid(self) -> uuid.UUID:
        """A random UUID (version 4). A replay is given the recorded one."""
        import uuid

        return uuid.UUID(self.read("uuid", lambda: str(uuid.uuid4())))

    def read(self, name: str, make: Callable[[], Any]) -> Any:
        """Something from outside of the run, recorded on the tape. A replay is given the recorded value.

        Args:
            name: what it is called on the tape. Values of one name are given again in the order in which they were
                read, so that tasks or threads that read at the same time need a name each.
            make: gives the value. It is called where none is recorded.

        Returns:
            The value as JSON has it: a tuple is a list, a dataclass a dict, a date a string.

        Raises:
            TypeError: JSON cannot say the value.
            Divergence: the tape is only played, and has no such value.
        """

        def plain() -> Any:
            return _plain(name, make())

        return plain() if self._reader is None else self._reader(name, plain)

    async def aread(self, name: str, make: Callable[[], Awaitable[Any]]) -> Any:
        """As `read`, for a `make` that is to be awaited."""
        if self._reader is None:
            return _plain(name, await make())

        def nothing() -> Any:
            raise _NotRecorded

        try:
            return self._reader(name, nothing)
        except _NotRecorded:
            value = _plain(name, await make())
        return self._reader(name, lambda: value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Context):
            return NotImplemented
        return list(self._known()) == list(cast("Context[Any]", other)._known())

    def __hash__(self) -> int:
        return hash((self.lane, self.call_id, self.tool, self.step, self.idempotency_key))

    def __repr__(self) -> str:
        return f"Context({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # Dependencies may hold keys: only their type is shown.
        return [(name, _type_name(value) if name == "deps" else value) for name, value in self._known()]

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process has not this run: there, values are made and progress goes nowhere.
        return _rebuilt, (dict(self._known()),)

    def _known(self) -> Iterator[tuple[str, Any]]:
        """The names and values of all attributes; not the ways to the run."""
        names = (name for name in self.__struct_fields__ if not name.startswith("_"))
        return ((name, getattr(self, name)) for name in names)


class _NotRecorded(Exception):
    """Nothing is on the tape under that name."""


def _type_name(value: object) -> object:
    return None if value is None else type(value)


def _rebuilt(fields: dict[str, Any]) -> Context[Any]:
    return Context(**fields)


def _plain(name: str, value: object) -> object:
    """The value as a replay is given it."""
    try:
        return to_json_value(value)
    except (TypeError, ValueError, NotImplementedError, OverflowError, RecursionError) as error:
        raise TypeError(
            f"the reading {name!r} cannot be kept on a tape ({error}): give a value that JSON can say"
        ) from error
