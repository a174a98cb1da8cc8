"""The in-memory transport."""

import asyncio

import pytest

from playhead.errors import TransportError
from playhead.http import Request, Response
from playhead.transport.memory import MemoryTransport, respond

REQUEST = Request("POST", "https://model.test/v1", (("x-a", "1"),), b"hello")


async def pieces_of(response: Response) -> list[bytes]:
    return [piece async for piece in response]


def test_a_function_answers_and_the_requests_are_noted():
    transport = MemoryTransport(lambda request: respond(201, request.body.upper(), (("x-b", "2"),), reason="Made"))

    async def main():
        response = await transport.send(REQUEST)
        return response, await response.read()

    response, body = asyncio.run(main())
    assert (response.status, response.reason, response.header("X-B"), body) == (201, "Made", "2", b"HELLO")
    assert transport.requests == [REQUEST]


def test_an_async_function_answers_as_well():
    async def handler(request: Request) -> Response:
        await asyncio.sleep(0)
        return respond(204)

    async def main():
        transport = MemoryTransport(handler)
        response = await transport.send(REQUEST)
        await transport.aclose()
        return response.status, await pieces_of(response)

    assert asyncio.run(main()) == (204, [])


def test_pieces_are_yielded_as_they_were_given():
    assert asyncio.run(pieces_of(respond(body=[b"a", b"", b"bc"]))) == [b"a", b"", b"bc"]


def test_pieces_are_made_only_when_they_are_asked_for():
    made: list[int] = []

    def counting():
        for number in range(3):
            made.append(number)
            yield b"%d" % number

    async def main():
        response = respond(body=counting())
        first = await anext(aiter(response))
        return first, list(made)

    assert asyncio.run(main()) == (b"0", [0])


def test_what_the_handler_raises_reaches_the_caller():
    def refuse(request: Request) -> Response:
        raise TransportError("no network today", kind="connect")

    with pytest.raises(TransportError, match="no network today"):
        asyncio.run(MemoryTransport(refuse).send(REQUEST))


def test_an_iterable_that_raises_cuts_the_stream():
    def cut():
        yield b"half"
        raise TransportError("cut", kind="disconnect")

    async def main():
        pieces = aiter(respond(body=cut()))
        assert await anext(pieces) == b"half"
        with pytest.raises(TransportError, match="cut"):
            await anext(pieces)

    asyncio.run(main())


def test_closing_a_response_twice_calls_close_once():
    closed: list[str] = []

    async def close() -> None:
        closed.append("closed")

    async def main():
        response = respond(body=b"unread", close=close)
        await response.aclose()
        await response.aclose()

    asyncio.run(main())
    assert closed == ["closed"]
