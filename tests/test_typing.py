"""User code passes mypy in strict mode, and what is wrong in it is found. (`make check` has pyright look, too.)"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = ROOT / "tests" / "typing"
_EXPECTED = re.compile(r"  # type: ignore\[([\w, -]+)\]$", re.MULTILINE)


@pytest.mark.parametrize("folder", [CODE, ROOT / "examples"], ids=lambda path: path.name)
def test_user_code_passes_mypy_in_strict_mode(folder: Path, tmp_path: Path) -> None:
    """An expected error that is none any more is an unused comment, which the strict mode refuses."""
    code, said = mypy(folder, tmp_path)
    assert code == 0, said


def test_every_wrong_use_is_found_and_nothing_else(tmp_path: Path) -> None:
    copy = tmp_path / "typing"
    shutil.copytree(CODE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    expected: set[tuple[str, int, str]] = set()
    for path in copy.glob("*.py"):
        for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if wrong := _EXPECTED.search(line):
                expected |= {(path.name, n, kind) for kind in wrong[1].split(", ")}
        path.write_text(_EXPECTED.sub("", path.read_text(encoding="utf-8")), encoding="utf-8")
    assert expected
    _, said = mypy(copy, tmp_path)
    found = re.findall(r"^.*?(\w+\.py):(\d+): error: .*\[([\w-]+)\]$", said, re.MULTILINE)
    assert {(name, int(line), kind) for name, line, kind in found} == expected


def mypy(folder: Path, cache: Path) -> tuple[int, str]:
    """The exit code and the words of mypy about a folder, as a user runs it: with no settings but `--strict`."""
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={cache / 'cache'}"]
    files = sorted(str(path) for path in folder.glob("*.py"))
    done = subprocess.run([*command, *files], cwd=cache, capture_output=True, text=True, timeout=240, check=False)
    return done.returncode, done.stdout + done.stderr
