"""What can be written in a chat beside what is said: `/help`, `/undo`, `/model`, ..."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..agent.conversation import Turn
from ..errors import ConfigError
from ..messages import TextPart
from ..providers import provider_names
from ..tape.forking import free_name
from ._chat_setup import shown_path, with_system
from .show import many

if TYPE_CHECKING:
    from .chat import Chat

_HELP = (
    ("/fork [N] [FILE]", "go on with a copy on a tape of its own, that keeps the first N turns"),
    ("/undo [N]", "drop the last turn, or the last N; the tape keeps them"),
    ("/resume", "go on with a turn that waits for approval, failed, or was cut off"),
    ("/model [NAME]", "talk with another model, as PROVIDER:MODEL; without a name, say which it is"),
    ("/system [TEXT]", "give another system prompt, '-' for none; without a text, show it"),
    ("/compact", "make the conversation shorter: the model sums it up"),
    ("/cost", "what each try at an answer took and cost"),
    ("/history", "the turns so far"),
    ("/thoughts", "what the model thought for its last answer"),
    ("/tape", "where the conversation is kept"),
    ("/help", "this"),
    ("/quit", "leave; Ctrl-D does, too"),
)

_LONGEST = 160
"""Characters of a turn that `/history` shows."""


class Commands:
    """Obeys commands.

    Args:
        chat: what they are about.
    """

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._alone: dict[str, Callable[[], None]] = {
            "/resume": self._resume,
            "/compact": self._compact,
            "/cost": self._cost,
            "/history": self._history,
            "/thoughts": self._thoughts,
            "/tape": self._tape,
            "/help": self._help,
        }
        self._with_words: dict[str, Callable[[str], None]] = {
            "/fork": self._fork,
            "/undo": self._undo,
            "/model": self._model,
            "/system": self._system,
        }

    def obey(self, said: str) -> bool:
        """Do what a command says. Returns whether the chat goes on.

        Raises:
            PlayheadError: it cannot be done.
        """
        word, _, rest = said.partition(" ")
        word = {"/exit": "/quit", "/q": "/quit", "/?": "/help"}.get(word, word)
        if word == "/quit":
            return False
        if word in self._with_words:
            self._with_words[word](rest.strip())
        elif word not in self._alone:
            raise ConfigError(f"there is no command {word}. There are: {', '.join(_names())}")
        elif rest.strip():
            raise ConfigError(f"{word} takes nothing behind it")
        else:
            self._alone[word]()
        return True

    def completed(self, text: str) -> Iterable[str]:
        """What a line may become that begins like this."""
        if text.startswith("/model "):
            return [f"/model {name}:" for name in provider_names()]
        return _names() if text.startswith("/") else ()

    def where(self, count: int) -> None:
        """Say where the conversation stands: its last turn, as it was shown."""
        chat, last = self._chat, self._chat.session.turns[-1]
        chat.paper.line(f"{many(count, 'turn')} so far; the last one:", "dim")
        chat.paper.line(f"> {_text(last)}", "bold")
        with chat.paper.turn():
            chat.paper.say(last.text)
        chat.paper.line()

    def _help(self) -> None:
        width = max(len(name) for name, _ in _HELP)
        for name, what in _HELP:
            self._chat.paper.line(f"{name.ljust(width)}  {what}")
        self._chat.paper.line(
            'A line that ends with \\ goes on in the next one, as does what begins with """ up to the next """. '
            "Ctrl-C stops an answer.",
            "dim",
        )

    def _fork(self, rest: str) -> None:
        chat = self._chat
        words = rest.split(maxsplit=1)
        at = int(words.pop(0)) if words and words[0].isdecimal() else None
        path = Path(os.path.expanduser(words[0])) if words else free_name(chat.path)
        chat.use(chat.session.fork(path, at=at), path)
        self._say(f"this is {shown_path(path)} now, with {many(len(chat.session.turns), 'turn')}")

    def _undo(self, rest: str) -> None:
        for turn in self._chat.session.undo(_number(rest, "/undo")):
            self._say(f"dropped: {_cut(_text(turn))}")

    def _resume(self) -> None:
        self._chat.resume()

    def _model(self, rest: str) -> None:
        if rest:
            self._chat.session.model(rest)
        self._say(f"the model is {self._chat.session.agent.model.name}")

    def _system(self, rest: str) -> None:
        session = self._chat.session
        if rest:
            session.use(with_system(session.agent, "" if rest == "-" else rest))
        prompts = session.agent.spec.system
        for prompt in prompts:
            self._say(prompt if isinstance(prompt, str) else "(a function makes the system prompt)")
        if not prompts:
            self._say("there is no system prompt")

    def _compact(self) -> None:
        before = len(self._chat.session.messages)
        if self._chat.session.compact_sync():
            self._say(f"the conversation was made shorter: {before} messages to {len(self._chat.session.messages)}")
        else:
            self._say("the conversation is too short to be made shorter")

    def _cost(self) -> None:
        ledger = self._chat.session.ledger
        self._chat.console.line(ledger.table() if len(ledger) else "nothing was asked yet")

    def _history(self) -> None:
        turns = self._chat.session.turns
        for number, turn in enumerate(turns, 1):
            calls = sum(len(message.tool_calls) for message in turn.said)
            aside = [many(calls, "tool call")] if calls else []
            aside += [turn.ended] if turn.ended else []
            self._chat.paper.line(f"{number} > {_cut(_text(turn))}", "bold")
            answer = _cut(turn.text) or "(no answer)"
            self._chat.paper.line(
                f"{' ' * len(str(number))}   {answer}" + (f"  ({', '.join(aside)})" if aside else "")
            )
        if not turns:
            self._say("nothing was said yet")

    def _thoughts(self) -> None:
        turns = self._chat.session.turns
        thoughts = [message.reasoning for message in (turns[-1].said if turns else ()) if message.reasoning]
        self._chat.paper.line("\n\n".join(thoughts) or "the model showed no thoughts", "dim")

    def _tape(self) -> None:
        chat = self._chat
        held = chat.session.tape.tape()
        count = many(len(held.effects), "effect") if held is not None else "nothing"
        size = f", {chat.path.stat().st_size:,} bytes" if chat.path.exists() else ", no file yet"
        self._say(f"{shown_path(chat.path)}: {many(len(chat.session.turns), 'turn')}, {count}{size}")

    def _say(self, text: str) -> None:
        self._chat.paper.line(text, "dim")


def _names() -> list[str]:
    return [name.partition(" ")[0] for name, _ in _HELP]


def _number(text: str, command: str) -> int:
    if not text:
        return 1
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"{command} takes a whole number from 1 on, not {text!r}")
    return int(text)


def _text(turn: Turn) -> str:
    if isinstance(turn.prompt, str):
        return turn.prompt
    return " ".join(part.text if isinstance(part, TextPart) else f"[{part.media_type}]" for part in turn.prompt)


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
