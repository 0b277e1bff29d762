import type { AttributeValue } from '../attributes.ts'
import type { ToolCallPart, ToolCallResponsePart } from './conversation.ts'
import { firstText, firstValue, isObject, type LooseObject, parseText, structured } from './loose-value.ts'

/**
 * A tool call as OpenTelemetry (`arguments`), OpenAI (`function.arguments`), Anthropic (`input`) and the
 * Vercel AI SDK (`toolName`, `input`, formerly `args`) write it; undefined without a name.
 */
export function toolCallPart(value: AttributeValue): ToolCallPart | undefined {
  if (!isObject(value)) return undefined
  const called = [value.function, value.custom].find(isObject) ?? {}
  const name = firstText(value.name, value.toolName, called.name)
  if (name === undefined) return undefined
  const given = firstValue(value.arguments, value.input, value.args, called.arguments, called.input)
  return {
    type: 'tool_call',
    // OpenAI's responses have an id of the item beside the id of the call.
    id: firstText(value.call_id, value.toolCallId, value.tool_call_id, value.id),
    name,
    arguments: typeof given === 'string' ? (parseText(given) ?? given) : given,
  }
}

/** What a tool answered; null where the answer was not recorded. */
export function toolResponsePart(value: LooseObject): ToolCallResponsePart {
  const given = firstValue(value.response, value.result, unwrapped(value.output), value.content)
  return {
    type: 'tool_call_response',
    id: firstText(value.call_id, value.toolCallId, value.tool_call_id, value.tool_use_id, value.id),
    response: structured(given) ?? null,
  }
}

/** The Vercel AI SDK says of an output what it is: `{ type: 'json', value }`. */
function unwrapped(output: AttributeValue | undefined): AttributeValue | undefined {
  return isObject(output) && typeof output.type === 'string' && Object.hasOwn(output, 'value')
    ? output.value
    : output
}
