// LangChain.js through OpenInference's instrumentation. The `runName` of the outermost chain is the feature.
//   OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 OTEL_SERVICE_NAME=shop npm start
import { LangChainInstrumentation } from "@arizeai/openinference-instrumentation-langchain";
import * as callbacks from "@langchain/core/callbacks/manager";
import { StringOutputParser } from "@langchain/core/output_parsers";
import { ChatPromptTemplate } from "@langchain/core/prompts";
import { ChatOpenAI } from "@langchain/openai";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { defaultResource, detectResources, envDetector } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

const resource = defaultResource().merge(detectResources({ detectors: [envDetector] })); // OTEL_SERVICE_NAME
const spanProcessors = [new BatchSpanProcessor(new OTLPTraceExporter())];
const provider = new NodeTracerProvider({ resource, spanProcessors });
provider.register();
new LangChainInstrumentation({ tracerProvider: provider }).manuallyInstrument(callbacks);

const configuration = { baseURL: process.env.OPENAI_BASE_URL };
const prompt = ChatPromptTemplate.fromTemplate("Which team handles {ticket}?");
const chain = (model) => prompt.pipe(new ChatOpenAI({ model, configuration })).pipe(new StringOutputParser());

console.log(await chain("gpt-4o").invoke({ ticket: "a refund" }, { runName: "triage" }));
const stream = await chain("gpt-4o-mini").stream({ ticket: "an invoice" }, { runName: "digest" });
for await (const part of stream) process.stdout.write(part);

await provider.shutdown(); // sends what is queued
