"""When two requests are the same: the laws of the canonical form."""

from __future__ import annotations

import json
import random
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from playhead.http import Request
from playhead.tape.canonical import canonical_body, canonical_json, digest

texts = st.text(max_size=8) | st.sampled_from(
    ["", 'a"b', "\\", "\\u003a", "\x7f", "ü", "😀", "a:b", "-0", "\u2028", "\0"]
)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
lexemes = st.sampled_from(["0", "-0", "-0.0", "1", "1.0", "1.00", "1e5", "1E+5", "-1", "1e999", "0.1", "-0e1"])
lexemes |= st.sampled_from(["18446744073709551616", "-9223372036854775809", "1" * 40, "9" * 5000])
odd = st.sampled_from(['{"a":1,"a":2}', '{"a" :1, "a":2}', '["\\u003a", {"a":1,"a":2}]', '{"\\u0061":1,"a":2}'])
odd |= st.sampled_from(['["\\u002d", -0]', '{"a":-0,"b":"-0"}', '{"a":"\\u002d","b":-0,"c":-0}', "01", "1.", "[1,]"])
odd |= st.sampled_from(
    ['"\\ud800"', '"\\ud83d\\ude00"', '"\\udc00\\ud800"', '"\\/"', '"\\u00fc"', "NaN", "[Infinity]"]
)
odd |= st.sampled_from(["\ufeff1", '"\t"', '"\x7f"', '"\0"', "[" * 300 + "]" * 300, "nul", "{1:2}", '"a', "", " "])


@st.composite
def written(draw: st.DrawFn) -> str:
    """JSON in some writing: white space, escapes and keys' order as they may come, numbers written otherwise."""
    value = draw(values)
    text = json.dumps(
        value,
        ensure_ascii=draw(st.booleans()),
        indent=draw(st.sampled_from([None, 0, 1])),
        separators=draw(st.sampled_from([None, (",", ":"), (" , ", " : ")])),
    )
    return f'{{"value":{text},"number":{draw(lexemes)}}}' if draw(st.booleans()) else text


def original(body: bytes) -> bytes:
    """The canonical form of a body as it was first defined: slow, and plain to see."""

    class Number(str):
        pass

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError
        return dict(pairs)

    def write(value: Any) -> str:
        if isinstance(value, Number):
            return value
        if isinstance(value, dict):
            return "{" + ",".join(f"{json.dumps(key)}:{write(value[key])}" for key in sorted(value)) + "}"
        if isinstance(value, list):
            return "[" + ",".join(map(write, value)) + "]"
        return json.dumps(value)

    try:
        hooks: Any = {"parse_int": Number, "parse_float": Number, "parse_constant": Number}
        return write(json.loads(body.decode(), object_pairs_hook=once, **hooks)).encode()
    except (ValueError, RecursionError):
        return body


@given(written() | odd)
def test_the_form_is_the_one_that_was_first_defined(text: str) -> None:
    body = text.encode("utf-8", "surrogatepass")
    assert canonical_body(body) == original(body)


@given(
    written(), st.integers(0, 2**32), st.sampled_from(['"', ":", "-", "0", "\\", "\\u003a", ",", "}", "é", "\x00"])
)
def test_also_where_somebody_put_something_in(text: str, place: int, more: str) -> None:
    at = place % (len(text) + 1)
    body = (text[:at] + more + text[at:]).encode("utf-8", "surrogatepass")
    assert canonical_body(body) == original(body)


@given(st.binary(max_size=20))
def test_what_is_not_json_counts_byte_by_byte(body: bytes) -> None:
    assert canonical_body(body) == original(body)


@given(st.lists(st.sampled_from(["wort ", "für", "😀", "\x7f", '"', "\\", "\n", "日本語"]), max_size=400))
def test_texts_of_all_languages_are_escaped_alike(words: list[str]) -> None:
    body = json.dumps({"text": "".join(words)}, ensure_ascii=False).encode()
    assert canonical_body(body) == original(body)


