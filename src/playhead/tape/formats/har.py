"""
HAR 1.2, the HTTP Archive that browsers and proxies export: http://www.softwareishard.com/blog/har-12-spec/

An entry is an interaction. Each field of it is one of ours, or follows from ours (`queryString`, `redirectURL`,
`bodySize`), or else it is kept and written back: an entry's under `har` in `Interaction.foreign`, the log's (`pages`,
`browser`, `creator`) under `har` in `Tape.meta`. Only what differs is kept, so that no header and no body is kept
twice.

What HAR has no field for stands under names that begin with an underscore, as the specification allows. They are
there only where reading the file without them would give something else:

    log._playhead             {meta, tools: [{at, lane, ...}]}      `at` is the place among all effects;
                              readings: [{at, lane, ...}]
    entries[]._playhead       {lane, chunks, times, ...}            `chunks` are lengths in bytes
    entries[].response._error the transport's error, as Chrome writes it
    postData._encoding        "base64", where the request's body is not UTF-8

A time is whole microseconds in HAR's `startedDateTime`, and milliseconds elsewhere.
"""

from __future__ import annotations

from ._format import Format
from ._har_reading import load
from ._har_writing import beside, dump

__all__ = ["FORMAT", "dump", "load"]

FORMAT = Format("har", (".har",), load, dump, beside)
