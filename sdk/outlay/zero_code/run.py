"""`outlay run [--service NAME] -- COMMAND`: the command as it is, with Outlay in every Python that it starts.

A folder with a `sitecustomize` of ours goes before `PYTHONPATH`; then the command takes this process's place, so its
output, its signals and its exit code are its own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

USAGE = """usage: outlay run [options] [--] COMMAND [ARGUMENT ...]

Runs a command with Outlay in every Python process that it starts: python app.py, gunicorn, uvicorn, celery …
The code stays as it is; features are routes, task names and the functions of OUTLAY_FEATURES.

  --service NAME       name of the service (OUTLAY_SERVICE)
  --environment NAME   prod, staging … (OUTLAY_ENVIRONMENT)
  --endpoint URL       server to send to (OUTLAY_ENDPOINT); default http://localhost:4318
  --features LIST      functions that are features, module:function=feature with commas (OUTLAY_FEATURES)
  -h, --help           this text
"""
OPTIONS = {
    "--service": "OUTLAY_SERVICE",
    "--environment": "OUTLAY_ENVIRONMENT",
    "--endpoint": "OUTLAY_ENDPOINT",
    "--features": "OUTLAY_FEATURES",
}
_PYTHON = re.compile(r"(python|pypy)[0-9.]*(\.exe)?")
SITE = Path(__file__).parent / "site"
EXIT_USAGE, EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND = 2, 126, 127  # the last two as shells have them


class Misused(Exception):
    """The command line cannot be understood; holds what is wrong."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Become the command."""
    try:
        environ, command = read(sys.argv[1:] if arguments is None else arguments)
    except Misused as wrong:
        print(f"outlay run: {wrong}\n\n{USAGE}", end="", file=sys.stderr)
        sys.exit(EXIT_USAGE)
    if not command:
        print(USAGE, end="")
        return
    found = shutil.which(command[0])
    if found is None:
        exists = os.path.exists(command[0])
        print(f"outlay run: {command[0]}: {'not executable' if exists else 'not found'}", file=sys.stderr)
        sys.exit(EXIT_NOT_EXECUTABLE if exists else EXIT_NOT_FOUND)
    if flag := leaves_out(command):
        print(f"outlay run: with {flag} Python does not read what starts Outlay: nothing is metered", file=sys.stderr)
    environ = {**os.environ, **environ}
    if os.name == "nt":
        sys.exit(subprocess.call([found, *command[1:]], env=environ))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.execve(found, command, environ)


def leaves_out(command: Sequence[str]) -> str:
    """The option by which a Python of the command looks neither at PYTHONPATH nor at `sitecustomize`; empty: none."""
    if not _PYTHON.fullmatch(os.path.basename(command[0])):
        return ""
    words = iter(command[1:])
    for word in words:
        if not word.startswith("-") or word.startswith("--"):
            break
        for place, letter in enumerate(word[1:], 2):
            if letter in "IES":
                return f"-{letter}"
            if letter in "cm":
                return ""
            if letter in "WX":  # their value follows
                if place == len(word):
                    next(words, "")
                break
    return ""


def read(arguments: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The variables that are set, and the command; no command where help is asked for.

    Raises:
        Misused: If an option is unknown or lacks its value, or there is no command.
    """
    environ: dict[str, str] = {}
    left = list(arguments)
    while left:
        word = left.pop(0)
        if word in ("-h", "--help"):
            return {}, []
        if word == "--":
            break
        if not word.startswith("-"):
            left.insert(0, word)
            break
        name, equals, value = word.partition("=")
        if name not in OPTIONS:
            raise Misused(f"unknown option {name!r}; allowed are {', '.join(OPTIONS)}, then -- and the command")
        if not equals:
            if not left or left[0] == "--":
                raise Misused(f"{name} needs a value")
            value = left.pop(0)
        environ[OPTIONS[name]] = value
    if not left:
        raise Misused("there is no command")
    if left[0].endswith(".py"):
        left.insert(0, sys.executable)
    paths = [str(SITE), *(path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path)]
    environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    return environ, left


if __name__ == "__main__":
    main()
