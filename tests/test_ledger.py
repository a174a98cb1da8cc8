"""The ledger: what every attempt took and cost, and what of that is known."""

from __future__ import annotations

import json
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import playhead as ph
from chatwire import JSON, Script, message, pieces, stream
from conftest import shared_tape
from playhead.errors import DecodeError, EncodeError, ProviderError, TransportError, TruncatedStream
from playhead.events import MessageEnd, MessageEvent, PartDelta
from playhead.http import Request
from playhead.ledger import Attempt, Ledger, attempt_from_response, attempt_of, ledger_of
from playhead.messages import TOKEN_FIELDS, Usage
from playhead.tape.effects import Interaction, Tape, ToolRun
from playhead.wire import wire_for_path
from playhead.wire._decoder import BaseDecoder

CHAT = "http://script.test/v1/chat/completions"
SEED = "seed/openrouter-kimi-k2.yaml"
ANTHROPIC = "recorded/TestAnthropicCommon/claude-sonnet-4/simple_streaming.yaml"


def call(chunks: Any = (), status: int | None = 200, url: str = CHAT, **more: Any) -> Interaction:
    request = Request("POST", url, (), b'{"model": "m", "stream": true}')
    return Interaction(request=request, status=status, chunks=tuple(chunks), **more)


def seen(interaction: Interaction) -> Attempt:
    attempt = attempt_of(interaction)
    assert attempt is not None
    return attempt


def test_a_row_says_who_was_asked_who_served_what_it_took_and_what_it_cost() -> None:
    ledger = ledger_of(ph.load_tape(shared_tape(SEED)))
    first = ledger[0]
    assert (first.lane, first.provider, first.model) == ("root", "openrouter", "moonshotai/kimi-k2-0905")
    assert (first.served_by, first.outcome, first.cost_source) == ("Together", "whole", "reported")
    assert (first.effect, first.played, first.superseded) == (0, True, False)
    assert first.usage is not None
    assert (first.usage.input_tokens, first.usage.output_tokens, first.cost) == (218, 54, 0.00038)
    assert ledger.cost == sum(cast("float", it.cost) for it in ledger)


def test_a_row_is_the_same_live_and_from_the_tape() -> None:
    script = Script(("done",))
    result = script.agent().run_sync("hello")
    assert result.tape is not None
    (played,) = ledger_of(result.tape)
    live = attempt_from_response(
        result.steps[0].response,
        provider="compat",
        model="m",
        effect=0,
        played=True,
        started_s=played.started_s,
        duration_s=played.duration_s,
    )
    assert live == played


def test_what_is_no_model_call_has_no_row() -> None:
    tape = Tape(
        (call([b"x"], url="http://search.test/find?q=1"), ToolRun(lane="root/0.add", call_id="c", name="add"))
    )
    assert len(ledger_of(tape)) == 0
    get = Interaction(request=Request("GET", "http://script.test/v1/responses"), status=200)
    assert attempt_of(get) is None
    assert attempt_of(call(url="http://[broken/v1/chat/completions")) is None


CUT = stream("one two three")[:2]
REFUSED = b'data: {"error": {"message": "overloaded", "code": 503}}\n\n'
TIMEOUT = {"kind": "timeout", "message": "nothing came"}
CONNECT = {"kind": "connect", "message": "nobody there"}


