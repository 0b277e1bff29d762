import type { Conversation } from './conversation.ts'
import type { Random } from './random.ts'
import type { DemoAttributes, OpenSpan, SpanDraft, TraceDraft } from './trace-draft.ts'

export interface ChatRequest {
  readonly conversation: Conversation
  readonly question: string
  /** The model's words; empty when it asks for a tool instead, or fails. */
  readonly answer: string
  readonly toolCall?: { readonly id: string; readonly name: string }
  readonly failure?: 'rate_limit' | 'timeout'
}

interface TokenUsage {
  readonly inputTokens: number
  readonly outputTokens: number
}

/** What a chat call measured, for the metrics. */
export interface ChatMeasurement extends TokenUsage {
  readonly provider: string
  readonly requestModel: string
  readonly durationS: number
  readonly errorType: string | undefined
}

/** Clients give up on a model that has not finished by then. */
const TIMEOUT_MS = 30_000
/** One call in forty takes several times as long as its model usually does. */
const SLOW_SHARE = 0.025

/** Drafts the client span of one call of a model, with OpenTelemetry's gen_ai attributes. */
export function draftChatCall(trace: TraceDraft, random: Random, request: ChatRequest): ChatMeasurement {
  const { provider, requestModel } = request.conversation.model
  const span = trace.open(chatSpan(request))
  const usage =
    request.failure === undefined
      ? answerChat(trace, random, { span, request })
      : failChat(trace, random, { span, request })
  trace.close(span)
  const errorType = span.error === undefined ? undefined : String(span.attributes['error.type'])
  return { provider, requestModel, ...usage, durationS: (span.endMs - span.startMs) / 1000, errorType }
}

function chatSpan({ conversation, question }: ChatRequest): OpenSpan {
  const { model, agent } = conversation
  return {
    service: 'agent',
    name: `chat ${model.requestModel}`,
    kind: 'client',
    attributes: {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': model.provider,
      'gen_ai.request.model': model.requestModel,
      'gen_ai.request.temperature': 0.2,
      'gen_ai.request.max_tokens': 4_096,
      'gen_ai.request.stream': true,
      'gen_ai.conversation.id': conversation.id,
      'gen_ai.agent.name': agent.name,
      'gen_ai.prompt.name': agent.id,
      'gen_ai.prompt.version': '1',
      'gen_ai.input.messages': messages('user', question),
      'user.id': conversation.userId,
      'server.address': model.address,
      'server.port': 443,
    },
  }
}

interface ChatInProgress {
  readonly span: SpanDraft
  readonly request: ChatRequest
}

function failChat(trace: TraceDraft, random: Random, { span, request }: ChatInProgress): TokenUsage {
  const { address, requestModel } = request.conversation.model
  if (request.failure === 'timeout') {
    trace.pass(TIMEOUT_MS)
    trace.fail(span, 'timeout', `no answer from ${address} within ${TIMEOUT_MS / 1000} s`)
  } else {
    trace.pass(random.skewed(180))
    trace.fail(span, '429', `rate limit reached for ${requestModel}`)
  }
  return { inputTokens: 0, outputTokens: 0 }
}

/** Cached tokens are part of the input tokens, reasoning tokens of the output tokens, as the conventions have it. */
function answerChat(trace: TraceDraft, random: Random, { span, request }: ChatInProgress): TokenUsage {
  const { conversation, toolCall, answer } = request
  const { model, historyTokens, cachedTokens } = conversation
  const inputTokens = historyTokens + Math.round(random.skewed(120))
  const reasoningTokens = model.isReasoning ? Math.round(random.skewed(450, 0.7)) : 0
  const saidTokens = Math.round(random.skewed(toolCall === undefined ? 220 : 40, 0.6))
  const outputTokens = reasoningTokens + saidTokens
  const slowness = random.chance(SLOW_SHARE) ? random.between(4, 9) : 1
  const firstChunkMs = random.skewed(model.firstChunkMs, 0.35) * slowness
  trace.pass(firstChunkMs + (outputTokens / model.tokensPerSecond) * 1000)
  const results: DemoAttributes = {
    'gen_ai.response.id': `resp_${random.hex(16)}`,
    'gen_ai.response.model': model.responseModel,
    'gen_ai.response.finish_reasons': [toolCall === undefined ? 'stop' : 'tool_calls'],
    'gen_ai.response.time_to_first_chunk': Number((firstChunkMs / 1000).toFixed(6)),
    'gen_ai.usage.input_tokens': inputTokens,
    'gen_ai.usage.output_tokens': outputTokens,
    'gen_ai.output.messages': messages('assistant', answer, toolCall),
  }
  if (cachedTokens > 0) results['gen_ai.usage.cache_read.input_tokens'] = cachedTokens
  if (reasoningTokens > 0) results['gen_ai.usage.reasoning.output_tokens'] = reasoningTokens
  Object.assign(span.attributes, results)
  conversation.cachedTokens = historyTokens
  conversation.historyTokens = inputTokens + saidTokens
  if (slowness > 1) {
    const body = `${model.requestModel} was slow: first chunk after ${Math.round(firstChunkMs)} ms`
    trace.log(span, { severity: 'WARN', body, attributes: { 'gen_ai.request.model': model.requestModel } })
  }
  return { inputTokens, outputTokens }
}

/** Message lists are JSON text on spans, in the form of the gen_ai conventions. */
function messages(
  role: 'user' | 'assistant',
  content: string,
  toolCall?: { id: string; name: string },
): string {
  const part =
    toolCall === undefined
      ? { type: 'text', content }
      : { type: 'tool_call', id: toolCall.id, name: toolCall.name }
  const finish = role === 'user' ? {} : { finish_reason: toolCall === undefined ? 'stop' : 'tool_call' }
  return JSON.stringify([{ role, parts: [part], ...finish }])
}
