// OpenAI's client through OpenTelemetry's instrumentation; Anthropic's makes such spans itself. A span around the calls
// with the attribute `outlay.feature` says what they are for.
//   OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 OTEL_SERVICE_NAME=shop npm start
import Anthropic from "@anthropic-ai/sdk";
import { trace } from "@opentelemetry/api";
import OpenAI from "openai";
import { provider } from "./otel.mjs";

const feature = (name, work) =>
  trace.getTracer("shop").startActiveSpan(name, { attributes: { "outlay.feature": name } }, async (span) => {
    try {
      return await work();
    } finally {
      span.end();
    }
  });
const messages = [{ role: "user", content: "Which team handles this?" }];

await feature("triage", async () => {
  const answer = await new OpenAI().chat.completions.create({ model: "gpt-4o", messages });
  console.log(answer.choices[0].message.content);
});
await feature("digest", async () => {
  // OpenAI tells the usage of a stream only to whoever asks for it.
  const options = { stream: true, stream_options: { include_usage: true } };
  const stream = await new OpenAI().chat.completions.create({ model: "gpt-4o-mini", messages, ...options });
  for await (const part of stream) process.stdout.write(part.choices[0]?.delta?.content ?? "");
});
await feature("reply", async () => {
  const answer = await new Anthropic().messages.create({ model: "claude-sonnet-4-6", max_tokens: 100, messages });
  console.log(answer.content[0].text);
});

await provider.shutdown(); // sends what is queued
