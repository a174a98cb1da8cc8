"""Which model a chat was held with, as its tape tells it: it is gone on with there, and nowhere else unasked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..agent.session import Session
from ..errors import ConfigError, PlayheadError
from ..ledger import Attempt
from ..model import Model
from ..providers import resolve
from ..tape.effects import Interaction
from ..wire import wire_for_path

_OWN = re.compile(r"[^/]*(/turn\d+)?(#\d+)?")
"""The lanes of a conversation's own answers: not those of agents inside tools, or of summaries."""

_PLAIN = "compat"
"""What the ledger calls a server that is none of the known providers."""


@dataclass(frozen=True, slots=True)
class LastAsked:
    """The model that answered last; that was asked last, where none did.

    Attributes:
        attempt: as the ledger has it.
        url: where it was asked, as the tape has it.
    """

    attempt: Attempt
    url: str

    @property
    def host(self) -> str:
        """The server that was asked."""
        return _host(self.url)

    @property
    def shown(self) -> str:
        """For people."""
        model, provider = self.attempt.model or "a model", self.attempt.provider
        return f"{model} at {self.host}" if provider == _PLAIN else f"{provider}:{model}"

    def name(self) -> str | None:
        """The name under which the same model is asked again; None where the tape does not say it."""
        provider, model = self.attempt.provider, self.attempt.model
        if not model:
            return None
        if provider != _PLAIN and _resolved(f"{provider}:{model}") is not None:
            return _short(f"{provider}:{model}")
        return next((name for name in self._by_address() if _leads_to(name, self.url)), None)

    def _by_address(self) -> Iterator[str]:
        try:
            parts = urlsplit(self.url)
        except ValueError:
            return
        wire = wire_for_path(parts.path)
        if wire is None:
            return
        base = parts._replace(path=parts.path.removesuffix(wire.PATH)).geturl()
        yield f"compat:{base}#{self.attempt.model}"
        yield f"compat:{self.url}#{self.attempt.model}"  # The path says which format it is.


def last_asked(session: Session) -> LastAsked | None:
    """The model that answered last in a chat; None where the tape knows of none."""
    tape = session.tape.tape()
    calls = {n: it for n, it in tape.numbered if isinstance(it, Interaction)} if tape is not None else {}
    made = [it for it in session.ledger if it.effect in calls]
    made = [it for it in made if _OWN.fullmatch(it.lane)] or made
    last = next((it for it in reversed(made) if it.outcome == "whole"), made[-1] if made else None)
    if last is None or last.effect is None:
        return None
    return LastAsked(last, calls[last.effect].request.url)


def model_to_go_on_with(session: Session, path: str) -> str | None:
    """The name of the model that a chat was held with; None where nothing was said in it yet.

    Args:
        path: the tape, as people write it.

    Raises:
        ConfigError: something was said, and the tape does not tell where that model is asked again. The conversation
            is nobody else's: no other is chosen.
    """
    last = last_asked(session)
    if last is None and not session.turns:
        return None
    if last is not None and (name := last.name()) is not None:
        return name
    who = "a model that its tape does not name" if last is None else last.shown
    raise ConfigError(
        f"this chat was held with {who}, and its tape does not say how that one is asked again. Say MODEL, as in "
        f"'playhead chat PROVIDER:MODEL --tape {path}'. Nothing was sent to another one."
    )


def what_changed(session: Session, model: Model) -> str | None:
    """That another provider than before is about to be told the conversation; None where that is not so."""
    last = last_asked(session)
    if last is None or not session.turns:
        return None
    try:
        host = _host(model.url(stream=True))
    except ConfigError:
        host = ""
    if host == last.host or model.provider.name == last.attempt.provider != _PLAIN:
        return None
    did = "answered" if last.attempt.outcome == "whole" else "was asked"
    return f"{last.shown} {did} last; {model.name}{host and f' at {host}'} is told the conversation from here on"


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""


def _resolved(name: str) -> Model | None:
    try:
        return Model(*resolve(name))
    except PlayheadError:
        return None


def _short(name: str) -> str:
    model = _resolved(name)
    return "demo" if model is not None and (name, "demo") == (f"demo:{model.id}", model.provider.name) else name


def _leads_to(name: str, url: str) -> bool:
    model = _resolved(name)
    return model is not None and url in (model.url(stream=True), model.url(stream=False))
