import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Attributes, AttributeValue } from '../../../../src/models/attributes.ts'
import type { ContentSpan } from '../../../../src/models/conversation/conversation.ts'
import { conversationOf } from '../../../../src/models/conversation/conversation-of.ts'
import { stringifyJson } from '../../../../src/models/json.ts'
import { anyJson } from '../arbitrary-json.ts'

const WORDS = [
  ...['role', 'content', 'parts', 'type', 'text', 'tool_calls', 'function', 'name', 'arguments', 'message'],
  ...['messages', 'choices', 'system', 'prompt', 'input', 'output', 'index', 'finish_reason', 'id', 'value'],
  ...['__proto__', 'constructor', 'toJSON', 'length', 'summary', 'tool_call_id', 'reasoning', 'result'],
]
const TYPES = [
  'text',
  'reasoning',
  'tool_call',
  'tool_use',
  'tool-result',
  'function_call',
  'image_url',
  'tool',
  'user',
]
const KEYS = [
  ...['gen_ai.system_instructions', 'gen_ai.input.messages', 'gen_ai.output.messages', 'gen_ai.prompt'],
  ...['gen_ai.completion', 'gen_ai.tool.call.arguments', 'gen_ai.tool.call.result', 'ai.prompt.messages'],
  ...['ai.prompt', 'ai.response.text', 'ai.response.toolCalls', 'ai.response.object', 'ai.toolCall.args'],
  ...['langfuse.observation.input', 'langfuse.observation.output', 'traceloop.entity.input', 'input.value'],
  ...[
    'llm.input_messages',
    'gen_ai.response.finish_reasons',
    'gen_ai.event.content',
    'event.name',
    'output.value',
  ],
]
const EVENTS = [
  ...[
    'gen_ai.client.inference.operation.details',
    'gen_ai.user.message',
    'gen_ai.tool.message',
    'gen_ai.choice',
  ],
  ...['gen_ai.content.prompt', 'gen_ai.content.completion', 'another', ''],
]

const word = fc.constantFrom(...WORDS)
const value = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constantFrom<unknown>(...TYPES, '', '{', '[', null, 0, 2n ** 70n, Number.NaN),
    anyJson,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(word, tie('value'), { maxKeys: 6 }),
    fc.dictionary(word, tie('value'), { maxKeys: 6 }).map((object) => textOf(object)),
  ),
})).value as fc.Arbitrary<AttributeValue>
const segment = fc.oneof(
  word,
  fc.constantFrom(
    '0',
    '1',
    '00',
    '-1',
    '1e9',
    '999999999999999',
    '',
    'message_content',
    'tool_call',
    'contents',
  ),
)
const indexed = fc
  .tuple(
    fc.constantFrom(
      'gen_ai.prompt',
      'gen_ai.completion',
      'llm.input_messages',
      'llm.output_messages',
      'llm.prompts',
    ),
    fc.array(segment, { maxLength: 20 }),
  )
  .map(([prefix, path]) => [prefix, ...path].join('.'))
const attributes = fc
  .array(fc.tuple(fc.oneof(fc.constantFrom(...KEYS), indexed, word), value), { maxLength: 12 })
  .map((pairs) => Object.fromEntries(pairs) as Attributes)
const span: fc.Arbitrary<ContentSpan> = fc.record({
  attributes,
  events: fc.array(fc.record({ name: fc.constantFrom(...EVENTS), attributes }), { maxLength: 4 }),
  logs: fc.array(fc.record({ eventName: fc.constantFrom(...EVENTS), body: value, attributes }), {
    maxLength: 4,
  }),
})

function textOf(object: unknown): string {
  return (
    JSON.stringify(object, (_key, member) => (typeof member === 'bigint' ? String(member) : member)) ?? ''
  )
}

const said = (given: Attributes) => conversationOf({ attributes: given, events: [] })

describe('hostile content', () => {
  test('never makes a conversation throw, or one that cannot be written as JSON', () => {
    fc.assert(
      fc.property(span, (given) => {
        const before = structuredClone(given)
        const conversation = conversationOf(given)
        expect(given).toEqual(before)
        if (conversation === undefined) return
        stringifyJson(conversation as unknown as AttributeValue)
        const { input, output } = conversation
        for (const message of [...input, ...output]) expect(typeof message.role).toBe('string')
        expect([...input, ...output].some(({ parts }) => parts.length > 0)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('that nests without end stays text, or is left out', () => {
    const deep = '['.repeat(200_000) + ']'.repeat(200_000)
    expect(said({ 'input.value': deep })?.input).toEqual([
      { role: 'user', parts: [{ type: 'text', content: deep }] },
    ])
    let nested: AttributeValue = 'x'
    for (let i = 0; i < 10_000; i++) nested = { content: [nested] }
    expect(said({ 'gen_ai.input.messages': nested })).toBeUndefined()
    const circle: AttributeValue[] = []
    circle.push(circle)
    expect(said({ 'input.value': circle })).toBeUndefined()
  })

  test('in indexed attributes is read by canonical numbers only', () => {
    const indices = ['999999999999999', '00', '-1', '1e9', '__proto__', '', ' 1', '2', '0']
    const given = Object.fromEntries(
      indices.map((index) => [`gen_ai.prompt.${index}.content`, `at ${index}`]),
    )
    expect(said(given)?.input.map(({ parts }) => parts[0])).toEqual([
      { type: 'text', content: 'at 0' },
      { type: 'text', content: 'at 2' },
      { type: 'text', content: 'at 999999999999999' },
    ])
    expect(said({ [`llm.prompts.0${'.a'.repeat(50)}`]: 'deep' })).toBeUndefined()
    const inherited = { 'gen_ai.prompt.0.role': 'user', 'gen_ai.prompt.0.__proto__.content': 'evil' }
    expect(said(inherited)).toBeUndefined()
    expect(({} as { content?: string }).content).toBeUndefined()
  })

  test('of more messages and parts than anybody reads is cut', () => {
    const many = Array.from({ length: 12_000 }, (_, place) => ({ role: 'user', content: `${place}` }))
    const text = JSON.stringify(many)
    expect(said({ 'gen_ai.input.messages': text })?.input).toHaveLength(10_000)
    expect(said({ 'input.value': text })?.input).toHaveLength(10_000)
    const both = said({ 'input.value': text, 'output.value': JSON.stringify(many.slice(0, 4_000)) })
    expect([both?.input.length, both?.output.length]).toEqual([6_000, 4_000])
    const indexed = Object.fromEntries(
      many.map(({ content }, place) => [`gen_ai.prompt.${place}.content`, content]),
    )
    expect(said(indexed)?.input).toHaveLength(10_000)
    const events = many.map((body) => ({ name: 'gen_ai.user.message', attributes: body }))
    expect(conversationOf({ attributes: {}, events })?.input).toHaveLength(10_000)
    const parts = { role: 'user', parts: many.map(({ content }) => ({ type: 'text', content })) }
    expect(said({ 'gen_ai.input.messages': [parts] })?.input[0]?.parts).toHaveLength(10_000)
  })
})
