"""`outlay ci --base REF -- COMMAND`: run a command at two revisions and compare what its model calls took."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path

from outlay import semconv
from outlay.ci.measure import Measure, measure
from outlay.ci.report import Comparison, json_text, markdown_text
from outlay.ci.tree import NoRevision, checked_out, name_of, name_of_here, top
from outlay.optimizations.evaluation import Evaluation

EXIT_WRONG, EXIT_OVER = 1, 3
BY = {"feature": semconv.FEATURE, "model": semconv.REQUEST_MODEL}
OPTIONS = ("--base", "--by", "--max-increase", "--results", "--save")
DESCRIPTION = """\
Runs a command (a test run, an evaluation) as it is in the working tree and as it was at REF, counts the model calls of
both, and prints a table in Markdown for a comment. Calls are metered without a change of the code, as by `outlay run`;
they go to this command instead of a server, so leave the endpoint to the environment."""
EPILOG = """\
REF may also be a file that --save wrote at an earlier run: then the command runs once.
Exit code 3: the cost rises by more than the limit, or an evaluation is worse; 1: the command fails here."""


def main(arguments: Sequence[str]) -> None:
    """Compare, print, and leave with the code that says what was found."""
    parser = _parser()
    given = parser.parse_args(_before(arguments))
    command = [*_after(arguments)]
    if not command:
        parser.error("there is no command: outlay ci --base main -- python evals.py")
    try:
        found = _compare(given, command)
    except (NoRevision, OSError, ValueError) as wrong:
        print(f"outlay ci: {wrong}", file=sys.stderr)
        sys.exit(EXIT_WRONG)
    print((json_text if given.json else markdown_text)(found), end="")
    if found.head.exit_code:
        print(f"outlay ci: the command failed with exit code {found.head.exit_code}", file=sys.stderr)
        sys.exit(EXIT_WRONG)
    if not (found.head.all.calls or found.base.all.calls):
        print("outlay ci: no model call was seen; the code must leave the endpoint to the environment", file=sys.stderr)
    sys.exit(EXIT_OVER if found.is_over else 0)


def _compare(given: argparse.Namespace, command: list[str]) -> Comparison:
    """Run the command, here last: what it installs or writes stays as it is here.

    Raises:
        NoRevision: If git has no such revision.
        ValueError: If a file that is named holds something else.
    """
    root = top()
    folder = Path.cwd()
    kept = Path(given.base)
    earlier: Evaluation | None = None
    if kept.is_file():
        base = _read(kept)
    else:
        name = name_of(given.base)
        with checked_out(given.base) as place:
            where = place / folder.resolve().relative_to(root.resolve())
            there = where if where.is_dir() else place
            base = measure(command, there, place, name, BY[given.by])
            if given.results and (there / given.results).is_file():
                earlier = Evaluation.load(there / given.results)
    if given.results:
        Path(given.results).unlink(missing_ok=True)  # or the evaluation would go on where an earlier one stopped
    head = measure(command, folder, root, name_of_here(), BY[given.by])
    if given.save:
        Path(given.save).write_text(json.dumps(head.as_json()) + "\n", encoding="utf-8")
    found = Comparison(base, head, given.by, given.max_increase)
    if earlier is not None and Path(given.results).is_file():
        found = replace(found, scores=Evaluation.load(given.results).compared_with(earlier))
    return found


def _read(path: Path) -> Measure:
    try:
        return Measure.of_json(json.loads(path.read_text(encoding="utf-8")))
    except (AttributeError, KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise ValueError(f"{path} was not written by outlay ci --save ({error!r})") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "outlay ci",
        usage="outlay ci --base REF [options] -- COMMAND [ARGUMENT ...]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--base", metavar="REF", required=True, help="revision to compare with, as git names it")
    parser.add_argument("--by", choices=list(BY), default="feature", help="what the rows are; default feature")
    parser.add_argument(
        "--max-increase",
        metavar="PERCENT",
        type=_percent,
        default=Decimal(10),
        help="largest increase of the cost that is allowed, or none; default 10",
    )
    parser.add_argument(
        "--results", metavar="FILE", help="file that evaluate(results=FILE) writes: its scores are compared, too"
    )
    parser.add_argument("--save", metavar="FILE", help="keep what was measured here, as a later --base")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _percent(text: str) -> Decimal | None:
    if text == "none":
        return None
    with contextlib.suppress(InvalidOperation):
        found = Decimal(text.removesuffix("%").strip())
        if found.is_finite() and found >= 0:
            return found
    raise argparse.ArgumentTypeError(f"expected a percentage of at least 0, or none, not {text!r}")


def _before(arguments: Sequence[str]) -> list[str]:
    """The options; whoever asks for help need not name a command."""
    words = list(arguments)
    return words[: words.index("--")] if "--" in words else words


def _after(arguments: Sequence[str]) -> Iterator[str]:
    words = list(arguments)
    if "--" in words:
        yield from words[words.index("--") + 1 :]
