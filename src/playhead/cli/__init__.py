"""The command line. Exit codes: 0 done, 1 the run failed, 2 usage, 3 calls wait for approval, 130 interrupted."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

__all__ = ["main"]

_IN_DOUBT = (
    "On the command line: playhead run ... --in-doubt skip=TEXT, with its result, or --in-doubt rerun, "
    "which runs it again."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: the arguments, those of the process where they are left out.

    Returns:
        The exit code.
    """
    from ..errors import PlayheadError, ToolInDoubt
    from ._arguments import parser
    from ._console import Console

    args = parser().parse_args(argv)
    console = Console()
    try:
        code = args.command(args, console)
        sys.stdout.flush()
    except PlayheadError as error:
        more = [_IN_DOUBT] if isinstance(error, ToolInDoubt) else []
        console.fail(str(error), [*getattr(error, "__notes__", ()), *more])
        return 1
    except KeyboardInterrupt:
        console.fail("interrupted")
        return 130
    except BrokenPipeError:
        _write_no_more()  # Whoever read the output has seen enough.
        return 1
    except OSError as error:
        if error.filename is None:
            _write_no_more()
        where = "the output" if error.filename is None else repr(os.fsdecode(error.filename))
        console.fail(f"{where} cannot be written: {error.strerror}")
        return 1
    return int(code)


def _write_no_more() -> None:
    """Python would complain once more when it flushes the output at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
