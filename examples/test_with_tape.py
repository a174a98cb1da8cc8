"""A test of an agent that is offline, free, and the same every time.

    pytest examples/test_with_tape.py

Mode `replay` lets nothing go out. To record the tape anew after a change that is meant, delete it and run
`sum_agent.py`.
"""

import pytest

import playhead as ph
from sum_agent import PROMPT, TAPE, agent


def test_the_agent_uses_both_tools_and_says_what_they_gave() -> None:
    with agent.stream_sync(PROMPT, tape=TAPE, mode="replay") as run:
        result = run.finish()
    assert [call.name for call in result.steps[0].response.tool_calls] == ["add", "multiply"]
    assert [part.text for part in result.steps[0].results] == ["5", "6"]
    assert result.text == "The function results are 5 and 6."


def test_another_prompt_is_never_given_the_recorded_answer() -> None:
    with (
        pytest.raises(ph.Divergence) as caught,
        agent.stream_sync("Subtract 2 from 3", tape=TAPE, mode="replay") as run,
    ):
        run.finish()
    assert caught.value.differences[0].startswith("messages[1] (user).content")