@pytest.mark.parametrize(
    ("interaction", "outcome", "billable"),
    [
        pytest.param(call(stream("hi")), "whole", True, id="whole"),
        pytest.param(call([b'{"error": {"message": "slow down"}}'], 429), "refused", False, id="refused-at-once"),
        pytest.param(call([REFUSED]), "refused", False, id="refused-before-the-first-word"),
        pytest.param(call([*CUT, REFUSED]), "refused", True, id="refused-in-the-middle"),
        pytest.param(call(CUT), "truncated", True, id="truncated"),
        pytest.param(
            call(CUT, ended="failed", error={"kind": "disconnect", "message": "cut"}), "truncated", True, id="cut"
        ),
        pytest.param(call(CUT, ended="failed", error=TIMEOUT), "failed", True, id="stalled"),
        pytest.param(call((), None, ended="failed", error=TIMEOUT), "failed", True, id="no-answer-in-time"),
        pytest.param(call((), None, ended="failed", error=CONNECT), "failed", False, id="no-connection"),
        pytest.param(call(CUT, ended="interrupted"), "interrupted", True, id="interrupted"),
        pytest.param(call((), None, ended="interrupted"), "interrupted", True, id="interrupted-before-the-head"),
        pytest.param(call([b"data: {{{\n\n"]), "broken", True, id="broken"),
    ],
)
def test_every_way_to_end_has_its_outcome(interaction: Interaction, outcome: str, billable: bool) -> None:
    attempt = seen(interaction)
    assert (attempt.outcome, attempt.billable) == (outcome, billable)
    assert (attempt.error is None) == (outcome == "whole")
    assert (Ledger((attempt,)).cost is None) == (billable and outcome != "whole")


@pytest.mark.parametrize(
    ("error", "outcome", "billable"),
    [
        pytest.param(None, "interrupted", True, id="cancelled"),
        pytest.param(KeyboardInterrupt(), "interrupted", True, id="interrupt"),
        pytest.param(ProviderError("no", status=503), "refused", False, id="refused"),
        pytest.param(TruncatedStream("cut"), "truncated", True, id="truncated"),
        pytest.param(DecodeError("what?"), "broken", True, id="broken"),
        pytest.param(TransportError("late", kind="timeout"), "failed", True, id="timeout"),
        pytest.param(TransportError("nobody", kind="connect"), "failed", False, id="connect"),
        pytest.param(EncodeError("no words"), "failed", False, id="never-sent"),
    ],
)
def test_a_live_attempt_without_an_answer_has_the_outcome_of_its_error(
    error: BaseException | None, outcome: str, billable: bool
) -> None:
    attempt = attempt_from_response(None, provider="compat", model="m", error=error)
    assert (attempt.outcome, attempt.billable, attempt.usage, attempt.cost) == (outcome, billable, None, None)


