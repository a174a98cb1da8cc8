"""Almost-JSON is mended where there is one way only to read it, and never changed in value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playhead.tools import InvalidArguments, repair_json, tool

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=12
)
objects = st.dictionaries(texts, values, max_size=3)

MENDED: dict[str, tuple[str, Any]] = {
    "a fence": ('```json\n{"a": 1}\n```', {"a": 1}),
    "a fence on one line": ('```{"a": 1}```', {"a": 1}),
    "a trailing comma in an object": ('{"a": 1,}', {"a": 1}),
    "a trailing comma in an array": ('{"a": [1, 2, ]}', {"a": [1, 2]}),
    "Python's literals": ('{"a": True, "b": False, "c": None}', {"a": True, "b": False, "c": None}),
    "Python's strings": ("""{'a': 'say "it\\'s"', "b": "it's"}""", {"a": 'say "it\'s"', "b": "it's"}),
    "Python's hexadecimal escape": (r"{'a': '\x00\xe9'}", {"a": "\0é"}),
    "a raw line feed": ('{"a": "one\ntwo\tthree"}', {"a": "one\ntwo\tthree"}),
    "comments": ('{ // first\n"a": /* the number */ 1}', {"a": 1}),
    "a comment's signs in a string": ('{"a": "http://x /* y */",}', {"a": "http://x /* y */"}),
    "an object in a string": ('"{\\"a\\": \\"b\\"}"', {"a": "b"}),
    "an object in single quotes": ("""'{"a": "b"}'""", {"a": "b"}),
    "two copies": ('{"a":1}{"a":1}', {"a": 1}),
    "two copies on two lines": ('{"a": 1}\n{"a":1}', {"a": 1}),
    "missing brackets": ('{"a": [{"b": "c"', {"a": [{"b": "c"}]}),
    "a missing bracket behind a literal": ('{"a": true', {"a": True}),
    "a missing bracket behind an array": ('{"a": [1]', {"a": [1]}),
    "keys without quotes": ("{a: 1, $b_2: 2}", {"a": 1, "$b_2": 2}),
    "a byte-order mark": ('\ufeff{"a": 1}', {"a": 1}),
    "all at once": ("```js\n{a: 'x', b: [True,], // c\n}\n```", {"a": "x", "b": [True]}),
}
LEFT_ALONE = {
    "nothing": "",
    "prose": "I cannot do that",
    "prose behind it": '{"a": 1} Done!',
    "prose before it": 'Here: {"a": 1}',
    "two different objects": '{"a": 1}{"a": 2}',
    "true is not 1": '{"a": 1}{"a": true}',
    "two scalars": "1 1",
    "a quote in a string": '{"a": "say "hi" now"}',
    "an apostrophe in single quotes": "{'a': 'it's'}",
    "a missing comma": '{"a": 1 "b": 2}',
    "two commas": "[1,,2]",
    "only a comma": "[,]",
    "a missing value": '{"a": }',
    "a cut number": '{"a": 12',
    "a cut string": '{"a": "b',
    "a cut literal": '{"a": tru',
    "a cut key": '{"a": "b", "c"',
    "more to come": '{"a": "b",',
    "an empty beginning": "{",
    "a bracket inside of a comment": '{"a": "b" // and so on }',
    "a comment without an end": '{"a": 1 /* }',
    "the wrong bracket": '{"a": [1}',
    "a bracket too many": '{"a": 1}}',
    "an unknown word": '{"a": undefined}',
    "not a number": '{"a": NaN}',
    "a number of JavaScript's": '{"a": .5}',
    "a hexadecimal number": '{"a": 0x1F}',
    "two numbers": '{"a": 1 2}',
    "an escape that languages read differently": r"{'a': '\d'}",
    "a slash that languages read differently": r"{'a': '\/'}",
    "Python's long escape": r"{'a': '\U0001f600'}",
    "a key that languages read differently": "{None: 1}",
    "a key of two words": "{a b: 1}",
    "half of a surrogate pair": "{'a': '\\ud800'}",
    "words before the fence": 'Sure:\n```json\n{"a": 1}\n```',
    "two fences": '```json\n{"a": 1}\n```\n```json\n{"a": 1}\n```',
    "the wrong kind of string inside": '"{broken"' + "x",
}


@pytest.mark.parametrize("name", MENDED)
def test_what_can_be_read_in_one_way_is_mended(name: str) -> None:
    text, value = MENDED[name]
    found = repair_json(text)
    assert found is not None
    assert json.loads(found) == value


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_what_would_be_a_guess_is_left_alone(name: str) -> None:
    assert repair_json(LEFT_ALONE[name]) is None


@pytest.mark.parametrize("text", ['{"a": [{"b": "c"', '{"a": true', '{"a": {}'])
def test_an_answer_that_was_cut_gets_no_brackets(text: str) -> None:
    assert repair_json(text, complete=True) is not None
    assert repair_json(text, complete=False) is None


def test_nothing_that_is_nested_without_end_breaks_it() -> None:
    assert repair_json("[" * 100_000) is None
    assert repair_json("{a:" * 100_000) is None
    assert repair_json('{"a":[' * 150 + "True,") is None
    assert repair_json("[" * 201 + "True" + "]" * 201) is None


