"""The way out of a run that asks several models: each with its own credentials, all over one network."""

from __future__ import annotations

from ..errors import ConfigError
from ..http import Request, Response, Transport
from ..model import Model
from ..providers import Provider, demo
from ..retry import Timeouts
from ..transport.auth import AuthTransport, scheme_for

_FOR_EVER_S = 86_400.0
"""Seconds that the network waits for a byte where nobody sets a limit."""


class Outlets:
    """A transport that sends each request as the model needs it that is in use.

    Nothing is opened before a request goes out: a run that is only played has no network. The connections are shared
    by all models.

    Args:
        transport: sends the signed requests; the network where it is left out. It is not closed here.
        timeouts: how long the network waits.
    """

    def __init__(self, transport: Transport | None = None, timeouts: Timeouts | None = None) -> None:
        self._given = transport
        self._timeouts = timeouts or Timeouts()
        self._model: Model | None = None
        self._signing: dict[Model, AuthTransport] = {}
        self._opened: dict[str, Transport] = {}

    def use(self, model: Model) -> None:
        """The requests from here on are for this model."""
        self._model = model

    def ready(self) -> None:
        """Make sure that there is a key, where the model in use needs one.

        Raises:
            MissingKey: there is none.
        """
        self._used().require_key()

    async def send(self, request: Request) -> Response:
        """Send the request, signed.

        Raises:
            ConfigError: there are no credentials. Nothing was sent.
            TransportError: no answer came.
        """
        model = self._used()
        if model not in self._signing:
            scheme = scheme_for(model.provider.auth, model.key)
            self._signing[model] = AuthTransport(self._below(model), scheme)
        response = await self._signing[model].send(request)
        if response.status >= 400 and response.header("date") is None:
            response.headers = (*response.headers, ("Date", _now()))
        return response

    async def aclose(self) -> None:
        """Close the connections, unless they are somebody else's."""
        opened, self._opened, self._signing = self._opened, {}, {}
        for transport in opened.values():
            await transport.aclose()

    def _used(self) -> Model:
        if self._model is None:
            raise ConfigError("nothing can be sent yet: no model is in use")
        return self._model

    def _below(self, model: Model) -> Transport:
        """What sends signed requests."""
        if self._given is not None:
            return self._given
        name = "demo" if _is_demo(model.provider) else "live"
        if name not in self._opened:
            self._opened[name] = _network(model.provider, self._timeouts)
        return self._opened[name]


def _network(provider: Provider, timeouts: Timeouts) -> Transport:
    """What reaches a provider, where no transport was given."""
    if _is_demo(provider):
        from ..serve.demo import DemoTransport

        return DemoTransport()
    from ..transport.live import LiveTransport

    longest = timeouts.longest_s
    # A silence is for the caller to judge, who knows what it means; the network's own limit comes after it.
    patience = _FOR_EVER_S if longest is None else longest + 30.0
    return LiveTransport(connect_timeout=timeouts.connect_s, read_timeout=patience)


def _now() -> str:
    """The date that a refusal gets which has none (RFC 9110, 6.6.1). When to ask again may be told as a moment, and a
    replay must count from the same one."""
    from email.utils import formatdate

    return formatdate(usegmt=True)


def _is_demo(provider: Provider) -> bool:
    return provider.base_url == demo.PROVIDER.base_url
