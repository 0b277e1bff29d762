import { type ChatMeasurement, type ChatRequest, draftChatCall } from './chat-call.ts'
import type { Conversation } from './conversation.ts'
import type { Random } from './random.ts'
import { draftRetrieval } from './retrieval.ts'
import { draftToolCall } from './tool-call.ts'
import type { LogDraft, SpanDraft, TraceDraft } from './trace-draft.ts'

export type Fault = 'rate_limit' | 'timeout' | 'tool'

export interface AgentRun {
  readonly conversation: Conversation
  readonly fault: Fault | undefined
}

/** A rate limit usually passes at the second try: an error in the trace, none for the user. */
const RETRIED_SHARE = 0.01
const RETRY_AFTER_MS = 500

/** Drafts what an agent does to answer one question. Gives what its model calls measured. */
export function draftAgentRun(trace: TraceDraft, random: Random, run: AgentRun): ChatMeasurement[] {
  const { conversation, fault } = run
  const { agent } = conversation
  const chats: ChatMeasurement[] = []
  const question = random.pick(agent.questions)
  const span = openAgentSpan(trace, conversation)
  const chat = (request: Omit<ChatRequest, 'conversation' | 'question'>): void => {
    chats.push(draftChatCall(trace, random, { conversation, question, ...request }))
    trace.pass(random.skewed(2))
  }
  trace.log(span, { severity: 'DEBUG', body: `turn of ${conversation.id}: ${question}` })
  trace.pass(random.skewed(3))
  if (agent.dataSource !== undefined)
    draftRetrieval(trace, random, { dataSource: agent.dataSource, question })
  if (fault === 'tool' || random.chance(0.6)) {
    const tool = random.pick(agent.tools)
    const callId = `call_${random.hex(10)}`
    chat({ answer: '', toolCall: { id: callId, name: tool.name } })
    draftToolCall(trace, random, { tool, callId, fails: fault === 'tool' })
  }
  if (fault === undefined && random.chance(RETRIED_SHARE)) {
    chat({ answer: '', failure: 'rate_limit' })
    trace.log(span, { severity: 'WARN', body: `rate limited, trying again in ${RETRY_AFTER_MS} ms` })
    trace.pass(RETRY_AFTER_MS)
  }
  if (fault === 'rate_limit' || fault === 'timeout') {
    chat({ answer: '', failure: fault })
    span.error = `${conversation.model.requestModel}: ${fault}`
    span.attributes['error.type'] = fault
  } else {
    chat({ answer: fault === 'tool' ? APOLOGY : random.pick(agent.answers) })
    if (random.chance(0.05)) trace.log(span, evaluation(random))
  }
  trace.close(span)
  return chats
}

const APOLOGY = 'I could not look that up just now. Please try again in a minute.'

/** Without token usage: its chat spans have that, and a sum over both would count it twice. */
function openAgentSpan(trace: TraceDraft, { agent, model, id, userId }: Conversation): SpanDraft {
  return trace.open({
    service: 'agent',
    name: `invoke_agent ${agent.name}`,
    kind: 'internal',
    attributes: {
      'gen_ai.operation.name': 'invoke_agent',
      'gen_ai.provider.name': model.provider,
      'gen_ai.request.model': model.requestModel,
      'gen_ai.agent.id': agent.id,
      'gen_ai.agent.name': agent.name,
      'gen_ai.prompt.name': agent.id,
      'gen_ai.prompt.version': '1',
      'gen_ai.conversation.id': id,
      'gen_ai.system_instructions': JSON.stringify([{ type: 'text', content: agent.instructions }]),
      'user.id': userId,
    },
  })
}

function evaluation(random: Random): LogDraft {
  const score = Number(random.between(0.4, 1).toFixed(3))
  return {
    severity: 'INFO',
    eventName: 'gen_ai.evaluation.result',
    body: `relevance ${score}`,
    attributes: {
      'gen_ai.evaluation.name': 'relevance',
      'gen_ai.evaluation.score.value': score,
      'gen_ai.evaluation.score.label': score >= 0.7 ? 'pass' : 'fail',
    },
  }
}
