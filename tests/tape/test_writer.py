"""The writer of a tape's file: what goes wrong while it is opened or written leaves a file that can be read."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import playhead as ph
from playhead.tape import writer
from playhead.tape.effects import ToolRun
from playhead.tape.files import put_in_place
from playhead.tape.formats import native
from playhead.tape.writer import TapeWriter, whole_lines

posix = pytest.mark.skipif(os.name != "posix", reason="files have other rights here")


def line(n: int, name: str = "t") -> native.Line:
    return native.tool_start(n, ToolRun(lane=f"root/{n}.t", call_id="c", name=name))


def opened(path: Path, **more: Any) -> TapeWriter:
    return TapeWriter(path, native.header({}), keep=True, **more)


def names(path: Path) -> list[str]:
    return [run.name for run in ph.load_tape(path).tools]


@pytest.fixture
def old_umask() -> Iterator[None]:
    old = os.umask(0o022)
    yield
    os.umask(old)


@pytest.fixture
def full(tmp_path: Path) -> Iterator[TapeWriter]:
    """A writer with one line. See `no_room`."""
    one = opened(tmp_path / "t.jsonl")
    one.append(line(0))
    yield one
    one.close()


@contextmanager
def no_room(one: TapeWriter) -> Iterator[None]:
    """In this block a next line of more than 400 bytes does not fit. It should be short: pytest writes files, too."""
    resource = pytest.importorskip("resource", reason="this system has no limits on files")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (one.path.stat().st_size + 400, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_line_that_does_not_fit_is_taken_back_and_the_next_one_that_fits_is_read(full: TapeWriter) -> None:
    before = full.path.read_bytes()
    with pytest.raises(ph.TapeError, match="cannot be written: File too large"), no_room(full):
        full.append(line(1, "x" * 1000))
    assert full.path.read_bytes() == before
    full.append(line(1))
    assert names(full.path) == ["t", "t"]
    assert ph.load_tape(full.path).warnings == ()


def test_where_a_torn_line_cannot_be_taken_back_nothing_is_written_behind_it(
    full: TapeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(writer.os, "ftruncate", fails)
    with pytest.raises(ph.TapeError, match="File too large"), no_room(full):
        full.append(line(1, "x" * 1000))
    monkeypatch.undo()
    with pytest.raises(ph.TapeError, match="is closed: what comes now is not recorded"):
        full.append(line(1))
    assert names(full.path) == ["t"]
    assert len(ph.load_tape(full.path).warnings) == 1
    opened(full.path).close()


@pytest.mark.parametrize("gone", [False, True])
def test_a_file_that_is_replaced_while_it_is_opened_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    fcntl = pytest.importorskip("fcntl", reason="there are no locks here")
    path = tmp_path / "t.jsonl"
    opened(path).close()
    flock = fcntl.flock

    def replaced_before(fd: int, how: int) -> None:
        path.unlink() if gone else ph.save_tape(ph.load_tape(path), path)
        flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", replaced_before)
    with pytest.raises(ph.TapeLocked, match="was replaced by somebody else just now"):
        opened(path)
    monkeypatch.undo()
    opened(path).close()


@pytest.mark.parametrize("name", ["t.jsonl", "t.yaml.part"])
def test_a_writer_that_nobody_holds_lets_go_of_its_file(tmp_path: Path, name: str) -> None:
    one = opened(tmp_path / name)
    with pytest.raises(ph.TapeLocked):
        opened(one.path)
    path = one.path
    del one
    gc.collect()
    two = opened(path)
    two.append(line(0))
    two.close()
    two.close()


@posix
@pytest.mark.usefixtures("old_umask")
@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_a_new_file_is_open_to_whom_it_is_to_be(tmp_path: Path, mode: int) -> None:
    one = opened(tmp_path / "t.jsonl.part", mode=mode)
    one.close()
    assert one.path.stat().st_mode & 0o777 == mode


@posix
@pytest.mark.usefixtures("old_umask")
def test_a_file_that_is_replaced_is_at_no_time_open_to_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, new = tmp_path / "t.jsonl", tmp_path / "t.jsonl.new"
    path.write_bytes(b"old")
    path.chmod(0o640)
    new.write_bytes(b"left over by a kill, and open to all")
    chmod, seen = Path.chmod, list[tuple[int, int]]()

    def spy(self: Path, mode: int) -> None:
        seen.append((self.stat().st_mode & 0o777, self.stat().st_size))
        chmod(self, mode)

    monkeypatch.setattr(Path, "chmod", spy)
    put_in_place(b"new", path)
    assert seen == [(0o600, 0)]
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o640)
    assert list(tmp_path.iterdir()) == [path]


@given(st.integers(0, 4), st.binary(max_size=12) | st.sampled_from([b'{"type":"call.st\n', b"{}", b"\n", b"[]\n"]))
def test_what_stands_in_front_of_whole_lines_is_a_tape_that_can_be_gone_on_with(count: int, torn: bytes) -> None:
    whole = b"".join(native.encode_line(line(n)) for n in range(count))
    start = native.encode_line(native.header({})) + whole
    torn = torn.replace(b"\n", b"") + b"\n" * torn.endswith(b"\n")
    data = start + torn
    left = data[: whole_lines(data)]
    assert left.startswith(start)
    assert len(native.load(left + native.encode_line(line(9)), "t.jsonl").effects) == count + 1