def test_the_usage_of_a_cut_stream_is_known_as_far_as_it_was_told() -> None:
    whole = ph.load_tape(shared_tape(ANTHROPIC)).interactions[0]
    cut = msgspec.structs.replace(
        whole, chunks=(whole.body[: len(whole.body) // 2],), ended="interrupted", times=None
    )
    before, after = seen(whole), seen(cut)
    assert before.usage is not None
    assert after.usage is not None
    assert after.usage.input_tokens == before.usage.input_tokens
    assert (before.partial, after.partial) == (False, True)
    ledger = Ledger((after,))
    assert ledger.unknown == (after,)
    assert ledger.usage == Usage()
    assert ledger.cost is None
    assert ledger.known_usage.input_tokens == before.usage.input_tokens
    assert "at least" in ledger.table()


@pytest.mark.parametrize("name", [ANTHROPIC, SEED, "recorded/TestGoogleCommon/gemini-2.5-flash/multi_tool.yaml"])
def test_a_decoder_knows_what_came_so_far_and_says_the_same_events_whether_it_is_asked_or_not(name: str) -> None:
    interaction = ph.load_tape(shared_tape(name)).interactions[0]
    wire = wire_for_path(urlsplit(interaction.request.url).path)
    assert wire is not None
    asked, left = cast("BaseDecoder", wire.Decoder("issuer")), wire.Decoder("issuer")
    assert asked.so_far is None
    events: list[MessageEvent] = []
    for piece in pieces(interaction.body, 37):
        events += asked.feed(piece)
        so_far = asked.so_far
        if so_far is not None and not isinstance(events[-1], MessageEnd):
            told = "".join(it.delta for it in events if isinstance(it, PartDelta) and it.kind == "text")
            assert so_far.text == told
    events += asked.close()
    assert events == [*left.feed(interaction.body), *left.close()]
    assert isinstance(events[-1], MessageEnd)
    assert asked.so_far == events[-1].response


def test_usage_that_was_told_behind_the_last_word_counts_although_the_end_is_missing() -> None:
    attempt = seen(call(stream("hi")[:-1], ended="interrupted"))
    assert (attempt.outcome, attempt.partial, attempt.cost) == ("interrupted", False, 0.001)


def test_what_was_asked_again_counts_too() -> None:
    tape = Tape((call(CUT, ended="interrupted", superseded=True), call(stream("hi"))))
    ledger = ledger_of(tape)
    assert [it.superseded for it in ledger] == [True, False]
    assert (ledger.cost, ledger.known_cost) == (None, 0.001)
    assert "asked again" in ledger.table()


def test_refusals_leave_the_sums_known() -> None:
    ledger = ledger_of(Tape((call([b"{}"], 429), call(stream("hi")))))
    assert (ledger.cost, ledger.usage.input_tokens) == (0.001, 10)


def test_rows_are_grouped_by_model_and_by_lane() -> None:
    tools = [message(None, {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}})]
    answers = (call([json.dumps(body).encode()], headers=JSON, lane=lane) for lane, body in [("root/0.x", *tools)])
    ledger = ledger_of(Tape((call(stream("hi")), *answers, call(stream("bye")))))
    assert {lane: len(it) for lane, it in ledger.by_lane().items()} == {"root": 2, "root/0.x": 1}
    assert {name: len(it) for name, it in ledger.by_model().items()} == {"compat:m": 3}


def test_an_empty_ledger_cost_nothing() -> None:
    assert (Ledger().cost, Ledger().usage.input_tokens, len(Ledger() + Ledger())) == (0.0, 0, 0)
    assert "0 attempts" in Ledger().table()


def test_the_table_is_plain_text_for_people() -> None:
    ledger = ledger_of(Tape((call([b"{}"], 429), call(stream("hi")))))
    assert ledger.table().splitlines() == [
        "lane        model     served by  outcome  input  output       cost",
        "root        compat:m             refused      -       -          -",
        "root        compat:m             whole       10       5  $0.001000",
        "2 attempts                                   10       5  $0.001000",
    ]


usages = st.none() | st.builds(Usage, *(st.none() | st.integers(0, 10**9) for _ in TOKEN_FIELDS))
attempts = st.builds(
    Attempt,
    lane=st.sampled_from(["root", "root/0.x"]),
    provider=st.just("compat"),
    model=st.sampled_from(["m", "n"]),
    usage=usages,
    cost=st.none() | st.integers(0, 10**6).map(lambda n: n / 2**10),
    billable=st.booleans(),
    partial=st.booleans(),
)


@given(st.lists(attempts), st.lists(attempts))
def test_sums_are_exact_or_unknown_and_never_less_than_what_is_known(
    first: list[Attempt], second: list[Attempt]
) -> None:
    """Whatever is known of two ledgers is known of both together, and groups lose nothing."""
    a, b = Ledger(tuple(first)), Ledger(tuple(second))
    both = a + b
    assert both.known_cost == a.known_cost + b.known_cost
    assert both.cost in (None, both.known_cost)
    assert (both.cost is None) == (a.cost is None or b.cost is None)
    for name in TOKEN_FIELDS:
        exact, known = getattr(both.usage, name), getattr(both.known_usage, name)
        parts = [getattr(it.usage, name) for it in (a, b)]
        assert exact == (None if None in parts else sum(parts))
        assert exact is None or known is None or known >= exact
    assert sorted(map(repr, both)) == sorted(repr(it) for one in both.by_model().values() for it in one)
    assert both.table().count("\n") == len(both) + 1


@pytest.mark.parametrize(
    ("created", "date"),
    [("1" + "0" * 400, "x"), ("1e308", "x"), ("1", f"Mon, {'9' * 20} Jan 2024 00:00:00 GMT")],
    ids=["whole", "float", "date"],
)
def test_a_time_that_no_calendar_has_is_not_known(created: str, date: str) -> None:
    body = json.dumps({**message("done"), "created": "CREATED"}).replace('"CREATED"', created).encode()
    script = Script({"status": 200, "body": body, "headers": (*JSON, ("Date", date))})
    assert script.agent().run_sync("hello").ledger.cost == 0.001
