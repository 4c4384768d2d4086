// The Vercel AI SDK: its own OpenTelemetry spans go to Outlay. `functionId` is the feature.
//   OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 OTEL_SERVICE_NAME=shop npm start
import { createOpenAI } from "@ai-sdk/openai";
import { OpenTelemetry } from "@ai-sdk/otel";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { defaultResource, detectResources, envDetector } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { embed, generateText, registerTelemetry, streamText } from "ai";

const resource = defaultResource().merge(detectResources({ detectors: [envDetector] })); // OTEL_SERVICE_NAME
const spanProcessors = [new BatchSpanProcessor(new OTLPTraceExporter())];
const provider = new NodeTracerProvider({ resource, spanProcessors });
provider.register();
registerTelemetry(new OpenTelemetry());

const openai = createOpenAI({ apiKey: process.env.OPENAI_API_KEY, baseURL: process.env.OPENAI_BASE_URL });
const told = (functionId) => ({ telemetry: { functionId, recordInputs: false, recordOutputs: false } });

const { text } = await generateText({ model: openai.chat("gpt-4o"), prompt: "Which team handles this?", ...told("triage") });
console.log(text);
const stream = streamText({ model: openai.chat("gpt-4o-mini"), prompt: "Sum the day up.", ...told("digest") });
for await (const part of stream.textStream) process.stdout.write(part);
await embed({ model: openai.embedding("text-embedding-3-small"), value: "refund", ...told("search") });

await provider.shutdown(); // sends what is queued
