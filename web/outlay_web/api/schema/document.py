"""The document at /openapi.json: FastAPI's list of routes and bodies, with every answer and error described.

What follows from a route is not written down again: a `format` parameter means CSV, a `cursor` a link to the next page,
a body its refusals.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from fastapi import FastAPI

from outlay_web.api.schema import (
    experiments,
    exports,
    money,
    prompts,
    quality,
    questions,
    records,
    routing,
    server,
    simulate,
    unit_costs,
    watching,
)
from outlay_web.api.schema.answer import Answer, Answers
from outlay_web.api.schema.parts import PARTS
from outlay_web.api.schema.shapes import Schema, part
from outlay_web.http.auth import COOKIE

ANSWERS: Answers = {
    **questions.ANSWERS,
    **unit_costs.ANSWERS,
    **simulate.ANSWERS,
    **exports.ANSWERS,
    **quality.ANSWERS,
    **experiments.ANSWERS,
    **routing.ANSWERS,
    **prompts.ANSWERS,
    **records.ANSWERS,
    **watching.ANSWERS,
    **money.ANSWERS,
    **server.ANSWERS,
}
ALWAYS = (400, 401, 403, 500, 503)
ERRORS = {
    400: "The question cannot be answered as asked; the message says which part and what is allowed.",
    401: "Keys are on, and no live key was sent.",
    403: "This key may not do this, or the request comes from a page of another site.",
    404: "There is nothing of this name.",
    409: "The books of a month in the window are closed.",
    413: "The body is too large.",
    415: "The body is of no type that is taken.",
    422: "The body does not fit: which field, and why.",
    500: "A fault of the server's; its log says more under the id in the message.",
    503: "Not just now, or the question costs too much.",
}
RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
LINK = {"Link": {"description": 'The next page, rel="next" (RFC 8288).', "schema": {"type": "string"}}}
FILE: Schema = {"type": "string", "format": "binary"}
SCHEMES: dict[str, Any] = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key of `outlay keys`; it decides the project.",
    },
    "basic": {"type": "http", "scheme": "basic", "description": "The key as password, with any name."},
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "What /login gives a person."},
}
UNUSED = ("HTTPValidationError", "ValidationError")


def document(web: FastAPI, prefix: str, *, keys_on: bool) -> dict[str, Any]:
    """OpenAPI 3.1 of the API.

    Args:
        prefix: Path of the API, which `ANSWERS` leave out.
        keys_on: Whether a credential is needed.

    Raises:
        KeyError: For a route that has no description.
    """
    found = deepcopy(web.openapi())
    for method, path, operation in operations(found):
        _describe(operation, ANSWERS[f"{method.upper()} {path.removeprefix(prefix)}"])
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    for name in UNUSED:
        schemas.pop(name, None)
    schemas |= PARTS
    found["components"]["securitySchemes"] = SCHEMES
    found["security"] = [*([] if keys_on else [{}]), *({name: []} for name in SCHEMES)]
    return found


def operations(found: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and operation of each route."""
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def errors_of(operation: dict[str, Any], own: tuple[int, ...]) -> list[int]:
    """Statuses of the errors that a route may answer."""
    body = operation.get("requestBody", {}).get("content", {})
    refused = [413] * bool(body) + [422] * any("$ref" in str(kind.get("schema")) for kind in body.values())
    return sorted({*ALWAYS, *own, *refused})


def _describe(operation: dict[str, Any], answer: Answer) -> None:
    names = {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query"}
    status = next(code for code in operation["responses"] if code.startswith("2"))
    found: dict[str, Any] = {"description": "As asked."}
    if answer.schema is not None:
        found["content"] = {"application/json": {"schema": answer.schema}}
        if "format" in names:
            found["content"]["text/csv"] = {"schema": {"type": "string"}}
    if answer.files:
        found["content"] = {kind: {"schema": FILE} for kind in answer.files}
    if "cursor" in names:
        found["headers"] = LINK
    operation["responses"] = {status: found} | {str(code): _error(code) for code in errors_of(operation, answer.errors)}


def _error(status: int) -> Schema:
    found: Schema = {
        "description": ERRORS[status],
        "content": {"application/json": {"schema": part("Error")}},
    }
    return found | ({"headers": RETRY_AFTER} if status == 503 else {})
