"""A provider that answers from a list."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar, cast
from urllib.parse import urlsplit

import msgspec

from ..errors import ConfigError, TransportError
from ..events import MessageEnd, PartDelta
from ..http import Headers, Request, Response
from ..messages import Message, ModelRequest, ModelResponse, Part, ToolCallPart
from ..model import Model
from ..providers import Provider
from ..transport.memory import respond
from ..wire import WIRE_FORMATS, WireFormat, wire_for_path, wire_format
from ._answers import Answer, Cut, Refusal, answer_of, events_of, shown

if TYPE_CHECKING:
    from ..agent.agent import Agent

_ADDRESS = "http://script.invalid/v1"  # RFC 2606: nobody is there.

DepsT = TypeVar("DepsT")
OutputT = TypeVar("OutputT")

Said: TypeAlias = str | Answer | Refusal | Cut | Message | ModelResponse | BaseException
"""An answer of a script."""

Line: TypeAlias = Said | Callable[[ModelRequest], Said | Awaitable[Said]]
"""An answer of a script, or a function that gives one for a request."""


class ScriptError(AssertionError):
    """A script and what was asked do not fit together. It is a failure of the test, so that nobody retries it."""


class Script:
    """A provider that gives one answer after the other, and keeps what was asked.

    with Script(["Hello!"]) as script:
        script.agent().run_sync("Say hello")

    Leaving the block fails where answers are left, and where more was asked than there are answers, also if somebody
    swallowed that error. An answer is a text, what `answer`, `calls`, `refusal` or `cut` give, a message, an
    exception to raise, or a function of the request that gives one of these; the function may be asynchronous.

    Requests and answers go through the real wire format, streamed where that is asked for. Requests that come at the
    same time are answered in the order in which they come: where that is left open, give one function instead of the
    list, which answers all requests by what they ask.

    Args:
        answers: in the order in which they are given; or one function for all of them.
        wire: the wire format's name.
        model: how the model is called.

    Raises:
        ConfigError: there is no such wire format.
    """

    def __init__(
        self,
        answers: Iterable[Line] | Callable[[ModelRequest], Said | Awaitable[Said]],
        *,
        wire: str = "openai_chat",
        model: str = "script",
    ) -> None:
        if wire not in WIRE_FORMATS:
            raise ConfigError(f"wire {wire!r} of a script should be one of {', '.join(WIRE_FORMATS)}")
        if isinstance(answers, str | Answer | Refusal | Cut):
            raise ConfigError(f"a script is a list of answers: write Script([{answers!r}])")
        self._always = answers if callable(answers) else None
        self._answers: list[Line] = [] if callable(answers) else list(answers)
        for n, line in enumerate(self._answers, 1):
            _check(line, n)
        self._wire = wire_format(wire)
        provider = Provider("script", _ADDRESS, key_required=False, wire=wire, models_url=None)
        self._model = Model(provider, model)
        self._lock = threading.Lock()
        self._requests: list[ModelRequest] = []
        self._missed: ScriptError | None = None
        self._made = 0

    @property
    def model(self) -> Model:
        """The model whose provider this is; it is reached with the script as the transport."""
        return self._model

    @property
    def requests(self) -> tuple[ModelRequest, ...]:
        """What was asked so far, as the wire format says it."""
        return tuple(self._requests)

    @property
    def left(self) -> int:
        """How many answers nobody has asked for."""
        return 0 if self._always else max(0, len(self._answers) - len(self._requests))

    def agent(self, **options: Any) -> Agent[Any, Any]:
        """An agent whose model this is. The options are those of `Agent`."""
        from ..agent.agent import Agent

        return Agent(self._model, transport=self, **options)

    def on(self, agent: Agent[DepsT, OutputT]) -> Agent[DepsT, OutputT]:
        """A copy of an agent, with its models, settings and tools, that is answered by this script. No key is needed.

        Its providers keep their names, wire formats and dialects; only nothing goes there. Agents inside its tools,
        and those that it hands on to, are not among it.
        """
        copy = agent.with_model(_here(agent.model), transport=self)
        copy.spec = replace(copy.spec, fallbacks=tuple(map(_here, copy.spec.fallbacks)))
        return copy

    def check(self) -> None:
        """Fail where answers are left, or where more was asked than there are. Leaving the `with` block does it.

        Raises:
            ScriptError: what is left, or what was asked beyond the end.
        """
        if self._missed is not None:
            raise self._missed
        if left := self.left:
            first = len(self._answers) - left
            lines = [f"  {n}: {shown(line)}" for n, line in enumerate(self._answers[first:], first + 1)]
            raise ScriptError(
                f"{first} of {len(self._answers)} answers of the script were asked for. These are left:\n"
                + "\n".join(lines)
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.check()

    async def send(self, request: Request) -> Response:
        """Answer a request, as a transport does.

        Raises:
            ScriptError: no answer is left, or it cannot be said in this wire format.
        """
        path = urlsplit(request.url).path
        wire = wire_for_path(path) or self._wire
        asked = wire.decode_request(request.body, path, None)
        said: object = self._next(asked)
        if callable(said):
            said = said(asked)
            if inspect.isawaitable(said):
                said = await said
        if isinstance(said, BaseException):
            raise said
        try:
            return self._response(said, asked, wire)
        except ScriptError as error:
            self._missed = self._missed or error
            raise

    async def aclose(self) -> None:
        """Nothing is held, so nothing is let go of."""

    def _next(self, asked: ModelRequest) -> Line:
        with self._lock:
            place = len(self._requests)
            self._requests.append(asked)
            if self._always is not None:
                return self._always
            if place < len(self._answers):
                return self._answers[place]
            missed = ScriptError(
                f"the script has {len(self._answers)} answers, and was asked for one more: request {place + 1} "
                f"{_shown(asked)}. Add an answer, or look why the agent asks again."
            )
            self._missed = self._missed or missed
            raise missed

    def _response(self, said: object, asked: ModelRequest, wire: WireFormat) -> Response:
        kind: Headers = (("Content-Type", wire.STREAM_TYPE if asked.stream else "application/json"),)
        match said:
            case Refusal():
                status, body = wire.encode_error(said.error())
                wait: Headers = () if said.retry_after is None else (("Retry-After", f"{said.retry_after:g}"),)
                return respond(status, body, (("Content-Type", "application/json"), *wait, *said.headers))
            case Cut():
                whole = self._named(said.answer, asked)
                return respond(200, _cut(whole, said, asked, wire), kind)
            case _:
                found = answer_of(said)
                if found is None:
                    raise ScriptError(f"a function of the script gave {said!r}, which is no answer")
                whole = self._named(found, asked)
                return respond(200, _whole(whole, asked, wire), kind)

    def _named(self, said: Answer, asked: ModelRequest) -> Answer:
        """The answer with ids: none that stands in the conversation already, as where a tape is resumed."""
        response = said.response
        used = {part.id for message in asked.messages for part in message.parts if isinstance(part, ToolCallPart)}
        with self._lock:
            parts: list[Part] = []
            for part in response.message.parts:
                if isinstance(part, ToolCallPart) and not part.id:
                    self._made += 1
                    while f"call_{self._made}" in used:
                        self._made += 1
                    part = msgspec.structs.replace(part, id=f"call_{self._made}")  # noqa: PLW2901
                parts.append(part)
        message = msgspec.structs.replace(response.message, parts=tuple(parts))
        named = msgspec.structs.replace(
            response,
            message=message,
            id=response.id or f"answer_{len(asked.messages)}",
            model=response.model or asked.model,
        )
        return Answer(named, said.chunk_size)


def _here(model: Model) -> Model:
    """A model whose provider is reached at the script's address, without a key."""
    provider = msgspec.structs.replace(
        model.provider,
        base_url=_ADDRESS,
        key_env=None,
        key_required=False,
        auth="bearer",
        variables={},
        derived={},
        routes=(),
    )
    return Model(provider, model.id)


