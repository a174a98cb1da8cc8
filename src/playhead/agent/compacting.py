"""Makes a session's conversation shorter between two turns."""

from __future__ import annotations

from typing import Any

from ..events import Event
from ..ledger import Ledger, Meter
from ..messages import Message
from ..model import Model
from ..tape.opened import OpenTape
from ..tape.playhead import Playhead
from .around import Around
from .compaction import Compaction, compacted
from .hooks import RunInfo
from .loop import instructed
from .outlets import Outlets
from .spec import Spec
from .summarising import summary_of


async def made_shorter(
    spec: Spec, messages: tuple[Message, ...], tape: OpenTape, lane: str, deps: Any
) -> tuple[tuple[Message, ...], Ledger]:
    """The conversation made shorter as the agent's `compaction` does it, and what that took.

    Args:
        messages: without a system prompt. Who sums up is told the agent's, where that is a text.
        lane: where it is kept on the tape.

    Raises:
        PlayheadError: the model could not be asked.
    """
    outlets, meter = Outlets(spec.transport, spec.timeouts), Meter(spec.limits)
    playhead = Playhead(tape, outlets, outlets.ready, base=lane, owner=False)
    info = RunInfo(agent=spec.name, lane=lane, model=spec.model.name, tape=playhead.name)

    async def summarise(asked: tuple[Message, ...], model: Model | str | None) -> str:
        around = Around(info, spec.hooks, meter, _tell_nobody, lane, False, None, deps)
        prompts = "\n\n".join(text for text in spec.system if isinstance(text, str))
        return await summary_of(instructed(asked, prompts), model, spec, playhead, around)

    try:
        made, _ = await compacted(spec.compaction or Compaction(), messages, playhead, summarise)
    finally:
        await playhead.close(whole=True)
    return made, meter.ledger


def _tell_nobody(event: Event) -> None:
    pass
