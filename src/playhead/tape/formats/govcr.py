"""
The cassettes of go-vcr, versions 1 and 2, so that Go programs and Playhead share recordings.

A cassette is a list of interactions in YAML. Each field of theirs is one of ours, or follows from ours
(`proto_major`, `host`, `content_length`), or else it is kept in `Interaction.foreign` and written back:

    {"request": {"form": {...}}, "response": {"uncompressed": true}, "interaction": {...}}

What go-vcr has no field for stands under keys named `playhead`, which its readers skip. They are there only where
there is something to say:

    version: 2
    playhead:
      meta: {...}                   the tape's
      tools: [{at, lane, ...}]      tool executions; `at` is the place among all effects
      readings: [{at, lane, ...}]   what was read from outside of the run, likewise
    interactions:
    - id: 0
      request: {...}
      response: {...}               left out where no answer came
      playhead: {lane, chunks, times, ...}

Version 1, of go-vcr before 3.0, has fewer fields: `body`, `form`, `headers`, `url` and `method` of a request, `body`,
`headers`, `status`, `code` and `duration` of a response.
"""

from __future__ import annotations

from ._format import Format
from ._govcr_fields import V1, V2
from ._govcr_reading import load
from ._govcr_writing import beside, beside_v1, dump, dump_v1

__all__ = ["FORMAT", "V1_FORMAT", "dump", "dump_v1", "load"]

FORMAT = Format(V2.format, (".yaml", ".yml"), load, dump, beside)
V1_FORMAT = Format(V1.format, (), load, dump_v1, beside_v1)
