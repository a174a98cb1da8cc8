"""`playhead chat [MODEL]`"""

from __future__ import annotations

import argparse
import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..agent.session import Session
from ..agent.sync import SyncRun
from ..errors import PlayheadError, ToolInDoubt
from ..events import MessageEnd
from ._approving import WAITING, Asking
from ._chat_commands import Commands
from ._chat_input import Keyboard, forget_typed, reading_line
from ._chat_model import what_changed
from ._chat_paper import paper_for
from ._chat_setup import DEMO_PROMPT, build_agent, chats, keys_of_others, shown_path, tape_file
from ._chat_view import View, account
from ._console import Console
from .run import demo_notes
from .show import many

_DOUBT = "Leave, and come back with --in-doubt skip=TEXT, with its result, or --in-doubt rerun; /undo drops the turn."


def run(args: argparse.Namespace, console: Console) -> int:
    """Talk with an agent, turn by turn."""
    if args.no_color:
        console = Console(colour=False)
    build = build_agent(args)
    path = tape_file(args)
    session: Session[Any, Any] = Session(build(None), path, in_doubt=args.in_doubt)
    chat: Chat | None = None
    try:
        session.use(build(session))
        if (changed := what_changed(session, session.agent.model)) is not None:
            console.note(f"note: {changed}")
        chat = Chat(session, path, console)
        return chat.talk()
    finally:
        (session if chat is None else chat.session).close()  # After `/fork` it is another one.


