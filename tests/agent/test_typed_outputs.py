"""Typed output within runs: in each mode and wire format, told what is wrong, and the same in all ways."""

from __future__ import annotations

import asyncio
import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

import msgspec
import pytest
from everyway import Scenario, go, in_all_ways, texts, turns

import playhead as ph
from histories import check_history
from playhead.testing import Script, answer, calls, cut
from playhead.wire import WIRE_FORMATS

Mode = Literal["native", "tool", "prompt"]
MODES: tuple[Mode, ...] = ("native", "tool", "prompt")


@dataclass
class Person:
    """A person."""

    name: str
    age: int


class Place(TypedDict):
    """A place."""

    city: str


class Point(msgspec.Struct):
    """A point."""

    x: float
    y: float


class Colour(enum.Enum):
    """A colour."""

    RED = "red"


def look_up(who: str) -> str:
    """Look somebody up."""
    return f"{who} is 36"


def gives(mode: Mode, value: Any, id: str = "out", name: str = "Person") -> Any:
    """An answer with an output."""
    return calls(("final_result", value, id)) if mode == "tool" else msgspec.json.encode(value).decode()


@pytest.mark.parametrize("mode", MODES)
def test_what_is_wrong_is_told_and_put_right_in_all_ways(mode: Mode, tmp_path: Path) -> None:
    outcome = in_all_ways(
        Scenario(
            agent=lambda stage: stage.agent(look_up, output=ph.Output(Person, mode=mode), system="Be brief."),
            answers=turns(
                calls(("look_up", {"who": "Ada"}, "c1")),
                gives(mode, {"name": "Ada"}, "c2"),
                gives(mode, {"name": "Ada", "age": 36}, "c3"),
            ),
        ),
        tmp_path,
    )
    assert outcome.result.output == Person("Ada", 36)
    told = outcome.stage.script.requests[2].messages[-1]
    said = told.text or "".join(part.text for part in told.parts)  # type: ignore[union-attr]
    assert "age" in said
    assert (told.role == "tool") is (mode == "tool")
    assert "Be brief." in outcome.stage.script.requests[0].messages[0].text
    assert outcome.result.messages[0].text == "Be brief.", "what is asked of the model is no part of the conversation"


@pytest.mark.parametrize("mode", MODES)
def test_tries_are_bounded_and_the_error_has_what_was_said(mode: Mode, tmp_path: Path) -> None:
    outcome = in_all_ways(
        Scenario(
            agent=lambda stage: stage.agent(output=ph.Output(Person, mode=mode, retries=1)),
            answers=turns(*(gives(mode, {"name": n}, f"c{n}") for n in range(3))),
        ),
        tmp_path,
    )
    assert isinstance(outcome.error, ph.OutputError)
    assert len(outcome.stage.script.requests) == 2
    assert '"name":1' in outcome.error.text
    assert outcome.error.problems
    with pytest.raises(ph.RunError, match="no output"):
        _ = outcome.result.output


@pytest.mark.parametrize(
    ("type", "value", "found"),
    [
        (Place, {"city": "Bern"}, {"city": "Bern"}),
        (Point, {"x": 1.5, "y": 2}, Point(1.5, 2)),
        (list[int], {"result": [1, 2]}, [1, 2]),
        (Colour, {"result": "red"}, Colour.RED),
        (bool, {"result": False}, False),
        (str, "words", "words"),
    ],
    ids=["TypedDict", "struct", "list", "enum", "bool", "text"],
)
def test_types_of_all_kinds_come_back(type: Any, value: Any, found: Any, tmp_path: Path) -> None:
    said = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    outcome = in_all_ways(
        Scenario(agent=lambda stage: stage.agent(output=ph.Output(type, mode="native")), answers=turns(said)),
        tmp_path,
    )
    assert outcome.result.output == found


def test_pydantic_models_come_back(tmp_path: Path) -> None:
    pydantic = pytest.importorskip("pydantic")
    model = pydantic.create_model("Animal", legs=(int, ...))
    outcome = in_all_ways(
        Scenario(
            agent=lambda stage: stage.agent(output=ph.Output(model, mode="native")),
            answers=turns('{"legs": "many"}', '{"legs": 4}'),
        ),
        tmp_path,
    )
    assert outcome.result.output == model(legs=4)


