"""What is wrong with an answer."""

from __future__ import annotations

from collections.abc import Sequence


class InvalidOutput(ValueError):
    """An answer is no value of the output's type. The text is meant for the model.

    Attributes:
        problems: what is wrong, one sentence each.
        advice: what the model is to do about it.
        text: the answer.
        needs_schema: whether the model seems not to know what is wanted: there was no JSON in its answer.
    """

    def __init__(
        self, problems: Sequence[str], advice: str = "", *, text: str = "", needs_schema: bool = False
    ) -> None:
        self.problems = tuple(problems)
        self.advice = advice
        self.text = text
        self.needs_schema = needs_schema
        lines = self.problems if len(self.problems) == 1 else [f"- {problem}" for problem in self.problems]
        super().__init__("\n".join([*lines, advice]).rstrip())
