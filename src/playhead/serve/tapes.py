"""
Tapes as a provider: what was recorded is served over HTTP, to any client in any language.

A client reaches it with another base URL than the one it was recorded with. So the scheme, the host and the beginning
of the path do not count; the method, the rest of the path, the query and the body do. What the tapes do not hold is
refused, and never answered with something else.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, unquote

import msgspec

from .._version import __version__
from ..errors import Divergence, TransportError
from ..http import Request, Response, Transport
from ..tape.canonical import digest
from ..tape.effects import Interaction, Tape
from ..tape.opened import Faults
from ..tape.player import Player
from ..tape.playing import Cut, Pace, play
from ..tape.redact import taken_names, without
from ..tape.secrets import Redaction
from ._addresses import Addresses, path_of, segments
from ._headers import DRIFT, TAPE, on_one_line, served_headers
from ._missed import Missed
from ._sources import load_tapes
from .http import Abort, ThreadedServer, closing, error_response, is_loopback, json_response, loopback_only

_AS_IT_IS = " !#$&'()+,-./:;=@[]^_{}~"
"""Characters of a file's name that stand in a header as they are, beside letters and digits."""

"""A parameter of a recorded URL whose value was taken out."""

_MODEL_IN_PATH = re.compile(r"/models/([^/:]+):")
_LONGEST = 500
"""Characters of a header that says in what requests differ."""

_PageOf = Callable[[], Any]


class Served(msgspec.Struct, frozen=True):
    """What became of a request.

    Attributes:
        path: what was asked for, without the query.
        status: None where the connection was cut before there was one.
        source: where the answer stands, such as `run.jsonl#3`; empty where it comes from no tape.
        seconds: from the request to the end of the answer.
        note: what else there is to say.
    """

    method: str
    path: str
    status: int | None
    source: str
    seconds: float
    note: str = ""


def _say_nothing(served: Served) -> None:
    pass


