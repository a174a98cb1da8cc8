"""Asks a model to sum a conversation up, in a lane of its own."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, cast

from ..messages import Message, Settings
from ..model import Model
from ..providers import resolve
from ..tape.lanes import standing
from ..tape.open import playhead_for
from ..tape.playhead import Playhead
from .around import Around, inside

if TYPE_CHECKING:
    from .spec import Spec

_OF_THE_CONVERSATION = ("tool_choice", "parallel_tool_calls", "response_format", "stop", "max_tokens")
"""Settings that mean the conversation, and not its summary."""


async def summary_of(
    messages: tuple[Message, ...], model: Model | str | None, spec: Spec, playhead: Playhead, around: Around
) -> str:
    """The model's summary. It is counted for the run around it, and played with it.

    Args:
        messages: the last one asks for the summary.
        model: who is asked; the agent's own model where it is None.
        spec: the agent.
        playhead: the run's.
        around: the run.

    Raises:
        PlayheadError: the model could not be asked.
    """
    from .course import Course  # A run makes runs.
    from .spec import Asked, Spec

    asked = spec.model if model is None else model if isinstance(model, Model) else Model(*resolve(model))
    settings = {name: value for name, value in spec.settings.items() if name not in _OF_THE_CONVERSATION}
    summariser = Spec(
        name=f"{spec.name}/compaction",
        model=asked,
        retry=spec.retry,
        timeouts=spec.timeouts,
        transport=spec.transport,
        hooks=spec.hooks,
        settings=cast("Settings", settings),
    )
    opened = playhead.opened
    with standing(opened, f"{playhead.lane}/compaction"), inside(around):
        course = Course(
            summariser,
            Asked(messages=messages),
            stream=around.stream,
            open_playhead=lambda outlets: playhead_for(opened, None, outlets, outlets.ready),
        )
        async with aclosing(course.events()) as events:
            async for _ in events:
                pass
    assert course.result is not None  # noqa: S101 - it has ended
    return course.result.text
