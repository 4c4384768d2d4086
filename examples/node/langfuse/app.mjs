// Langfuse's SDK sends to Outlay as well: its observations are OpenTelemetry spans, so a second processor is all it takes.
// The trace's name is the feature.
//   OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 OTEL_SERVICE_NAME=shop npm start
import { observeOpenAI } from "@langfuse/openai";
import { LangfuseSpanProcessor } from "@langfuse/otel";
import { propagateAttributes, startActiveObservation } from "@langfuse/tracing";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { defaultResource, detectResources, envDetector } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import OpenAI from "openai";

const spanProcessors = [new BatchSpanProcessor(new OTLPTraceExporter())];
if (process.env.LANGFUSE_PUBLIC_KEY) spanProcessors.push(new LangfuseSpanProcessor());
const resource = defaultResource().merge(detectResources({ detectors: [envDetector] })); // OTEL_SERVICE_NAME
const provider = new NodeTracerProvider({ resource, spanProcessors });
provider.register();

const openai = observeOpenAI(new OpenAI());
const messages = [{ role: "user", content: "Which team handles this?" }];
const feature = (name, work) => startActiveObservation(name, () => propagateAttributes({ traceName: name, userId: "u1" }, work));

await feature("triage", async () => {
  const answer = await openai.chat.completions.create({ model: "gpt-4o", messages });
  console.log(answer.choices[0].message.content);
});
await feature("digest", async () => {
  const options = { stream: true, stream_options: { include_usage: true } };
  const stream = await openai.chat.completions.create({ model: "gpt-4o-mini", messages, ...options });
  for await (const part of stream) process.stdout.write(part.choices[0]?.delta?.content ?? "");
});

await provider.shutdown(); // sends what is queued