def test_one_of_several_types_is_told_by_the_tool_that_is_called(tmp_path: Path) -> None:
    output: Any = ph.Output([Person, Point], mode="tool")
    point, person = sorted(output.tool_names, key=lambda name: "oint" not in name)
    outcome = in_all_ways(
        Scenario(
            agent=lambda stage: stage.agent(output=output),
            answers=turns(calls((person, {"x": 1}, "c1")), calls((point, {"x": 1, "y": 2}, "c2"))),
        ),
        tmp_path,
    )
    assert outcome.result.output == Point(1, 2)


def test_the_output_beside_other_calls_ends_the_run_when_they_have_run(tmp_path: Path) -> None:
    outcome = in_all_ways(
        Scenario(
            agent=lambda stage: stage.agent(look_up, output=ph.Output(Person, mode="tool")),
            answers=turns(
                calls(
                    ("final_result", {"name": "Ada", "age": "?"}, "1"),
                    ("look_up", {"who": "Ada"}, "2"),
                    ("final_result", {"name": "Ada", "age": 36}, "3"),
                    ("final_result", {"name": "Bob", "age": 1}, "4"),
                )
            ),
        ),
        tmp_path,
    )
    assert outcome.result.output == Person("Ada", 36), "the first that fits"
    assert texts(outcome)[1] == "Ada is 36"
    assert len(outcome.stage.script.requests) == 1


def test_an_answer_in_words_where_a_tool_was_to_be_called_is_told_so(tmp_path: Path) -> None:
    outcome = in_all_ways(
        Scenario(
            agent=lambda stage: stage.agent(output=ph.Output(Person, mode="tool")),
            answers=turns("Ada is 36.", calls(("final_result", {"name": "Ada", "age": 36}, "1"))),
        ),
        tmp_path,
    )
    assert outcome.result.output == Person("Ada", 36)
    check_history(outcome.result.messages)


def test_a_stop_and_a_condition_leave_a_run_without_an_output(tmp_path: Path) -> None:
    outcome = in_all_ways(
        Scenario(
            agent=lambda stage: stage.agent(look_up, output=Person, stop_when=ph.stop.tool_called("look_up")),
            answers=turns(calls(("look_up", {"who": "Ada"}, "1"))),
        ),
        tmp_path,
    )
    assert outcome.result.finish_reason == "stopped"
    with pytest.raises(ph.RunError, match="stopped before"):
        _ = outcome.result.output


def test_before_step_may_take_the_tools_away_and_the_output_stays(tmp_path: Path) -> None:
    outcome = in_all_ways(
        Scenario(
            agent=lambda stage: stage.agent(
                look_up,
                output=ph.Output(Person, mode="tool"),
                before_step=lambda step: step.replace(tools=()) if step.number else None,
            ),
            answers=turns(
                calls(("look_up", {"who": "Ada"}, "1")), calls(("final_result", {"name": "Ada", "age": 36}, "2"))
            ),
        ),
        tmp_path,
    )
    assert [[tool.name for tool in it.tools] for it in outcome.stage.script.requests] == [
        ["look_up", "final_result"],
        ["final_result"],
    ]
    assert outcome.result.output == Person("Ada", 36)


@pytest.mark.parametrize("mode", MODES)
def test_partial_values_grow_to_the_whole_and_are_the_same_when_played(mode: Mode) -> None:
    value = {"name": "Ada Lovelace", "age": 36}
    raw = msgspec.json.encode(value).decode()
    said = answer(calls=[("final_result", raw, "1")], chunk_size=5) if mode == "tool" else answer(raw, chunk_size=5)
    scenario = Scenario(agent=lambda stage: stage.agent(output=ph.Output(Person, mode=mode)), answers=turns(said))
    live = go(scenario, stream=True)
    values = [event.value for event in live.events if isinstance(event, ph.OutputPartial)]
    assert len(values) > 3
    assert values[-1] == value
    assert any(0 < len(each.get("name", "")) < len("Ada Lovelace") for each in values)
    played = go(scenario, live.tape, "replay", stream=True)
    assert [e.value for e in played.events if isinstance(e, ph.OutputPartial)] == values