def _whole(said: Answer, asked: ModelRequest, wire: WireFormat) -> list[bytes]:
    encoder = wire.Encoder(asked.stream)
    pieces = [piece for event in events_of(said) if (piece := encoder.send(event))]
    if (cost := said.response.cost) is not None and _heard(pieces, wire).cost != cost:
        raise ScriptError(f"the wire format {wire.NAME} has no place for the cost of {shown(said)}: leave it out")
    return pieces


def _heard(pieces: Sequence[bytes], wire: WireFormat) -> ModelResponse:
    decoder = wire.Decoder(None)
    *_, last = [*decoder.feed(b"".join(pieces)), *decoder.close()]
    return cast("MessageEnd", last).response


def _cut(said: Answer, how: Cut, asked: ModelRequest, wire: WireFormat) -> Iterator[bytes]:
    """What arrives of an answer that breaks off."""
    encoder = wire.Encoder(asked.stream)
    if asked.stream:
        arrived = 0
        for event in events_of(said):
            if isinstance(event, MessageEnd) or (isinstance(event, PartDelta) and arrived == how.after):
                break
            arrived += isinstance(event, PartDelta)
            if piece := encoder.send(event):
                yield piece
    elif how.error is None:
        body = b"".join(encoder.send(event) for event in events_of(said))
        yield body[: len(body) // 2]
    if how.error is None:
        raise TransportError("the script cut the connection", kind="disconnect")
    error = how.error.error()
    yield encoder.fail(error) if asked.stream else wire.encode_error(error)[1]


def _check(line: object, n: int) -> None:
    if not callable(line) and not isinstance(line, Refusal | Cut | BaseException) and answer_of(line) is None:
        raise ConfigError(
            f"answer {n} of the script is {line!r}: it should be a text, what answer(), calls(), refusal() or cut() "
            "give, a message, an exception, or a function of the request"
        )


def _shown(asked: ModelRequest) -> str:
    if not asked.messages:
        return "has no messages"
    last = asked.messages[-1]
    said = last.text or " ".join(str(getattr(part, "text", "")) for part in last.parts)
    words = said if len(said) <= 200 else f"{said[:197]}..."
    return f"of {len(asked.messages)} messages, the last of them ({last.role}): {words!r}"
