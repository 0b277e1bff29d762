/** Operations (OpenTelemetry's words) of spans that are no calls of a model though they may name one, and repeat the usage of the calls below them. The view `llm_calls` has the same. */
const NO_CALLS: ReadonlySet<string> = new Set([
  'create_agent',
  'invoke_agent',
  'invoke_workflow',
  'execute_tool',
])

/** Whether a span is a call of a model, which may have a price. */
export function isModelCall(span: {
  readonly operation: string | undefined
  readonly requestModel: string | undefined
  readonly responseModel: string | undefined
}): boolean {
  if (span.requestModel === undefined && span.responseModel === undefined) return false
  return span.operation === undefined || !NO_CALLS.has(span.operation)
}
