// Loaded before the application (`node --import ./otel.mjs app.mjs`): OpenAI's client is instrumented as it is imported.
import { register } from "node:module";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { registerInstrumentations } from "@opentelemetry/instrumentation";
import { OpenAIInstrumentation } from "@opentelemetry/instrumentation-openai";
import { defaultResource, detectResources, envDetector } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

register("@opentelemetry/instrumentation/hook.mjs", import.meta.url); // for modules that are imported, not required

const resource = defaultResource().merge(detectResources({ detectors: [envDetector] })); // OTEL_SERVICE_NAME
const spanProcessors = [new BatchSpanProcessor(new OTLPTraceExporter())];
export const provider = new NodeTracerProvider({ resource, spanProcessors });
provider.register();
registerInstrumentations({ instrumentations: [new OpenAIInstrumentation()] });
