"""JSON that is still being written: laws, and how outputs show while they stream."""

from __future__ import annotations

import copy
import itertools
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from outputs import Company, Failure, Success

from playhead.events import MessageStart, PartDelta, PartStart, StreamReset
from playhead.messages import TextPart, ToolCallPart
from playhead.output import Output, PartialJSON

UNSET = msgspec.UNSET

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5), max_leaves=25
)
roots = st.lists(values, max_size=5) | st.dictionaries(st.text(), values, max_size=5)
documents = st.builds(
    lambda value, plain, indent: json.dumps(value, ensure_ascii=plain, indent=indent),
    roots,
    st.booleans(),
    st.none() | st.integers(0, 2),
)


def pieces(text: str, cuts: list[int]) -> list[str]:
    """The text, cut at these places."""
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[a:b] for a, b in itertools.pairwise(places)]


def is_prefix(early: Any, final: Any) -> bool:
    """Whether what is shown early is what is shown in the end, as far as it came."""
    if type(early) is not type(final):
        return False
    if isinstance(early, str):
        return final.startswith(early)
    if isinstance(early, list):
        *whole, last = early or [None]
        return not early or (
            len(early) <= len(final) and whole == final[: len(whole)] and is_prefix(last, final[len(whole)])
        )
    if isinstance(early, dict):
        names = list(early)
        if names != list(final)[: len(names)]:
            return False
        return all(early[name] == final[name] for name in names[:-1]) and (
            not names or is_prefix(early[names[-1]], final[names[-1]])
        )
    return early == final


@given(documents, st.lists(st.integers(0, 10_000)))
def test_the_end_is_the_document_however_it_is_cut(document: str, cuts: list[int]) -> None:
    partial = PartialJSON()
    for piece in pieces(document, cuts):
        partial.feed(piece)
    assert partial.done
    assert partial.value == json.loads(document)
    assert json.dumps(partial.value) == json.dumps(json.loads(document))  # 1 is not 1.0


@given(documents, st.lists(st.integers(0, 10_000)))
def test_every_value_on_the_way_is_a_beginning_of_the_last_and_never_changes(document: str, cuts: list[int]) -> None:
    partial = PartialJSON()
    final = json.loads(document)
    shown: list[tuple[Any, Any]] = []
    for piece in pieces(document, cuts):
        partial.feed(piece)
        if partial.value is not UNSET:
            assert is_prefix(partial.value, final)
            shown.append((partial.value, copy.deepcopy(partial.value)))
    assert all(value == then for value, then in shown)
    assert 0 < partial.changes <= len(document)


@given(documents)
def test_the_number_of_changes_does_not_grow_while_nothing_changes(document: str) -> None:
    partial = PartialJSON()
    for char in document:
        before, changes = partial.value, partial.changes
        partial.feed(char)
        assert (partial.changes == changes) == (partial.value == before)


@given(st.text(alphabet='{}[]",:\\u0dea1-.tfn \n') | st.text())
def test_whatever_comes_nothing_is_raised_and_cuts_do_not_matter(text: str) -> None:
    whole, cut = PartialJSON(), PartialJSON()
    whole.feed(text)
    for char in text:
        cut.feed(char)
    assert cut.value == whole.value
    msgspec.json.encode([]) if whole.value is UNSET else msgspec.json.encode(whole.value)


@given(documents, st.text(alphabet="abc \n`.:"), st.text())
def test_words_before_and_behind_do_not_count(document: str, before: str, behind: str) -> None:
    partial = PartialJSON()
    partial.feed(f"{before}{document}{behind}")
    assert partial.value == json.loads(document)


