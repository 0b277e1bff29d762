import { describe, expect, test } from 'vitest'
import type { AttributeValue } from '../../../../src/models/attributes.ts'
import { messagesOf } from '../../../../src/models/conversation/loose-messages.ts'

const text = (content: string) => ({ type: 'text', content })
const spoken = (role: string, content: string) => ({ role, parts: [text(content)] })

describe('messages of any form', () => {
  test.each<[string, AttributeValue, object[]]>([
    ['a message of text', { role: 'developer', content: 'hi' }, [spoken('developer', 'hi')]],
    [
      'parts of OpenAI and Anthropic',
      {
        role: 'user',
        content: [
          { type: 'text', text: 'look' },
          { type: 'image_url', image_url: { url: 'https://a' } },
          { type: 'tool_result', tool_use_id: 't1', content: '{"a":1}' },
          'and tell',
        ],
      },
      [
        {
          role: 'user',
          parts: [
            text('look'),
            {
              type: 'other',
              kind: 'image_url',
              value: { type: 'image_url', image_url: { url: 'https://a' } },
            },
            { type: 'tool_call_response', id: 't1', response: { a: 1 } },
            text('and tell'),
          ],
        },
      ],
    ],
    [
      'an answer of Anthropic',
      {
        role: 'assistant',
        stop_reason: 'tool_use',
        content: [
          { type: 'thinking', thinking: 'hm', signature: 'x' },
          { type: 'tool_use', id: 't1', name: 'f', input: { a: 1 } },
        ],
      },
      [
        {
          role: 'assistant',
          finishReason: 'tool_use',
          parts: [
            { type: 'reasoning', content: 'hm' },
            { type: 'tool_call', id: 't1', name: 'f', arguments: { a: 1 } },
          ],
        },
      ],
    ],
    [
      'a request of Anthropic',
      { model: 'm', system: [{ type: 'text', text: 'brief' }], messages: [{ role: 'user', content: 'hi' }] },
      [spoken('system', 'brief'), spoken('user', 'hi')],
    ],
    [
      'a request of OpenAI with the answer of a tool',
      {
        messages: [
          {
            role: 'assistant',
            content: null,
            tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '' } }],
          },
          { role: 'tool', tool_call_id: 'c', content: '[1]' },
          { role: 'assistant', content: null, refusal: 'no' },
        ],
      },
      [
        { role: 'assistant', parts: [{ type: 'tool_call', id: 'c', name: 'f' }] },
        { role: 'tool', parts: [{ type: 'tool_call_response', id: 'c', response: [1] }] },
        { role: 'assistant', parts: [{ type: 'other', kind: 'refusal', value: 'no' }] },
      ],
    ],
    [
      'items of responses of OpenAI',
      {
        instructions: 'brief',
        input: [
          { role: 'user', content: [{ type: 'input_text', text: 'hi' }] },
          { type: 'reasoning', summary: [{ type: 'summary_text', text: 'hm' }] },
          { type: 'function_call', id: 'fc', call_id: 'c', name: 'f', arguments: '{"a":1}' },
          { type: 'function_call_output', call_id: 'c', output: 'done' },
        ],
      },
      [
        spoken('system', 'brief'),
        spoken('user', 'hi'),
        { role: 'assistant', parts: [{ type: 'reasoning', content: 'hm' }] },
        { role: 'assistant', parts: [{ type: 'tool_call', id: 'c', name: 'f', arguments: { a: 1 } }] },
        { role: 'tool', parts: [{ type: 'tool_call_response', id: 'c', response: 'done' }] },
      ],
    ],
    [
      'choices of text completions',
      { choices: [{ text: 'hi', index: 0, finish_reason: 'length' }] },
      [{ ...spoken('user', 'hi'), finishReason: 'length' }],
    ],
    ['a list in a list', [[{ role: 'user', content: 'hi' }]], [spoken('user', 'hi')]],
    [
      'parts alone',
      [
        { type: 'text', text: 'a' },
        { type: 'text', text: 'b' },
      ],
      [{ role: 'user', parts: [text('a'), text('b')] }],
    ],
    ['parts of Gemini', { role: 'model', parts: [{ text: 'hi' }] }, [spoken('model', 'hi')]],
    [
      'a choice whose message has the reason',
      { message: { role: 'assistant', content: 'hi', finish_reason: 'stop' } },
      [{ ...spoken('assistant', 'hi'), finishReason: 'stop' }],
    ],
    [
      'answers of tools alone',
      [{ type: 'tool_result', tool_use_id: 't1', content: 'a' }],
      [{ role: 'tool', parts: [{ type: 'tool_call_response', id: 't1', response: 'a' }] }],
    ],
    [
      'parts that say nothing',
      {
        role: 'assistant',
        content: [{ type: 'text', text: '' }, { type: 'reasoning', summary: [] }, null, ''],
      },
      [{ role: 'assistant', parts: [] }],
    ],
    ['a message without its content', { role: 'assistant', id: 'm1' }, [{ role: 'assistant', parts: [] }]],
    [
      'a prompt among others',
      { prompt: 'hi', city: 'Paris' },
      [spoken('user', '{"prompt":"hi","city":"Paris"}')],
    ],
    ['a list of anything', ['a', 'b'], [spoken('user', '["a","b"]')]],
    [
      'an object that only has a role',
      { role: 'admin', city: 'Paris' },
      [spoken('user', '{"role":"admin","city":"Paris"}')],
    ],
    ['a number', 42, [spoken('user', '42')]],
    ['a number as text', '1e3', [spoken('user', '1e3')]],
    ['text that begins like JSON', '[sic] {', [spoken('user', '[sic] {')]],
  ])('are read from %s', (_name, value, expected) => {
    expect(messagesOf(value, 'user')).toEqual(expected)
    if (typeof value === 'object') expect(messagesOf(JSON.stringify(value), 'user')).toEqual(expected)
  })

  test.each<[AttributeValue]>([[null], [''], ['[]'], ['{}'], [[]], [{}]])('are none in %o', (value) => {
    expect(messagesOf(value, 'user')).toEqual([])
  })
})
