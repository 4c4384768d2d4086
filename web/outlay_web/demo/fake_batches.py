"""Batches of the fake provider: what their status and their results look like at each provider.

One `Batch` is served in all formats; the path of the request decides which:

    provider.batches["b1"] = Batch({"a": Answer(input_tokens=900)})
    openai.OpenAI(...).files.content("b1-output")
    anthropic.Anthropic(...).messages.batches.results("b1")
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from outlay_web.demo import formats
from outlay_web.demo.formats import Answer, Json


@dataclass(frozen=True, slots=True)
class Batch:
    """A finished batch.

    Attributes:
        answers: Answer by custom id; a status of 400 and above is a request that failed.
        created_s: When it was created, in seconds since 1970; the answers were created a minute later.
        endpoint: What each request asked for: /v1/chat/completions, /v1/responses, /v1/embeddings.
        model: Model of answers that name none.
    """

    answers: Mapping[str, Answer] = field(default_factory=dict)
    created_s: int = 1767225600
    endpoint: str = "/v1/chat/completions"
    model: str = "fake-1"

    def named(self, identity: str) -> list[tuple[str, Answer]]:
        """The answers with the gaps filled, the same ones each time."""
        return [
            (
                custom_id,
                replace(
                    answer,
                    model=answer.model or self.model,
                    response_id=answer.response_id or f"resp-{identity}-{custom_id}",
                    service_tier="batch",
                ),
            )
            for custom_id, answer in self.answers.items()
        ]


def serve(batches: Mapping[str, Batch], path: str, url: str) -> Json | bytes | None:
    """The answer to a GET: an object, the bytes of a results file, or None where no batch is meant."""
    for pattern, make in _PATHS:
        match = re.search(pattern, path)
        if match is not None and match[1] in batches:
            return make(match[1], batches[match[1]], url)
    return None


def _status(identity: str, batch: Batch, url: str) -> Json:
    """OpenAI and Google share a path."""
    return (_gemini if batch.model.startswith("gemini") else _openai)(identity, batch, url)


def _openai(identity: str, batch: Batch, url: str) -> Json:
    counts = {"total": len(batch.answers), "completed": len(batch.answers), "failed": 0}
    return {
        "id": identity,
        "object": "batch",
        "endpoint": batch.endpoint,
        "input_file_id": f"{identity}-input",
        "completion_window": "24h",
        "status": "completed",
        "created_at": batch.created_s,
        "output_file_id": f"{identity}-output",
        "error_file_id": None,
        "request_counts": counts,
    }


def _mistral(identity: str, batch: Batch, url: str) -> Json:
    count = len(batch.answers)
    counts = {"total_requests": count, "completed_requests": count, "succeeded_requests": count, "failed_requests": 0}
    return {
        "id": identity,
        "object": "batch",
        "input_files": [f"{identity}-input"],
        "endpoint": batch.endpoint,
        "model": batch.model,
        "output_file": f"{identity}-output",
        "status": "SUCCESS",
        "created_at": batch.created_s,
        "errors": [],
        **counts,
    }


def _openai_lines(identity: str, batch: Batch, url: str) -> bytes:
    lines = []
    for custom_id, answer in batch.named(identity):
        if answer.status >= 400:
            body: Json = {"error": {"message": answer.error, "type": answer.error, "code": answer.error}}
        elif batch.endpoint.endswith("/embeddings"):
            body = formats.openai_embeddings(answer, 1, "base64")
        elif batch.endpoint.endswith("/responses"):
            body = {**formats.openai_response(answer), "created_at": batch.created_s + 60}
        else:
            body = {**formats.openai_chat(answer), "created": batch.created_s + 60}
        response = {"status_code": answer.status, "request_id": f"req-{custom_id}", "body": body}
        lines.append({"id": f"batch_req_{custom_id}", "custom_id": custom_id, "response": response, "error": None})
    return _jsonl(lines)


def _anthropic(identity: str, batch: Batch, url: str) -> Json:
    created = datetime.fromtimestamp(batch.created_s, UTC).isoformat()
    return {
        "id": identity,
        "type": "message_batch",
        "processing_status": "ended",
        "request_counts": {"processing": 0, "succeeded": len(batch.answers), "errored": 0, "canceled": 0, "expired": 0},
        "created_at": created,
        "ended_at": created,
        "expires_at": created,
        "archived_at": None,
        "cancel_initiated_at": None,
        "results_url": f"{url}/v1/messages/batches/{identity}/results",
    }


def _anthropic_lines(identity: str, batch: Batch, url: str) -> bytes:
    lines = []
    for custom_id, answer in batch.named(identity):
        if answer.status >= 400:
            error = {"type": "error", "error": {"type": answer.error, "message": answer.error}}
            result: Json = {"type": "errored", "error": error}
        else:
            result = {"type": "succeeded", "message": formats.anthropic_message(answer)}
        lines.append({"custom_id": custom_id, "result": result})
    return _jsonl([*lines, {"custom_id": "too-late", "result": {"type": "expired"}}])


def _gemini(identity: str, batch: Batch, url: str) -> Json:
    created = datetime.fromtimestamp(batch.created_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")
    entries = [
        {"response": formats.gemini_content(answer), "metadata": {"key": custom_id}}
        for custom_id, answer in batch.named(identity)
    ]
    output = {"inlinedResponses": {"inlinedResponses": entries}, "responsesFile": f"files/{identity}-output"}
    about = {"createTime": created, "state": "BATCH_STATE_SUCCEEDED"}
    metadata = {"name": f"batches/{identity}", "model": f"models/{batch.model}", "output": output, **about}
    return {"name": f"batches/{identity}", "metadata": metadata, "done": True, "response": output}


def _gemini_lines(identity: str, batch: Batch, url: str) -> bytes:
    return _jsonl(
        [{"key": custom_id, "response": formats.gemini_content(answer)} for custom_id, answer in batch.named(identity)]
    )


def _jsonl(lines: list[Json]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


_PATHS = (
    (r"/messages/batches/([^/]+)/results$", _anthropic_lines),
    (r"/messages/batches/([^/]+)$", _anthropic),
    (r"/files/([^/]+)-output:download$", _gemini_lines),
    (r"/batch/jobs/([^/]+)$", _mistral),
    (r"/batches/([^/]+)$", _status),
    (r"/files/([^/]+)-output/content$", _openai_lines),
)
