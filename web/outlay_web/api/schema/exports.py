"""Answers of the routes in `api/exports.py`: files."""

from __future__ import annotations

from outlay_web.api.schema.answer import Answer, Answers

FILES = ("text/csv", "application/vnd.apache.parquet")
ANSWERS: Answers = {
    "GET /export/focus": Answer(None, files=FILES),
    "GET /export/calls": Answer(None, files=FILES),
    "GET /export/prices": Answer(None, files=FILES),
}
