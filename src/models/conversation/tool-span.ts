import type { Attributes } from '../attributes.ts'
import type { Message } from './conversation.ts'
import { firstText, readAttribute } from './loose-value.ts'
import { toolCallPart, toolResponsePart } from './tool-part.ts'

/** The attributes that a dialect has for the call of a tool. */
export interface ToolKeys {
  readonly id: string
  readonly name: string
  readonly arguments: string
  readonly result: string
}

/** OpenTelemetry's. */
export const OPEN_TELEMETRY_TOOL: ToolKeys = {
  id: 'gen_ai.tool.call.id',
  name: 'gen_ai.tool.name',
  arguments: 'gen_ai.tool.call.arguments',
  result: 'gen_ai.tool.call.result',
}

/** The call that the span of a tool carries out: the model said it, to the tool. */
export function toolCallMessages(attributes: Attributes, keys: ToolKeys): readonly Message[] {
  const given = readAttribute(attributes, keys.arguments)
  if (given === undefined || given === null) return []
  const id = readAttribute(attributes, keys.id) ?? null
  const name = firstText(readAttribute(attributes, keys.name)) ?? 'tool'
  const part = toolCallPart({ id, name, arguments: given })
  return part === undefined ? [] : [{ role: 'assistant', parts: [part] }]
}

/** What the tool answered. */
export function toolResponseMessages(attributes: Attributes, keys: ToolKeys): readonly Message[] {
  const response = readAttribute(attributes, keys.result)
  if (response === undefined || response === null) return []
  const id = readAttribute(attributes, keys.id) ?? null
  return [{ role: 'tool', parts: [toolResponsePart({ id, response })] }]
}
