"""The stand-in that the examples' tapes were recorded from: a server on this machine that answers from a script.

    python examples/stand_in.py

It speaks chat completions over real HTTP, word by word and with pauses, and there is no model behind it: what each
example's model says stands below, and its counts of tokens and dollars are made up. To record an example anew, start
this in one terminal, delete the example's tape, and run it in another. To ask a real model, name one in the example.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence

import msgspec

import playhead as ph
from playhead.http import Request, Response
from playhead.messages import ModelRequest
from playhead.serve.http import Abort, ThreadedServer
from playhead.testing import Answer, Cut, Refusal, Script, answer, calls, cut, refusal

PORT = 8040
WORD_S = 0.02
DOLLARS_PER_TOKEN_IN, DOLLARS_PER_TOKEN_OUT = 0.6e-6, 2.5e-6

Said = str | Answer | Cut | Refusal
Lines = Sequence[Said] | Callable[[ModelRequest, int], Said]
"""What a model says: one answer for each turn; or a function of the request and of how often it was asked before."""


def busy(asked: ModelRequest, before: int) -> Said:
    """Says no, then breaks off."""
    if before % 2 == 0:
        return refusal(429, "Too many requests. Come back soon.", retry_after=0.1)
    return cut("The tide is high at six in the mor", after=7)


def researcher(asked: ModelRequest, before: int) -> Said:
    """Knows a few rivers."""
    known = {
        "Amazon": "The Amazon is about 6,400 km long, and carries more water than any other river.",
        "Danube": "The Danube is 2,850 km long, and flows through ten countries.",
        "Nile": "The Nile is about 6,650 km long, and flows north.",
    }
    prompt = asked.messages[-1].text
    return next((fact for river, fact in known.items() if river in prompt), "I do not know that river.")


def talker(asked: ModelRequest, before: int) -> Said:
    """A talk about a trip."""
    prompt = asked.messages[-1].text
    if prompt.startswith("Sum up"):
        return "Ana plans three days in Recife in March. She likes old houses and fish, and flies late."
    if "hello" in prompt.lower():
        return "Hello Ana! Three days in Recife in March: the sea is warm, and it rains a little. What do you like?"
    if "fish" in prompt:
        return "Then walk through the old town of Olinda, and eat at the market of São José. When do you want to fly?"
    if "where" in prompt.lower():
        return "To Recife, for three days in March: Olinda's old houses, and fish at the market of São José."
    return "Noted: no flight before ten. I would take the one at 11:20."


STORY = """\
Once upon a time a lighthouse keeper counted the ships that passed. One night he counted one that was not there. The
next night there were two of them, and nobody on shore would believe a word of it."""

MODELS: dict[str, Lines] = {
    "cook": [
        '{"name": "Green soup", "minutes": "a quarter of an hour", "ingredients": ["kale", "potatoes", "garlic"]}',
        '{"name": "Green soup", "minutes": 15, "ingredients": ["kale", "potatoes", "garlic", "olive oil"]}',
    ],
    "planner": [calls(("find_trains", {"to": "Porto"}))],
    "planner-small": [
        "",
        calls(("book", {"train": "IC 523"})),
    ],
    "forecaster": [
        calls(
            ("download", {"days": 3}),
            ("archive", {"year": 1924}),
            ("forcast", {"city": "Recife"}),
            ("draw", "```json\n{'high': [31, 30, 29,],}\n```"),
        ),
        "Recife stays warm: 31, 30 and 29 degrees, as the chart shows. The archive did not answer in time.",
    ],
    "builder": [
        calls(("build", {"branch": "main"}), ("count_lines", {"branch": "main"})),
        "There are 51,000 lines. The build is still under way.",
        "The build of main is done: 1,204 files in 31 folders.",
    ],
    "clerk": lambda asked, before: answer("One more page.", calls=[("read_page", {"number": _turn(asked) + 1})]),
    "busy": busy,
    "steady": ["High water is at 6:12 in the morning and at 18:40 in the evening."],
    "storyteller": [
        STORY,
        "A keeper counted ships that were not there. In the end one of them took him along.",
    ],
    "janitor": [
        answer(
            "Two files can go.",
            calls=[
                ("delete", {"path": "build/old.log"}),
                ("delete", {"path": "thesis.tex"}),
                ("size", {"path": "build"}),
            ],
        ),
        "The old log is deleted. The thesis stays, as you wish. The build folder has 48 MB.",
    ],
    "editor": [
        calls(
            ("researcher", {"prompt": "How long is the Nile?"}),
            ("researcher", {"prompt": "How long is the Danube?"}),
        ),
        "The Nile is more than twice as long as the Danube: about 6,650 km against 2,850 km.",
    ],
    "researcher": researcher,
    "front-desk": [calls("transfer_to_billing")],
    "billing": [
        "",
        calls(("find_invoice", {"customer": "Ana"})),
        "Your last invoice is number 1017: 42 euros, paid on 3 March.",
    ],
    "talker": talker,
    "shopkeeper": [
        calls(("shop_stock", {"item": "tea"}), ("shop_price", {"item": "tea", "grams": 250})),
        "We have 12 bags of tea. 250 g are 7.50 euros.",
    ],
    "watched": [
        answer("Let me look.", calls=[("look_up", {"word": "playhead"})], reasoning="A word that I can look up."),
        "A playhead is the part of a recorder that reads what is on the tape.",
    ],
}


def _turn(asked: ModelRequest) -> int:
    return sum(message.role == "assistant" for message in asked.messages)


class StandIn:
    """Answers for all models. It keeps how often each was asked."""

    def __init__(self) -> None:
        self._asked: Counter[str] = Counter()

    async def answer(self, request: Request) -> Response:
        """Answer a request over HTTP."""
        response = await Script(self._say).send(request)
        noted = response.with_stream(_slowly(response))
        noted.headers = (*noted.headers, ("playhead-recorded", _note(request.body)))
        return noted

    def _say(self, asked: ModelRequest) -> Said:
        lines, before = MODELS.get(asked.model), self._asked[asked.model]
        self._asked[asked.model] += 1
        if lines is None:
            return refusal(404, f"The stand-in has no model {asked.model!r}.")
        if callable(lines):
            said = lines(asked, before)
        elif _turn(asked) < len(lines):
            said = lines[_turn(asked)]
        else:
            return refusal(400, f"The script of {asked.model!r} ends after {len(lines)} answers.")
        return _counted(answer(said) if isinstance(said, str) else said, asked)


def _counted(said: Answer | Cut | Refusal, asked: ModelRequest) -> Answer | Cut | Refusal:
    """An answer with the tokens that it might have taken, and what they might have cost."""
    if not isinstance(said, Answer):
        return said
    words = len(msgspec.json.encode(asked.messages)) + len(msgspec.json.encode(asked.tools))
    tokens_in, tokens_out = words // 4, max(1, len(msgspec.json.encode(said.response.message)) // 5)
    cost = round(tokens_in * DOLLARS_PER_TOKEN_IN + tokens_out * DOLLARS_PER_TOKEN_OUT, 8)
    counted = msgspec.structs.replace(said.response, usage=ph.Usage(tokens_in, tokens_out), cost=cost)
    return msgspec.structs.replace(said, response=counted)


def _note(body: bytes) -> str:
    return f"stand-in {json.loads(body)['model']}; no model: answers from a script, with made-up counts"


async def _slowly(response: Response) -> AsyncIterator[bytes]:
    try:
        async for piece in response:
            yield piece
            await asyncio.sleep(WORD_S)
    except ph.TransportError as error:
        raise Abort from error


def server() -> ThreadedServer:
    """The server, to be entered: `with server(): ...`."""
    return ThreadedServer(StandIn().answer, port=PORT)


if __name__ == "__main__":
    with server() as running:
        print(f"{running.url}/v1 answers until Ctrl-C")
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            pass
