"""What is said of a route beside what follows from its parameters and body."""

from __future__ import annotations

from dataclasses import dataclass

from outlay_web.api.schema.shapes import Schema


@dataclass(frozen=True)
class Answer:
    """A route's answer.

    Attributes:
        schema: Of its JSON, None where it has no body.
        files: Media types of a file that it is instead.
        errors: Statuses of its own, beside those that every route has (see `document.errors_of`).
    """

    schema: Schema | None
    errors: tuple[int, ...] = ()
    files: tuple[str, ...] = ()


Answers = dict[str, Answer]  # by method and path: `GET /spend`
