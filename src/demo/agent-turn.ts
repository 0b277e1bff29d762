import { draftAgentRun, type Fault } from './agent-run.ts'
import type { ChatMeasurement } from './chat-call.ts'
import type { Conversation } from './conversation.ts'
import type { Random } from './random.ts'
import { type SpanDraft, TraceDraft } from './trace-draft.ts'

/** One request of a user, from the gateway down to the models and tools it caused. */
export interface AgentTurn {
  readonly trace: TraceDraft
  readonly chats: readonly ChatMeasurement[]
  readonly statusCode: number
  readonly route: string
}

const ROUTE = '/v1/agents/{agent}/messages'

/** 3 in 100 turns have a fault; a third of those are tools, after which the agent still answers. */
const FAULT_SHARE = 0.03
const FAULTS = ['rate_limit', 'timeout', 'tool'] as const

/** What the gateway answers. */
const STATUS_CODES = { none: 200, tool: 200, rate_limit: 429, timeout: 504 } as const

/** Drafts one turn of a conversation: gateway → agent → retrieval → chat → tool → chat. */
export function draftAgentTurn(random: Random, conversation: Conversation): AgentTurn {
  const fault = random.chance(FAULT_SHARE) ? random.pick(FAULTS) : undefined
  const trace = new TraceDraft(random, conversation.environment)
  const path = ROUTE.replace('{agent}', conversation.agent.name)
  const gateway = trace.open({
    service: 'gateway',
    name: `POST ${ROUTE}`,
    kind: 'server',
    attributes: {
      'http.request.method': 'POST',
      'http.route': ROUTE,
      'url.path': path,
      'user.id': conversation.userId,
    },
  })
  trace.pass(random.skewed(4))
  const chats = draftAgentRun(trace, random, { conversation, fault })
  trace.pass(random.skewed(2))
  const statusCode = endRequest(trace, gateway, fault)
  trace.log(gateway, {
    severity: 'INFO',
    body: `POST ${path} ${statusCode} ${Math.round(trace.durationMs)} ms`,
    attributes: { 'http.response.status_code': statusCode, 'user.id': conversation.userId },
  })
  return { trace, chats, statusCode, route: ROUTE }
}

/** By the HTTP conventions a server's span is an error from 500 on: a 429 is the caller's. */
function endRequest(trace: TraceDraft, gateway: SpanDraft, fault: Fault | undefined): number {
  const statusCode = STATUS_CODES[fault ?? 'none']
  gateway.attributes['http.response.status_code'] = statusCode
  if (statusCode >= 500) {
    gateway.error = `the agent failed: ${fault}`
    gateway.attributes['error.type'] = String(statusCode)
  }
  trace.close(gateway)
  return statusCode
}
