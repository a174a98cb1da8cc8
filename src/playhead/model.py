"""A model: a provider, a wire format and a transport make events out of a request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec

from ._settings import checked
from ._version import __version__
from .errors import DecodeError, EncodeError, MissingKey, ProviderError, TransportError, TruncatedStream
from .events import MessageEnd, MessageEvent
from .http import Request, Response, Transport
from .messages import Message, ModelRequest, Settings, ToolSpec
from .providers import Provider, resolve
from .refusal import refused
from .tape.redact import allowed_headers, safe_url
from .wire import Decoder, Encoded, wire_format

DRAIN_S = 0.5
"""Seconds that a provider has for ending its response after it said that the answer is whole."""

T = TypeVar("T")


class Watch:
    """Looks on while an answer is read. This one does nothing; another may lose its patience.

    Attributes:
        decoder: what reads the answer, from when its head is there: it knows what came so far.
    """

    decoder: Decoder | None = None

    async def over(self, coming: Awaitable[T]) -> T:
        """Wait for the provider: for the head of its response, or for a piece of the body.

        Args:
            coming: what is waited for.
        """
        return await coming

    def saw(self, events: Sequence[MessageEvent]) -> None:
        """A piece of the body brought these events; they may be none."""


class Model:
    """A model of a provider.

    Args:
        provider: where it is reached.
        id: its name there.
        api_key: instead of the one in the provider's environment variable. A function gives it anew for each request,
            and once more where a key is refused as wrong or out of date; it is called on the event loop, so that it
            should be quick.
    """

    def __init__(self, provider: Provider, id: str, *, api_key: str | Callable[[], str] | None = None) -> None:
        self.provider = provider = provider.for_model(id)
        self.id = id
        self._api_key = api_key
        self._wire = wire_format(provider.wire)

    def __repr__(self) -> str:
        return f"Model({self.provider.name}:{self.id})"

    @property
    def name(self) -> str:
        """How it is called: `provider:model`."""
        return f"{self.provider.name}:{self.id}"

    def key(self) -> str | None:
        """The API key, from what was given or from the environment; None where there is none.

        Raises:
            MissingKey: the function that was given for it gives none, and one is needed.
        """
        given = self._api_key
        if not callable(given):
            return given or self.provider.key()
        key = (given() or "").strip() or self.provider.key()
        if not key and self.provider.key_required:
            raise MissingKey(f"the function that was given as api_key= gives no API key for {self.provider.name}")
        return key

    def require_key(self) -> None:
        """Make sure that there is a key where one is needed.

        Raises:
            MissingKey: there is none.
        """
        if callable(self._api_key):
            return  # It is asked when the request is signed.
        names = self.provider.key_names
        if self.provider.key_required and names and not self.key():
            raise MissingKey(
                f"there is no API key for {self.provider.name}: set {' or '.join(names)} in the environment, or "
                "pass api_key=. (Replaying a tape needs none.)"
            )

    def encode(self, request: ModelRequest, *, strict_settings: bool = False) -> tuple[Request, Encoded]:
        """The HTTP request, and what the wire format could not say.

        Args:
            strict_settings: whether a setting that the provider does not know is an error.

        Raises:
            EncodeError: the wire format has no words for it.
            ConfigError: the provider's address needs something that is not set.
        """
        encoded = self.encode_body(request)
        if strict_settings and encoded.unsupported:
            said = "; ".join(encoded.unsupported)
            raise EncodeError(f"{self.provider.name}: {said}. (Without `strict_settings` this is a warning.)")
        accept = self._wire.STREAM_TYPE if request.stream else "application/json"
        headers = (
            ("Accept", accept),
            ("Content-Type", "application/json"),
            ("User-Agent", f"playhead/{__version__}"),
            *self.provider.headers,
            *encoded.headers,
        )
        return Request("POST", self.url(stream=request.stream), headers, encoded.body), encoded

    def encode_body(self, request: ModelRequest) -> Encoded:
        """The request's body, and what the wire format could not say. Nothing of the address is needed.

        Raises:
            EncodeError: the wire format has no words for it.
        """
        return self._wire.encode_request(request, self.provider.dialect, self.provider.origin)

    def url(self, *, stream: bool) -> str:
        """Where requests go.

        Raises:
            ConfigError: the provider's address needs something that is not set.
        """
        dialect, wire = self.provider.dialect, self._wire
        path = dialect.path or wire.PATH
        if stream:
            path = dialect.stream_path or dialect.path or wire.STREAM_PATH
        path, _, query = path.replace("{model}", quote(self.id, safe="@")).partition("?")
        base = urlsplit(self.provider.address())  # It may have a query, as Azure's `?api-version=...`.
        query = "&".join(filter(None, (base.query, query)))
        return urlunsplit(base._replace(path=base.path.rstrip("/") + path, query=query))

    async def stream(
        self, request: Request, transport: Transport, watch: Watch | None = None
    ) -> AsyncGenerator[MessageEvent]:
        """Send a request and give events as they arrive, `MessageEnd` last, when the whole response is there.

        Args:
            watch: looks on, and sees to it that nobody waits for ever.

        Raises:
            ProviderError: the provider refused, before or during the stream.
            TruncatedStream: the response stopped before the answer was whole.
            DecodeError: the provider broke its format.
            TransportError: no response came, or none in time.
        """
        watch = watch or Watch()
        response = await watch.over(transport.send(request))
        try:
            # The same when it is played as when it was recorded, so that results can be compared.
            headers = {name.lower(): value for name, value in allowed_headers(response.headers)}
            if not 200 <= response.status < 300 or response.status == 204:
                raise await self._refusal(response, headers, watch)
            decoder = watch.decoder = self._wire.Decoder(self.provider.origin)
            try:
                async with aclosing(_events(response, decoder, watch)) as events:
                    async for event in events:
                        if isinstance(event, MessageEnd):
                            response.settle("whole")
                            await _drain(response)
                            await response.aclose()
                            yield MessageEnd(msgspec.structs.replace(event.response, headers=headers))
                        else:
                            yield event
            except ProviderError as error:
                response.settle("refused")
                raise refused(error, response.status, headers, self.provider, self.id) from error
            except TruncatedStream as error:
                response.settle("truncated")
                raise TruncatedStream(f"{self.provider.name}: {error}. Asking again may help.") from error
            except DecodeError as error:
                response.settle("broken")
                where = f"{self.provider.name} at {safe_url(request.url).partition('?')[0]}"
                raise DecodeError(
                    f"{where}: {error}. If this is not the address of the API, check base_url."
                ) from error
        finally:
            await response.aclose()

    async def _refusal(self, response: Response, headers: dict[str, str], watch: Watch) -> ProviderError:
        try:
            body = await watch.over(response.read())
        except TransportError:
            body = b""  # The status says enough.
        error = self._wire.read_error(body, response.status)
        error.body = body
        location = response.header("location")
        headers = headers | ({"location": location} if location else {})
        return refused(error, response.status, headers, self.provider, self.id)


async def _events(response: Response, decoder: Decoder, watch: Watch) -> AsyncGenerator[MessageEvent]:
    try:
        pieces = aiter(response)
        while (piece := await watch.over(anext(pieces, None))) is not None:
            events = decoder.feed(piece)
            watch.saw(events)
            for event in events:
                yield event
                if isinstance(event, MessageEnd):
                    return
            if decoder.error is not None:
                raise decoder.error
    except TransportError as error:
        if error.kind == "timeout":
            raise
        raise TruncatedStream(f"the connection was cut before the answer was whole ({error})") from error
    for event in decoder.close():
        yield event
    if decoder.error is not None:
        raise decoder.error


async def _drain(response: Response) -> None:
    """Read what follows the last event, so that the connection can be used again and the tape has it all."""
    try:
        async with asyncio.timeout(DRAIN_S):
            async for _ in response:
                pass
    except (TransportError, TimeoutError):
        pass  # The answer is whole all the same.


class Rendered(msgspec.Struct, frozen=True):
    """A conversation as a provider is told of it.

    Attributes:
        body: the request's body, decoded.
        losses: what of the conversation it cannot be told, one sentence each.
        unsupported: settings that it cannot be told.
    """

    body: dict[str, Any]
    losses: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()


def render(
    messages: Sequence[Message],
    target: str | Model,
    *,
    tools: Sequence[ToolSpec] = (),
    settings: Settings | None = None,
    stream: bool = False,
) -> Rendered:
    """A conversation in the words of another model's provider, without sending it: to see what would be lost.

    Args:
        messages: from any provider, such as `result.messages`.
        target: `provider:model`, or a `Model`.
        tools: what the model would be told of.
        settings: how the answer would be made.
        stream: whether it would be streamed.

    Raises:
        ConfigError: there is no such provider, or no such setting.
        EncodeError: the provider has no words for it at all.
    """
    model = target if isinstance(target, Model) else Model(*resolve(target))
    request = ModelRequest(model.id, tuple(messages), tuple(tools), checked(settings or {}), stream)
    encoded = model.encode_body(request)
    return Rendered(msgspec.json.decode(encoded.body), encoded.losses, encoded.unsupported)
