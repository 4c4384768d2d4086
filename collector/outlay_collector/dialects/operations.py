"""What spans say they are, in the words of all conventions: operations, kinds, and the paths of requests."""

from __future__ import annotations

from outlay_collector.dialects.model import AGGREGATE, CALL, PLAIN, Kind

OPERATIONS: dict[str, tuple[str, str]] = {
    "chat": (CALL, "chat"),
    "text_completion": (CALL, "text_completion"),
    "completion": (CALL, "text_completion"),
    "completions": (CALL, "text_completion"),
    "generate_content": (CALL, "generate_content"),
    "responses": (CALL, "chat"),
    "response": (CALL, "chat"),
    "message": (CALL, "chat"),
    "messages": (CALL, "chat"),
    "stream": (CALL, "chat"),
    "embeddings": (CALL, "embeddings"),
    "embedding": (CALL, "embeddings"),
    "embed": (CALL, "embeddings"),
    "rerank": (CALL, "rerank"),
    "image_generation": (CALL, "image_generation"),
    "image": (CALL, "image_generation"),
    "generate_image": (CALL, "image_generation"),
    "image_edit": (CALL, "image_generation"),
    "image_variation": (CALL, "image_generation"),
    "video": (CALL, "video_generation"),
    "video_generation": (CALL, "video_generation"),
    "audio": (CALL, "audio"),
    "speech": (CALL, "speech"),
    "audio_speech": (CALL, "speech"),
    "speech_generation": (CALL, "speech"),
    "text_to_speech": (CALL, "speech"),
    "transcription": (CALL, "transcription"),
    "audio_transcription": (CALL, "transcription"),
    "speech_to_text": (CALL, "transcription"),
    "audio_translation": (CALL, "transcription"),
    "translation": (CALL, ""),  # of text or of speech: the path of the request tells
    "moderation": (CALL, "moderation"),
    "llm": (CALL, "chat"),
    "invoke_agent": (AGGREGATE, ""),
    "create_agent": (AGGREGATE, ""),
    "invoke_workflow": (AGGREGATE, ""),
    "agent_step": (AGGREGATE, ""),
    "execute_tool": (AGGREGATE, ""),
    "execute_task": (AGGREGATE, ""),
    "execute_event_loop_cycle": (AGGREGATE, ""),
    "chain": (AGGREGATE, ""),
    "agent": (AGGREGATE, ""),
    "tool": (AGGREGATE, ""),
    "workflow": (AGGREGATE, ""),
    "task": (AGGREGATE, ""),
    "parser": (PLAIN, ""),
    # What judges an answer may repeat its usage; a model that judges has a span of its own below.
    **dict.fromkeys(("evaluate", "evaluation", "evaluator", "score", "judge"), (PLAIN, "")),
    # Of the conventions of 2026: an answer that is fetched was billed to the request that made it.
    "fetch_response": (PLAIN, ""),
    "retrieve_response": (PLAIN, ""),
    "retrieval": (AGGREGATE, ""),
    "plan": (AGGREGATE, ""),
    "search_memory": (AGGREGATE, ""),
    "update_memory": (AGGREGATE, ""),
    "prompt": (PLAIN, ""),
}

# Of several kinds on one span the first is believed.
KINDS: tuple[Kind, ...] = (
    Kind(
        "openinference.span.kind",
        {
            "llm": (CALL, "chat"),
            "embedding": (CALL, "embeddings"),
            "reranker": (CALL, "rerank"),
            "evaluator": (PLAIN, ""),
            "token_counter": (PLAIN, ""),
        },
        otherwise=AGGREGATE,
    ),
    Kind("gen_ai.operation.name", OPERATIONS),
    Kind("traceloop.span.kind", {"llm": (CALL, "chat")}, otherwise=AGGREGATE),
    Kind("llm.request.type", OPERATIONS),
    Kind("gen_ai.request.type", OPERATIONS),
)

# What the path of a request says of its operation.
ENDPOINTS: dict[str, str] = {
    "/chat/completions": "chat",
    "/responses": "chat",
    "/messages": "chat",
    "/embeddings": "embeddings",
    "/rerank": "rerank",
    "/images/generations": "image_generation",
    "/images/edits": "image_generation",
    "/images/variations": "image_generation",
    "/audio/speech": "speech",
    "/audio/transcriptions": "transcription",
    "/audio/translations": "transcription",
}
