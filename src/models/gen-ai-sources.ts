/** The typed columns that are read from attributes. */
export type GenAiColumn =
  | 'operation'
  | 'provider'
  | 'requestModel'
  | 'responseModel'
  | 'inputTokens'
  | 'outputTokens'
  | 'cachedTokens'
  | 'reasoningTokens'
  | 'timeToFirstTokenSeconds'
  | 'cost'
  | 'sessionId'
  | 'userId'
  | 'finishReason'
  | 'errorType'

export interface GenAiSource {
  readonly column: GenAiColumn
  /** 0 is the first choice for the column. */
  readonly rank: number
}

/**
 * The attributes each column is read from, best first: OpenTelemetry's current names (semantic
 * conventions, gen_ai), its deprecated ones, then those of OpenLLMetry (`llm.*`, `traceloop.*`),
 * OpenInference (`llm.*`, `session.id`), the Vercel AI SDK (`ai.*`) and Langfuse.
 */
const SOURCES: Readonly<Record<GenAiColumn, readonly string[]>> = {
  operation: ['gen_ai.operation.name', 'llm.request.type'],
  provider: [
    'gen_ai.provider.name',
    'gen_ai.system',
    'llm.provider',
    'llm.system',
    'llm.vendor',
    'ai.model.provider',
  ],
  requestModel: [
    'gen_ai.request.model',
    'llm.request.model',
    'llm.model_name',
    'embedding.model_name',
    'ai.model.id',
  ],
  responseModel: ['gen_ai.response.model', 'llm.response.model', 'ai.response.model'],
  inputTokens: [
    'gen_ai.usage.input_tokens',
    'gen_ai.usage.prompt_tokens',
    'llm.usage.prompt_tokens',
    'llm.token_count.prompt',
    'ai.usage.inputTokens',
    'ai.usage.promptTokens',
  ],
  outputTokens: [
    'gen_ai.usage.output_tokens',
    'gen_ai.usage.completion_tokens',
    'llm.usage.completion_tokens',
    'llm.token_count.completion',
    'ai.usage.outputTokens',
    'ai.usage.completionTokens',
  ],
  cachedTokens: [
    'gen_ai.usage.cache_read.input_tokens',
    'gen_ai.usage.cache_read_input_tokens',
    'llm.usage.cache_read_input_tokens',
    'llm.token_count.prompt_details.cache_read',
    'ai.usage.cachedInputTokens',
  ],
  reasoningTokens: [
    'gen_ai.usage.reasoning.output_tokens',
    'gen_ai.usage.reasoning_tokens',
    'llm.usage.reasoning_tokens',
    'llm.token_count.completion_details.reasoning',
    'ai.usage.reasoningTokens',
  ],
  timeToFirstTokenSeconds: ['gen_ai.response.time_to_first_chunk', 'gen_ai.server.time_to_first_token'],
  cost: [
    'gen_ai.usage.cost',
    'gen_ai.usage.total_cost',
    'llm.usage.cost',
    'llm.cost.total',
    'llm.usage.total_cost',
  ],
  sessionId: [
    'gen_ai.conversation.id',
    'session.id',
    'langfuse.session.id',
    'traceloop.association.properties.session_id',
    'ai.telemetry.metadata.sessionId',
  ],
  userId: [
    'user.id',
    'enduser.id',
    'langfuse.user.id',
    'traceloop.association.properties.user_id',
    'ai.telemetry.metadata.userId',
    'llm.user',
  ],
  finishReason: [
    'gen_ai.response.finish_reasons',
    'gen_ai.response.finish_reason',
    'llm.response.finish_reason',
    'ai.response.finishReason',
  ],
  errorType: ['error.type'],
}

/** Where an attribute goes, by its key. */
export const GEN_AI_SOURCES: ReadonlyMap<string, GenAiSource> = new Map(
  (Object.keys(SOURCES) as GenAiColumn[]).flatMap((column) =>
    SOURCES[column].map((key, rank): [string, GenAiSource] => [key, { column, rank }]),
  ),
)
