"""Faults strike the calls that they should, in the place that they should, and a retry finds what was there."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import playhead as ph
from chatwire import JSON, SSE, Script, message, pieces, stream, tool_call
from conftest import expected, shared_tape
from playhead import ConfigError, TransportError, TruncatedStream
from playhead.http import Headers, Request, Response
from playhead.tape.effects import Interaction
from playhead.tape.files import load_tape
from playhead.tape.playing import Played, play, play_sync
from playhead.transport.faults import (
    Action,
    Fault,
    Faults,
    FaultTransport,
    RandomFaults,
    SyncFaultTransport,
    Wait,
)
from playhead.transport.memory import MemoryTransport, respond
from playhead.wire.openai_chat import Decoder

REQUEST = Request("POST", "http://x.test/v1/chat/completions", (), b'{"model":"m","messages":[]}')
WORDS = stream("one two")
CALLS = stream("hm", tool_call("add", {"a": 1, "b": 2}), tool_call("multiply", {"a": 2, "b": 3}))


def struck(text: str, *body: bytes) -> tuple[list[Action], Faults]:
    """What the faults make of a body."""
    faults = Faults.parse(text)
    filter = faults.call(REQUEST).body(200)
    assert filter is not None
    actions = [action for piece in body for action in filter.feed(piece)]
    return actions if filter.spoiled else [*actions, *filter.end()], faults


def sent(actions: list[Action]) -> bytes:
    return b"".join(action for action in actions if isinstance(action, bytes))


def decoded(body: bytes) -> str:
    """The text of an answer. Raises what its decoder does."""
    decoder = Decoder("somebody")
    for event in [*decoder.feed(body), *decoder.close()]:
        if isinstance(event, ph.MessageEnd):
            return event.response.text
    assert decoder.error is not None
    raise decoder.error


# As text.

NUMBERS = st.integers(0, 10**6)
SECONDS = st.floats(0, 1e6) | NUMBERS
FAULTS = st.one_of(
    st.fixed_dictionaries({"kind": st.integers(400, 599)}, optional={"retry_after": SECONDS}),
    st.just({"kind": "connect"}),
    st.fixed_dictionaries({"kind": st.sampled_from(["cut", "truncate"])}, optional={"after": NUMBERS}),
    st.just({"kind": "cut", "within": "tool-call"}),
    st.fixed_dictionaries({"kind": st.just("stall")}, optional={"after": NUMBERS, "seconds": SECONDS}),
    st.fixed_dictionaries({"kind": st.just("duplicate")}, optional={"event": st.integers(1, 99)}),
)
RULES = st.fixed_dictionaries(
    {},
    optional={
        "times": st.integers(1, 99),
        "path": st.sampled_from(["/v1", "/messages"]),
        "model": st.sampled_from(["m", "anthropic/claude@2025"]),
    },
)
NUMBERED = st.one_of(st.just({}), *(st.fixed_dictionaries({name: st.integers(1, 99)}) for name in ("call", "every")))


@given(FAULTS, RULES, NUMBERED)
def test_a_fault_is_read_as_it_is_written(
    fault: dict[str, Any], rules: dict[str, Any], which: dict[str, Any]
) -> None:
    made = Fault(**fault, **rules, **which)
    assert repr(Faults.parse(str(made))) == repr(Faults([made]))
    assert Faults.parse(str(made))._rules[0].fault == made


@given(st.floats(0, 1, exclude_min=True), st.integers(), st.lists(FAULTS, min_size=1), RULES)
def test_random_faults_are_read_as_they_are_written(
    rate: float, seed: int, kinds: list[dict[str, Any]], rules: dict[str, Any]
) -> None:
    drawn = tuple(Fault(**{k: v for k, v in kind.items() if k in ("kind", "within", "after")}) for kind in kinds)
    made = RandomFaults(rate=rate, seed=seed, kinds=drawn, **rules)
    assert Faults.parse(str(made))._rules[0].fault == made


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("teapot", "there is no fault 'teapot'; there are: a status such as 429, connect, cut, stall"),
        ("", "there is no fault ''"),
        ("700", "a status from 400 to 599"),
        ("connect:after=1", "there is no option 'after' here; there is none"),
        ("429:call=1", "there are: retry-after; a condition stands behind '@'"),
        ("429@when=1", "there are: call, every, times, path, model"),
        ("429@call", "the condition 'call' has no value: write call=..."),
        ("429@call=1,call=2", "the condition 'call' is given twice"),
        ("429@call=0", "call of the fault '429' should be 1 or more, but is 0"),
        ("429@call=1,every=2", "give call or every, not both"),
        ("cut:after=soon", "after should be a number of bytes, but is 'soon'"),
        ("cut:in=text", "in=tool-call, or after=BYTES, and not both"),
        ("cut:in=tool-call,after=3", "in=tool-call, or after=BYTES, and not both"),
        ("stall:seconds=-1", "seconds of the fault 'stall' should be 0 or more"),
        ("stall:seconds=nan", "seconds of the fault 'stall' should be 0 or more"),
        ("random", "how many calls are struck is missing, such as rate=0.1"),
        ("random:rate=20", "above 0, and 1 at most, not 20.0"),
        ("random:rate=.1,kinds=429+teapot", "there is no fault 'teapot'"),
        ("random:rate=.1@call=1", "there are: times, path, model"),
    ],
)
def test_what_is_no_fault_is_an_error_that_says_what_was_expected(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Faults.parse(text)
    assert says in str(caught.value)
    assert repr(text) in str(caught.value)


def test_a_fault_that_is_made_wrongly_is_an_error_when_it_is_made() -> None:
    wrong: Any = "teapot"
    with pytest.raises(ConfigError, match="there is no fault 'teapot'"):
        Fault(wrong)
    with pytest.raises(ConfigError, match="the fault 'connect' has no option 'retry-after'; it has: none"):
        Fault("connect", retry_after=1)
    with pytest.raises(ConfigError, match="has no conditions"):
        RandomFaults(rate=0.5, kinds=(Fault(429, call=1),))


# Which calls are struck.


def statuses(faults: Faults, *requests: Request) -> list[int | None]:
    refusals = [faults.call(request).refusal() for request in requests]
    return [None if refusal is None else refusal.status for refusal in refusals]


@pytest.mark.parametrize(
    ("text", "which"),
    [
        ("429", [1, 2, 3, 4, 5, 6]),
        ("429@call=3", [3]),
        ("429@every=2", [2, 4, 6]),
        ("429@every=2,times=2", [2, 4]),
        ("429@times=1", [1]),
    ],
)
def test_a_rule_says_which_calls_it_strikes(text: str, which: list[int]) -> None:
    faults = Faults.parse(text)
    found = statuses(faults, *[REQUEST] * 6)
    assert [n for n, status in enumerate(found, 1) if status] == which
    assert faults.struck == tuple((n, "429") for n in which)


def test_calls_are_counted_among_those_that_the_rule_is_about() -> None:
    other = Request("POST", "http://x.test/v1/responses?a=/chat", (), b'{"model":"n"}')
    broken = Request("POST", "http://x.test/v1/responses", (), b"{")
    calls = (REQUEST, other, REQUEST, other, broken)
    assert statuses(Faults.parse("429@call=2,path=/chat"), *calls) == [None, None, 429, None, None]
    assert statuses(Faults.parse("429@call=2,model=n"), *calls) == [None, None, None, 429, None]
    assert statuses(Faults.parse("503@call=1,path=responses", "429@model=m"), *calls) == [429, 503, 429, None, None]


def test_the_first_of_several_refusals_counts_and_the_others_are_not_used_up() -> None:
    faults = Faults.parse("503@call=1", "429@times=1")
    assert statuses(faults, REQUEST, REQUEST, REQUEST) == [503, 429, None]


def test_random_faults_are_the_same_for_the_same_seed_in_every_process() -> None:
    code = """
