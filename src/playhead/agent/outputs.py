"""The typed output within a run: what a request asks for, and what its answer gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from ..errors import ConfigError
from ..events import Event, OutputPartial
from ..messages import Message, ModelRequest, ModelResponse, ProviderTool, Settings, ToolCallPart
from ..model import Model
from ..output import Output, OutputMode, PartialOutput
from ..tools import AnyTool
from .loop import also_instructed


class Wanted:
    """What a step asks a model for: tools that it may call, and the output.

    Args:
        output: the typed output; None for plain text.
        tools: by name.

    Raises:
        ConfigError: a tool has the name of one that the output comes by.
    """

    def __init__(self, output: Output[Any] | None, tools: Mapping[str, AnyTool]) -> None:
        refuse_clash(output, tools)
        self.output = output
        self.tools = tools
        self._mode: OutputMode = "native"
        self._partial: PartialOutput | None = None

    @property
    def output_names(self) -> frozenset[str]:
        """The names of the tools that the output comes by."""
        return frozenset(self.output.tool_names) if self.output is not None and self._mode == "tool" else frozenset()

    def request(
        self,
        model: Model,
        messages: tuple[Message, ...],
        settings: Settings,
        provider_tools: tuple[ProviderTool, ...],
        *,
        stream: bool,
    ) -> ModelRequest:
        """What a model is asked. Each is held to the output in the way that its provider knows best."""
        specs = tuple(tool.spec for tool in self.tools.values())
        if self.output is not None:
            self._mode = _mode(self.output, model, has_tools=bool(self.tools), provider_tools=bool(provider_tools))
            plan = self.output.plan(self._mode)
            specs += plan.tools
            messages = also_instructed(messages, plan.prompt or "")
            if plan.response_format is not None:
                settings = {"response_format": plan.response_format, **settings}
            self._partial = self.output.partial(self._mode) if stream else None
        return ModelRequest(model.id, messages, specs, settings, stream, provider_tools)

    def see(self, event: Event) -> OutputPartial | None:
        """The output as far as it came, where this event has changed it."""
        if self._partial is None:
            return None
        value = self._partial.see(event)
        return None if value is msgspec.UNSET else OutputPartial(value)

    def from_text(self, response: ModelResponse) -> Any:
        """The output that an answer without calls is.

        Raises:
            InvalidOutput: it is none.
        """
        assert self.output is not None  # noqa: S101 - else nobody asks
        return self.output.parse(response.text, self._mode)

    def from_call(self, call: ToolCallPart) -> Any:
        """The output that a call gives.

        Raises:
            InvalidOutput: it gives none.
        """
        assert self.output is not None  # noqa: S101 - the same
        return self.output.parse_call(call)


def refuse_clash(output: Output[Any] | None, names: Iterable[str]) -> None:
    """Refuse tools with a name that the output may come by, whichever model is asked in the end.

    Raises:
        ConfigError: there is one.
    """
    if output is None or output.mode not in ("auto", "tool"):
        return
    if twice := sorted(set(names).intersection(output.tool_names)):
        raise ConfigError(
            f"{', '.join(twice)} is the name of a tool and of one that the output comes by. Give the tool another "
            "with @tool(name=), or the output with Output(..., name=)"
        )


def _mode(output: Output[Any], model: Model, *, has_tools: bool, provider_tools: bool) -> OutputMode:
    if output.mode == "auto" and provider_tools and model.provider.wire == "gemini":
        return "prompt"  # Beside what Google runs itself, neither functions nor schemas are taken.
    return output.mode_for(model.provider, has_tools or provider_tools)
