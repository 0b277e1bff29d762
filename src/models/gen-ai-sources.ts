import type { AttributeValue } from './attributes.ts'
import { isPlainObject, parseDouble } from './decode-fields.ts'
import { parseJson } from './json.ts'

/** The typed columns that are read from attributes, in the order of the row. */
export const GEN_AI_COLUMNS = [
  'operation',
  'provider',
  'requestModel',
  'responseModel',
  'inputTokens',
  'outputTokens',
  'cachedTokens',
  'cacheCreationTokens',
  'reasoningTokens',
  'timeToFirstTokenSeconds',
  'cost',
  'sessionId',
  'userId',
  'finishReason',
  'errorType',
  'responseId',
  'promptName',
  'promptVersion',
] as const

export type GenAiColumn = (typeof GEN_AI_COLUMNS)[number]

/** One attribute that may fill a column. */
export interface GenAiSource {
  readonly column: GenAiColumn
  /** 0 is the first choice for the column. */
  readonly rank: number
  /** What of the attribute's value the column is to hold; the value itself where there is no such thing. */
  readonly read?: Read
  /** Of input tokens: those read from and written to a cache come on top. Of output tokens: those of reasoning do. */
  readonly isApart?: boolean
}

type Read = (value: AttributeValue) => AttributeValue | undefined
type Mapping = Pick<GenAiSource, 'column' | 'read' | 'isApart'>

/** Attributes of one way to name them. One attribute may fill several columns. */
interface Dialect {
  readonly name: string
  /** Where the names are written down. */
  readonly source: string
  readonly attributes: Readonly<Record<string, GenAiColumn | Mapping | readonly Mapping[]>>
}

/** Words of other dialects for OpenTelemetry's operations; a word that is not here is kept in lower case. */
const OPERATIONS: Readonly<Record<string, string>> = {
  llm: 'chat',
  generation: 'chat',
  completion: 'text_completion',
  embedding: 'embeddings',
  retriever: 'retrieval',
  tool: 'execute_tool',
  agent: 'invoke_agent',
  workflow: 'invoke_workflow',
  chain: 'invoke_workflow',
}

/** OpenTelemetry's former words for providers. */
const PROVIDERS: Readonly<Record<string, string>> = {
  vertex_ai: 'gcp.vertex_ai',
  gemini: 'gcp.gemini',
  'az.ai.inference': 'azure.ai.inference',
  'az.ai.openai': 'azure.ai.openai',
  xai: 'x_ai',
}

const operation: Mapping = { column: 'operation', read: (value) => wordOf(OPERATIONS, value) }
const kindOfTraceloop: Mapping = {
  column: 'operation',
  // A task is a step of anything.
  read: (value) => (value === 'task' ? undefined : wordOf(OPERATIONS, value)),
}

