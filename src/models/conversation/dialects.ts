import type { ContentSpan, Message } from './conversation.ts'
import { messagesOf } from './loose-messages.ts'
import { readAttribute } from './loose-value.ts'
import {
  openInferenceInput,
  openInferenceInputValue,
  openInferenceOutput,
  openInferenceOutputValue,
} from './open-inference.ts'
import { openLlmetryInput, openLlmetryOutput } from './open-llmetry.ts'
import { choiceEvents, messageEvents } from './open-telemetry-events.ts'
import { openTelemetryInput, openTelemetryOutput } from './open-telemetry-messages.ts'
import { completionAttribute, promptAttribute } from './prompt-attributes.ts'
import { OPEN_TELEMETRY_TOOL, toolCallMessages, toolResponseMessages } from './tool-span.ts'
import { vercelInput, vercelOutput } from './vercel-ai.ts'

type Reader = (span: ContentSpan) => readonly Message[]

/** One way to write down what was said. */
interface Dialect {
  readonly name: string
  /** Where it is written down. */
  readonly source: string
  readonly input: Reader
  readonly output: Reader
}

/**
 * Best first: of each side the first that says something counts, so that nothing is there twice. What
 * frameworks record of any function's arguments and result comes last.
 */
export const DIALECTS: readonly Dialect[] = [
  {
    name: 'OpenTelemetry',
    source:
      'open-telemetry/semantic-conventions-genai, gen-ai-input-messages.json, gen-ai-output-messages.json, gen-ai-system-instructions.json',
    input: openTelemetryInput,
    output: openTelemetryOutput,
  },
  {
    name: 'OpenTelemetry, before 1.37: an event a message',
    source:
      'open-telemetry/semantic-conventions, v1.36.0, docs/gen-ai/gen-ai-events.md; `gen_ai.event.content`: Azure/azure-sdk-for-python, azure/ai/inference/tracing.py',
    input: messageEvents,
    output: choiceEvents,
  },
  {
    name: 'OpenTelemetry, at first: an attribute a side',
    source:
      'open-telemetry/semantic-conventions, attribute registry, gen-ai (deprecated); openlit/openlit, semcov',
    input: promptAttribute,
    output: completionAttribute,
  },
  {
    name: 'OpenLLMetry',
    source:
      'traceloop/openllmetry, instrumentation-openai, shared/chat_wrappers.py; instrumentation-anthropic, span_utils.py',
    input: openLlmetryInput,
    output: openLlmetryOutput,
  },
  {
    name: 'OpenInference',
    source: 'Arize-ai/openinference, spec/semantic_conventions.md',
    input: openInferenceInput,
    output: openInferenceOutput,
  },
  {
    name: 'Vercel AI SDK',
    source: 'ai-sdk.dev, AI SDK Core, Telemetry',
    input: vercelInput,
    output: vercelOutput,
  },
  {
    name: 'Langfuse',
    source: 'langfuse/langfuse, packages/shared/src/server/otel/attributes.ts',
    input: attribute('langfuse.observation.input', 'user'),
    output: attribute('langfuse.observation.output', 'assistant'),
  },
  {
    name: 'OpenTelemetry, tools',
    source: 'open-telemetry/semantic-conventions-genai, gen-ai-spans.md, execute tool span',
    input: ({ attributes }) => toolCallMessages(attributes, OPEN_TELEMETRY_TOOL),
    output: ({ attributes }) => toolResponseMessages(attributes, OPEN_TELEMETRY_TOOL),
  },
  {
    name: 'OpenLLMetry, any function',
    source: 'traceloop/openllmetry, opentelemetry-semantic-conventions-ai',
    input: attribute('traceloop.entity.input', 'user'),
    output: attribute('traceloop.entity.output', 'assistant'),
  },
  {
    name: 'OpenInference, any span',
    source: 'Arize-ai/openinference, spec/semantic_conventions.md',
    input: openInferenceInputValue,
    output: openInferenceOutputValue,
  },
]

function attribute(key: string, role: string): Reader {
  return ({ attributes }) => messagesOf(readAttribute(attributes, key), role)
}