@given(values, st.integers(0, 2**32))
def test_neither_the_order_of_keys_nor_white_space_counts(value: Any, seed: int) -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            items = [(key, shuffled(item)) for key, item in value.items()]
            random.Random(seed).shuffle(items)
            return dict(items)
        return [shuffled(item) for item in value] if isinstance(value, list) else value

    body = json.dumps({"value": value}).encode("utf-8", "surrogatepass")
    other = json.dumps({"value": shuffled(value)}, indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass")
    try:
        other.decode()
    except UnicodeDecodeError:
        return  # Half a character cannot be written in another way than escaped.
    assert chat(body) == chat(other)


@given(st.lists(st.text("ab c", min_size=1), min_size=1, max_size=5), st.data())
def test_every_word_of_the_prompt_counts(words: list[str], data: st.DataObject) -> None:
    n = data.draw(st.integers(0, len(words) - 1))
    other = [*words[:n], words[n] + "x", *words[n + 1 :]]
    prompt, changed = ({"messages": [{"role": "user", "content": " ".join(said)}]} for said in (words, other))
    assert chat(prompt) != chat(changed)


@given(lexemes, lexemes)
@example("1", "1.0")
@example("-0", "0")
@example("1e5", "1E+5")
def test_numbers_count_as_they_are_written(one: str, other: str) -> None:
    assert (chat(f'{{"t":{one}}}'.encode()) == chat(f'{{"t":{other}}}'.encode())) == (one == other)


@given(st.lists(values, min_size=2, max_size=5))
def test_the_order_of_a_list_counts(items: list[Any]) -> None:
    same = json.dumps(items, sort_keys=True) == json.dumps(items[::-1], sort_keys=True)
    assert (chat({"messages": items}) == chat({"messages": items[::-1]})) == same


ASKED = {
    "model": "m",
    "messages": [{"role": "user", "content": "hi"}],
    "tools": [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}],
    "temperature": 0,
    "stream": True,
}


@pytest.mark.parametrize(
    "change",
    [
        {"model": "n"},
        {"messages": [{"role": "system", "content": "hi"}]},
        {"tools": [{"type": "function", "function": {"name": "add", "parameters": {"type": "string"}}}]},
        {"tools": []},
        {"temperature": 1},
        {"stream": False},
        {"stream": None},
        {"seed": 1},
    ],
    ids=str,
)
def test_model_messages_tools_and_parameters_count(change: dict[str, Any]) -> None:
    assert chat(ASKED) != chat({**ASKED, **change})


def test_headers_and_secrets_in_the_address_never_count() -> None:
    one = Request("POST", "https://x.test/v1?api_key=a", (("Authorization", "Bearer a"), ("User-Agent", "x")), b"{}")
    other = Request("post", "https://x.test/v1?api_key=b", (("Content-Type", "application/json"),), b" {} ")
    assert digest(one) == digest(other)
    assert digest(one) != digest(Request("POST", "https://x.test/v2?key=a", (), b"{}"))
    assert digest(one) != digest(Request("GET", "https://x.test/v1?key=a", (), b"{}"))


def test_the_digest_is_the_same_for_all_time() -> None:
    request = Request("post", "https://x.test/v1", (), b'{ "b": [1.50, 1, null], "a": "\\u00fc\x7f" }')
    form = 'POST https://x.test/v1\n{"a":"\\u00fc\\u007f","b":[1.50,1,null]}'
    assert digest(request) == sha256(form.encode()).hexdigest()


@given(st.lists(st.binary(max_size=30), max_size=4), st.sampled_from(["a", "b1", "----x", "'()+_,-./:=?"]))
def test_a_boundary_does_not_count_and_the_parts_do(contents: list[bytes], boundary: str) -> None:
    contents = [content for content in contents if b"--" not in content]
    one, other = multipart("=first=", contents), multipart(boundary, contents)
    assert digest(one) == digest(other)
    assert digest(one) != digest(multipart("=first=", [*contents, b""]))
    if contents:
        assert digest(one) != digest(multipart(boundary, [*contents[:-1], contents[-1] + b"x"]))


def test_two_parts_are_not_one_that_looks_like_two() -> None:
    two = multipart("x", [b"a", b"b"])
    inner = two.body.removeprefix(b"--x\r\n").removesuffix(b"\r\n--x--\r\n")
    assert digest(two) != digest(multipart("y", [inner.removeprefix(b"Content-Type: text/plain\r\n\r\n")]))


def test_a_multipart_body_that_is_not_whole_counts_byte_by_byte() -> None:
    whole = multipart("x", [b"a"])
    cut = Request("POST", whole.url, whole.headers, whole.body[:-8])
    assert canonical_body(cut.body, cut.headers[0][1]) == cut.body


@given(written() | odd)
def test_canonical_json_says_of_a_text_what_it_says_of_a_body(text: str) -> None:
    try:
        form = canonical_json(text).encode()
    except (ValueError, RecursionError):
        form = text.encode("utf-8", "surrogatepass")
    assert form == original(text.encode("utf-8", "surrogatepass"))


def chat(body: Any) -> str:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return digest(Request("POST", "https://x.test/v1/chat/completions", (), data))


def multipart(boundary: str, contents: list[bytes]) -> Request:
    parts = [f"--{boundary}\r\nContent-Type: text/plain\r\n\r\n".encode() + content + b"\r\n" for content in contents]
    headers = (("Content-Type", f'multipart/form-data; charset=utf-8; boundary="{boundary}"'),)
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return Request("POST", "https://x.test/v1/audio", headers, body)
