import type { DemoTool } from './agents.ts'
import type { Random } from './random.ts'
import type { TraceDraft } from './trace-draft.ts'

export interface ToolCall {
  readonly tool: DemoTool
  readonly callId: string
  readonly fails: boolean
}

/** Drafts a tool that an agent runs for a model: a function that asks another service. */
export function draftToolCall(trace: TraceDraft, random: Random, { tool, callId, fails }: ToolCall): void {
  const span = trace.open({
    service: 'tools',
    name: `execute_tool ${tool.name}`,
    kind: 'internal',
    attributes: {
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': tool.name,
      'gen_ai.tool.type': 'function',
      'gen_ai.tool.call.id': callId,
      'gen_ai.tool.call.arguments': JSON.stringify(tool.arguments),
    },
  })
  trace.pass(random.skewed(1.5))
  draftRequest(trace, random, { tool, fails })
  if (fails) trace.fail(span, 'ToolError', `${tool.host} answered 503 Service Unavailable`)
  else span.attributes['gen_ai.tool.call.result'] = tool.result
  trace.close(span)
}

function draftRequest(
  trace: TraceDraft,
  random: Random,
  { tool, fails }: { readonly tool: DemoTool; readonly fails: boolean },
): void {
  const request = trace.open({
    service: 'tools',
    name: 'GET',
    kind: 'client',
    attributes: {
      'http.request.method': 'GET',
      'server.address': tool.host,
      'url.full': `http://${tool.host}${tool.path}`,
      'http.response.status_code': fails ? 503 : 200,
    },
  })
  trace.pass(random.skewed(tool.medianMs, 0.6))
  if (fails) {
    request.error = 'HTTP 503'
    request.attributes['error.type'] = '503'
  }
  trace.close(request)
}