STEPS: dict[str, tuple[list[str], list[Any]]] = {
    "a string grows": (['{"a": "', "x", 'y"'], [{"a": ""}, {"a": "x"}, {"a": "xy"}]),
    "an escape comes whole": (['["a\\', 'n"', "]"], [["a"], ["a\n"], ["a\n"]]),
    "a surrogate pair comes whole": (['["\\ud83d', "\\ude0", '0"'], [[""], [""], ["😀"]]),
    "half a pair is replaced": (['["\\ud83d', 'x"'], [[""], ["\ufffdx"]]),
    "a number comes whole": (["[1", "2", ", 3"], [[], [], [12]]),
    "a literal comes whole": (["[tr", "ue", ", n"], [[], [True], [True]]),
    "a key comes with its value": (['{"a', '"', ":", "null"], [{}, {}, {}, {"a": None}]),
    "words stop it": (['{"a": [1, 2', ", oops", ", 3]}"], [{"a": [1]}, {"a": [1, 2]}, {"a": [1, 2]}]),
    "what stands behind words is not taken in its place": (["[1, oops", ' {"b": 2}'], [[1], [1]]),
    "an escape that is none stops it": (['["a\\q', '", {"b": 2}'], [["a"], ["a"]]),
    "brackets in words": (["see [note", '] {"a": 1}'], [[], {"a": 1}]),
    "words alone": (["no JSON here"], [UNSET]),
}


@pytest.mark.parametrize(("fragments", "expected"), STEPS.values(), ids=STEPS)
def test_what_shows_after_each_piece(fragments: list[str], expected: list[Any]) -> None:
    partial = PartialJSON()
    shown: list[Any] = []
    for fragment in fragments:
        partial.feed(fragment)
        shown.append(partial.value)
    assert shown == expected


def test_depth_without_end_is_shown_to_a_depth() -> None:
    partial = PartialJSON()
    partial.feed("[" * 100_000)
    json.dumps(partial.value)
    assert not partial.done


def feed(output: Output[Any], text: str, mode: Any = "native") -> list[Any]:
    """What shows while a text streams character by character."""
    partial = output.partial(mode)
    shown = [partial.feed(0, char) for char in text]
    return [value for value in shown if value is not UNSET]


def test_an_object_shows_as_it_grows() -> None:
    assert feed(Output(Company), '{"name": "Ab", "staff": 2}') == [
        {},
        {"name": ""},
        {"name": "A"},
        {"name": "Ab"},
        {"name": "Ab", "staff": 2},
    ]


def test_the_wrapper_never_shows() -> None:
    assert feed(Output(list[int]), '{"result": [1, 2]}') == [[], [1], [1, 2]]
    assert feed(Output(list[int]), "```json\n[1, 2]\n```") == [[], [1], [1, 2]]
    assert feed(Output([Success, Failure]), '{"result": {"Failure": {"text": "a"}}}') == [
        {},
        {"text": ""},
        {"text": "a"},
    ]
    assert feed(Output(int), '{"result": 42, "more": [1, 2]}') == [42]


def test_text_shows_as_it_comes() -> None:
    assert feed(Output(str), "abc") == ["a", "ab", "abc"]
    assert feed(Output([Company, str]), "ab", "tool") == ["a", "ab"]
    assert feed(Output([Company, str]), '{"result": "ab"}') == ["", "a", "ab"]
    assert feed(Output(Company), '{"name": "A"}', "tool") == []


def test_the_arguments_of_the_first_output_tool_show_and_no_others() -> None:
    partial = Output([Success, Failure]).partial("tool")
    events = [
        MessageStart("1", "m"),
        PartStart(0, TextPart()),
        PartDelta(0, "text", '{"text": "no"}'),
        PartStart(1, ToolCallPart("a", "search")),
        PartDelta(1, "tool_call", '{"text": "no"}'),
        PartStart(2, ToolCallPart("b", "final_result_Failure")),
        PartDelta(2, "tool_call", '{"text": "o'),
        PartStart(3, ToolCallPart("c", "final_result_Success")),
        PartDelta(3, "tool_call", '{"text": "no'),
        PartDelta(2, "tool_call", 'h"}'),
    ]
    assert [value for event in events if (value := partial.see(event)) is not UNSET] == [
        {"text": "o"},
        {"text": "oh"},
    ]


@pytest.mark.parametrize(
    "event", [StreamReset("again"), MessageStart("2", "m")], ids=lambda event: type(event).__name__
)
def test_another_answer_begins_anew(event: Any) -> None:
    partial = Output(Company).partial("native")
    partial.see(PartDelta(0, "text", '{"name": "A'))
    assert partial.see(event) is UNSET
    assert partial.see(PartDelta(0, "text", '{"name": "B')) == {"name": "B"}
