"""How each provider writes an answer: JSON bodies, server-sent events, JSON lines, AWS event streams.

An `Answer` goes in, a body or the events of a stream come out; imports nothing of Outlay. Field names and counting
rules follow the providers' public API references.
"""

from outlay_web.demo.formats.answer import Answer, Json, json_array, sse
from outlay_web.demo.formats.anthropic import anthropic_events, anthropic_message, anthropic_usage
from outlay_web.demo.formats.bedrock import converse, converse_events, converse_usage, event_frame, invoke_events
from outlay_web.demo.formats.google import gemini_content, gemini_events, gemini_interaction, gemini_interaction_events
from outlay_web.demo.formats.openai import (
    openai_chat,
    openai_chat_events,
    openai_completion,
    openai_decision,
    openai_embeddings,
    openai_image,
    openai_image_events,
    openai_response,
    openai_response_events,
    openai_transcription,
    openai_transcription_events,
    openai_usage,
    openai_video,
)
from outlay_web.demo.formats.others import (
    cohere_chat,
    cohere_events,
    cohere_usage,
    mistral_conversation,
    mistral_conversation_events,
    ollama_lines,
)

__all__ = [
    "Answer",
    "Json",
    "anthropic_events",
    "anthropic_message",
    "anthropic_usage",
    "cohere_chat",
    "cohere_events",
    "cohere_usage",
    "converse",
    "converse_events",
    "converse_usage",
    "event_frame",
    "gemini_content",
    "gemini_events",
    "gemini_interaction",
    "gemini_interaction_events",
    "invoke_events",
    "json_array",
    "mistral_conversation",
    "mistral_conversation_events",
    "ollama_lines",
    "openai_chat",
    "openai_chat_events",
    "openai_completion",
    "openai_decision",
    "openai_embeddings",
    "openai_image",
    "openai_image_events",
    "openai_response",
    "openai_response_events",
    "openai_transcription",
    "openai_transcription_events",
    "openai_usage",
    "openai_video",
    "sse",
]
