"""What is said of two requests that differ, and of two that only look as if they did."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playhead.http import Request
from playhead.tape.aligning import align
from playhead.tape.canonical import digest
from playhead.tape.explain import differences, how_written
from playhead.tape.nearest import nearest


def request(body: Any, url: str = "https://x.test/v1/chat/completions", *, kind: str = "") -> Request:
    data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return Request("POST", url, (("Content-Type", kind),) if kind else (), data)


def told(recorded: Any, asked: Any) -> list[str]:
    return list(differences(request(recorded), request(asked)))


def said(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "content": content}


def called(arguments: str, id: str = "c1") -> dict[str, Any]:
    call = {"id": id, "type": "function", "function": {"name": "add", "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def tool(name: str, **properties: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {key: {"type": kind} for key, kind in properties.items()}}
    return {"type": "function", "function": {"name": name, "parameters": schema}}


TALK = [said("system", "be brief"), said("user", "one"), said("assistant", "1"), said("user", "two")]
TALK += [said("assistant", "2"), said("user", "three")]


def test_nothing_is_told_of_requests_that_are_the_same() -> None:
    assert told({"a": 1, "b": 2}, {"b": 2, "a": 1}) == []


class TestMessages:
    def test_one_that_was_put_in_is_told_as_that_and_nothing_else(self) -> None:
        assert told({"messages": TALK}, {"messages": [*TALK[:3], said("user", "and"), *TALK[3:]]}) == [
            'messages[3] (user): in this run, not on the tape: {"role": "user", "content": "and"}'
        ]

    def test_some_that_were_taken_out_are_told_as_that(self) -> None:
        assert told({"messages": TALK}, {"messages": [TALK[0], *TALK[3:]]}) == [
            'messages[1] (user): on the tape, missing in this run: {"role": "user", "content": "one"}',
            'messages[2] (assistant): on the tape, missing in this run: {"role": "assistant", "content": "1"}',
        ]

    def test_a_change_beside_something_put_in_finds_its_counterpart(self) -> None:
        new = [TALK[0], said("user", "zero"), said("assistant", "0"), said("user", "one!"), *TALK[2:]]
        assert told({"messages": TALK}, {"messages": new}) == [
            'messages[1] (user): in this run, not on the tape: {"role": "user", "content": "zero"}',
            'messages[2] (assistant): in this run, not on the tape: {"role": "assistant", "content": "0"}',
            "messages[3] (user).content: from character 4 on the tape has 'one', this run 'one!'",
        ]

    def test_a_long_text_is_told_where_it_parts_and_how_long_it_is(self) -> None:
        (line,) = told({"system": "x" * 100 + "old"}, {"system": "x" * 100 + "new!"})
        both = f"...'{'x' * 20}old', this run ...'{'x' * 20}new!'"
        assert line == f"system: from character 101 on the tape has {both} (103 and 104 characters)"

    @pytest.mark.parametrize("count", [3_000])
    def test_a_long_history_is_compared_in_no_time(self, count: int) -> None:
        talk = [said("user" if n % 2 else "assistant", f"message {n}") for n in range(count)]
        new = [said("user", f"other {n}") for n in range(count)]
        assert told({"messages": talk}, {"messages": new})[-1] == f"and {count + count // 2 - 12} more"
        assert len(told({"messages": talk}, {"messages": [*talk[:9], said("user", "x"), *talk[9:]]})) == 1


class TestToolCalls:
    def test_an_argument_is_named(self) -> None:
        old, new = called('{"a": 2, "b": 3}'), called('{"a":3,"b":3}')
        assert told({"messages": [*TALK[:2], old]}, {"messages": [*TALK[:2], new]}) == [
            "messages[2] (assistant).tool_calls[0] (add).arguments.a: 2 on the tape, 3 in this run"
        ]

    def test_the_same_arguments_in_another_writing_are_called_so(self) -> None:
        (line,) = told({"messages": [called('{"a": 2, "b": 3}')]}, {"messages": [called('{"b":3,"a":2}')]})
        place = "messages[0] (assistant).tool_calls[0] (add).arguments"
        assert line == f"{place}: only the writing of the JSON differs (other key order and other white space)"

    def test_arguments_that_are_no_json_are_texts(self) -> None:
        (line,) = told({"messages": [called('{"a": 2')]}, {"messages": [called('{"a": 3')]})
        assert line.endswith("""arguments: from character 7 on the tape has '{"a": 2', this run '{"a": 3'""")


class TestTools:
    def test_they_are_compared_by_name(self) -> None:
        old = [tool("add", a="integer", b="integer"), tool("divide"), tool("multiply")]
        new = [tool("multiply"), tool("subtract"), tool("add", a="integer", b="number", c="string")]
        order, kind, more, gone, fresh = told({"tools": old}, {"tools": new})
        assert order == "tools: in another order, add, multiply on the tape; multiply, add in this run"
        changed = "tools[2] (add).parameters.properties"
        assert kind == f"{changed}.b.type: from character 1 on the tape has 'integer', this run 'number'"
        assert more == f'{changed}.c: in this run, not on the tape: {{"type": "string"}}'
        assert gone.startswith('tools[1] (divide): on the tape, missing in this run: {"type": "function", ')
        assert fresh.startswith('tools[1] (subtract): in this run, not on the tape: {"type": "function", ')

    def test_two_of_one_name_are_compared_all_the_same(self) -> None:
        assert len(told({"tools": [tool("a"), tool("a")]}, {"tools": [tool("a"), tool("a", b="string")]})) == 1


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            {
                "messages": [
                    {"role": "assistant", "content": [{"type": "tool_use", "name": "add", "input": {"a": 1}}]}
                ]
            },
            {
                "messages": [
                    {"role": "assistant", "content": [{"type": "tool_use", "name": "add", "input": {"a": 2}}]}
                ]
            },
            "messages[0] (assistant).content[0] (add).input.a: 1 on the tape, 2 in this run",
        ),
        (
            {"tools": [{"name": "add", "input_schema": {"required": ["a"]}}]},
            {"tools": [{"name": "add", "input_schema": {"required": []}}]},
            'tools[0] (add).input_schema.required[0]: on the tape, missing in this run: "a"',
        ),
        (
            {"input": [{"type": "function_call", "name": "add", "arguments": '{"a":1}'}]},
            {"input": [{"type": "function_call", "name": "add", "arguments": '{"a":2}'}]},
            "input[0] (add).arguments.a: 1 on the tape, 2 in this run",
        ),
        (
            {"input": [{"type": "function_call_output", "output": "3"}]},
            {"input": [{"type": "function_call_output", "output": "4"}]},
            "input[0] (function_call_output).output: from character 1 on the tape has '3', this run '4'",
        ),
        (
            {"contents": [{"role": "model", "parts": [{"functionCall": {"name": "add", "args": {"a": 1}}}]}]},
            {"contents": [{"role": "model", "parts": [{"functionCall": {"name": "add", "args": {"a": 2}}}]}]},
            "contents[0] (model).parts[0] (add).functionCall.args.a: 1 on the tape, 2 in this run",
        ),
        (
            {"tools": [{"functionDeclarations": [{"name": "add"}]}]},
            {"tools": [{"functionDeclarations": [{"name": "mul"}, {"name": "add"}]}]},
            'tools[0].functionDeclarations[0] (mul): in this run, not on the tape: {"name": "mul"}',
        ),
    ],
    ids=["messages", "messages tools", "responses call", "responses output", "gemini", "gemini tools"],
)
def test_all_formats_are_told_by_role_name_or_type(old: Any, new: Any, line: str) -> None:
    assert told(old, new) == [line]


class TestWriting:
    @pytest.mark.parametrize(
        ("old", "new", "how"),
        [
            ('{"a":1,"b":2}', '{"b":2,"a":1}', "other key order"),
            ('{"a":1,"b":2}', '{"a": 1, "b": 2}', "other white space"),
            ('{"a":"\\u00fc"}', '{"a":"ü"}', "other escapes"),
            ('{"a":1}', '{"a":1.0}', "numbers written otherwise (1 on the tape, 1.0 in this run)"),
            ('{"a":"/","b":[]}', '{ "b":[], "a":"\\/"}', "other key order, other white space and other escapes"),
        ],
    )
    def test_it_is_named_where_it_is_all_that_differs(self, old: str, new: str, how: str) -> None:
        recorded, asked = request(old.encode()), request(new.encode())
        assert how_written(recorded, asked) == f"the same JSON with {how}"
        assert (digest(recorded) == digest(asked)) == ("number" not in how)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b'{"a":1}', b'{"a":1}'),
            (b'{"a":1}', b'{"a":2}'),
            (b'{"a":"1"}', b'{"a":"1.0"}'),
            (b'{"a":"{}"}', b'{"a":"{ }"}'),
            (b'{"a":1,"a":2}', b'{"a":2,"a":1}'),
            (b"{}", b"no"),
        ],
    )
    def test_it_is_not_where_more_differs_or_nothing(self, old: bytes, new: bytes) -> None:
        assert how_written(request(old), request(new)) is None

    def test_a_number_in_another_writing_is_a_difference_and_named_as_what_it_is(self) -> None:
        assert told(b'{"temperature":1}', b'{"temperature":1.0}') == [
            "temperature: the same number written otherwise, 1 on the tape, 1.0 in this run"
        ]

    def test_parts_are_compared_and_their_boundary_is_not(self) -> None:
        def form(boundary: str, content: str) -> Request:
            head = 'Content-Disposition: form-data; name="file"\r\n\r\n'
            body = f"--{boundary}\r\n{head}{content}\r\n--{boundary}--\r\n".encode()
            return request(body, kind=f"multipart/form-data; boundary={boundary}")

        assert differences(form("a", "x"), form("b", "x")) == ()
        assert how_written(form("a", "x"), form("b", "x")) == "the same parts with another boundary"
        assert differences(form("a", "x"), form("b", "y")) == (
            "parts[0] (file).content: from character 1 on the tape has 'x', this run 'y'",
        )


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.sampled_from([0, 1, 1.0, 0.5]) | st.text("ab{[]}", max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=8,
)


@given(values, values)
def test_something_is_told_exactly_where_the_requests_are_not_the_same(old: Any, new: Any) -> None:
    recorded, asked = (Request("POST", "https://x.test", (), json.dumps(body).encode()) for body in (old, new))
    assert bool(differences(recorded, asked)) == (digest(recorded) != digest(asked))


@given(st.binary(max_size=9), st.binary(max_size=9))
def test_bytes_that_are_no_json_are_told_apart(old: bytes, new: bytes) -> None:
    recorded, asked = Request("POST", "https://x.test", (), old), Request("POST", "https://x.test", (), new)
    assert bool(differences(recorded, asked)) == (digest(recorded) != digest(asked))


@pytest.mark.parametrize("depth", [100, 400, 700, 2_000])
def test_what_is_nested_deeply_is_told_apart_all_the_same(depth: int) -> None:
    old, new = (b'{"a":' * depth + number + b"}" * depth for number in (b"1", b"2"))
    assert len(differences(request(old), request(new))) == 1


small = st.lists(st.integers(0, 3), max_size=8)


@given(small, small)
def test_an_alignment_has_every_place_once_and_in_order(old: list[int], new: list[int]) -> None:
    pairs = align(old, new)
    assert [was for was, _ in pairs if was is not None] == list(range(len(old)))
    assert [now for _, now in pairs if now is not None] == list(range(len(new)))


class TestNearest:
    def test_the_same_address_comes_first_then_the_conversation_then_the_rest(self) -> None:
        asked = request({"messages": TALK, "model": "m", "seed": 1})
        recorded = [
            request({"messages": TALK, "model": "m", "seed": 1}, "https://y.test/other"),
            request({"messages": TALK[:1], "model": "m", "seed": 1}),
            request({"messages": TALK[:5], "model": "n", "seed": 2}),
            request({"messages": TALK[:5], "model": "m", "seed": 2}),
            request(b"not json"),
        ]
        order = [3, 2, 1, 4, 0]
        for n, best in enumerate(order):
            left = sorted(order[n:])
            assert left[nearest(asked, [recorded[m] for m in left]) or 0] == best

    def test_the_secret_in_an_address_is_none_of_it(self) -> None:
        asked = request({"a": 1}, "https://x.test/v1?api_key=new")
        assert (
            nearest(asked, [request({"a": 1}, "https://x.test/v2"), request({}, "https://x.test/v1?api_key=old")])
            == 1
        )

    def test_a_word_in_a_prompt_is_found_among_many_prompts(self) -> None:
        prompts = [f"question {n * 7919 % 10007}: what is it?" for n in range(500)]
        recorded = [request({"messages": [said("user", prompt)]}) for prompt in prompts]
        asked = request({"messages": [said("user", prompts[321].replace("what is", "what was"))]})
        assert nearest(asked, recorded) == 321

    def test_there_is_none_where_nothing_is_like_it(self) -> None:
        assert nearest(request({"a": 1}), []) is None
        assert nearest(request({"a": 1}), [request({"b": 1}, "https://y.test/")]) is None