from playhead.http import Request
from playhead.transport.faults import Faults
faults = Faults.parse("random:rate=0.3,seed=7,kinds=429+500+503")
for n in range(300):
    faults.call(Request("POST", f"http://x.test/{n}")).refusal()
print([tuple(struck) for struck in faults.struck])
"""
    said = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("0", "1")
    }
    found = json.loads(said.pop().replace("(", "[").replace(")", "]").replace("'", '"'))
    assert not said
    assert 60 < len(found) < 120
    assert {kind for _, kind in found} == {"429", "500", "503"}


def test_what_a_call_draws_does_not_depend_on_what_struck_before() -> None:
    once = Faults.parse("random:rate=0.3,seed=7,kinds=429+500@times=1")
    often = Faults.parse("random:rate=0.3,seed=7,kinds=429+500")
    statuses(once, *[REQUEST] * 50)
    statuses(often, *[REQUEST] * 50)
    assert once.struck == often.struck[:1]


def test_a_random_place_is_within_the_first_bytes() -> None:
    faults = Faults.parse("random:rate=1,kinds=cut")
    lengths: list[int] = []
    for _ in range(100):
        body = faults.call(REQUEST).body(200)
        assert body is not None
        lengths.append(len(sent(body.feed(bytes(1000)))))
    assert min(lengths) < 5
    assert 200 < max(lengths) < 512


# Refusals.


def test_a_refusal_is_what_a_provider_would_say_and_says_that_it_is_a_fault() -> None:
    refusal = Faults.parse("429:retry-after=2.5@call=1").call(REQUEST).refusal()
    assert refusal is not None
    headers = {name.lower(): value for name, value in refusal.headers}
    assert (refusal.status, refusal.reason) == (429, "Too Many Requests")
    assert headers["retry-after"] == "2.5"
    assert headers["playhead-fault"] == "429"
    assert headers["content-length"] == str(len(refusal.body))
    body = json.loads(refusal.body)
    assert body["error"]["code"] == 429
    assert body["error"]["type"] == "rate_limit_error"
    assert "'429:retry-after=2.5@call=1' struck call 1" in body["error"]["message"]


def test_only_a_429_tells_to_wait_where_nothing_is_said_and_unknown_statuses_work() -> None:
    told = {}
    for status in ("429", "503", "529", "599"):
        refusal = Faults.parse(status).call(REQUEST).refusal()
        assert refusal is not None
        told[status] = dict(refusal.headers).get("Retry-After")
    assert told == {"429": "1", "503": None, "529": None, "599": None}


def test_a_run_hears_of_a_refusal_as_of_any_other() -> None:
    script = Script(("hello",))
    agent = ph.Agent(
        "compat:http://script.test/v1#m",
        transport=Faults.parse("429:retry-after=2@call=1").around(script.transport),
        retry=False,
    )
    with pytest.raises(ph.ProviderError) as caught:
        agent.run_sync("go")
    assert (caught.value.kind, caught.value.retry_after) == ("rate_limit", 2.0)
    assert script.requests == []
    assert agent.run_sync("go").text == "hello"


def test_a_connect_error_is_a_transport_error_and_nothing_is_sent() -> None:
    inner = MemoryTransport(lambda _: respond(200, b"x"))
    with pytest.raises(TransportError, match="'connect' struck call 1") as caught:
        asyncio.run(FaultTransport(inner, Faults.parse("connect")).send(REQUEST))
    assert caught.value.kind == "connect"
    assert inner.requests == []


# Bodies.

ANY_CUT = st.integers(1, 60)


@given(st.lists(st.binary(max_size=6), max_size=8), st.integers(0, 30))
def test_a_cut_comes_after_so_many_bytes_or_not_at_all(body: list[bytes], after: int) -> None:
    actions, faults = struck(f"cut:after={after}", *body)
    whole = b"".join(body)
    assert sent(actions) == whole[:after]
    assert bool(faults.struck) == (len(whole) >= after)
    if faults.struck:
        assert isinstance(error := actions[-1], TransportError)
        assert error.kind == "disconnect"


@given(st.lists(st.binary(max_size=6), max_size=8), st.integers(0, 30))
def test_a_stall_comes_after_so_many_bytes_and_loses_none(body: list[bytes], after: int) -> None:
    actions, faults = struck(f"stall:seconds=3,after={after}", *body)
    assert sent(actions) == b"".join(body)
    assert bool(faults.struck) == (Wait(3.0) in actions)
    if faults.struck:
        assert len(sent(actions[: actions.index(Wait(3.0))])) == after


@given(st.lists(st.binary(max_size=6), max_size=8), st.integers(0, 30))
def test_a_body_is_truncated_only_if_something_is_left_out(body: list[bytes], after: int) -> None:
    actions, faults = struck(f"truncate:after={after}", *body)
    whole = b"".join(body)
    assert sent(actions) == whole[:after]
    assert bool(faults.struck) == (len(whole) > after)
    assert not any(isinstance(action, TransportError) for action in actions)


def test_without_a_place_a_stream_is_struck_behind_its_first_event_with_data() -> None:
    body = b": PROCESSING\n\n" + b"".join(WORDS)
    for text in ("cut", "stall"):
        for chunks in ([body], pieces(body, 3)):
            actions, _ = struck(text, *chunks)
            first = next(n for n, action in enumerate(actions) if not isinstance(action, bytes))
            assert sent(actions[:first]) == b": PROCESSING\n\n" + WORDS[0]
    assert Wait(None) in struck("stall", body)[0]


def test_without_a_place_any_other_body_is_cut_within_and_stalls_behind_its_first_piece() -> None:
    assert sent(struck("cut", b'{"a":1}', b"\n")[0]) == b'{"a'
    assert struck("stall", b'{"a":1}', b"\n")[0] == [b'{"a":1}', Wait(None), b"\n"]


@given(ANY_CUT)
def test_the_first_event_that_says_something_comes_twice(size: int) -> None:
    actions, faults = struck("duplicate", *pieces(b"".join(WORDS), size))
    assert sent(actions) == b"".join([*WORDS[:2], WORDS[1], *WORDS[2:]])
    assert faults.struck == ((1, "duplicate"),)
    assert decoded(sent(actions)) == "oneonetwo"


def test_a_certain_event_comes_twice_if_it_is_there() -> None:
    body = b"".join([b": hi\n\n", *WORDS])
    assert sent(struck("duplicate:event=1", body)[0]) == b"".join([b": hi\n\n", WORDS[0], *WORDS])
    for actions, faults in (struck("duplicate:event=99", body), struck("duplicate", b'{"content":"x"}')):
        assert not faults.struck
        assert sent(actions) in (body, b'{"content":"x"}')


@given(ANY_CUT)
def test_a_truncated_stream_stops_in_its_last_event_and_has_no_end(size: int) -> None:
    actions, _ = struck("truncate", *pieces(b"".join(WORDS), size))
    *before, last, _ = WORDS
    assert sent(actions) == b"".join(before) + last[: len(last) // 2]
    with pytest.raises(TruncatedStream):
        decoded(sent(actions))


def test_a_truncated_body_is_no_json() -> None:
    body = json.dumps(message("hello")).encode()
    actions, _ = struck("truncate", *pieces(body, 10))
    assert 0 < len(sent(actions)) < len(body)
    with pytest.raises(TruncatedStream):
        decoded(sent(actions))


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_stream_of_any_line_ends_is_struck_in_one_place_however_it_is_cut(end: bytes) -> None:
    body = b"".join(WORDS).replace(b"\n", end)
    for text in ("duplicate", "truncate", "cut"):
        assert len({sent(struck(text, *pieces(body, size))[0]) for size in (1, 2, 3, 7, 1000)}) == 1
    assert decoded(sent(struck("duplicate", *pieces(body, 7))[0])) == "oneonetwo"
    with pytest.raises(TruncatedStream):
        decoded(sent(struck("truncate", *pieces(body, 7))[0]))


def test_of_arguments_that_come_in_pieces_the_first_is_heard() -> None:
    def delta(arguments: str) -> bytes:
        call = {"index": 0, "id": "c", "function": {"name": "add", "arguments": arguments}}
        return b"data: " + json.dumps({"choices": [{"delta": {"tool_calls": [call]}}]}).encode() + b"\n\n"

    events = [delta(""), delta('{"'), delta('a":1'), delta("}")]
    assert sent(struck("cut:in=tool-call", *events)[0]).startswith(b"".join(events[:2]) + events[2][:-20])
    whole = delta('{"a":1}')
    cut = sent(struck("cut:in=tool-call", whole)[0])
    assert cut.endswith(rb'"arguments": "{\"a')


@pytest.mark.parametrize(
    ("body", "behind"),
    [
        (b'{"content":[{"type":"tool_use","id":"t","name":"f","input":{"x":{"y":"}"}}}]}', b'"input":{"x":{"'),
        (b'{"content":[{"id":"t","input":{"ab":1},"name":"f","type":"tool_use"}]}', b'"input":{"ab'),
        (b'{"output":[{"type":"function_call","arguments":"{\\"a\\":1}"}]}', b'"arguments":"{\\"a'),
        (b'{"candidates":[{"content":{"parts":[{"functionCall":{"args":{"ab":1},"name":"f"}}]}}]}', b'"args":{"ab'),
        (b'data: {"type":"response.function_call_arguments.delta","delta":"{}"}\n\n', b'"delta":"{'),
        (b'data: {"type":"content_block_delta","delta":{"partial_json":"{}"}}\n\n', b'"partial_json":"{'),
    ],
)
def test_every_format_of_tool_calls_is_known(body: bytes, behind: bytes) -> None:
    actions, faults = struck("cut:in=tool-call", body)
    assert sent(actions).endswith(behind)
    assert faults.struck == ((1, "cut"),)


def test_what_only_looks_like_a_tool_call_is_not_struck() -> None:
    said = json.dumps(message('so I sent "arguments": "{}" in {"type":"tool_use","input":{"a":1}}')).encode()
    offered = (
        b'{"tools":[{"type":"function","parameters":{"properties":{"arguments":{"type":"string"}}}}],"output":[]}'
    )
    for body in (said, offered, b"".join(WORDS), b"", b"<html>", b" " * 5):
        actions, faults = struck("cut:in=tool-call", *pieces(body, 7))
        assert sent(actions) == body
        assert not faults.struck


RECORDED = [
    (name, response)
    for name, cassette in sorted(expected().items())
    for response in cassette["responses"]
    if "response" in response and response["framing"] in ("json", "sse")
]


@pytest.mark.parametrize("framing", ["json", "sse"])
@pytest.mark.parametrize("protocol", ["openai-chat", "openai-responses", "anthropic", "gemini"])
def test_of_recorded_answers_those_with_tool_calls_are_cut_inside_one(protocol: str, framing: str) -> None:
    shared_tape("expected.json")
    cases = [case for case in RECORDED if (case[1]["protocol"], case[1]["framing"]) == (protocol, framing)]
    hit = 0
    for name, response in cases:
        body = load_tape(shared_tape(name)).interactions[response["id"]].body
        calls = response["response"]["tool_calls"]
        actions, faults = struck("cut:in=tool-call", *pieces(body, 100))
        own = [call for call in calls if not call["provider_executed"]]
        assert bool(faults.struck) == any(call["arguments"] or call["arguments_raw"] for call in own), name
        assert sent(actions) == body[: len(sent(actions))]
        assert bool(faults.struck) == (sent(actions) != body)
        assert sent(struck("cut:in=tool-call", body)[0]) == sent(actions)
        hit += bool(faults.struck)
        if protocol == "openai-chat" and faults.struck:
            with pytest.raises(TruncatedStream):
                decoded(sent(actions))
    assert 0 < hit < len(cases)


def test_faults_of_the_body_strike_one_behind_the_other_and_successes_only() -> None:
    faults = Faults.parse("duplicate@call=1", "stall:seconds=1@call=1", "cut:after=4000@call=1")
    body = faults.call(REQUEST).body(200)
    assert body is not None
    actions = [action for piece in [*WORDS, bytes(4000)] for action in body.feed(piece)]
    assert next(action for action in actions if not isinstance(action, bytes)) == Wait(1.0)
    assert [kind for _, kind in faults.struck] == ["stall", "duplicate", "cut"]
    assert len(sent(actions)) == 4000
    assert Faults.parse("cut").call(REQUEST).body(500) is None
    assert Faults.parse("cut@call=2").call(REQUEST).body(200) is None


def test_the_length_of_a_body_that_changes_is_not_told() -> None:
    headers: Headers = (("Content-Length", "9"), ("X-A", "1"))
    assert Faults.parse("truncate").call(REQUEST).headers(headers) == (("X-A", "1"),)
    assert Faults.parse("duplicate").call(REQUEST).headers(headers) == (("X-A", "1"),)
    assert Faults.parse("cut").call(REQUEST).headers(headers) == headers


# Around a transport.


class Provider:
    """Gives one answer after the other, and notes which are closed."""

    def __init__(self, *bodies: list[bytes]) -> None:
        self.closed: list[int] = []
        self._bodies = list(bodies)
        self.transport = MemoryTransport(self._answer)

    def _answer(self, _: Request) -> Response:
        n = len(self.transport.requests)

        async def close() -> None:
            self.closed.append(n)

        return respond(200, self._bodies.pop(0), SSE, close=close)


async def read(transport: FaultTransport, request: Request = REQUEST) -> bytes:
    response = await transport.send(request)
    try:
        return await response.read()
    finally:
        await response.aclose()


@pytest.mark.parametrize("text", ["cut", "cut:in=tool-call", "cut:after=0", "truncate"])
def test_a_retry_gets_the_whole_answer_without_asking_again(text: str) -> None:
    provider = Provider(CALLS, WORDS)

    async def main() -> None:
        transport = Faults.parse(f"{text}@call=1").around(provider.transport)
        with pytest.raises(TruncatedStream if text == "truncate" else TransportError):
            decoded(await read(transport))
        assert provider.closed == [1]
        again = Request(REQUEST.method, REQUEST.url, (("X-Attempt", "2"),), REQUEST.body)
        assert await read(transport, again) == b"".join(CALLS)
        assert len(provider.transport.requests) == 1
        assert await read(transport) == b"".join(WORDS)
        assert provider.closed == [1, 2]
        await transport.aclose()

    asyncio.run(main())


def test_a_retry_may_be_struck_as_well_and_the_one_after_it_finds_the_answer() -> None:
    provider = Provider(CALLS)

    async def main() -> None:
        transport = Faults.parse("cut@times=2").around(provider.transport)
        for _ in range(2):
            with pytest.raises(TransportError, match="the connection was cut after"):
                await read(transport)
        assert await read(transport) == b"".join(CALLS)
        await transport.aclose()

    asyncio.run(main())


def test_another_request_is_no_retry() -> None:
    provider = Provider(CALLS, WORDS)
    other = Request(REQUEST.method, REQUEST.url, (), b"{}")

    async def main() -> None:
        transport = Faults.parse("cut@call=1").around(provider.transport)
        with pytest.raises(TransportError):
            await read(transport)
        assert await read(transport, other) == b"".join(WORDS)
        await transport.aclose()

    asyncio.run(main())


def test_nor_is_the_same_one_with_another_key() -> None:
    provider = Provider(CALLS, WORDS)
    asks = "a"

    async def main() -> None:
        nonlocal asks
        transport = Faults.parse("cut@call=1").around(provider.transport, key=lambda _: asks)
        response = await transport.send(REQUEST)
        asks = "b"  # Whose answer it is was settled when it was sent.
        with pytest.raises(TransportError):
            await response.read()
        await response.aclose()
        assert await read(transport) == b"".join(WORDS)
        asks = "a"
        assert await read(transport) == b"".join(CALLS)
        await transport.aclose()

    asyncio.run(main())
    assert len(provider.transport.requests) == 2


@pytest.mark.parametrize("text", ["stall:seconds=0", "duplicate"])
def test_an_answer_that_was_read_to_its_end_is_not_given_again(text: str) -> None:
    provider = Provider(WORDS, CALLS)

    async def main() -> None:
        transport = Faults.parse(f"{text}@call=1").around(provider.transport)
        assert b"two" in await read(transport)
        assert await read(transport) == b"".join(CALLS)
        assert provider.closed == [1, 2]
        await transport.aclose()

    asyncio.run(main())


def test_unless_the_reader_says_that_it_was_no_whole_one() -> None:
    provider = Provider(WORDS)

    async def main() -> None:
        transport = Faults.parse("duplicate@call=1").around(provider.transport)
        response = await transport.send(REQUEST)
        await response.read()
        response.settle("broken")
        await response.aclose()
        assert await read(transport) == b"".join(WORDS)
        await transport.aclose()

    asyncio.run(main())


def test_what_the_reader_makes_of_a_struck_answer_is_not_told_to_the_tape() -> None:
    settled: list[str] = []

    def answer(_: Request) -> Response:
        return respond(200, WORDS, SSE).with_stream(aiter(respond(200, WORDS)), settle=settled.append)

    async def main() -> None:
        transport = Faults.parse("truncate@call=1").around(MemoryTransport(answer))
        for outcome in ("truncated", "whole"):
            response = await transport.send(REQUEST)
            await response.read()
            response.settle(outcome)
            await response.aclose()
        await transport.aclose()

    asyncio.run(main())
    assert settled == ["whole"]


def test_a_stall_lasts_until_the_reader_leaves_and_leaks_nothing() -> None:
    provider = Provider(WORDS)

    async def main() -> None:
        transport = Faults.parse("stall@call=1").around(provider.transport)
        response = await transport.send(REQUEST)
        first = asyncio.Event()

        async def listen() -> None:
            async for _ in response:
                first.set()

        listening = asyncio.create_task(listen())
        await first.wait()
        await asyncio.sleep(0)
        assert not listening.done()
        await response.aclose()
        with pytest.raises(TransportError, match="closed while a fault stalled it"):
            await listening
        assert provider.closed == [1]
        assert await read(transport) == b"".join(WORDS)
        await transport.aclose()

    asyncio.run(main())


def test_a_stall_can_be_cancelled_and_the_retry_finds_the_answer() -> None:
    provider = Provider(WORDS)

    async def main() -> None:
        transport = Faults.parse("stall:after=0@call=1").around(provider.transport)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await read(transport)
        assert provider.closed == [1]
        assert await read(transport) == b"".join(WORDS)
        await transport.aclose()

    asyncio.run(main())


def test_a_stall_longer_than_the_read_timeout_is_a_timeout() -> None:
    provider = Provider(WORDS, WORDS)

    async def main() -> None:
        faults = Faults.parse("stall:seconds=60@call=1", "stall:seconds=0.01@call=3")
        transport = faults.around(provider.transport, read_timeout=0.02)
        with pytest.raises(TransportError, match=r"nothing came for 0\.02 s") as caught:
            await read(transport)
        assert caught.value.kind == "timeout"
        assert await read(transport) == b"".join(WORDS)
        assert await read(transport) == b"".join(WORDS)
        await transport.aclose()

    asyncio.run(main())


def test_a_slow_answer_is_read_on_in_the_background_while_the_retry_hears_it() -> None:
    async def main() -> None:
        go = asyncio.Event()
        closed = asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield WORDS[0]
            await go.wait()
            for piece in WORDS[1:]:
                yield piece

        async def close() -> None:
            closed.set()

        inner = MemoryTransport(lambda _: Response(200, SSE, slow(), close=close))
        transport = Faults.parse("cut:after=5@call=1").around(inner)
        response = await transport.send(REQUEST)
        with pytest.raises(TransportError):
            await response.read()
        leaving = asyncio.create_task(response.aclose())
        retried = await transport.send(REQUEST)
        heard = aiter(retried)
        assert await anext(heard) == WORDS[0]
        go.set()
        assert [piece async for piece in heard] == WORDS[1:]
        await leaving
        await retried.aclose()
        assert closed.is_set()
        assert len(inner.requests) == 1
        await transport.aclose()

    asyncio.run(main())


def test_closing_the_transport_closes_what_still_comes() -> None:
    async def main() -> None:
        closed: list[str] = []

        async def endless() -> AsyncIterator[bytes]:
            yield WORDS[0]
            await asyncio.Event().wait()

        async def close() -> None:
            closed.append("closed")

        inner = MemoryTransport(lambda _: Response(200, SSE, endless(), close=close))
        transport = Faults.parse("cut:after=5@call=1").around(inner)
        response = await transport.send(REQUEST)
        with pytest.raises(TransportError):
            await response.read()
        leaving = asyncio.create_task(response.aclose())
        await asyncio.sleep(0)
        assert closed == []
        await transport.aclose()
        await leaving
        assert closed == ["closed"]

    asyncio.run(main())


def test_a_reader_that_is_cancelled_while_the_answer_comes_does_not_make_a_short_answer_of_it() -> None:
    """Otherwise what had come by then would pass for the whole of it when it is asked again."""

    async def main() -> None:
        asked: list[int] = []

        async def body() -> AsyncIterator[bytes]:
            asked.append(1)
            yield WORDS[0]
            yield WORDS[1]
            if len(asked) == 1:
                await asyncio.Event().wait()
            for piece in WORDS[2:]:
                yield piece

        transport = Faults.parse("stall:seconds=0@call=1").around(
            MemoryTransport(lambda _: Response(200, SSE, body()))
        )
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await read(transport)
        assert await read(transport) == b"".join(WORDS)
        assert len(asked) == 2
        await transport.aclose()

    asyncio.run(main())


def test_an_error_of_the_inner_transport_passes_and_an_answer_that_is_not_struck_is_the_same_one() -> None:
    inner = respond(200, WORDS)

    def answer(request: Request) -> Response:
        if request.body:
            return inner
        raise TransportError("no network today")

    async def main() -> None:
        transport = Faults.parse("cut@call=3").around(MemoryTransport(answer))
        with pytest.raises(TransportError, match="no network today"):
            await transport.send(Request("GET", "http://x.test/"))
        assert await transport.send(REQUEST) is inner
        await transport.aclose()

    asyncio.run(main())


def test_a_tape_is_played_with_faults_and_a_retry_does_not_move_it(tmp_path: Path) -> None:
    """Each call is struck once, and tried again until it is answered: the answers are those of the tape, in order."""
    tape = ph.Tape(
        tuple(
            Interaction(request=REQUEST, status=200, headers=SSE, chunks=tuple(body))
            for body in (CALLS, WORDS, stream("three"))
        )
    )
    left = list(tape.interactions)

    class Playback:
        async def send(self, request: Request) -> Response:
            return await play(left.pop(0))

        async def aclose(self) -> None:
            pass

    async def main() -> list[bytes]:
        faults = Faults.parse("429@call=1", "cut:in=tool-call@call=2", "connect@call=4", "truncate@call=5")
        transport = faults.around(Playback())
        heard: list[bytes] = []
        for _ in range(20):
            try:
                response = await transport.send(REQUEST)
                if response.status == 200:
                    body = await response.read()
                    decoded(body)
                    heard.append(body)
            except (TransportError, TruncatedStream):
                pass
            if not left:
                break
        await transport.aclose()
        assert [kind for _, kind in faults.struck] == ["429", "cut", "connect", "truncate"]
        return heard

    assert asyncio.run(main()) == [b"".join(CALLS), b"".join(WORDS), b"".join(stream("three"))]


# Without asyncio.


class Sync:
    """Plays bodies for code that is not asynchronous."""

    def __init__(self, *bodies: list[bytes]) -> None:
        self.asked = 0
        self._bodies = list(bodies)

    def send(self, request: Request) -> Played:
        self.asked += 1
        return play_sync(Interaction(request=request, status=200, headers=SSE, chunks=tuple(self._bodies.pop(0))))


def test_the_same_without_asyncio() -> None:
    provider = Sync(CALLS, WORDS, WORDS)
    faults = Faults.parse("429@call=1", "connect@call=2", "cut:in=tool-call@call=3", "duplicate@call=5")
    transport = faults.around_sync(provider.send)
    assert transport.send(REQUEST).status == 429
    with pytest.raises(TransportError, match="no connection was opened"):
        transport.send(REQUEST)
    assert provider.asked == 0
    answer = transport.send(REQUEST)
    with pytest.raises(TransportError, match="the connection was cut after"):
        list(answer.pieces)
    answer.close()
    assert b"".join(transport.send(REQUEST).pieces) == b"".join(CALLS)
    assert provider.asked == 1
    assert decoded(b"".join(transport.send(REQUEST).pieces)) == "oneonetwo"
    assert decoded(b"".join(transport.send(REQUEST).pieces)) == "onetwo"
    transport.close()


def test_a_call_with_another_key_is_no_retry_without_asyncio_either() -> None:
    provider, asks = Sync(CALLS, WORDS), "a"
    transport = Faults.parse("cut@call=1").around_sync(provider.send, key=lambda _: asks)
    answer = transport.send(REQUEST)
    asks = "b"
    with pytest.raises(TransportError, match="the connection was cut after"):
        list(answer.pieces)
    answer.close()
    assert b"".join(transport.send(REQUEST).pieces) == b"".join(WORDS)
    asks = "a"
    assert b"".join(transport.send(REQUEST).pieces) == b"".join(CALLS)
    transport.close()


def test_a_stall_without_asyncio_ends_with_the_read_timeout_or_when_it_is_closed() -> None:
    transport = SyncFaultTransport(
        Sync(WORDS, WORDS).send, Faults.parse("stall@call=1", "stall@call=2"), read_timeout=0
    )
    answer = transport.send(REQUEST)
    assert next(answer.pieces) == WORDS[0]
    with pytest.raises(TransportError, match="nothing came for 0 s") as caught:
        next(answer.pieces)
    assert caught.value.kind == "timeout"
    answer = transport.send(REQUEST)
    assert next(answer.pieces) == WORDS[0]
    answer.close()
    with pytest.raises(TransportError, match="closed while a fault stalled it"):
        next(answer.pieces)


def test_closing_without_asyncio_closes_what_is_read() -> None:
    closed: list[int] = []

    def body() -> Iterator[bytes]:
        try:
            yield from WORDS
        finally:
            closed.append(1)

    inner = Played(200, "OK", "HTTP/1.1", JSON, body())
    answer = Faults.parse("cut@call=2").around_sync(lambda _: inner).send(REQUEST)
    assert next(answer.pieces) == WORDS[0]
    answer.close()
    assert closed == [1]
