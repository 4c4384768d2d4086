"""The fake provider over HTTP: a request is read, its path decides the format, its answer is written or broken off."""

from __future__ import annotations

import json
import re
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from outlay_web.demo import fake_batches, formats
from outlay_web.demo.formats import Answer

if TYPE_CHECKING:
    from outlay_web.demo.fake_provider import FakeProvider


@dataclass(frozen=True, slots=True)
class Request:
    """One request that arrived."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    provider: FakeProvider

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the play."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        provider = self.server.provider
        *_, kind, identity = urlsplit(self.path).path.split("/")
        answer = provider.waiting.get(identity, Answer(response_id=identity))
        if kind == "videos":
            self._json(formats.openai_video(answer, "failed" if answer.finish == "content_filter" else "completed"))
            return
        if kind in ("responses", "interactions"):
            write = formats.gemini_interaction if kind == "interactions" else formats.openai_response
            self._json({**write(answer), "background": True})
            return
        found = fake_batches.serve(provider.batches, urlsplit(self.path).path, provider.url)
        if isinstance(found, bytes):
            size = max(len(found) // 7, 1)  # pieces that end anywhere
            pieces = (found[at : at + size] for at in range(0, len(found), size))
            self._stream(pieces, Answer(), "application/octet-stream")
        else:
            self._json(found or {"object": "list", "data": []})

    def do_POST(self) -> None:
        raw = self._read()
        path = urlsplit(self.path).path.rstrip("/")
        body = _parse(raw, self.headers.get("content-type") or "")
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(path, headers, body)
        answer = self.server.provider.answer_to(request, _model(path, body))
        if answer.delay_s:
            time.sleep(answer.delay_s)
        if answer.status >= 400:
            self._error(path, answer)
            return
        self._answer(path, body, answer)

    def _answer(self, path: str, body: dict[str, Any], answer: Answer) -> None:
        stream = body.get("stream") is True
        last = path.rsplit("/", 1)[-1]
        if body.get("background") is True:
            self.server.provider.waiting[answer.response_id] = answer
            if last == "responses":
                self._json(formats.openai_response(answer, "queued", background=True), answer)
            else:
                self._json(formats.gemini_interaction(answer, "in_progress"), answer)
            return
        if path.endswith(("/videos", "/remix")):
            self.server.provider.waiting[answer.response_id] = answer
            self._json(formats.openai_video(answer, "queued"), answer)
        elif path.endswith("/chat/completions"):
            if stream:
                include = bool((body.get("stream_options") or {}).get("include_usage"))
                self._stream(formats.sse(formats.openai_chat_events(answer, include)), answer)
            else:
                self._json(formats.openai_chat(answer), answer)
        elif path.endswith("/completions"):
            self._json(formats.openai_completion(answer), answer)
        elif path.endswith("/responses"):
            if stream:
                self._stream(formats.sse(formats.openai_response_events(answer), names=True), answer)
            else:
                self._json(formats.openai_response(answer), answer)
        elif "/images/" in path:
            if stream:
                self._stream(formats.sse(formats.openai_image_events(answer), names=True), answer)
            else:
                self._json(formats.openai_image(answer), answer)
        elif path.endswith(("/audio/transcriptions", "/audio/translations")):
            if stream:
                self._stream(formats.sse(formats.openai_transcription_events(answer)), answer)
            else:
                self._json(formats.openai_transcription(answer), answer)
        elif path.endswith("/audio/speech"):
            self._stream(iter([b"ID3" + bytes(2000)]), answer, "audio/mpeg")
        elif path.endswith("/embeddings") and "/api/" not in path:
            given = body.get("input")
            count, encoding = len(given) if isinstance(given, list) else 1, str(body.get("encoding_format"))
            self._json(formats.openai_embeddings(answer, count, encoding), answer)
        elif path.endswith("/messages") or last.lower().endswith("rawpredict"):
            if stream:
                self._stream(formats.sse(formats.anthropic_events(answer), names=True), answer)
            else:
                self._json(formats.anthropic_message(answer), answer)
        elif last.endswith(":generateContent"):
            self._json(formats.gemini_content(answer), answer)
        elif last.endswith(":streamGenerateContent"):
            if "alt=sse" in urlsplit(self.path).query:
                self._stream(formats.sse(formats.gemini_events(answer)), answer)
            else:
                self._stream(formats.json_array(formats.gemini_events(answer)), answer, "application/json")
        elif last == "interactions":
            if stream:
                self._stream(formats.sse(formats.gemini_interaction_events(answer), names=True), answer)
            else:
                self._json(formats.gemini_interaction(answer), answer)
        elif "/conversations" in path:
            if stream:
                self._stream(formats.sse(formats.mistral_conversation_events(answer), names=True), answer)
            else:
                self._json(formats.mistral_conversation(answer), answer)
        elif last == "decisions":
            self._json(formats.openai_decision(answer), answer)
        elif last.endswith((":embedContent", ":batchEmbedContents")):
            vector = {"values": [0.5] * answer.vectors}
            count = max(len(body.get("requests") or []), 1)
            self._json({"embeddings": [vector] * count} if "batch" in last else {"embedding": vector}, answer)
        elif last == "converse":
            self._json(formats.converse(answer), answer)
        elif last == "converse-stream":
            self._stream(formats.converse_events(answer), answer, "application/vnd.amazon.eventstream")
        elif last == "invoke":
            usage = formats.converse_usage(answer)
            headers = {
                "x-amzn-bedrock-input-token-count": str(usage["inputTokens"]),
                "x-amzn-bedrock-output-token-count": str(usage["outputTokens"]),
            }
            self._json(formats.anthropic_message(answer), replace(answer, headers={**headers, **answer.headers}))
        elif last == "invoke-with-response-stream":
            self._stream(formats.invoke_events(answer), answer, "application/vnd.amazon.eventstream")
        elif path.endswith("/v2/chat"):
            if stream:
                self._stream(formats.sse(formats.cohere_events(answer), names=True), answer)
            else:
                self._json(formats.cohere_chat(answer), answer)
        elif path.endswith(("/v1/embed", "/v2/embed")):
            billed = {"billed_units": {"input_tokens": answer.input_tokens}}
            vectors = {"float": [[0.5] * answer.vectors]}
            self._json({"id": answer.response_id, "embeddings": vectors, "texts": ["x"], "meta": billed}, answer)
        elif path.endswith(("/api/chat", "/api/generate")):
            stream = body.get("stream") is not False
            lines = formats.ollama_lines(answer, stream, last == "generate")
            if stream:
                self._stream((json.dumps(line).encode() + b"\n" for line in lines), answer, "application/x-ndjson")
            else:
                self._json(next(iter(lines)), answer)
        elif path.endswith("/api/embed"):
            counts = {"prompt_eval_count": answer.input_tokens}
            self._json({"model": answer.model, "embeddings": [[0.5] * answer.vectors], **counts}, answer)
        else:
            self._json(
                {"error": {"message": f"no such path: {path}", "type": "not_found"}}, replace(answer, status=404)
            )

    def _error(self, path: str, answer: Answer) -> None:
        error: dict[str, Any] = {"type": answer.error, "message": f"the fake provider says {answer.error}"}
        if path.endswith("/messages"):
            self._json({"type": "error", "error": error, "request_id": "req_1"}, answer)
        elif ":" in path.rsplit("/", 1)[-1]:
            self._json({"error": {**error, "code": answer.status, "status": answer.error}}, answer)
        elif "/model/" in path:
            self._json(error, replace(answer, headers={"x-amzn-errortype": answer.error, **answer.headers}))
        elif path.startswith(("/api/", "/v2/")):
            self._json({"error": error["message"], "message": error["message"]}, answer)
        else:
            self._json({"error": {**error, "code": answer.error, "param": None}}, answer)

    def _json(self, body: dict[str, Any], answer: Answer | None = None) -> None:
        raw = json.dumps(body).encode()
        self.send_response(answer.status if answer else 200)
        headers = {"content-type": "application/json", "content-length": str(len(raw))}
        for name, value in {**headers, **(answer.headers if answer else {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def _stream(self, pieces: Iterable[bytes], answer: Answer, content_type: str = "text/event-stream") -> None:
        self.send_response(answer.status)
        for name, value in {"content-type": content_type, "transfer-encoding": "chunked", **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            for number, piece in enumerate(pieces):
                if number == answer.cut_after:
                    self._hang_up()
                    return
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                self.wfile.flush()
                if answer.chunk_delay_s:
                    time.sleep(answer.chunk_delay_s)
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True

    def _hang_up(self) -> None:
        """Reset the connection in the middle of the answer."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _read(self) -> bytes:
        if "chunked" in (self.headers.get("transfer-encoding") or ""):
            return b"".join(self._chunks())
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()


def _parse(raw: bytes, content_type: str) -> dict[str, Any]:
    if "multipart" in content_type:
        return {"stream": True} if re.search(rb'name="stream"\r\n\r\ntrue', raw) else {}
    try:
        body = json.loads(raw or b"{}")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _model(path: str, body: dict[str, Any]) -> str:
    """The model asked for, in the body or in the path."""
    if isinstance(body.get("model"), str):
        return str(body["model"])
    parts = path.split("/")
    for name in ("models", "model", "deployments"):
        if name in parts[:-1]:
            return unquote(parts[parts.index(name) + 1].partition(":")[0])
    return "fake-1"
