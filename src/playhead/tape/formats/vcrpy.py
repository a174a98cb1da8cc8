"""
The cassettes of VCR.py, version 1, in YAML and in JSON, so that Python tests and Playhead share recordings.

    interactions:
    - request: {body, headers, method, uri}
      response: {body: {string}, headers, status: {code, message}}
      playhead: {lane, chunks, times, ...}    what VCR.py has no field for, where there is something to say
    playhead:
      meta: {...}                             the tape's
      tools: [{at, lane, ...}]                tool executions; `at` is the place among all effects
      readings: [{at, lane, ...}]             what was read from outside of the run, likewise
      unanswered: [{request, playhead: {at}}] interactions without a response, which VCR.py could not play
    version: 1

VCR.py passes over keys beside those that it knows, but not inside a request. What a cassette holds beside them is in
`Interaction.foreign["vcrpy"]` and `Tape.meta["vcrpy"]`, and written back; what other formats left in `foreign` stands
under `playhead`.

A tape's chunks are decoded from content encodings. A body that is compressed in the cassette is read decoded, and
written as VCR.py's `decode_compressed_response` does: without the headers that would be wrong. They are remembered
under `playhead`, so that the tape is the same when it is read again.
"""

from __future__ import annotations

from ._format import Format
from ._vcrpy_fields import JSON, YAML
from ._vcrpy_reading import load, load_json
from ._vcrpy_recognising import recognises
from ._vcrpy_writing import beside, beside_json, dump, dump_json

__all__ = ["FORMAT", "JSON_FORMAT", "dump", "dump_json", "load", "load_json", "recognises"]

FORMAT = Format(YAML.name, (), load, dump, beside)
JSON_FORMAT = Format(JSON.name, (), load_json, dump_json, beside_json)
