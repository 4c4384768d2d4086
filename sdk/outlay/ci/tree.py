"""Revisions of the repository: what they are called, and one of them as a tree of its own."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class NoRevision(Exception):
    """Git has no such revision, or there is no repository; holds what git says."""


def git(*words: str, at: Path | None = None) -> str:
    """What git prints.

    Raises:
        NoRevision: If it fails, or there is no git.
    """
    try:
        done = subprocess.run(["git", *words], cwd=at, capture_output=True, text=True, check=False)
    except OSError as error:
        raise NoRevision(f"git cannot be run: {error}") from error
    if done.returncode:
        raise NoRevision((done.stderr or done.stdout).strip())
    return done.stdout.strip()


def top() -> Path:
    """Top of the working tree."""
    return Path(git("rev-parse", "--show-toplevel"))


def name_of(revision: str) -> str:
    """A short name that stays: seven digits of the commit, with what was asked for before it."""
    try:
        commit = git("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")[:7]
    except NoRevision as error:
        hint = "in a shallow clone, fetch its history first"
        raise NoRevision(f"{revision!r} is no revision here, and no file ({error}); {hint}") from error
    return commit if commit.startswith(revision) or revision.startswith(commit) else f"{revision} ({commit})"


def name_of_here() -> str:
    """The working tree, with what it is based on."""
    changes = ", with changes" if git("status", "--porcelain", "--untracked-files=no") else ""
    return f"working tree ({git('rev-parse', '--short=7', 'HEAD')}{changes})"


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """A revision in a folder of its own, for the time of the block."""
    with tempfile.TemporaryDirectory(prefix="outlay-ci-") as folder:
        place = Path(folder) / "base"
        git("worktree", "add", "--quiet", "--detach", str(place), revision)
        try:
            yield place
        finally:
            git("worktree", "remove", "--force", str(place))