class Chat:
    """A conversation with somebody at a terminal, or with lines from a pipe.

    Args:
        session: the conversation. It is another one after `/fork`.
        path: its tape.
        console: where it is written.
    """

    def __init__(self, session: Session[Any, Any], path: Path, console: Console) -> None:
        self.session = session
        self.path = path
        self.console = console
        self._commands = Commands(self)
        history = chats().parent / "chat_history"
        colour = console.rich is not None
        self._keyboard = Keyboard(
            history if history.parent.is_dir() else None, self._commands.completed, colour=colour
        )
        self.paper = paper_for(console)
        self._view = View(self.paper)
        self._asking = Asking(console, self._read)
        self._code = 0
        self._stopped = False
        self._demo_told = False
        self._warned: set[str] = set()

    @property
    def at_a_terminal(self) -> bool:
        """Whether somebody writes, and not a pipe."""
        return self._keyboard.is_terminal

    def talk(self) -> int:
        """Turn after turn until there are no more. Returns the exit code."""
        self._begin()
        try:
            while True:
                if (said := self._said()) is None:
                    break
                if said.startswith("/"):
                    if not self._command(said):
                        break
                elif said:
                    self.say(said)
                if self._code == WAITING:
                    break
        finally:
            self._keyboard.save()
        self._end()
        return self._code

    def say(self, prompt: str) -> None:
        """A turn."""
        self._go(lambda: self.session.stream_sync(prompt))
        self._approvals()

    def resume(self) -> None:
        """Go on with the last turn: one that waits for approvals, that failed, or that was cut down."""
        if self.session.pending:
            self._approvals()
        else:
            self._go(self.session.resume_stream_sync)
            self._approvals()

    def use(self, session: Session[Any, Any], path: Path) -> None:
        """Go on with another session."""
        self.session.close()
        self.session, self.path = session, path

    def _said(self) -> str | None:
        """What is said next; None where that is nothing any more."""
        while True:
            try:
                said = self._keyboard.turn()
            except EOFError:
                if self.at_a_terminal:
                    self.console.line()
                return None
            except UnicodeDecodeError:
                self.console.fail("that was no UTF-8")
                self._code = 1
                continue
            except KeyboardInterrupt:
                if not self.at_a_terminal:
                    raise
                self.console.line()
                if self._stopped:
                    self._code = 130
                    return None
                self._stopped = True
                self.console.line("(Ctrl-C again, or Ctrl-D, leaves)", "dim")
                continue
            self._stopped = False
            return said

    def _command(self, said: str) -> bool:
        """Obey. Returns whether the chat goes on."""
        try:
            return self._commands.obey(said)
        except KeyboardInterrupt:
            if not self.at_a_terminal:
                raise
            self.console.line("(interrupted)", "yellow")
        except (PlayheadError, OSError) as error:
            self._fail(error)
        return True

    def _go(self, make: Callable[[], SyncRun[Any]], *, again: bool = False) -> None:
        """Show a turn to its end."""
        began = time.monotonic()
        self._view.begins(again=again)
        try:
            with self._view.turn(), make() as run, self._interrupting(run):
                for event in run:
                    self._view.show(event)
                    if isinstance(event, MessageEnd):
                        self._tell_demo(event)
            result = run.result
        except KeyboardInterrupt:
            if not self.at_a_terminal:
                raise
            self.console.line("(cut off: /resume goes on with it, /undo drops it)", "yellow")
            return
        except Exception as error:
            self._fail(error)
            return
        for warning in result.warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                self.console.note(f"note: {warning}")
        if result.stopped is not None:
            self.paper.line(f"(a tool ended the turn) {result.stopped}".rstrip(), "yellow")
        if result.ended == "cancelled":
            self._view.stopped()
            self.console.line("(stopped; Ctrl-C again leaves)", "yellow")
        elif self.at_a_terminal and not result.pending:
            self.console.line(account(result.ledger.known_usage, result.cost, began), "dim")
            self.console.line()

    def _approvals(self) -> None:
        """Ask about the calls that wait, until none does."""
        while pending := self.session.pending:
            if not self.at_a_terminal:
                self._code = WAITING
                self.console.fail(
                    f"{many(len(pending), 'tool call')} of {', '.join(dict.fromkeys(it.tool for it in pending))} "
                    f"waits for approval: open the chat on a terminal, with --tape {shown_path(self.path)}"
                )
                return
            forget_typed()
            decisions = self._asking.decide(pending)
            if decisions is None:
                self.console.line("(left waiting: /resume asks again, /undo drops the turn)", "yellow")
                return
            self._go(lambda made=decisions: self.session.resume_stream_sync(made), again=True)
            if self.session.unfinished is not None:
                return

    @contextmanager
    def _interrupting(self, run: SyncRun[Any]) -> Generator[None]:
        """Ctrl-C stops the answer, and the conversation can go on; a second one cuts it off."""
        if not self.at_a_terminal or threading.current_thread() is not threading.main_thread():
            yield
            return

        def strike(*_: object) -> None:
            if self._stopped:
                raise KeyboardInterrupt
            self._stopped = True
            run.cancel()

        self._stopped = False
        before = signal.signal(signal.SIGINT, strike)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _tell_demo(self, event: MessageEnd) -> None:
        for note in demo_notes(event, first=not self._demo_told):
            self._demo_told = True
            self.paper.line(note, "yellow")

    def _read(self, before: str, text: str) -> str:
        return reading_line(before, text)

    def _fail(self, error: Exception) -> None:
        """Say what went wrong, in a sentence. The conversation goes on."""
        self._code = self._code or int(not self.at_a_terminal)
        said = str(error) if isinstance(error, PlayheadError) else f"{type(error).__name__}: {error}"
        notes: list[str] = list(getattr(error, "__notes__", ()))
        if isinstance(error, ToolInDoubt):
            notes.append(_DOUBT)
        elif self.session.unfinished is not None and self.at_a_terminal:
            notes.append("(/resume tries again; or say something else)")
        self.console.fail(said, notes)

    def _begin(self) -> None:
        if not self.at_a_terminal:
            return
        model = self.session.agent.model
        self.paper.line(f"playhead chat: {model.name}", "bold")
        self.paper.line(f"tape: {shown_path(self.path)}. /help says what else can be written; Ctrl-D leaves.", "dim")
        for warning in self.session.tape.warnings:
            self.paper.line(f"note: {warning}", "yellow")
        if model.provider.name == "demo":
            self._introduce_demo()
        if turns := self.session.turns:
            self._commands.where(len(turns))
        if self.session.unfinished is not None:
            self.console.note("the last turn has not come to its end: /resume goes on with it, /undo drops it")
        elif self.session.pending:
            self.console.note("the last turn waits for approval:")
            self._approvals()

    def _introduce_demo(self) -> None:
        others = keys_of_others()
        if others:
            first = f"a key of {others[0]} is set: playhead chat {others[0]}:MODEL talks with a model of theirs"
        else:
            first = "set a key, such as OPENROUTER_API_KEY, or name a model: playhead chat ollama:qwen3"
        self.paper.line(
            f"This is the demo: a recording that answers one thing, whatever is said. For more, {first}.", "yellow"
        )
        self.paper.line(f"Try: {DEMO_PROMPT}", "dim")

    def _end(self) -> None:
        if self.at_a_terminal and self.session.turns:
            self.paper.line(f"on tape: playhead chat --tape {shown_path(self.path)} goes on", "dim")
