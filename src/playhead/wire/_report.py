"""What a wire format could not say: nothing is left out in silence."""

from __future__ import annotations

from collections.abc import Iterable

from ..messages import Settings


class Report:
    """Collects losses and unsupported settings of one request or answer, each sentence once, in order.

    Args:
        wire: the wire format's name, for sentences.
    """

    def __init__(self, wire: str) -> None:
        self.wire = wire
        self._losses: dict[str, None] = {}
        self._unsupported: dict[str, None] = {}

    @property
    def losses(self) -> tuple[str, ...]:
        """What of the conversation could not be said."""
        return tuple(self._losses)

    @property
    def unsupported(self) -> tuple[str, ...]:
        """The settings that could not be said."""
        return tuple(self._unsupported)

    def lost(self, sentence: str) -> None:
        """Something of the conversation is not said."""
        self._losses[sentence] = None

    def setting(self, name: str, why: str = "") -> None:
        """A setting is not said."""
        self._unsupported[f"the setting `{name}` was left out: {why or f'{self.wire} has no word for it'}"] = None

    def settings(self, settings: Settings, names: Iterable[str], why: str = "") -> None:
        """Those of the settings `names` that are given are not said."""
        for name in names:
            if settings.get(name) is not None:
                self.setting(name, why)
