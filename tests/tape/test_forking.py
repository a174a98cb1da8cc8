"""Forks: a child plays what it keeps, goes on by itself, and copies nothing that its parent holds."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_native import TAPES, conversations

import playhead as ph
from chatwire import Script, tool_call
from playhead.http import Request
from playhead.tape import edits, lineage
from playhead.tape.edits import edit_model, edit_prompt, edit_result, in_turn, prompt, replaced
from playhead.tape.effects import Effect, Reading
from playhead.tape.forking import fork, fork_file, free_name
from playhead.tape.formats import native
from playhead.tape.trimming import cut, trim
from playhead.tape.writer import TapeWriter


@ph.tool
def add(a: int, b: int) -> int:
    """Add two numbers, of which there may be many, so that this is long enough to be a part of every request."""
    return a + b


FIRST = ("let me see", tool_call("add", {"a": 1, "b": 2}, "c1"), tool_call("add", {"a": 3, "b": 4}, "c2"))
SECOND = ("once more", tool_call("add", {"a": 5, "b": 6}, "c3"))


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    """A tape of a call (0), two tool runs (1, 2), a call (3), a tool run (4), and the last call (5)."""
    path = tmp_path / "run.jsonl"
    go(Script(FIRST, SECOND, ("it-is-21",)), path)
    return path


def go(script: Script, path: Path, said: str = "go " * 200, mode: Any = "resume", **more: Any) -> ph.RunResult:
    with script.agent(add, **more).stream_sync(said, tape=path, mode=mode) as run:
        return run.finish()


def test_a_fork_plays_what_it_keeps_and_goes_on_by_itself(parent: Path) -> None:
    before, child = parent.read_bytes(), parent.with_name("child.jsonl")
    forked = fork_file(parent, child, 3)
    assert forked == ph.load_tape(child)
    assert forked.effects == ph.load_tape(parent).effects[:3]
    assert forked.meta["parent"] == {"at": 3, "id": ph.load_tape(parent).meta["id"], "tape": "run.jsonl"}
    assert forked.meta["id"] != ph.load_tape(parent).meta["id"]
    script = Script(("another-end",))
    assert go(script, child).text == "another-end"
    assert len(script.requests) == 1
    assert parent.read_bytes() == before
    assert go(Script(), child, mode="replay").text == "another-end"
    assert go(Script(), parent, mode="replay").text == "it-is-21"
    assert ph.load_tape(child).warnings == ()


def test_a_child_copies_nothing_and_grandchildren_work(parent: Path) -> None:
    child, grandchild = parent.with_name("child.jsonl"), parent.with_name("grandchild.jsonl")
    fork_file(parent, child, 4)
    lines = child.read_bytes().splitlines()
    assert lines[1:] == [b'{"type":"kept","n":%d}' % n for n in range(4)]
    go(Script(("another-end",)), child)
    fork_file(child, grandchild, 6)
    assert ph.load_tape(grandchild).effects == ph.load_tape(child).effects
    assert len(grandchild.read_bytes().splitlines()) == 7
    assert go(Script(), grandchild, mode="replay").text == "another-end"


def test_a_parent_may_grow_and_may_not_change(parent: Path) -> None:
    child = parent.with_name("child.jsonl")
    fork_file(parent, child, 3)
    kept = ph.load_tape(child)
    with parent.open("ab") as file:
        file.write(native.encode_line(native.tool_start(9, ph.ToolRun(lane="x", call_id="", name="x"))) + b'{"torn')
    assert ph.load_tape(child) == kept
    whole = parent.read_bytes()
    parent.write_bytes(whole.replace(b"let", b"LET"))
    with pytest.raises(ph.TapeError, match="was recorded anew or changed"):
        ph.load_tape(child)
    parent.unlink()
    with pytest.raises(ph.TapeError, match=r"keeps effects of 'run\.jsonl', and there is no such file beside it"):
        ph.load_tape(child)
    with pytest.raises(ph.TapeFormatError, match="cannot be read alone"):
        native.load(child.read_bytes(), "child.jsonl")


def test_circles_and_names_that_lead_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    for name, parent in (("a.jsonl", "a.jsonl"), ("b.jsonl", "../a.jsonl"), ("c.jsonl", ""), ("d.jsonl", "x.yaml")):
        reference = native.Parent(parent, 0, nothing)
        (tmp_path / name).write_bytes(native.encode_line(native.header({}, parent=reference)))
        with pytest.raises(ph.TapeError, match=r"in a circle: a\.jsonl, a\.jsonl|names no tape in its folder"):
            ph.load_tape(tmp_path / name)


def test_a_parent_with_another_id_is_refused() -> None:
    reference = native.Parent("a.jsonl", 0, "", "one")
    data = native.encode_line(native.header({}, parent=reference))
    with pytest.raises(ph.TapeFormatError, match="has id 'other'"):
        native.load(data, "b.jsonl", lambda _: ph.Tape(meta={"id": "other"}))


@given(TAPES | conversations(), st.data())
@settings(deadline=None)
def test_a_childs_file_holds_the_child(parent: ph.Tape, data: st.DataObject) -> None:
    def change(effect: Effect) -> Effect:
        if isinstance(effect, Reading):
            return msgspec.structs.replace(effect, value=data.draw(st.sampled_from([effect.value, "é"])))
        if isinstance(effect, ph.ToolRun):
            result = "é" if effect.ended == "complete" else ""
            other = msgspec.structs.replace(effect, result=result)
            return data.draw(st.sampled_from([effect, other, msgspec.structs.replace(other, name="n")]))
        body = data.draw(st.sampled_from([effect.request.body, effect.request.body + b"!", b"short"]))
        return msgspec.structs.replace(effect, request=msgspec.structs.replace(effect.request, body=body))

    child = parent.fork(data.draw(st.integers(0, len(parent.effects))), change)
    reference = native.Parent("p.jsonl", 0, "", parent.meta.get("id"))
    file = native.dump_child(child, parent, reference)
    assert native.load(file, "c.jsonl", lambda _: parent) == child
    assert native.load(file, "c.jsonl", lambda _: native.load(native.dump(parent), "p")).warnings == ()


def test_the_cut_is_a_number_of_an_effect_and_errors_say_which_there_are(parent: Path) -> None:
    tape = ph.load_tape(parent)
    assert len(tape.fork(6).effects) == 6
    assert tape.fork(0).effects == ()
    for at in (-1, 7):
        with pytest.raises(ph.ConfigError, match="holds effects 0 to 5"):
            tape.fork(at)
    later = ph.Tape(tape.effects[2:4], numbers=(5, 8))
    assert later.fork(8).numbers == (5,)
    with pytest.raises(ph.ConfigError, match="holds effects 5 to 8"):
        later.fork(2)


def test_a_tool_inside_which_the_cut_lies_is_run_again_and_others_stay_as_they_are() -> None:
    def call(lane: str) -> ph.Interaction:
        return ph.Interaction(request=Request("POST", "u"), lane=lane)

    def tool(lane: str, **more: Any) -> ph.ToolRun:
        return ph.ToolRun(lane=lane, call_id="c", name="t", **more)

    down = tool("root/1.t", ended="interrupted")
    tape = ph.Tape((call("root"), tool("root/0.t"), down, call("root/0.t"), call("root/0.t"), call("root")))
    assert tape.fork(4).numbers == (0, 2, 3)
    assert tape.fork(5).effects == tape.effects[:5]
    assert tape.fork(3).effects[1] == down


@given(st.data())
def test_the_tools_inside_which_the_cut_lies_are_those_that_a_later_lane_goes_through(data: st.DataObject) -> None:
    part = st.sampled_from(["", "#1", "#12"])
    lanes = [""]
    for _ in range(data.draw(st.integers(1, 4))):
        lanes.append(
            data.draw(st.sampled_from(lanes)) + data.draw(part) + data.draw(st.sampled_from(["/0.a", "/1.b"]))
        )
    effects: list[Effect] = []
    for _ in range(data.draw(st.integers(1, 8))):
        lane = "root" + data.draw(st.sampled_from(lanes))
        if lane != "root" and data.draw(st.booleans()):
            effects.append(ph.ToolRun(lane=lane, call_id="c", name="t"))
        elif data.draw(st.booleans()):
            effects.append(Reading(lane=lane + data.draw(part), name="r", value=1))
        else:
            effects.append(ph.Interaction(request=Request("POST", "u"), lane=lane + data.draw(part)))
    tape, at = ph.Tape(tuple(effects)), data.draw(st.integers(0, len(effects)))
    also = data.draw(st.frozensets(st.integers(0, len(effects))))

    def inside(tool: str, other: Effect) -> bool:
        run = rf"{re.escape(tool)}(#\d+)?"
        return bool(re.match(run + ("/" if isinstance(other, ph.ToolRun) else "(/|$)"), other.lane))

    later = [effect for n, effect in enumerate(effects) if n >= at and n not in also]
    expected = [
        n
        for n, effect in enumerate(effects)
        if n in also
        or (n < at and not (isinstance(effect, ph.ToolRun) and any(inside(effect.lane, other) for other in later)))
    ]
    assert [n for n, _ in cut(tape, at, also=also).numbered] == expected


def test_a_cut_costs_no_more_for_each_tool_run_of_a_longer_tape() -> None:
    def calls(size: int) -> int:
        tape = ph.Tape(tuple(ph.ToolRun(lane=f"root/{n}.t", call_id="c", name="t") for n in range(size)))
        counted = 0

        def count(*_: object) -> None:
            nonlocal counted
            counted += 1

        before = sys.getprofile()
        sys.setprofile(count)
        try:
            cut(tape, size // 2)
        finally:
            sys.setprofile(before)
        return counted

    assert calls(800) < 2.5 * calls(400)


def test_what_was_played_behind_the_cut_is_kept_where_it_stands(parent: Path) -> None:
    before, child = ph.load_tape(parent), parent.with_name("child.jsonl")
    forked = fork_file(parent, child, 2, also=[4, 5])
    assert child.read_bytes().splitlines()[1:] == [b'{"type":"kept","n":%d}' % n for n in (0, 1, 4, 5)]
    assert (forked.numbers, forked.effects) == ((0, 1, 4, 5), (*before.effects[:2], *before.effects[4:]))
    assert forked == ph.load_tape(child)
    assert [n for n, _ in fork(before, 2, also={4, 5}).numbered] == [0, 1, 4, 5]


def test_edited_prompt_model_and_result_are_what_the_run_plays(parent: Path) -> None:
    child, tape = parent.with_name("child.jsonl"), ph.load_tape(parent)
    assert prompt(tape) == "go " * 200
    edit = in_turn(edit_prompt(tape, 'say "é"\n'), edit_model("other"), edit_result(tape, 4, "100"))
    fork_file(parent, child, 5, edit)
    lines = [json.loads(line) for line in child.read_bytes().splitlines()[1:]]
    assert [sorted(line) for line in lines] == [
        ["n", "request", "type"],
        ["n", "type"],
        ["n", "type"],
        ["n", "request", "type"],
        ["n", "result", "sha256", "type"],
    ]
    assert lines[3]["request"]["body"]["like"] == 3
    script = Script(("it-is-110",))
    result = go(script, child, 'say "é"\n', model="compat:http://script.test/v1#other")
    assert result.text == "it-is-110"
    (request,) = script.requests
    assert [said["content"] for said in request["messages"] if said["role"] == "tool"] == ["3", "7", "100"]


REQUESTS: dict[str, Callable[[str], Any]] = {
    "chat": lambda said: {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": said}]},
    "parts": lambda said: {"messages": [{"role": "user", "content": [{"type": "text", "text": said}, {"x": 1}]}]},
    "anthropic": lambda said: {
        "messages": [
            {"role": "user", "content": said},
            {"role": "user", "content": [{"type": "tool_result", "content": "r"}, {"type": "text", "text": "t"}]},
        ]
    },
    "responses": lambda said: {"input": [{"role": "user", "content": [{"type": "input_text", "text": said}]}]},
    "responses, as text": lambda said: {"input": said, "instructions": "i"},
    "gemini": lambda said: {"contents": [{"parts": [{"text": said}]}, {"parts": [{"functionResponse": {}}]}]},
}


@pytest.mark.parametrize("name", REQUESTS)
def test_the_prompt_is_found_and_replaced_in_every_format(name: str) -> None:
    def call(said: str, lane: str = "root") -> ph.Interaction:
        body = json.dumps(REQUESTS[name](said), indent=1).encode()
        return ph.Interaction(request=Request("POST", "u", (), body), lane=lane)

    tape = ph.Tape((call("old"), call("old"), call("something else"), call("old", "root/0.agent")))
    changed = tape.fork(4, edit_prompt(tape, 'new "é"'))
    assert changed.effects == (call('new "é"'), call('new "é"'), *tape.effects[2:])


def test_a_prompt_that_became_a_list_is_found() -> None:
    bodies = (b'{"input": "hi"}', b'{"input": [{"role": "user", "content": "hi"}, {"type": "reasoning"}]}')
    tape = ph.Tape(tuple(ph.Interaction(request=Request("POST", "u", (), body)) for body in bodies))
    changed = [call.request.body for call in tape.fork(2, edit_prompt(tape, "ho")).interactions]
    assert changed == [body.replace(b"hi", b"ho") for body in bodies]


@given(
    st.recursive(
        st.text(max_size=5) | st.floats(allow_nan=False) | st.none(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
    st.text(max_size=5),
)
def test_only_the_text_that_changes_is_replaced(value: Any, indent: Any, ascii: bool, text: str) -> None:
    def body(said: str) -> bytes:
        whole = {"a": value, "b": [value, {"c": said, "d": value}], "e": 1.50}
        return json.dumps(whole, indent=indent, ensure_ascii=ascii).encode("utf-8", "surrogatepass")

    old = body("old")
    try:
        old.decode()
    except UnicodeDecodeError:
        return
    new = replaced(old, ("b", 1, "c"), text.encode("utf-8", "replace").decode())
    assert json.loads(new) == json.loads(body(text.encode("utf-8", "replace").decode()))
    at = old.index(b'"c"')
    assert new[:at] == old[:at]
    assert new.endswith(old[old.index(b'"old"', at) + 5 :])


def test_a_model_in_the_url_is_replaced_there() -> None:
    url = "https://x.test/v1beta/models/{}:streamGenerateContent?alt=sse"
    call = ph.Interaction(request=Request("POST", url.format("gemini-a"), (), b'{"contents": []}'))
    assert edits.edit_model("b/c")(call).request == msgspec.structs.replace(call.request, url=url.format("b%2Fc"))


def test_what_cannot_be_edited_is_told(parent: Path) -> None:
    tape = ph.load_tape(parent)
    with pytest.raises(ph.ConfigError, match=r"effect 3 is no tool run with a result\. Tool runs are: 1 \(add\), 2"):
        edit_result(tape, 3, "x")
    with pytest.raises(ph.ConfigError, match="no prompt"):
        edit_prompt(ph.Tape(), "x")


def test_a_fork_of_a_cassette_or_in_another_folder_is_whole(parent: Path) -> None:
    cassette, elsewhere = parent.with_name("run.yaml"), parent.parent / "other"
    ph.save_tape(ph.load_tape(parent), cassette)
    elsewhere.mkdir()
    for source, child in ((cassette, "a.jsonl"), (parent, "other/b.jsonl"), (parent, "c.yaml")):
        path = parent.parent / child
        forked = fork_file(source, path, 5)
        assert (b'"parent":{"tape"' in path.read_bytes(), len(forked.effects)) == (False, 5)
        assert forked == ph.load_tape(path)
        assert go(Script(("end",)), path).text == "end"
    fork_file(parent, parent.with_name("d.jsonl"), 5, whole=True)
    parent.unlink()
    assert len(ph.load_tape(parent.with_name("d.jsonl")).effects) == 5


def test_a_fork_never_replaces_a_file(parent: Path) -> None:
    child = free_name(parent)
    fork_file(parent, child, 1)
    assert (child.name, free_name(parent).name) == ("run.fork-1.jsonl", "run.fork-2.jsonl")
    before = child.read_bytes()
    with pytest.raises(ph.ConfigError, match="exists already"):
        fork_file(parent, child, 2)
    assert child.read_bytes() == before
    assert sorted(path.name for path in parent.parent.iterdir()) == ["run.fork-1.jsonl", "run.jsonl"]


def test_a_last_line_of_the_parent_that_cannot_be_read_is_no_part_of_the_child(parent: Path) -> None:
    with parent.open("ab") as file:
        file.write(b'{"type":"call.st\n')
    child = parent.with_name("child.jsonl")
    kept = fork_file(parent, child, 5)
    writer = TapeWriter(parent, native.header({}), keep=True)
    writer.append(native.tool_start(6, ph.ToolRun(lane="x", call_id="", name="x")))
    writer.close()
    assert len(ph.load_tape(parent).effects) == 7
    assert ph.load_tape(child) == kept


@pytest.mark.skipif(os.name != "posix", reason="files have other rights here")
@pytest.mark.parametrize("whole", [False, True])
def test_who_may_not_read_the_parent_may_not_read_the_child(parent: Path, whole: bool) -> None:
    parent.chmod(0o400)
    child = parent.with_name("child.jsonl")
    fork_file(parent, child, 5, whole=whole)
    assert child.stat().st_mode & 0o777 == 0o600
    assert go(Script(("end",)), child).text == "end"


def test_children_are_found_and_made_independent_with_their_own(parent: Path) -> None:
    names = ("child.jsonl", "grandchild.jsonl", "other.jsonl")
    child, grandchild, other = map(parent.with_name, names)
    fork_file(parent, child, 4)
    fork_file(child, grandchild, 2)
    fork_file(parent, other, 3, whole=True)
    (parent.parent / "noise.jsonl").write_bytes(b"\xff{")
    assert lineage.children_of(parent.parent, ph.load_tape(parent).meta["id"]) == (child, other)
    tapes = [ph.load_tape(path) for path in (child, grandchild, other)]
    assert lineage.detach_children(parent) == (child,)
    parent.unlink()
    assert [ph.load_tape(path) for path in (child, grandchild, other)] == tapes
    child.unlink()
    assert ph.load_tape(grandchild) == tapes[1]


def test_a_child_that_is_being_written_is_not_touched(parent: Path) -> None:
    child = parent.with_name("child.jsonl")
    fork_file(parent, child, 4)
    before = child.read_bytes()
    with child.open("rb") as file:
        from playhead.tape.writer import lock

        lock(file.fileno(), child)
        with pytest.raises(ph.TapeLocked):
            lineage.detach_children(parent)
    assert child.read_bytes() == before


def test_an_interrupted_call_that_a_child_keeps_is_asked_again_there(parent: Path) -> None:
    lines = parent.read_bytes().splitlines(keepends=True)
    end = next(n for n, line in enumerate(lines) if b'"call.end","n":3' in line)
    parent.write_bytes(b"".join(lines[: end - 2]))
    child = parent.with_name("child.jsonl")
    assert fork_file(parent, child, 4).interactions[-1].ended == "interrupted"
    assert go(Script(("end",)), child).text == "end"
    played = ph.load_tape(child)
    assert [call.superseded for call in played.interactions] == [False, True, False]
    assert (played.warnings, ph.load_tape(parent).interactions[-1].superseded) == ((), False)


def test_trimming_takes_out_what_is_played_no_more() -> None:
    def call(lane: str = "root", **more: Any) -> ph.Interaction:
        return ph.Interaction(request=Request("POST", "u"), lane=lane, **more)

    def tool(ended: Any, lane: str = "root/0.t") -> ph.ToolRun:
        return ph.ToolRun(lane=lane, call_id="c", name="t", ended=ended)

    effects = (
        call(),
        call(superseded=True),
        call(ended="interrupted"),
        call(),
        tool("interrupted"),
        tool("complete"),
        tool("interrupted", "root/1.t"),
        call(ended="interrupted", lane="root/1.t"),
        call(ended="interrupted"),
    )
    trimmed, reasons = trim(ph.Tape(effects))
    assert sorted(reasons) == [1, 4, 7, 8]
    assert trimmed.numbers == (0, 2, 3, 5, 6)
    assert native.load(native.dump(trimmed), "t.jsonl").numbers == trimmed.numbers
    assert trim(trimmed) == (trimmed, {})
