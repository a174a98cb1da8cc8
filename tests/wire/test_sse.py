"""The reader of event streams, by itself."""

from __future__ import annotations

import pytest

from playhead import DecodeError
from playhead.wire import _sse
from playhead.wire._sse import SSEDecoder


def test_the_bound_is_on_one_event_and_not_on_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sse, "MAX_EVENT", 50)
    decoder = SSEDecoder()
    for _ in range(20):
        assert decoder.feed(b": keep-alive\n\n") == []
        assert decoder.feed(b": keep") == []
        assert decoder.feed(b"-alive\n\n") == []
    assert decoder.feed(b"data: x\n\n") == [(b"message", b"x")]


def test_an_event_beyond_the_bound_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sse, "MAX_EVENT", 50)
    decoder = SSEDecoder()
    with pytest.raises(DecodeError, match="longer than 50 bytes"):
        for _ in range(20):
            decoder.feed(b"data: xxxx")