/** Best first: where several attributes fill a column, the first that is there counts. */
const DIALECTS: readonly Dialect[] = [
  {
    name: 'OpenTelemetry',
    source:
      'open-telemetry/semantic-conventions-genai, gen-ai-spans.md (semantic conventions 1.41 and later)',
    attributes: {
      'gen_ai.operation.name': 'operation',
      'gen_ai.provider.name': 'provider',
      'gen_ai.request.model': 'requestModel',
      'gen_ai.response.model': 'responseModel',
      'gen_ai.usage.input_tokens': 'inputTokens',
      'gen_ai.usage.output_tokens': 'outputTokens',
      'gen_ai.usage.cache_read.input_tokens': 'cachedTokens',
      'gen_ai.usage.cache_write.input_tokens': 'cacheCreationTokens',
      'gen_ai.usage.reasoning.output_tokens': 'reasoningTokens',
      'gen_ai.response.time_to_first_chunk': 'timeToFirstTokenSeconds',
      'gen_ai.conversation.id': 'sessionId',
      'session.id': 'sessionId',
      'user.id': 'userId',
      'gen_ai.response.finish_reasons': 'finishReason',
      'error.type': 'errorType',
      'gen_ai.response.id': 'responseId',
      'gen_ai.prompt.name': 'promptName',
      'gen_ai.prompt.version': 'promptVersion',
    },
  },
  {
    name: 'OpenTelemetry, deprecated',
    source: 'open-telemetry/semantic-conventions, attribute registry, gen-ai (deprecated)',
    attributes: {
      'gen_ai.system': { column: 'provider', read: (value) => wordOf(PROVIDERS, value) },
      'gen_ai.usage.prompt_tokens': 'inputTokens',
      'gen_ai.usage.cache_creation.input_tokens': 'cacheCreationTokens',
      'gen_ai.usage.completion_tokens': 'outputTokens',
      'gen_ai.server.time_to_first_token': 'timeToFirstTokenSeconds',
      'gen_ai.response.finish_reason': 'finishReason',
      'enduser.id': 'userId',
    },
  },
  {
    name: 'OpenLIT',
    source: 'openlit/openlit, semcov: what OpenTelemetry has no name for',
    attributes: { 'gen_ai.usage.cost': 'cost', 'gen_ai.usage.total_cost': 'cost' },
  },
  {
    name: 'OpenLLMetry',
    source: 'traceloop/openllmetry, opentelemetry-semantic-conventions-ai',
    attributes: {
      'llm.request.type': operation,
      'traceloop.span.kind': kindOfTraceloop,
      'llm.vendor': 'provider',
      'llm.request.model': 'requestModel',
      'llm.response.model': 'responseModel',
      'llm.usage.prompt_tokens': 'inputTokens',
      'llm.usage.completion_tokens': 'outputTokens',
      'gen_ai.usage.cache_read_input_tokens': 'cachedTokens',
      'llm.usage.cache_read_input_tokens': 'cachedTokens',
      'gen_ai.usage.cache_creation_input_tokens': 'cacheCreationTokens',
      'llm.usage.cache_creation_input_tokens': 'cacheCreationTokens',
      'gen_ai.usage.reasoning_tokens': 'reasoningTokens',
      'llm.usage.reasoning_tokens': 'reasoningTokens',
      'llm.usage.cost': 'cost',
      'llm.usage.total_cost': 'cost',
      'llm.response.finish_reason': 'finishReason',
      'llm.response.stop_reason': 'finishReason',
      'llm.user': 'userId',
      'traceloop.prompt.key': 'promptName',
      'traceloop.prompt.version': 'promptVersion',
      'traceloop.association.properties.user_id': 'userId',
      'traceloop.association.properties.session_id': 'sessionId',
    },
  },
  {
    name: 'OpenInference',
    source: 'Arize-ai/openinference, spec/semantic_conventions.md',
    attributes: {
      'openinference.span.kind': operation,
      'llm.provider': 'provider',
      'llm.system': 'provider',
      'llm.model_name': 'requestModel',
      'embedding.model_name': 'requestModel',
      'llm.token_count.prompt': 'inputTokens',
      'llm.token_count.completion': 'outputTokens',
      'llm.token_count.prompt_details.cache_read': 'cachedTokens',
      'llm.token_count.prompt_details.cache_write': 'cacheCreationTokens',
      'llm.token_count.completion_details.reasoning': 'reasoningTokens',
      'llm.cost.total': 'cost',
      'llm.prompt_template.version': 'promptVersion',
    },
  },
  {
    name: 'Vercel AI SDK',
    source: 'ai-sdk.dev, AI SDK Core, Telemetry',
    attributes: {
      'ai.operationId': { column: 'operation', read: operationOfVercel },
      'ai.model.provider': { column: 'provider', read: (value) => beforeDot(value) },
      'ai.model.id': 'requestModel',
      'ai.response.model': 'responseModel',
      'ai.usage.inputTokens': 'inputTokens',
      'ai.usage.promptTokens': 'inputTokens',
      'ai.usage.tokens': 'inputTokens',
      'ai.usage.outputTokens': 'outputTokens',
      'ai.usage.completionTokens': 'outputTokens',
      'ai.usage.cachedInputTokens': 'cachedTokens',
      'ai.usage.inputTokenDetails.cacheReadTokens': 'cachedTokens',
      'ai.usage.inputTokenDetails.cacheWriteTokens': 'cacheCreationTokens',
      'ai.usage.reasoningTokens': 'reasoningTokens',
      'ai.usage.outputTokenDetails.reasoningTokens': 'reasoningTokens',
      'ai.response.msToFirstChunk': { column: 'timeToFirstTokenSeconds', read: millisecondsAsSeconds },
      'ai.response.finishReason': 'finishReason',
      'ai.response.id': 'responseId',
      'ai.telemetry.metadata.langfusePrompt': [
        { column: 'promptName', read: member('name') },
        { column: 'promptVersion', read: member('version') },
      ],
      'ai.telemetry.metadata.sessionId': 'sessionId',
      'ai.telemetry.metadata.userId': 'userId',
    },
  },
  {
    name: 'Langfuse',
    source:
      'langfuse/langfuse, web/src/features/otel/server/attributes.ts; langfuse.com, "Token & Cost Tracking"',
    attributes: {
      'langfuse.observation.type': {
        column: 'operation',
        read: (value) => (value === 'span' || value === 'event' ? undefined : wordOf(OPERATIONS, value)),
      },
      'langfuse.observation.model.name': 'requestModel',
      'langfuse.observation.usage_details': [
        { column: 'inputTokens', read: member('prompt_tokens') },
        { column: 'inputTokens', read: member('input'), isApart: true },
        { column: 'outputTokens', read: member('completion_tokens') },
        { column: 'outputTokens', read: member('output'), isApart: true },
        { column: 'cachedTokens', read: member('input_cached_tokens', 'cache_read_input_tokens') },
        { column: 'cacheCreationTokens', read: member('cache_creation_input_tokens') },
        { column: 'reasoningTokens', read: member('output_reasoning_tokens') },
      ],
      'langfuse.observation.cost_details': { column: 'cost', read: member('total') },
      'langfuse.observation.prompt.name': 'promptName',
      'langfuse.observation.prompt.version': 'promptVersion',
      'langfuse.session.id': 'sessionId',
      'langfuse.user.id': 'userId',
    },
  },
]