class TapeProvider:
    """Answers requests with what tapes hold. Its `answer` is a handler for a `Server`.

    Requests are matched by their digest, first in, first out among equals, at a cost that does not grow with the
    tapes.

    Args:
        tapes: each with its name.
        speed: 1.0 is recorded time, 2.0 twice as fast; None is at once.
        cut: into what bodies are cut; see `playhead.tape.playing`.
        faults: strikes what is served; see `playhead.transport.faults`.
        repeat: whether equals are played again from the first when all of them were; else that is an error.
        drift: whether a request that the tapes do not hold is given the next answer with the same method and path. It
            is marked with the header `playhead-drift`.
        redact: as the tapes were recorded: what is asked is made comparable with it.
        told: called for each request when its answer is over.

    Attributes:
        diverged: how many requests the tapes did not hold.
    """

    def __init__(
        self,
        tapes: Iterable[tuple[str, Tape]],
        *,
        speed: Pace = None,
        cut: Cut = "recorded",
        faults: Faults | None = None,
        repeat: bool = False,
        drift: bool = False,
        redact: Redaction | None = None,
        told: Callable[[Served], None] = _say_nothing,
    ) -> None:
        self.diverged = 0
        self._tapes = list(tapes)
        self._speed = speed
        self._cut: Cut = cut
        self._repeat = repeat
        self._drift = drift
        self._redact = redact or Redaction()
        self._told = told
        calls = list(_calls(self._tapes))
        self._addresses = Addresses(call.request for _, _, call in calls)
        self._calls = [(name, number, self._readdressed(call)) for name, number, call in calls]
        self._keys = taken_names(call.request.url for _, _, call in calls)
        self._sources = {id(call): f"{name}#{number}" for name, number, call in self._calls}
        merged = Tape(
            tuple(call for _, _, call in self._calls), numbers=tuple(number for _, number, _ in self._calls)
        )
        self._player = Player(merged, self.name)
        names = [name for name, _ in self._tapes]
        self._missed = Missed(names, self._calls, repeat=repeat, drift=drift)
        self._again: dict[str, deque[Interaction]] = {}
        plain: Transport = _Sender(self._play)
        self._sender = plain if faults is None else faults.around(plain)

    @property
    def name(self) -> str:
        """The tape's name, or how many there are, for messages."""
        return self._tapes[0][0] if len(self._tapes) == 1 else f"{len(self._tapes)} tapes"

    @property
    def models(self) -> tuple[str, ...]:
        """The models that recorded requests name, in their order."""
        return tuple(dict.fromkeys(model for _, _, call in self._calls if (model := _model(call.request))))

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of recorded requests, in their order."""
        return tuple(dict.fromkeys("/" + "/".join(segments(call.request.url)) for _, _, call in self._calls))

    def left(self) -> tuple[tuple[str, Interaction], ...]:
        """What was not played, in order, each with where it stands."""
        unplayed = (self._calls[place][2] for place in self._player.unplayed())
        return tuple((self._sources[id(call)], call) for call in unplayed)

    async def answer(self, request: Request) -> Response:
        """What was recorded for a request.

        It is 422 where the tapes do not hold it: clients do not send that again. What was cut when it was recorded
        is cut here, too.
        """
        began = time.perf_counter()
        if (page := self._page(request)) is not None:
            return self._watched(request, json_response(200, page()), began)
        try:
            return self._watched(request, await self._sender.send(request), began)
        except Divergence as error:
            self.diverged += 1
            refusal = error_response(422, str(error), "divergence", (("x-should-retry", "false"),), code=error.kind)
            return self._watched(request, refusal, began, note=f"{error.kind}\n{error}")
        except asyncio.CancelledError:
            self._tell(request, None, "", began, "the client left")
            raise
        except TransportError as error:
            self._tell(request, None, "", began, f"cut: {error}")
            raise Abort from error

    async def aclose(self) -> None:
        """Let go of what faults hold on to."""
        await self._sender.aclose()

    # What is played.

    async def _play(self, request: Request) -> Response:
        call, drifted = self._find(request)
        source = self._sources[id(call)]
        try:
            response = await play(call, self._speed, self._cut)
        except TransportError as error:
            raise TransportError(f"{source}: {error}", kind=error.kind) from error
        marks = [(TAPE, quote(source, safe=_AS_IT_IS))]
        if drifted:
            marks.append((DRIFT, on_one_line(drifted)[:_LONGEST]))
        response.headers = (*served_headers(response.headers), *marks)
        return response

    def _find(self, request: Request) -> tuple[Interaction, str]:
        """The recording, and in what its request differs, where another one is played.

        Raises:
            Divergence: the tapes do not hold the request.
        """
        forms = self._forms(request)
        for asked in forms:
            if (found := self._player.by_digest(None, asked)) is not None:
                if self._repeat:
                    self._again.setdefault(digest(asked), deque()).append(found)
                return found, ""
        for asked in forms if self._repeat else ():
            if again := self._again.get(digest(asked)):
                again.rotate(-1)
                return again[-1], ""
        asked = forms or [self._redact.request(request)]
        error = self._missed.error(request, asked, frozenset(self._player.unplayed()))
        for asked in forms if self._drift else ():
            if (place := self._player.next_alike(None, asked)) is not None:
                return self._player.at(place), "; ".join(error.differences) or str(error)
        raise error

    def _forms(self, request: Request) -> list[Request]:
        """The request as it may stand on the tapes."""
        redacted = self._redact.request(request)
        forms = [redacted]
        if redacted.body != request.body:  # Others record without taking anything out.
            forms.append(msgspec.structs.replace(redacted, body=request.body))
        _, mark, query = redacted.url.partition("?")
        # Any key will do, also one that does not look like a key.
        queries = dict.fromkeys((mark + query, without(mark + query, self._keys)))
        bases = self._addresses.bases(request)
        return [
            msgspec.structs.replace(form, url=base + query) for base in bases for query in queries for form in forms
        ]

    def _readdressed(self, call: Interaction) -> Interaction:
        """The call with the URL that stands for its path, so that equals are equals whatever their hosts."""
        request = msgspec.structs.replace(call.request, url=self._addresses.normal(call.request))
        return msgspec.structs.replace(call, request=request)

    # What is said beside it.

    def _page(self, request: Request) -> _PageOf | None:
        """What this server says itself, unless the tapes do."""
        if request.method not in ("GET", "HEAD") or self._addresses.bases(request):
            return None
        path = segments(request.url)
        if path in ((), ("healthz",)):
            return self._state
        return self._list_of_models if path[-1] == "models" else None

    def _state(self) -> dict[str, Any]:
        left = {id(call) for _, call in self.left()}
        tapes: dict[str, list[bool]] = {name: [] for name, _ in self._tapes}
        for name, _, call in self._calls:
            tapes[name].append(id(call) in left)
        each = [
            {"name": name, "interactions": len(calls), "played": len(calls) - sum(calls), "left": sum(calls)}
            for name, calls in tapes.items()
        ]
        count = len(self._calls)
        return {
            "playhead": __version__,
            "interactions": count,
            "played": count - len(left),
            "left": len(left),
            "diverged": self.diverged,
            "tapes": each,
        }

    def _list_of_models(self) -> dict[str, Any]:
        models = [{"id": model, "object": "model", "created": 0, "owned_by": "playhead"} for model in self.models]
        return {"object": "list", "data": models}

    def _watched(self, request: Request, response: Response, began: float, note: str = "") -> Response:
        """The response, told of when it is over."""
        bodiless = request.method == "HEAD" or response.status in (204, 304)
        source, drifted = unquote(response.header(TAPE) or ""), response.header(DRIFT)
        said = note or (f"drift: {drifted}" if drifted else "")
        if fault := response.header("playhead-fault"):
            said = f"fault: {fault}"
        how = "" if bodiless else "the client left"

        async def pieces() -> AsyncGenerator[bytes]:
            nonlocal how
            try:
                async with closing(response) as stream:
                    async for piece in stream:
                        yield piece
            except TransportError as error:
                how = f"cut: {error}"
                raise Abort from error
            how = ""

        async def close() -> None:
            await response.aclose()
            self._tell(request, response.status, source, began, "; ".join(filter(None, (said, how))))

        return response.with_stream(pieces(), close=close)

    def _tell(self, request: Request, status: int | None, source: str, began: float, note: str) -> None:
        seconds = time.perf_counter() - began
        self._told(Served(request.method, path_of(request.url), status, source, seconds, note))


class _Sender:
    """A function as a transport."""

    def __init__(self, send: Callable[[Request], Awaitable[Response]]) -> None:
        self._send = send

    async def send(self, request: Request) -> Response:
        """Call it."""
        return await self._send(request)

    async def aclose(self) -> None:
        """Nothing is held."""


@contextmanager
def serving(
    *sources: str | os.PathLike[str] | Tape,
    host: str = "127.0.0.1",
    port: int = 0,
    speed: Pace = None,
    cut: Cut = "recorded",
    faults: Faults | None = None,
    repeat: bool = False,
    drift: bool = False,
) -> Generator[ThreadedServer]:
    """Serve tapes while the block runs, for tests of clients.

        with serving("run.jsonl") as server:
            client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none")

    Args:
        sources: files, folders, or tapes in memory.
        host: the address to listen on.
        port: 0 takes a free one.
        speed, cut, faults, repeat, drift: as for `TapeProvider`.

    Raises:
        TapeError: a tape cannot be read.
        OSError: the address cannot be listened on.
    """
    in_memory = [(f"tape {n}", source) for n, source in enumerate(sources) if isinstance(source, Tape)]
    loaded, _ = load_tapes(source for source in sources if not isinstance(source, Tape))
    provider = TapeProvider([*loaded, *in_memory], speed=speed, cut=cut, faults=faults, repeat=repeat, drift=drift)
    handler = loopback_only(provider.answer) if is_loopback(host) else provider.answer
    with ThreadedServer(handler, host=host, port=port) as server:
        yield server


def _calls(tapes: Iterable[tuple[str, Tape]]) -> Iterator[tuple[str, int, Interaction]]:
    """The interactions that can be played, with their tape's name and their number there."""
    for name, tape in tapes:
        for number, effect in tape.numbered:
            if isinstance(effect, Interaction) and not effect.superseded:
                yield name, number, effect


class _Asked(msgspec.Struct):
    model: str | None = None


def _model(request: Request) -> str | None:
    if named := _MODEL_IN_PATH.search(request.url):
        return unquote(named[1])
    try:
        return msgspec.json.decode(request.body, type=_Asked).model
    except ValueError:
        return None
