"""Where Bedrock's operations are served: the model stands in the path, and so does whether the answer is streamed."""

from __future__ import annotations

import re
from urllib.parse import unquote

from ..errors import DecodeError

_PATH = re.compile(r"/model/(.+)/(invoke|invoke-with-response-stream|converse|converse-stream)/?$")


def read_path(path: str) -> tuple[str, bool]:
    """The model, and whether the answer is to be streamed.

    Args:
        path: of the URL, as it stands there, such as `/model/amazon.nova-lite-v1%3A0/converse`.

    Raises:
        DecodeError: the path is none of Bedrock's.
    """
    found = _PATH.search(path.partition("?")[0])
    if found is None:
        raise DecodeError(
            f"the path of a request to Bedrock should be /model/MODEL/converse, /converse-stream, /invoke or "
            f"/invoke-with-response-stream, but is {path[:200]!r}"
        )
    return unquote(found[1]), found[2].endswith("-stream")
