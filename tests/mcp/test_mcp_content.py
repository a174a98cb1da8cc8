"""What a server lists and sends, as tools and parts: no server is needed for that."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playhead import ConfigError, MediaPart, TextPart
from playhead.mcp import ServerError, ToolFailed, http, stdio
from playhead.mcp._content import prompt_messages, resource_parts, tool_result
from playhead.mcp._listing import Choices, make_tools
from playhead.mcp._logs import Mask
from playhead.mcp._server import _address, _mark
from playhead.mcp._ways import Http, Stdio
from playhead.tools import AnyTool, Context, InvalidArguments

LISTING = [
    {
        "name": "look",
        "description": "Looks.",
        "inputSchema": {"type": "object"},
        "annotations": {"readOnlyHint": True},
    },
    {
        "name": "set",
        "inputSchema": {"type": "object"},
        "annotations": {"idempotentHint": True, "readOnlyHint": False},
    },
    {"name": "pay", "inputSchema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
]


def tools(listing: list[dict[str, Any]] = LISTING, **choices: Any) -> dict[str, AnyTool]:
    """The tools of a list."""

    async def call(name: str, arguments: dict[str, Any], context: Context) -> object:
        return name, arguments

    return {tool.name: tool for tool in make_tools("shop", listing, Choices(**choices), call)}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def test_the_servers_hints_say_what_a_second_run_does_and_without_any_it_does_harm() -> None:
    assert {name: tool.effect for name, tool in tools().items()} == {
        "look": "read",
        "set": "idempotent",
        "pay": "once",
    }


def test_what_the_caller_says_of_a_second_run_beats_the_hints() -> None:
    assert {tool.effect for tool in tools(effect="once").values()} == {"once"}
    assert tools(effect={"look": "once"})["look"].effect == "once"
    assert tools(effect={"look": "once"})["set"].effect == "idempotent"


def test_only_the_chosen_tools_are_there_under_names_with_the_prefix() -> None:
    assert list(tools(tools=("pay", "look"), prefix="shop_")) == ["shop_look", "shop_pay"]


def test_a_tool_is_called_by_the_servers_own_name() -> None:
    tool = tools(prefix="shop_")["shop_pay"]
    assert asyncio.run(tool.invoke(tool.bind('{"n": 3}'), Context())) == ("pay", {"n": 3})


def test_arguments_are_held_against_the_servers_schema() -> None:
    with pytest.raises(InvalidArguments, match="n"):
        tools()["pay"].bind('{"n": "three"}')


@pytest.mark.parametrize("choice", [{"tools": ("lok",)}, {"effect": {"lok": "read"}}], ids=["tools", "effect"])
def test_a_choice_of_a_tool_that_is_not_there_says_what_is(choice: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"'lok'.*Did you mean 'look'\? It has: look, set, pay"):
        tools(**choice)


def test_approval_is_asked_with_the_servers_name_and_the_arguments() -> None:
    asked: list[Any] = []

    def approve(name: str, arguments: dict[str, Any]) -> bool:
        asked.append((name, arguments))
        return name == "pay"

    made = tools(approve=approve, prefix="s_")
    assert asyncio.run(made["s_pay"].needs_approval({"n": 1}, Context())) is True
    assert asyncio.run(made["s_look"].needs_approval({}, Context())) is False
    assert asked == [("pay", {"n": 1}), ("look", {})]
    assert asyncio.run(tools(approve=True)["look"].needs_approval({}, Context())) is True


@given(st.lists(st.text("ab1./-é ", max_size=70), min_size=1, max_size=8, unique=True))
def test_all_names_can_be_told_to_a_provider_and_none_comes_twice(names: list[str]) -> None:
    made = tools([{"name": name, "inputSchema": {"type": "object"}} for name in names])
    assert len(made) == len(names)
    assert all(name[0].isalpha() or name[0] == "_" for name in made)  # Gemini refuses others.


def test_what_a_schema_leaves_null_keeps_no_tool_from_being_used() -> None:
    schema = {"type": "object", "properties": None, "required": None}
    assert tools([{"name": "go", "inputSchema": schema}])["go"].parameters == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("texts", "structured", "expected"),
    [
        pytest.param(["3"], {"result": 3}, "3", id="wrapped-number"),
        pytest.param(["hi"], {"result": "hi"}, "hi", id="wrapped-text"),
        pytest.param(['{"a": 1}'], {"a": 1}, '{"a": 1}', id="the-same-json"),
        pytest.param(["a", "b"], {"result": ["a", "b"]}, "a\nb", id="a-text-for-each-item"),
        pytest.param(["Two kinds."], {"a": 1}, 'Two kinds.\n{"a":1}', id="another-thing"),
        pytest.param([], {"a": 1}, '{"a":1}', id="no-text"),
        pytest.param([], None, "", id="nothing"),
        pytest.param([], {"result": []}, "", id="an-empty-list"),
    ],
)
def test_a_structured_result_is_told_once(texts: list[str], structured: Any, expected: str) -> None:
    assert tool_result({"content": [text(it) for it in texts], "structuredContent": structured}) == expected


@given(st.dictionaries(st.text(min_size=1), st.integers() | st.text() | st.booleans(), min_size=1))
def test_no_structured_result_is_lost_behind_a_text_that_says_something_else(data: dict[str, Any]) -> None:
    said = tool_result({"content": [text("See the data:")], "structuredContent": data})
    assert isinstance(said, str)
    assert json.loads(said.partition("\n")[2]) == data


def test_an_error_is_raised_with_the_servers_words() -> None:
    with pytest.raises(ToolFailed, match=r"^no milk\ntry later$"):
        tool_result({"content": [text("no milk"), text("try later")], "isError": True})


@pytest.mark.parametrize("data", ["AAAAA", "%%%%", "AA==AA=="])
def test_media_that_is_not_base64_is_the_servers_fault(data: str) -> None:
    with pytest.raises(ServerError, match="base64"):
        tool_result({"content": [{"type": "image", "mimeType": "image/png", "data": data}]})


@pytest.mark.parametrize("data", ["+/+/", "-_-_", "+/\r\n+/\n"], ids=["plain", "for-urls", "in-lines"])
def test_media_comes_whole_in_each_form_of_base64_that_servers_send(data: str) -> None:
    assert tool_result({"content": [{"type": "image", "mimeType": "image/png", "data": data}]}) == [
        MediaPart("image/png", b"\xfb\xff\xbf")
    ]


def test_a_file_that_no_model_takes_is_told_in_words_so_that_the_conversation_can_go_on() -> None:
    def blob(kind: str, data: str) -> dict[str, Any]:
        return {"type": "resource", "resource": {"uri": "x://a/b", "mimeType": kind, "blob": data}}

    assert tool_result({"content": [blob("application/json", "e30=")]}) == "{}"
    assert tool_result({"content": [blob("image/svg+xml", "PHN2Zy8+")]}) == "<svg/>"
    said = tool_result({"content": [blob("application/zip", "AAAA"), blob("application/json", "gICA")]})
    assert isinstance(said, str)
    assert said.splitlines() == [
        "[a file 'b' of type application/zip with 3 bytes, which cannot be shown]",
        "[a file 'b' of type application/json with 3 bytes, which cannot be shown]",
    ]


def test_content_of_a_kind_that_is_not_known_yet_is_kept_as_json() -> None:
    assert json.loads(str(tool_result({"content": [{"type": "smell", "of": "milk"}]}))) == {
        "type": "smell",
        "of": "milk",
    }


def test_sound_and_documents_in_prompts_become_media() -> None:
    blob = {"uri": "x://a/b.pdf", "mimeType": "application/pdf", "blob": "JVBERg=="}
    contents = [
        {"role": "user", "content": {"type": "audio", "mimeType": "audio/wav", "data": "AAA="}},
        {"role": "assistant", "content": {"type": "resource", "resource": blob}},
    ]
    first, second = prompt_messages({"messages": contents})
    assert (first.role, first.parts) == ("user", (MediaPart("audio/wav", b"\0\0"),))
    assert (second.role, second.parts) == ("assistant", (MediaPart("application/pdf", b"%PDF", filename="b.pdf"),))


def test_a_resource_is_its_text_even_where_that_is_empty() -> None:
    assert resource_parts({"contents": [{"uri": "x://a", "text": ""}]}) == (TextPart(""),)


def test_readings_are_told_apart_by_arguments_and_addresses_without_writing_secrets_down() -> None:
    assert _mark({}) == ""
    assert _mark({"a": "hunter22"}) != _mark({"a": "hunter23"})
    assert "hunter" not in _mark({"a": "hunter22"})
    assert _address("file:///a/b.txt") == "file:///a/b.txt"
    assert _address("db://me:hunter22@host/t") != _address("db://me:hunter23@host/t")
    assert _address("db://me:hunter22@host/t?key=hunter22").startswith("db://host/t#")


def test_values_are_hidden_and_so_is_a_key_behind_its_scheme() -> None:
    assert Mask(["Bearer abcdef123"])("got abcdef123, Bearer abcdef123") == "got [hidden], [hidden]"
    assert Mask(["1", ""])("1 and 2") == "1 and 2"


def test_a_key_that_a_server_repeats_is_taken_out_and_a_plain_setting_is_not() -> None:
    way = Http(url="https://x.test/mcp", headers={"Authorization": "Bearer hunter2222", "Accept": "application/json"})
    said = {"content": [text("Bearer hunter2222 of application/json")], "n": 1, "hunter": ["hunter2222"]}
    hidden = {"content": [text("Bearer [hidden] of application/json")], "n": 1, "hunter": ["[hidden]"]}
    assert way.secrets.everywhere(said) == hidden
    env = Stdio(command="x", env={"SHOP_API_KEY": "hunter2222", "MODE": "production"})
    assert env.secrets.everywhere("hunter2222 in production") == "[hidden] in production"


def test_what_an_address_has_of_keys_is_hidden_as_headers_are() -> None:
    way = Http(url="https://me:hunter%2122@x.test/mcp?key=hunter%2123&mode=fast", headers={"K": "hunter24"})
    assert way.mask("hunter!22 hunter%2122 hunter!23 hunter%2123 hunter24") == " ".join(["[hidden]"] * 5)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(lambda: stdio(""), "command", id="no-command"),
        pytest.param(lambda: stdio(["npx", "x"]), "one by one", id="a-list"),  # type: ignore[arg-type]
        pytest.param(lambda: http("ftp://x"), "http://", id="no-http"),
        pytest.param(lambda: http("http://[::1"), "http://", id="half-an-address"),
        pytest.param(lambda: stdio("x", timeout="5"), "timeout", id="time-as-text"),  # type: ignore[arg-type]
        pytest.param(lambda: stdio("x", timeout=0), "timeout", id="no-time"),
        pytest.param(lambda: stdio("x", env={"PORT": 80}), "'PORT' should be text", id="a-number"),  # type: ignore[dict-item]
        pytest.param(lambda: stdio("x", prefix="a.b"), "prefix", id="bad-prefix"),
        pytest.param(lambda: stdio("x", tools="add"), "list of names", id="text-for-a-list"),
        pytest.param(lambda: stdio("x", effect="twice"), "read, idempotent, once", id="bad-effect"),  # type: ignore[arg-type]
        pytest.param(lambda: stdio("x", approve="yes"), "approve", id="bad-approve"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_is_refused_when_it_is_said(make: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make()


def test_nothing_of_a_server_shows_its_keys() -> None:
    assert "hunter22" not in repr(stdio("npx", "--key", "hunter22", env={"K": "hunter22"}))
    assert "hunter22" not in repr(http("https://me:hunter22@x.test/mcp?key=hunter22", headers={"K": "hunter22"}))
    assert (stdio("/usr/bin/npx").name, http("https://x.test/mcp").name) == ("npx", "x.test")