/** The columns that an attribute may fill, by its key. */
export const GEN_AI_SOURCES: ReadonlyMap<string, readonly GenAiSource[]> = ranked()

function ranked(): ReadonlyMap<string, readonly GenAiSource[]> {
  const ranks = new Map<GenAiColumn, number>()
  const sources = new Map<string, readonly GenAiSource[]>()
  for (const { attributes } of DIALECTS) {
    for (const [key, to] of Object.entries(attributes)) {
      const mappings = typeof to === 'string' ? [{ column: to }] : [to].flat()
      const ofKey = mappings.map((mapping) => {
        const rank = ranks.get(mapping.column) ?? 0
        ranks.set(mapping.column, rank + 1)
        return { ...mapping, rank }
      })
      sources.set(key, ofKey)
    }
  }
  return sources
}

function wordOf(words: Readonly<Record<string, string>>, value: AttributeValue): AttributeValue | undefined {
  if (typeof value !== 'string') return undefined
  const word = value.toLowerCase()
  return Object.hasOwn(words, word) ? words[word] : word
}

/** The calls of the SDK's functions are the spans inside: `ai.generateText` repeats the usage of each `ai.generateText.doGenerate`. */
function operationOfVercel(value: AttributeValue): string | undefined {
  if (typeof value !== 'string') return undefined
  if (value === 'ai.toolCall') return 'execute_tool'
  const isInner = /\.do[A-Z]/.test(value)
  if (!isInner) return 'invoke_agent'
  return value.startsWith('ai.embed') ? 'embeddings' : 'chat'
}

/** `openai.chat` and `anthropic.messages` name the provider and its API. */
function beforeDot(value: AttributeValue): AttributeValue | undefined {
  return typeof value === 'string' ? value.split('.', 1)[0] : undefined
}

function millisecondsAsSeconds(value: AttributeValue): number | undefined {
  const milliseconds = parseDouble(value)
  return milliseconds === undefined ? undefined : milliseconds / 1000
}

/** A member of an object, which the SDK writes as JSON text: the first of these that is there. */
function member(...names: readonly string[]): Read {
  return (value) => {
    const object = typeof value === 'string' ? parseJson(value).value : value
    if (!isPlainObject(object)) return undefined
    const name = names.find((each) => object[each] !== undefined && object[each] !== null)
    return name === undefined ? undefined : (object[name] as AttributeValue)
  }
}