def same(found: str | None, value: Any) -> bool:
    """Whether JSON text has this value, its types too: Python has True for 1, and 1 for 1.0."""
    return found is not None and json.dumps(json.loads(found)) == json.dumps(value)


@given(values.filter(lambda value: not isinstance(value, str)), st.booleans(), st.sampled_from([None, 2]))
def test_valid_json_stays_what_it_is(value: Any, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert same(repair_json(text, complete=False), value)


@given(st.text(st.sampled_from("{}[]\"':,/*\\ntrue NoneF0-1.e`\n"), max_size=30))
def test_whatever_is_given_back_is_valid_and_stays(text: str) -> None:
    found = repair_json(text)
    if found is not None:
        is_string = isinstance(json.loads(found), str)
        assert is_string or repair_json(found, complete=False) == found


@given(objects)
def test_what_python_prints_is_read_as_it_is_meant(value: dict[str, Any]) -> None:
    printed = repr(value)
    if "\\U" in printed:
        assert repair_json(printed) is None or same(repair_json(printed), value)
    else:
        assert same(repair_json(printed), value)


@given(objects, st.data())
def test_damage_that_is_known_is_undone(value: dict[str, Any], data: st.DataObject) -> None:
    text = damaged(value, data)
    around = data.draw(st.sampled_from(["nothing", "fence", "twice", "string"]))
    match around:
        case "fence":
            text = f"```{data.draw(st.sampled_from(['', 'json', 'python']))}\n{text}\n```"
        case "twice":
            text = f"{text}{data.draw(st.sampled_from(['', ' ', chr(10)]))}{text}"
        case "string":
            text = json.dumps(json.dumps(value))
        case _:
            pass
    assert same(repair_json(text), value)


def damaged(value: Any, data: st.DataObject) -> str:
    """A value as a sloppy writer writes it."""
    pick = lambda *choices: data.draw(st.sampled_from(choices))  # noqa: E731
    space = pick("", " ", "\n", "/* , ] */ ", "// {\n")
    match value:
        case None | bool():
            return space + pick(json.dumps(value), repr(value))
        case str():
            return space + pick(json.dumps(value), quoted(value, '"'), quoted(value, "'"))
        case dict():
            members = [f"{key(name, pick)}{space}:{damaged(each, data)}" for name, each in value.items()]
            return f"{space}{{{','.join(members)}{pick('', ',') if members else ''}{space}}}"
        case list():
            items = [damaged(each, data) for each in value]
            return f"{space}[{','.join(items)}{pick('', ',') if items else ''}{space}]"
        case _:
            return space + json.dumps(value)


def quoted(text: str, quote: str) -> str:
    """A string with everything in it as it is, but for the quote and the backslash."""
    return quote + text.replace("\\", "\\\\").replace(quote, "\\" + quote) + quote


def key(name: str, pick: Any) -> str:
    is_bare = (
        name.isascii() and name.isidentifier() and name not in ("True", "False", "None", "true", "false", "null")
    )
    return pick(name, quoted(name, "'")) if is_bare else pick(json.dumps(name), quoted(name, "'"))


@given(objects, st.data())
def test_a_cut_never_makes_up_a_value(value: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(value)
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    assert repair_json(cut, complete=False) is None
    found = repair_json(cut)
    assert found is None or is_part(json.loads(found), value)


def is_part(found: Any, whole: Any) -> bool:
    """Whether all that is found stands in the same place of the whole."""
    if isinstance(found, dict) and isinstance(whole, dict):
        return all(name in whole and is_part(each, whole[name]) for name, each in found.items())
    if isinstance(found, list) and isinstance(whole, list):
        return len(found) <= len(whole) and all(is_part(a, b) for a, b in zip(found, whole, strict=False))
    return json.dumps(found) == json.dumps(whole)


@tool
def move(x: int, names: list[str] | None = None) -> int:
    return x


def test_a_tool_reads_almost_json() -> None:
    assert move.bind("```json\n{'x': 3, 'names': ['a',],}\n```") == {"x": 3, "names": ["a"]}
    assert move.bind('{"x": 3, "names": ["a"', complete=True) == {"x": 3, "names": ["a"]}


def test_the_error_is_that_of_the_original_where_it_cannot_be_mended() -> None:
    with pytest.raises(InvalidArguments, match="not valid JSON") as caught:
        move.bind('{"x": 3, "names": ["a"', complete=False)
    assert caught.value.malformed


def test_what_does_not_fit_after_it_was_mended_is_told_as_it_came() -> None:
    with pytest.raises(InvalidArguments, match=r"not valid JSON.*\(at character 2\)") as caught:
        move.bind("{'x': 'three'}")
    assert caught.value.malformed
    with pytest.raises(InvalidArguments, match="expected an integer") as fitting:
        move.bind('{"x": "three"}')
    assert not fitting.value.malformed


def test_an_object_in_a_string_is_taken_for_the_arguments() -> None:
    assert move.bind('"{\\"x\\": 3}"') == {"x": 3}
    with pytest.raises(InvalidArguments, match="not a JSON object, but the string"):
        move.bind('"three"')
