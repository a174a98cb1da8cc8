"""What a server says of a request that its tapes do not hold: what is nearest, in what it differs, and what helps."""

from __future__ import annotations

from collections.abc import Container, Sequence

from ..errors import Divergence
from ..http import Request
from ..tape.canonical import digest
from ..tape.effects import Interaction
from ..tape.explain import differences
from ..tape.nearest import nearest
from ..tape.secrets import Redaction
from ._addresses import path_of

Call = tuple[str, int, Interaction]
"""An interaction, behind its tape's name and its number there."""

_RECORD = "playhead record --mode resume --tape F --to URL"
_NEXT_ONE = "--drift, which answers with the next recording of the same method and path"
_REDACT = Redaction(shapes=False, env=False)


class Missed:
    """Finds the words for what tapes do not hold.

    Args:
        names: of the tapes.
        calls: what can be played of them, with the URLs that they are looked for by.
        repeat, drift: as they are served.
    """

    def __init__(self, names: Sequence[str], calls: Sequence[Call], *, repeat: bool, drift: bool) -> None:
        self._calls = calls
        self._repeat = repeat
        self._drift = drift
        self._they, self._hold, self._do_not = (
            (f"tape {names[0]!r}", "holds", "does not")
            if len(names) == 1
            else (f"the {len(names)} tapes", "hold", "do not")
        )

    def error(self, request: Request, forms: Sequence[Request], left: Container[int]) -> Divergence:
        """The error for a request.

        Args:
            request: as it was asked.
            forms: as it may stand on the tapes, the likeliest first.
            left: the places of the calls that were not played yet.
        """
        what = f"{request.method} {path_of(request.url)}"
        return self._consumed(what, forms) or self._changed(what, forms[0], left) or self._missing(what)

    def _consumed(self, what: str, forms: Sequence[Request]) -> Divergence | None:
        wanted = {digest(asked) for asked in forms}
        same = [call for call in self._calls if digest(_REDACT.request(call[2].request)) in wanted]
        if not same:
            return None
        name, number, _ = same[-1]
        times = "once" if len(same) == 1 else f"{len(same)} times"
        ways = ["--repeat, which begins again with the first"] * (not self._repeat)
        ways += [_NEXT_ONE] * (not self._drift)
        helps = f" What helps: {'; or '.join(ways)}." if ways else ""
        return Divergence(
            f"{self._they} {self._hold} this request {times}, and that was played already: {what} (the last was "
            f"{name}#{number}).{helps}",
            kind="consumed",
            effect=number,
        )

    def _changed(self, what: str, asked: Request, left: Container[int]) -> Divergence | None:
        place = nearest(asked, [call.request for _, _, call in self._calls])
        if place is None:
            return None
        name, number, call = self._calls[place]
        found = differences(call.request, asked)
        if not found:
            return None
        played = "" if place in left else ", played already"
        listed = "".join(f"\n  - {line}" for line in found)
        return Divergence(
            f"{self._they} {self._do_not} hold this request: {what}. The nearest one is {name}#{number}{played}:"
            f"{listed}\nIf the difference is not meant, undo it. {self._what_helps()}",
            kind="changed",
            effect=number,
            differences=found,
        )

    def _missing(self, what: str) -> Divergence:
        nothing = "holds nothing" if self._hold == "holds" else "hold nothing"
        return Divergence(f"{self._they} {nothing} like this request: {what}. {self._what_helps()}")

    def _what_helps(self) -> str:
        drift = "" if self._drift else f"; or {_NEXT_ONE}"
        return f"What helps: to record it, with '{_RECORD}'{drift}."
