"""
A process that has the agent loaded, and does one job after the other in a fork of itself.

Jobs come on standard input and their ends go to standard output, a line of JSON each. A new interpreter for each kill
would take ten times as long. Where there is no fork, or the agent has started threads, it is one all the same.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from ..agent.agent import Agent
from ..errors import PlayheadError
from ..tape.effects import Tape
from ..tape.files import load_tape
from .child import perform
from .job import Ended, Job, Said
from .reference import Reference

T = TypeVar("T")


class Warm:
    """The process, as seen from outside.

    Args:
        command: starts it; it calls `serve`.

    Raises:
        PlayheadError: it did not start. Why, it said on standard error.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    def run(self, job: Job) -> Ended:
        """Do a job, and wait for its end."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._process.stdin.write(msgspec.json.encode(job) + b"\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._answer(), type=Ended)

    def close(self) -> None:
        """End the process."""
        with self._process:  # Closes the pipes and waits.
            self._process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answer(self) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        line = self._process.stdout.readline()
        if not line:
            raise PlayheadError("the process that runs the agent has ended; what it said stands above, if anything")
        return line


def serve(load: Callable[[], Agent], command: Sequence[str]) -> None:
    """Be the process, until standard input ends.

    Args:
        load: gives the agent.
        command: starts a process as this one; with `--job JSON` behind it, one that calls `serve_one`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Whoever waits for the answers ends this process.
    out = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # What the agent prints must not stand between our lines.
    agent = load()
    os.write(out, b'"ready"\n')
    references: dict[str, Reference] = {}
    truths: dict[str, Tape] = {}
    for line in sys.stdin.buffer:
        job = msgspec.json.decode(line, type=Job)
        if not hasattr(os, "fork") or threading.active_count() > 1:
            ended = _in_a_new_process(command, job)
        else:
            reference = _kept(references, job.reference, Reference)
            truth = _kept(truths, job.truth, load_tape)
            ended = _in_a_fork(agent, job, reference, truth)
            if ended == "done":
                _import_what(job)
        os.write(out, msgspec.json.encode(ended) + b"\n")


def serve_one(load: Callable[[], Agent], job: str) -> None:
    """Do the one job that the command line holds."""
    todo = msgspec.json.decode(job, type=Job)
    _to_a_file(todo)
    agent = load()
    reference = Reference(Path(todo.reference)) if todo.reference else None
    perform(agent, todo, reference, load_tape(todo.truth) if todo.truth else None)
    sys.stdout.flush()
    os._exit(0)


def _kept(known: dict[str, T], path: str | None, load: Callable[[Path], T]) -> T | None:
    """What a file holds, loaded once."""
    if path is None:
        return None
    if path not in known:
        known[path] = load(Path(path))
        gc.collect()
        gc.freeze()  # So that the forks do not copy it.
    return known[path]


def _in_a_fork(agent: Agent, job: Job, reference: Reference | None, truth: Tape | None) -> Ended:
    sys.stdout.flush()
    sys.stderr.flush()
    if (pid := os.fork()) == 0:
        code = 1
        try:
            gc.disable()  # It would touch all memory, which is then copied.
            signal.alarm(job.limit_s)  # Its default is to end the process.
            _to_a_file(job)
            perform(agent, job, reference, truth)
            sys.stdout.flush()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    return _ended(os.waitstatus_to_exitcode(status))


def _import_what(job: Job) -> None:
    """Import what a job had to, so that the next ones need not."""
    for name in msgspec.json.decode(job.said.read_bytes(), type=Said).modules:
        with suppress(ImportError):
            importlib.import_module(name)


def _in_a_new_process(command: Sequence[str], job: Job) -> Ended:
    one = [*command, "--job", msgspec.json.encode(job).decode()]
    try:
        return _ended(subprocess.run(one, check=False, timeout=job.limit_s or None).returncode)  # noqa: S603 - our own
    except subprocess.TimeoutExpired:
        return "hung"


def _ended(code: int) -> Ended:
    if code == 0:
        return "done"
    if code == -getattr(signal, "SIGALRM", 0):
        return "hung"
    killed = -signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM
    return "killed" if code == killed else "died"


def _to_a_file(job: Job) -> None:
    """What the agent prints goes beside its tape."""
    path = Path(job.folder) / "output.txt"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
