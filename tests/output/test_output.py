"""Types as outputs: what a model is told, and what its answers become."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import msgspec
import pytest
from outputs import KINDS, Company, Failure, Kind, Node, Person, Success, Team, Tree

import playhead as ph
from playhead.errors import ConfigError
from playhead.messages import ToolCallPart
from playhead.output import InvalidOutput, Output, as_output
from playhead.providers import find_provider, provider_names, resolve
from playhead.wire import Dialect

kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def schema_of(output: Output[Any]) -> dict[str, Any]:
    """The schema of the native plan."""
    response_format = output.plan("native").response_format
    assert response_format is not None
    return response_format["json_schema"]["schema"]


def problems(output: Output[Any], text: str) -> tuple[str, ...]:
    with pytest.raises(InvalidOutput) as caught:
        output.parse(text)
    return caught.value.problems


@kinds
def test_what_fits_the_type_becomes_a_value_of_it(kind: Kind) -> None:
    made = Output(kind.type).parse(kind.json)
    assert made == kind.value
    assert type(made) is type(kind.value)


@kinds
def test_what_does_not_fit_is_said_in_words_that_name_the_place(kind: Kind) -> None:
    output = Output(kind.type)
    with pytest.raises(InvalidOutput) as caught:
        output.parse(kind.wrong)
    assert caught.value.problems[0].startswith(kind.problem)
    assert caught.value.text == kind.wrong
    assert kind.problem in output.again(caught.value)
    assert "Answer again" in output.again(caught.value)


@kinds
def test_the_schema_that_a_model_gets_takes_what_fits_and_nothing_else(kind: Kind) -> None:
    schema = Output(kind.type, strict=False).plan("native").response_format
    assert schema is not None
    checker = jsonschema.Draft202012Validator(schema["json_schema"]["schema"])
    assert checker.is_valid(msgspec.json.decode(kind.json))
    assert not checker.is_valid(msgspec.json.decode(kind.wrong))


@kinds
def test_every_schema_is_an_object_that_is_valid_and_whole(kind: Kind) -> None:
    output = Output(kind.type)
    for schema in (schema_of(output), *(tool.parameters for tool in output.plan("tool").tools)):
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
        refs = {ref.removeprefix("#/$defs/") for ref in references(schema)}
        assert refs == set(schema.get("$defs", {}))


def references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [ref for each in schema for ref in references(each)]
    if not isinstance(schema, dict):
        return []
    return [*([schema["$ref"]] if "$ref" in schema else []), *references(list(schema.values()))]


def test_a_union_has_a_tool_for_each_type_and_the_call_says_which_one_it_is() -> None:
    output = Output([Success, Failure])
    tools = output.plan("tool").tools
    assert [tool.name for tool in tools] == ["final_result_Success", "final_result_Failure"]
    assert all("ends it" in tool.description for tool in tools)
    for name, value in (("Success", Success("it")), ("Failure", Failure("it"))):
        assert output.parse_call(ToolCallPart("1", f"final_result_{name}", '{"text": "it"}')) == value


def test_a_type_that_is_no_object_is_wrapped_in_the_tools_arguments() -> None:
    output = Output(list[int])
    (tool,) = output.plan("tool").tools
    assert list(tool.parameters["properties"]) == ["result"]
    assert output.parse_call(ToolCallPart("1", "final_result", '{"result": [1]}')) == [1]


def test_a_field_that_is_called_result_is_no_wrapper() -> None:
    assert Output(dict[str, int]).parse('{"result": 5}') == {"result": 5}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ('{"name": 1}', "`name`: expected a string, got the number 1"),
        ('{"name": ', "the arguments are not valid JSON: it ends too early. Send one JSON object."),
        ("", "`name` is missing (string)"),
        ("[]", "the answer: expected an object, got an array of length 0"),
        ('"' * 2 + "[" * 5000, "the arguments are not valid JSON"),
        ("[" * 5000, "the arguments are not valid JSON"),
    ],
    ids=["type", "torn", "empty", "array", "two values", "deep"],
)
def test_a_call_that_does_not_fit_is_told_what_is_wrong(arguments: str, problem: str) -> None:
    with pytest.raises(InvalidOutput) as caught:
        Output(Company).parse_call(ToolCallPart("1", "final_result", arguments))
    assert caught.value.problems[0].startswith(problem)
    assert caught.value.advice == "Call final_result again with the right arguments."


def test_a_call_of_another_tool_is_told_which_one_takes_the_result() -> None:
    with pytest.raises(InvalidOutput, match="Call final_result with the result"):
        Output(Company).parse_call(ToolCallPart("1", "search", "{}"))


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"name": "A"}\n```',
        '```\n{"name": "A"}```',
        'Sure, here it is:\n```json\n{"name": "A"}\n```\nAnything else?',
        'As [1] says, {it} is {"name": "A"}.',
        '<think>Perhaps {"name": "B"}? No.</think>{"name": "A"}',
        '  {"name": "A"}  ',
        '{"result": 1} and {"name": "A"}',
    ],
    ids=["fenced", "fence without a line", "fence in words", "words", "thoughts", "spaces", "one that does not fit"],
)
def test_json_is_found_between_fences_and_among_words(text: str) -> None:
    assert Output(Company).parse(text) == Company("A")


def test_a_piece_of_a_torn_answer_never_passes_for_the_whole() -> None:
    torn = '{"name": "A", "parts": [{"name": "B"}, {"name": "C"}'
    assert problems(Output(Company), torn) == ("the answer is not valid JSON: it ends too early",)


def test_a_model_that_gives_no_json_at_all_is_told_the_schema() -> None:
    output = Output(Company)
    with pytest.raises(InvalidOutput) as caught:
        output.parse("It is Acme.")
    assert caught.value.problems == ("there is no JSON in the answer",)
    assert '"properties":{"name":{"type":"string"}' in output.again(caught.value)


def test_text_in_tool_mode_is_told_to_call_the_tool() -> None:
    with pytest.raises(InvalidOutput, match=r"Call final_result with the result\.$"):
        Output(Company).parse("It is Acme.", "tool")


def test_a_wrapper_that_a_model_forgot_is_not_missed() -> None:
    assert Output(list[int]).parse("[1, 2]") == [1, 2]
    assert Output(int).parse("42") == 42
    assert Output([Person, Company]).parse('{"name": "A", "age": 3}') == Person(name="A", age=3)
    assert Output([Company, Person]).parse('{"result": {"name": "A", "age": 3}}') == Person(name="A", age=3)


def test_a_number_keeps_its_kind_in_a_union() -> None:
    output = Output(int | float)
    assert [type(output.parse(text)) for text in ("1", "1.0", "1.5")] == [int, float, float]


def test_text_alone_asks_for_nothing_and_takes_everything() -> None:
    output = Output(str)
    for mode in ("native", "tool", "prompt"):
        plan = output.plan(mode)
        assert (plan.response_format, plan.tools, plan.prompt) == (None, (), None)
    assert output.parse("{") == "{"


def test_where_text_is_one_of_the_types_a_plain_answer_is_it_in_tool_mode() -> None:
    output = Output([Person, str])
    assert output.tool_names == ("final_result_Person",)
    assert output.parse("Nobody.", "tool") == "Nobody."
    assert output.parse('{"result": "Nobody."}', "native") == "Nobody."
    with pytest.raises(InvalidOutput):
        output.parse("Nobody.", "native")


def test_the_validator_sees_each_output_and_may_replace_or_refuse_it() -> None:
    def check(company: Company) -> Company | None:
        if company.staff > 99:
            raise AssertionError("that is too many")
        if company.staff < 0:
            raise ValueError("staff is never negative")
        return Company(company.name.upper(), company.staff) if company.staff else None

    output = Output(Company, validate=check)
    assert output.parse('{"name": "a"}') == Company("a")
    assert output.parse_call(ToolCallPart("1", "final_result", '{"name": "a", "staff": 1}')) == Company("A", 1)
    assert problems(output, '{"name": "a", "staff": -1}') == ("staff is never negative",)
    assert problems(output, '{"name": "a", "staff": 100}') == ("that is too many",)


def test_a_bug_in_the_validator_is_not_told_to_the_model() -> None:
    with pytest.raises(KeyError):
        Output(Company, validate=lambda _: {}["no"]).parse('{"name": "a"}')


def test_a_pydantic_models_own_validator_speaks_to_the_model() -> None:
    import pydantic

    class Even(pydantic.BaseModel):
        number: int

        @pydantic.field_validator("number")
        @classmethod
        def even(cls, number: int) -> int:
            if number % 2:
                raise ValueError("it has to be even")
            return number

    assert problems(Output(Even), '{"number": 3}') == ("`number`: it has to be even",)


def test_what_an_agent_takes_as_an_output() -> None:
    given = Output(Company)
    assert as_output(None) is None
    assert as_output(str) is None
    assert as_output(given) is given
    made = as_output([Person, Company])
    assert made is not None
    assert made.tool_names == ("final_result_Person", "final_result_Company")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Output(complex), "complex"),
        (lambda: Output(lambda: None), "cannot be told to a model"),
        (lambda: Output("Person"), "cannot be told to a model"),
        (lambda: Output([]), "names no type"),
        (lambda: Output(Company, name="the company"), "64 letters"),
        (lambda: Output(Company, retries=-1), "0 or more"),
        (lambda: Output(Company, mode="json"), "should be one of auto, native, tool, prompt"),
        (lambda: Output(Team, strict=True), "an object has fields of any name"),
        (lambda: Output(tuple[int, str], strict=True), "strict schema: .*prefixItems"),
    ],
    ids=["complex", "function", "string", "nothing", "name", "retries", "mode", "strict", "strict tuple"],
)
def test_a_type_that_cannot_be_told_is_an_error_that_says_why(make: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()


def test_names_and_descriptions_go_where_the_model_sees_them() -> None:
    output = Output(Company, name="firm", description="The best firm.")
    response_format = output.plan("native").response_format
    assert response_format is not None
    assert response_format["json_schema"]["name"] == "firm"
    assert response_format["json_schema"]["description"] == "The best firm."
    (tool,) = output.plan("tool").tools
    assert (tool.name, tool.strict) == ("firm", None)
    assert tool.description.startswith("The best firm.")
    assert "The best firm." in (output.plan("prompt").prompt or "")
    (strict,) = Output(Company, strict=True).plan("tool").tools
    assert strict.strict is True
    assert strict.parameters["required"] == ["name", "staff"]


def test_a_tools_name_is_never_longer_than_providers_take() -> None:
    long = type("Very" * 30, (Company,), {})
    output = Output([long, Node], name="n" * 64)
    assert max(map(len, output.tool_names)) == 64
    assert len(set(output.tool_names)) == 2


MODES: dict[str, tuple[str, str]] = {
    "openai:gpt-5": ("native", "native"),
    "openai-responses:gpt-5": ("native", "native"),
    "azure:x": ("native", "native"),
    "anthropic:claude-sonnet-4-5": ("tool", "tool"),
    "bedrock:us.anthropic.claude-sonnet-4-5-v1:0": ("tool", "tool"),
    "bedrock:amazon.nova-lite-v1:0": ("tool", "tool"),
    "vertex:claude-sonnet-4-5": ("tool", "tool"),
    "vertex:gemini-2.5-pro": ("native", "tool"),
    "google:gemini-2.5-flash": ("native", "tool"),
    "deepseek:deepseek-chat": ("tool", "tool"),
    "zai:glm-4.6": ("tool", "tool"),
    "moonshot:kimi-k2": ("tool", "tool"),
    "openrouter:moonshotai/kimi-k2-0905": ("tool", "tool"),
    "perplexity:sonar": ("native", "native"),
    "vllm:x": ("native", "tool"),
    "ollama:x": ("native", "tool"),
    "compat:http://127.0.0.1:8080/v1#x": ("native", "tool"),
}


@pytest.mark.parametrize(("model", "modes"), MODES.items(), ids=MODES)
def test_a_model_is_held_to_the_type_in_the_way_that_works_with_it(model: str, modes: tuple[str, str]) -> None:
    provider, _ = resolve(model)
    output = Output(Company)
    assert (output.mode_for(provider, False), output.mode_for(provider.dialect, True)) == modes


def test_what_the_caller_says_of_the_mode_counts() -> None:
    assert Output(Company, mode="prompt").mode_for(Dialect(), True) == "prompt"


def test_no_provider_without_schemas_is_asked_for_one() -> None:
    for name in provider_names():
        provider = find_provider(name)
        for dialect in (provider.dialect, *(route.dialect for route in provider.routes)):
            if dialect.schema != "json_schema":
                assert "native" not in (dialect.output, dialect.output_with_tools)
    assert Output(Company).mode_for(Dialect(schema="json_object"), False) == "tool"


WIRES = {
    "openai_chat": "openai:gpt-5",
    "openai_responses": "openai-responses:gpt-5",
    "anthropic": "anthropic:claude-sonnet-4-5",
    "gemini": "google:gemini-2.5-flash",
    "bedrock": "bedrock:us.anthropic.claude-sonnet-4-5-v1:0",
    "bedrock_converse": "bedrock:amazon.nova-lite-v1:0",
}


HINTS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "model": (Person, ("name", "age")),
    "tree": (Tree, ("value", "below")),
    "union": ([Success, Company], ("text", "staff")),
    "list": (list[int], ("result",)),
}


@pytest.mark.parametrize("model", WIRES.values(), ids=WIRES)
@pytest.mark.parametrize(("hint", "fields"), HINTS.values(), ids=HINTS)
@pytest.mark.parametrize("mode", ["native", "tool", "prompt"])
def test_every_format_has_words_for_every_plan(model: str, hint: Any, fields: tuple[str, ...], mode: Any) -> None:
    assert resolve(model)[0].wire in WIRES
    plan = Output(hint).plan(mode)
    system = [ph.system(plan.prompt)] if plan.prompt else []
    settings: Any = {"response_format": plan.response_format} if plan.response_format else {}
    rendered = ph.render([*system, ph.user("hi")], model, tools=plan.tools, settings=settings)
    assert rendered.losses == ()
    assert rendered.unsupported == ()
    said = msgspec.json.encode(rendered.body).decode()
    for name in fields:
        assert re.search(rf'\\*"{name}\\*":', said), name


def test_a_plan_is_the_same_bytes_each_time() -> None:
    for mode in ("native", "tool", "prompt"):
        first, second = (msgspec.json.encode(Output([Person, Tree, Node]).plan(mode)) for _ in range(2))
        assert first == second


def test_almost_json_in_a_call_is_read_where_there_is_one_way_only() -> None:
    output = Output(Person)
    fenced = "```json\n{'name': 'Ada', 'age': 36,}\n```"
    assert output.parse_call(ToolCallPart("1", "final_result", fenced)) == Person(name="Ada", age=36)
    with pytest.raises(InvalidOutput, match="not valid JSON"):  # Nobody knows whether more was to come.
        output.parse_call(ToolCallPart("1", "final_result", '{"age": 36, "name": "Ada"'))


def test_an_earlier_thought_does_not_pass_for_an_answer_that_broke_off() -> None:
    thought = 'First {"name": "Ada", "age": 1}. No, it is '
    assert Output(Person).parse(thought + '{"name": "Bob", "age": 2}') == Person(name="Bob", age=2)
    with pytest.raises(InvalidOutput):
        Output(Person).parse(thought + '{"name": "Bob", "ag')


def test_a_validator_that_would_have_to_be_awaited_is_refused() -> None:
    async def check(person: Person) -> None: ...

    with pytest.raises(ConfigError, match="plain function"):
        Output(Person, validate=check)
