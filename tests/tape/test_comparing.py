"""Two tapes held against each other: what belongs together, and what counts as a difference."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

import playhead as ph
from chatwire import Script, message, tool_call
from conftest import shared_tape
from playhead.http import Request
from playhead.tape.comparing import Comparison, Step, compare, word_diff
from playhead.tape.effects import Interaction, Tape, ToolRun
from playhead.transcript import hear


@ph.tool
def add(a: int, b: int) -> int:
    return a + b


@ph.tool
def multiply(a: int, b: int) -> int:
    return a * b


def recorded(path: Path, *answers: Any, prompt: str = "go", **more: Any) -> Tape:
    Script(*answers).agent(add, multiply, **more).run_sync(prompt, tape=path, mode="record")
    return ph.load_tape(path)


def both_calls(id: str, b: int = 3) -> tuple[Any, ...]:
    return ("hm", tool_call("add", {"a": 2, "b": 3}, f"{id}1"), tool_call("multiply", {"a": 2, "b": b}, f"{id}2"))


def held(a: Tape, b: Tape) -> Comparison:
    return compare(a, b, list(map(hear, a.interactions)), list(map(hear, b.interactions)))


def call(n: int, *, lane: str = "root", text: str = "ok", body: Any = None, **more: Any) -> Interaction:
    asked = json.dumps(body or {"messages": [{"role": "user", "content": f"question {n}"}]}).encode()
    answer = json.dumps(message(text)).encode()
    request = Request("POST", "http://script.test/v1/chat/completions", (), asked)
    return Interaction(request=request, lane=lane, status=200, chunks=(answer,), **more)


def names(steps: tuple[Step, ...]) -> list[tuple[str, int | None, int | None, bool]]:
    return [(it.kind, it.a.effect if it.a else None, it.b.effect if it.b else None, it.same) for it in steps]


def test_times_and_ids_are_no_difference(tmp_path: Path) -> None:
    a = recorded(tmp_path / "a.jsonl", both_calls("call_"), ("done",))
    b = recorded(tmp_path / "b.jsonl", both_calls("other-"), ("done",))
    slower = tuple(msgspec.structs.replace(effect, duration_s=9.0) for effect in b.effects)
    found = held(a, replace(b, effects=slower))
    assert found.same
    assert names(found.steps) == [
        ("call", 0, 0, True),
        ("tool", 1, 1, True),
        ("tool", 2, 2, True),
        ("call", 3, 3, True),
    ]
    assert found.b.duration_s == 18.0


def test_results_that_went_to_each_others_calls_are_a_difference(tmp_path: Path) -> None:
    a = recorded(tmp_path / "a.jsonl", both_calls("c"), ("done",))
    last = a.interactions[1]
    body = last.request.body.replace(b'"tool_call_id":"c1"', b'"tool_call_id":"?"')
    body = body.replace(b'"tool_call_id":"c2"', b'"tool_call_id":"c1"').replace(b'"?"', b'"c2"')
    changed = msgspec.structs.replace(last, request=msgspec.structs.replace(last.request, body=body))
    found = held(a, replace(a, effects=(*a.effects[:-1], changed)))
    assert found.first == 3
    assert [it.path for it in found.steps[3].request] == [f"messages[{n}] (tool).tool_call_id" for n in (2, 3)]


def test_an_id_that_is_a_tools_own_argument_counts() -> None:
    def asking(order: str) -> Tape:
        block = {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {"id": order}}
        return Tape((call(0, body={"messages": [{"role": "assistant", "content": [block]}]}),))

    (found,) = held(asking("order-1"), asking("order-2")).steps[0].request
    assert found.path == "messages[0] (assistant).content[0] (find).input.id"


def test_where_the_model_answered_otherwise_it_is_the_answer_that_differs_first(tmp_path: Path) -> None:
    a = recorded(tmp_path / "a.jsonl", both_calls("c"), ("it is 6",))
    b = recorded(tmp_path / "b.jsonl", both_calls("d", b=4), ("it is 8",))
    found = held(a, b)
    first, plus, times, last = found.steps
    assert found.first == 0
    assert first.request == ()
    assert [(it.path, it.old, it.new) for it in first.answer] == [("tool_calls[1] (multiply).arguments.b", "3", "4")]
    assert plus.same
    assert [it.path for it in (*times.request, *times.answer)] == ["arguments.b", "result"]
    assert [it.path for it in last.request] == [
        "messages[1] (assistant).tool_calls[1] (multiply).arguments.b",
        "messages[3] (tool).content",
    ]
    assert [(it.path, it.old, it.new) for it in last.answer] == [("text", "it is 6", "it is 8")]


def test_where_the_prompt_changed_it_is_the_request(tmp_path: Path) -> None:
    a = recorded(tmp_path / "a.jsonl", ("hi",))
    b = recorded(tmp_path / "b.jsonl", ("hi",), prompt="gone", temperature=1)
    (step,) = held(a, b).steps
    assert [it.path for it in step.request] == ["messages[0] (user).content", "temperature"]
    assert step.answer == ()


def test_what_was_put_in_is_told_as_that() -> None:
    a, b = Tape((call(0), call(1), call(2))), Tape((call(0), call(7), call(1), call(2)))
    assert names(held(a, b).steps) == [
        ("call", 0, 0, True),
        ("call", None, 1, False),
        ("call", 1, 2, True),
        ("call", 2, 3, True),
    ]
    assert names(held(b, a).steps) == [
        ("call", 0, 0, True),
        ("call", 1, None, False),
        ("call", 2, 1, True),
        ("call", 3, 2, True),
    ]


def test_calls_at_the_same_place_belong_together_whatever_they_ask() -> None:
    found = held(Tape((call(0), call(1))), Tape((call(5), call(6))))
    assert names(found.steps) == [("call", 0, 0, False), ("call", 1, 1, False)]


def test_parallel_work_is_the_same_in_whatever_order_it_began() -> None:
    one, other = call(1, lane="root/0.a"), call(2, lane="root/1.a")
    assert held(Tape((call(0), one, other)), Tape((call(0), other, one))).same


def test_lanes_that_only_one_tape_has_are_matched_by_what_is_asked() -> None:
    flat = Tape((call(0), call(1), call(2)))
    lanes = Tape((call(0), call(1, lane="root/0.ask"), call(2)))
    assert held(flat, lanes).same
    assert held(lanes, flat).same


def test_what_a_resumed_run_asked_again_is_left_out() -> None:
    again = Tape((call(0, superseded=True, ended="interrupted"), call(0)))
    assert names(held(again, Tape((call(0),))).steps) == [("call", 1, 0, True)]


def test_another_tool_at_the_same_place_is_another_call() -> None:
    one, other = (
        Tape((ToolRun(lane=f"root/0.{name}", call_id="c", name=name, arguments="{}", result="1"),))
        for name in ("add", "plus")
    )
    (step,) = held(one, other).steps
    assert [(it.path, it.old, it.new) for it in step.request] == [("name", "add", "plus")]


def test_a_tape_without_tool_runs_is_compared_without_them(tmp_path: Path) -> None:
    a = recorded(tmp_path / "a.jsonl", both_calls("c"), ("done",))
    found = held(a, Tape(a.interactions))
    assert found.same
    assert found.notes == ("Only A holds tool runs. They are not compared.",)


def test_status_end_tokens_and_cost_count() -> None:
    answer = message("ok")
    answer["usage"] = {**answer["usage"], "prompt_tokens": 11, "cost": 0.5}
    dearer = msgspec.structs.replace(call(0), chunks=(json.dumps(answer).encode(),))
    (step,) = held(Tape((call(0),)), Tape((dearer,))).steps
    assert [(it.path, it.old, it.new) for it in step.answer] == [("input_tokens", 10, 11), ("cost", 0.001, 0.5)]
    failed = Interaction(request=call(0).request, ended="failed", error={"kind": "timeout", "message": "too slow"})
    (step,) = held(Tape((call(0),)), Tape((failed,))).steps
    told = {it.path: it.new for it in step.answer}
    assert (told["status"], told["ended"], told["error"]) == (None, "failed", "timeout: too slow")


def test_a_comparison_is_plain_data(tmp_path: Path) -> None:
    a = recorded(tmp_path / "a.jsonl", ("hi",))
    b = recorded(tmp_path / "b.jsonl", ("hi",), temperature=0.5)
    plain = held(a, b).plain()
    assert json.loads(json.dumps(plain)) == plain
    assert (plain["same"], plain["first"]) == (False, 0)
    assert plain["steps"][0]["request"] == [{"path": "temperature", "kind": "added", "a": None, "b": 0.5}]
    assert plain["totals"]["a"]["input_tokens"] == 10


def test_a_recording_is_the_same_as_itself_and_not_as_another() -> None:
    seed = ph.load_tape(shared_tape("seed/openrouter-kimi-k2.yaml"))
    assert held(seed, seed).same
    other = ph.load_tape(shared_tape("recorded/TestOpenRouterCommon/kimi/multi_tool_streaming.yaml"))
    assert held(seed, other).first == 0


texts = st.text(alphabet="ab \n.é", max_size=20)


@given(texts, texts)
def test_a_word_diff_holds_both_texts(old: str, new: str) -> None:
    words = word_diff(old, new)
    assert "".join(text for tag, text in words if tag != "+") == old
    assert "".join(text for tag, text in words if tag != "-") == new
    assert (old == new) == all(tag == " " for tag, _ in words)
    assert all(text for _, text in words)


def test_a_word_diff_goes_by_words() -> None:
    assert word_diff("the sum of both is 5.", "the sum is 6.") == [
        (" ", "the sum "),
        ("-", "of both "),
        (" ", "is "),
        ("-", "5"),
        ("+", "6"),
        (" ", "."),
    ]