def test_partial_values_begin_anew_where_a_stream_does() -> None:
    raw = '{"name": "Ada Lovelace", "age": 36}'
    asked: list[Any] = []

    def said(request: Any) -> Any:
        asked.append(request)
        return (
            cut(answer('{"name": "Bob the Builder"}', chunk_size=6), after=3)
            if len(asked) == 1
            else answer(raw, chunk_size=6)
        )

    retry = ph.Retry(attempts=2, base_s=0.001)
    scenario = Scenario(
        agent=lambda stage: stage.agent(output=ph.Output(Person, mode="native"), retry=retry), answers=said
    )
    live = go(scenario, stream=True)
    assert live.result.output == Person("Ada Lovelace", 36)
    kinds = [event for event in live.events if isinstance(event, ph.OutputPartial | ph.StreamReset)]
    reset = next(n for n, event in enumerate(kinds) if isinstance(event, ph.StreamReset))
    assert 0 < reset < len(kinds) - 1
    after = [event.value for event in kinds[reset + 1 :] if isinstance(event, ph.OutputPartial)]
    assert not any("Bob" in str(value) for value in after)
    played = go(scenario, live.tape, "replay", stream=True)
    assert [repr(event) for event in played.events if isinstance(event, ph.OutputPartial | ph.StreamReset)] == [
        repr(event) for event in kinds
    ]


@pytest.mark.parametrize("wire", WIRE_FORMATS)
@pytest.mark.parametrize("mode", MODES)
def test_every_wire_format_carries_the_output_in_all_ways(wire: str, mode: Mode, tmp_path: Path) -> None:
    outcome = in_all_ways(
        Scenario(
            agent=lambda stage: stage.agent(look_up, output=ph.Output(Person, mode=mode), max_tokens=99),
            answers=turns(calls(("look_up", {"who": "Ada"}, "c1")), gives(mode, {"name": "Ada", "age": 36}, "c2")),
            wire=wire,
        ),
        tmp_path,
    )
    assert outcome.result.output == Person("Ada", 36)
    assert texts(outcome)[0] == "Ada is 36"


def test_a_function_may_refuse_and_change_an_output(tmp_path: Path) -> None:
    def grown(person: Person) -> Person:
        if person.age < 18:
            raise ValueError("too young")
        return Person(person.name.upper(), person.age)

    outcome = in_all_ways(
        Scenario(
            agent=lambda stage: stage.agent(output=ph.Output(Person, mode="native", validate=grown)),
            answers=turns('{"name": "a", "age": 3}', '{"name": "b", "age": 30}'),
        ),
        tmp_path,
    )
    assert outcome.result.output == Person("B", 30)
    assert "too young" in outcome.stage.script.requests[1].messages[-1].text


def test_the_output_of_a_script_that_is_used_up_leaves_nothing() -> None:
    with Script(['{"name": "Ada", "age": 36}']) as script:
        assert script.agent(output=ph.Output(Person, mode="native")).run_sync("Who?").output == Person("Ada", 36)


def test_a_tool_with_the_name_of_the_outputs_tool_is_refused() -> None:
    @ph.tool(effect="read")
    def final_result(x: int) -> str:
        """Not the output."""
        return str(x)

    class Remote:
        name = "remote"

        async def tools(self, read: Any) -> list[Any]:
            return [final_result]

        async def aclose(self) -> None: ...

    with Script([]) as script:
        with pytest.raises(ph.ConfigError, match="final_result is the name of a tool and of one that the output"):
            script.agent(tools=[final_result], output=Person)
        with pytest.raises(ph.ConfigError, match="final_result"):
            script.agent(tools=[Remote()], output=Person).run_sync("Go")
    with Script([calls(("final_result", {"x": 5})), '{"name": "Ada", "age": 36}'] * 2) as script:
        for output in (ph.Output(Person, mode="native"), ph.Output(Person, name="person")):
            result = script.agent(tools=[final_result], output=output).run_sync("Go")
            assert (result.steps[0].results[0].text, result.output) == ("5", Person("Ada", 36))
    with Script([calls(("final_result", {"x": 5})), "words"]) as script:
        result = script.agent(tools=[final_result], output=ph.Output(str, mode="tool")).run_sync("Go")
        assert (result.steps[0].results[0].text, result.output) == ("5", "words")


@pytest.mark.parametrize("mode", MODES)
def test_a_function_sees_each_output_once(mode: Mode) -> None:
    seen: list[Person] = []

    def check(person: Person) -> None:
        seen.append(person)
        if len(seen) > 1:
            raise ValueError("seen before")

    with Script([gives(mode, {"name": "Ada", "age": 36})]) as script:
        result = script.agent(output=ph.Output(Person, mode=mode, validate=check)).run_sync("Who?")
    assert len(seen) == 1
    assert result.output is seen[0]


@pytest.mark.parametrize("mode", MODES)
def test_a_bug_in_the_function_leaves_the_run_and_can_be_mended(mode: Mode, tmp_path: Path) -> None:
    def check(person: Person) -> None:
        raise KeyError("a bug")

    tape = tmp_path / "tape.jsonl"
    with Script([gives(mode, {"name": "Ada", "age": 36})]) as script:
        agent = script.agent(output=ph.Output(Person, mode=mode, validate=check))
        for _ in range(2):  # live, and played
            with pytest.raises(KeyError, match="a bug"):
                agent.run_sync("Who?", tape=tape)
        assert script.agent(output=ph.Output(Person, mode=mode)).run_sync("Who?", tape=tape).output == Person(
            "Ada", 36
        )


def test_a_recorded_output_that_fits_no_more_is_an_error_of_the_run(tmp_path: Path) -> None:
    def check(person: Person) -> None:
        raise ValueError("not any more")

    tape = tmp_path / "tape.jsonl"
    with Script([gives("tool", {"name": "Ada", "age": 36})]) as script:
        script.agent(output=ph.Output(Person, mode="tool")).run_sync("Who?", tape=tape)
        agent = script.agent(output=ph.Output(Person, mode="tool", validate=check))
        with pytest.raises(ph.OutputError, match="none any more: not any more") as error:
            agent.run_sync("Who?", tape=tape, mode="replay")
    assert error.value.problems == ("not any more",)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("mode", MODES)
def test_the_output_waits_for_work_in_the_background_in_all_modes(mode: Mode, stream: bool, tmp_path: Path) -> None:
    @ph.tool(background=True, effect="idempotent")
    async def ask_around(who: str) -> str:
        """Ask others."""
        await asyncio.sleep(0.02)
        return f"{who} is 37"

    def said(asked: Any) -> Any:
        if len(asked.messages) < 3:
            return calls(("ask_around", {"who": "Ada"}, "c1"))
        told = "Ada is 37" in str(asked.messages)
        return gives(mode, {"name": "Ada", "age": 37 if told else 36}, "c3" if told else "c2")

    def run(tape: Path, how: Any) -> ph.RunResult[Any]:
        agent = Script(said).agent(tools=[ask_around], output=ph.Output(Person, mode=mode))
        if not stream:
            return agent.run_sync("How old is Ada?", tape=tape, mode=how)
        with agent.stream_sync("How old is Ada?", tape=tape, mode=how) as running:
            for _ in running:
                pass
            return running.result

    file = tmp_path / "tape.jsonl"
    live = run(file, "record")
    assert (live.output, live.warnings) == (Person("Ada", 37), ())
    check_history(live.messages)
    assert run(file, "replay").messages == live.messages
    lines = file.read_bytes().splitlines(keepends=True)
    for number in range(1, len(lines)):
        file.write_bytes(b"".join(lines[:number]))
        assert run(file, "resume").output == live.output, f"killed after line {number}"
