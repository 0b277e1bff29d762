import { describe, expect, test } from 'vitest'
import type { Attributes, AttributeValue } from '../../../../src/models/attributes.ts'
import type { ContentLog, ContentSpan } from '../../../../src/models/conversation/conversation.ts'
import { conversationOf } from '../../../../src/models/conversation/conversation-of.ts'

const json = (value: unknown) => JSON.stringify(value)
const said = (attributes: Attributes, rest: Partial<ContentSpan> = {}) =>
  conversationOf({ attributes, events: [], ...rest })
const event = (name: string, attributes: Attributes) => ({ name, attributes })
const log = (
  eventName: string,
  body: AttributeValue | undefined,
  attributes: Attributes = {},
): ContentLog => ({
  eventName,
  body,
  attributes,
})

const text = (content: string) => ({ type: 'text', content })
const spoken = (role: string, content: string) => ({ role, parts: [text(content)] })
const ASKED = spoken('user', 'Weather in Paris?')
const ANSWERED = spoken('assistant', 'Rainy, 14 degrees.')
const CALL = { type: 'tool_call', id: 'call_1', name: 'get_weather', arguments: { location: 'Paris' } }
const RESPONSE = { type: 'tool_call_response', id: 'call_1', response: 'rainy' }

describe('a conversation', () => {
  test('of OpenTelemetry is the lists of messages, the instructions first', () => {
    const input: AttributeValue = [
      { role: 'user', parts: [text('Weather in Paris?'), { type: 'uri', modality: 'image', uri: 'gs://a' }] },
      { role: 'assistant', name: 'Ada', parts: [{ type: 'reasoning', content: 'look it up' }, CALL] },
      { role: 'tool', parts: [{ type: 'tool_call_response', id: 'call_1', result: 'rainy' }] },
    ]
    const expected = {
      input: [
        { role: 'system', parts: [text('Be brief.'), text('Be kind.')] },
        {
          role: 'user',
          parts: [
            text('Weather in Paris?'),
            { type: 'other', kind: 'uri', value: { type: 'uri', modality: 'image', uri: 'gs://a' } },
          ],
        },
        { role: 'assistant', name: 'Ada', parts: [{ type: 'reasoning', content: 'look it up' }, CALL] },
        { role: 'tool', parts: [RESPONSE] },
      ],
      output: [{ ...ANSWERED, finishReason: 'stop' }],
    }
    const values: Attributes = {
      'gen_ai.system_instructions': [text('Be brief.'), text('Be kind.')],
      'gen_ai.input.messages': input,
      'gen_ai.output.messages': [{ ...ANSWERED, finish_reason: 'stop' }],
    }
    const texts = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, json(value)]))
    const details = 'gen_ai.client.inference.operation.details'
    const unheard = { 'gen_ai.input.messages': json([ASKED]) }
    expect(said(texts)).toEqual(expected)
    expect(said(values)).toEqual(expected)
    expect(said({}, { events: [event('another', unheard), event(details, values)] })).toEqual(expected)
    expect(said({}, { logs: [log('another', 'x', unheard), log(details, undefined, values)] })).toEqual(
      expected,
    )
    expect(said({}, { logs: [log('', values, { 'event.name': details })] })).toEqual(expected)
  })

  test('of OpenTelemetry has the finish reasons of the span where the messages have none', () => {
    const output = { 'gen_ai.output.messages': json([ANSWERED, spoken('assistant', 'Sunny.')]) }
    const reasons = (...list: string[]) =>
      said({ ...output, 'gen_ai.response.finish_reasons': list })?.output.map((each) => each.finishReason)
    expect(reasons('stop', 'length')).toEqual(['stop', 'length'])
    expect(reasons('stop')).toEqual([undefined, undefined])
    const own = [{ ...ANSWERED, finish_reason: 'length' }]
    const both = { 'gen_ai.output.messages': own, 'gen_ai.response.finish_reasons': ['stop'] }
    expect(said(both)?.output).toEqual([{ ...ANSWERED, finishReason: 'length' }])
  })

  test.each([
    ['bodies of log records', (name: string, body: Attributes) => ({ logs: [log(name, body)] })],
    ['bodies as JSON text', (name: string, body: Attributes) => ({ logs: [log(name, json(body))] })],
    [
      'attributes of log records',
      (name: string, body: Attributes) => ({ logs: [log(name, undefined, body)] }),
    ],
    [
      'attributes of span events, among others',
      (name: string, { message, tool_calls, ...body }: Attributes) => ({
        events: [
          event(name, {
            'gen_ai.system': 'openai',
            ...body,
            ...(message === undefined ? {} : { message: json(message) }),
            ...(tool_calls === undefined ? {} : { tool_calls: json(tool_calls) }),
          }),
        ],
      }),
    ],
    [
      'one attribute of span events',
      (name: string, body: Attributes) => ({ events: [event(name, { 'gen_ai.event.content': json(body) })] }),
    ],
  ])('of OpenTelemetry before 1.37 is an event a message: %s', (_form, sent) => {
    const call = {
      id: 'call_1',
      type: 'function',
      function: { name: 'get_weather', arguments: '{"location":"Paris"}' },
    }
    const parts = [
      sent('gen_ai.system.message', { content: 'Be brief.' }),
      sent('gen_ai.user.message', { content: 'Weather in Paris?' }),
      sent('gen_ai.assistant.message', { tool_calls: [call] }),
      sent('gen_ai.tool.message', { id: 'call_1', content: 'rainy' }),
      sent('gen_ai.choice', { index: 1, finish_reason: 'length', message: { content: 'Rain' } }),
      sent('gen_ai.choice', {
        index: 0,
        finish_reason: 'stop',
        message: { role: 'assistant', content: 'Rainy, 14 degrees.' },
      }),
      sent('something.else', { content: 'unheard' }),
    ] as Partial<ContentSpan>[]
    const events = parts.flatMap((part) => part.events ?? [])
    const logs = parts.flatMap((part) => part.logs ?? [])
    expect(said({}, { events, logs })).toEqual({
      input: [
        spoken('system', 'Be brief.'),
        ASKED,
        { role: 'assistant', parts: [CALL] },
        { role: 'tool', parts: [RESPONSE] },
      ],
      output: [
        { ...ANSWERED, finishReason: 'stop' },
        { ...spoken('assistant', 'Rain'), finishReason: 'length' },
      ],
    })
  })

  test('of events is their text where that is all they have', () => {
    const logs = [log('gen_ai.user.message', 'Weather in Paris?')]
    const events = [
      event('gen_ai.choice', { index: 0, finish_reason: 'stop', message: 'Rainy, 14 degrees.' }),
    ]
    const expected = { input: [ASKED], output: [{ ...ANSWERED, finishReason: 'stop' }] }
    expect(said({}, { logs, events })).toEqual(expected)
    const content = event('gen_ai.user.message', { 'gen_ai.event.content': 'Weather in Paris?' })
    expect(said({}, { events: [content] })?.input).toEqual([ASKED])
  })

  test('of events that came both with the span and as log records is there once', () => {
    const body = { content: 'Weather in Paris?' }
    const both = { events: [event('gen_ai.user.message', body)], logs: [log('gen_ai.user.message', body)] }
    expect(said({}, both)?.input).toEqual([ASKED])
  })

  test.each([
    ['text', 'Weather in Paris?', 'Rainy, 14 degrees.'],
    [
      'JSON',
      json([{ role: 'user', content: 'Weather in Paris?' }]),
      json([{ role: 'assistant', content: 'Rainy, 14 degrees.' }]),
    ],
  ])('of the first conventions is an attribute a side, as %s', (_form, prompt, completion) => {
    const expected = { input: [ASKED], output: [ANSWERED] }
    expect(said({ 'gen_ai.prompt': prompt, 'gen_ai.completion': completion })).toEqual(expected)
    expect(said({ 'gen_ai.content.prompt': prompt, 'gen_ai.content.completion': completion })).toEqual(
      expected,
    )
    const asked = event('gen_ai.content.prompt', { 'gen_ai.prompt': prompt })
    const answered = event('gen_ai.content.completion', { 'gen_ai.completion': completion })
    expect(said({}, { events: [asked, answered] })).toEqual(expected)
  })

  test('of OpenLLMetry is read from indexed attributes, in the order of their numbers', () => {
    const attributes = {
      'gen_ai.prompt.10.role': 'user',
      'gen_ai.prompt.10.content': 'And tomorrow?',
      'gen_ai.prompt.0.content': 'Be brief.',
      'gen_ai.prompt.0.role': 'system',
      'gen_ai.prompt.1.role': 'user',
      'gen_ai.prompt.1.content': json([{ type: 'text', text: 'Weather in Paris?' }]),
      'gen_ai.prompt.2.role': 'assistant',
      'gen_ai.prompt.2.content': json([
        { type: 'tool_use', id: 'call_1', name: 'get_weather', input: { location: 'Paris' } },
      ]),
      'gen_ai.prompt.2.tool_calls.0.id': 'call_1',
      'gen_ai.prompt.2.tool_calls.0.name': 'get_weather',
      'gen_ai.prompt.2.tool_calls.0.arguments': '{"location":"Paris"}',
      'gen_ai.prompt.3.role': 'tool',
      'gen_ai.prompt.3.tool_call_id': 'call_1',
      'gen_ai.prompt.3.content': 'rainy',
      'gen_ai.prompt.name': 'none of these',
      'gen_ai.completion.0.role': 'thinking',
      'gen_ai.completion.0.content': 'Same place.',
      'gen_ai.completion.1.role': 'assistant',
      'gen_ai.completion.1.finish_reason': 'tool_calls',
      'gen_ai.completion.1.tool_calls.1.name': 'second',
      'gen_ai.completion.1.tool_calls.1.arguments': 'not JSON',
      'gen_ai.completion.1.tool_calls.0.name': 'first',
    }
    expect(said(attributes)).toEqual({
      input: [
        spoken('system', 'Be brief.'),
        ASKED,
        { role: 'assistant', parts: [CALL] },
        { role: 'tool', parts: [RESPONSE] },
        spoken('user', 'And tomorrow?'),
      ],
      output: [
        { role: 'assistant', parts: [{ type: 'reasoning', content: 'Same place.' }] },
        {
          role: 'assistant',
          finishReason: 'tool_calls',
          parts: [
            { type: 'tool_call', name: 'first' },
            { type: 'tool_call', name: 'second', arguments: 'not JSON' },
          ],
        },
      ],
    })
    expect(said({ 'gen_ai.prompt.0.content': '[1, 2]' })?.input).toEqual([spoken('user', '[1, 2]')])
    expect(said({ 'gen_ai.prompt.0.user': 'Weather in Paris?' })?.input).toEqual([ASKED])
  })

  test('of OpenInference is read from indexed attributes', () => {
    const first = 'llm.input_messages.0.message'
    const attributes = {
      [`${first}.role`]: 'user',
      [`${first}.contents.0.message_content.type`]: 'text',
      [`${first}.contents.0.message_content.text`]: 'Weather in Paris?',
      [`${first}.contents.1.message_content.type`]: 'image',
      [`${first}.contents.1.message_content.image.image.url`]: 'https://a/b.png',
      'llm.input_messages.1.message.role': 'assistant',
      'llm.input_messages.1.message.tool_calls.0.tool_call.id': 'call_1',
      'llm.input_messages.1.message.tool_calls.0.tool_call.function.name': 'get_weather',
      'llm.input_messages.1.message.tool_calls.0.tool_call.function.arguments': '{"location":"Paris"}',
      'llm.input_messages.2.message.role': 'tool',
      'llm.input_messages.2.message.name': 'get_weather',
      'llm.input_messages.2.message.tool_call_id': 'call_1',
      'llm.input_messages.2.message.content': 'rainy',
      'llm.output_messages.0.message.role': 'assistant',
      'llm.output_messages.0.message.contents.0.message_content.type': 'reasoning',
      'llm.output_messages.0.message.contents.0.message_content.text': 'It rains.',
      'llm.output_messages.0.message.contents.1.message_content.type': 'text',
      'llm.output_messages.0.message.contents.1.message_content.text': 'Rainy, 14 degrees.',
      'llm.finish_reason': 'stop',
      'input.value': 'shown already',
    }
    const image = { type: 'image', image: { image: { url: 'https://a/b.png' } } }
    expect(said(attributes)).toEqual({
      input: [
        { role: 'user', parts: [text('Weather in Paris?'), { type: 'other', kind: 'image', value: image }] },
        { role: 'assistant', parts: [CALL] },
        { role: 'tool', name: 'get_weather', parts: [RESPONSE] },
      ],
      output: [
        {
          role: 'assistant',
          finishReason: 'stop',
          parts: [{ type: 'reasoning', content: 'It rains.' }, text('Rainy, 14 degrees.')],
        },
      ],
    })
  })

  test('of OpenInference is read from lists that were not flattened, and from text completions', () => {
    const call = {
      'tool_call.id': 'call_1',
      'tool_call.function.name': 'get_weather',
      'tool_call.function.arguments': '{"location":"Paris"}',
    }
    const messages = [{ 'message.role': 'assistant', 'message.tool_calls': [call] }]
    expect(said({ 'llm.output_messages': messages })?.output).toEqual([{ role: 'assistant', parts: [CALL] }])
    const prompts = {
      'llm.prompts.0.prompt.text': 'Weather in Paris?',
      'llm.choices.0.completion.text': 'Rainy, 14 degrees.',
    }
    expect(said(prompts)).toEqual({ input: [ASKED], output: [ANSWERED] })
    const used = 'llm.output_messages.0.message.contents.0.message_content'
    const uses = {
      [`${used}.type`]: 'tool_use',
      [`${used}.tool_call.id`]: 'call_1',
      [`${used}.tool_call.function.name`]: 'get_weather',
      [`${used}.tool_call.function.arguments`]: '{"location":"Paris"}',
    }
    expect(said(uses)?.output).toEqual([{ role: 'assistant', parts: [CALL] }])
    const called = {
      'llm.output_messages.0.message.function_call_name': 'get_weather',
      'llm.output_messages.0.message.function_call_arguments_json': '{"location":"Paris"}',
    }
    expect(said(called)?.output).toEqual([{ role: 'assistant', parts: [{ ...CALL, id: undefined }] }])
  })

  test('of the Vercel AI SDK is the prompt and what the model answered of each kind', () => {
    const attributes = {
      'ai.prompt': json({ prompt: 'less exact' }),
      'ai.prompt.messages': json([
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: [{ type: 'text', text: 'Weather in Paris?' }] },
        {
          role: 'assistant',
          content: [
            {
              type: 'tool-call',
              toolCallId: 'call_1',
              toolName: 'get_weather',
              input: { location: 'Paris' },
            },
          ],
        },
        {
          role: 'tool',
          content: [
            {
              type: 'tool-result',
              toolCallId: 'call_1',
              toolName: 'get_weather',
              output: { type: 'text', value: 'rainy' },
            },
          ],
        },
      ]),
      'ai.response.reasoning': 'It rains.',
      'ai.response.text': 'Rainy, 14 degrees.',
      'ai.response.toolCalls': json([
        { toolCallId: 'call_1', toolName: 'get_weather', args: '{"location":"Paris"}' },
      ]),
      'ai.response.finishReason': 'tool-calls',
    }
    expect(said(attributes)).toEqual({
      input: [
        spoken('system', 'Be brief.'),
        ASKED,
        { role: 'assistant', parts: [CALL] },
        { role: 'tool', parts: [RESPONSE] },
      ],
      output: [
        {
          role: 'assistant',
          finishReason: 'tool-calls',
          parts: [{ type: 'reasoning', content: 'It rains.' }, text('Rainy, 14 degrees.'), CALL],
        },
      ],
    })
  })

  test.each([
    [{ prompt: 'Weather in Paris?', system: 'Be brief.' }],
    [{ messages: [{ role: 'user', content: 'Weather in Paris?' }], system: 'Be brief.' }],
  ])('of a call of the Vercel AI SDK is what it was called with: %o', (prompt) => {
    const object = '{"sky":"grey"}'
    expect(said({ 'ai.prompt': json(prompt), 'ai.response.object': object })).toEqual({
      input: [spoken('system', 'Be brief.'), ASKED],
      output: [spoken('assistant', object)],
    })
    expect(said({ 'ai.result.text': 'Rainy, 14 degrees.' })?.output).toEqual([ANSWERED])
  })

  test.each([
    [
      'the Vercel AI SDK',
      {
        'ai.toolCall.name': 'get_weather',
        'ai.toolCall.id': 'call_1',
        'ai.toolCall.args': '{"location":"Paris"}',
        'ai.toolCall.result': '"rainy"',
      },
    ],
    [
      'OpenTelemetry',
      {
        'gen_ai.tool.name': 'get_weather',
        'gen_ai.tool.call.id': 'call_1',
        'gen_ai.tool.call.arguments': { location: 'Paris' },
        'gen_ai.tool.call.result': 'rainy',
      },
    ],
  ])('of the span of a tool is its call and its answer: %s', (_name, attributes) => {
    expect(said(attributes as unknown as Attributes)).toEqual({
      input: [{ role: 'assistant', parts: [CALL] }],
      output: [{ role: 'tool', parts: [RESPONSE] }],
    })
  })

  test('of the span of a tool is there without its name', () => {
    const parts = said({ 'gen_ai.tool.call.arguments': '{}' })?.input[0]?.parts
    expect(parts).toEqual([{ type: 'tool_call', name: 'tool', arguments: {} }])
  })

  test('of Langfuse is messages, text or any object', () => {
    const side = (input: AttributeValue) => said({ 'langfuse.observation.input': input })?.input
    expect(side(json([{ role: 'user', content: 'Weather in Paris?' }]))).toEqual([ASKED])
    expect(side(json({ model: 'm', messages: [{ role: 'user', content: 'Weather in Paris?' }] }))).toEqual([
      ASKED,
    ])
    expect(side('Weather in Paris?')).toEqual([ASKED])
    expect(side('"Weather in Paris?"')).toEqual([ASKED])
    expect(side('{ "city": "Paris" }')).toEqual([spoken('user', '{ "city": "Paris" }')])
    expect(side({ city: 'Paris', id: 2n ** 60n })).toEqual([
      spoken('user', `{"city":"Paris","id":${2n ** 60n}}`),
    ])
    expect(
      said({ 'langfuse.observation.output': json({ role: 'assistant', content: 'Rainy, 14 degrees.' }) })
        ?.output,
    ).toEqual([ANSWERED])
  })

  test('is the arguments and the result of a function where nothing better is there', () => {
    const inputs = '{"inputs": {"city": "Paris"}}'
    const entity = { 'traceloop.entity.input': inputs, 'traceloop.entity.output': 'grey' }
    expect(said(entity)).toEqual({ input: [spoken('user', inputs)], output: [spoken('assistant', 'grey')] })
    const choices = {
      choices: [
        { index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'Rainy, 14 degrees.' } },
      ],
    }
    expect(said({ 'output.value': json(choices), 'output.mime_type': 'application/json' })?.output).toEqual([
      { ...ANSWERED, finishReason: 'stop' },
    ])
    const plain = { 'input.value': json([{ role: 'user', content: 'x' }]), 'input.mime_type': 'text/plain' }
    expect(said(plain)?.input).toEqual([spoken('user', plain['input.value'])])
  })

  test('has as text what is in a list of messages and is none', () => {
    const list = json([ASKED, { city: 'Paris' }, 'so'])
    const input = [ASKED, spoken('user', '{"city":"Paris"}'), spoken('user', 'so')]
    expect(said({ 'gen_ai.input.messages': list })?.input).toEqual(input)
  })

  test('is of the best dialect on each side, and nothing is there twice', () => {
    const attributes = {
      'input.value': 'worst',
      'traceloop.entity.input': 'bad',
      'gen_ai.prompt.0.content': 'good',
      'gen_ai.input.messages': json([spoken('user', 'best')]),
      'gen_ai.output.messages': json([{ role: 'assistant', parts: [] }]),
      'output.value': 'all there is',
    }
    expect(said(attributes)).toEqual({
      input: [spoken('user', 'best')],
      output: [spoken('assistant', 'all there is')],
    })
  })

  test.each<[string, Partial<ContentSpan>]>([
    ['nothing', {}],
    ['no content', { attributes: { 'gen_ai.request.model': 'm', 'gen_ai.prompt.name': 'p' } }],
    [
      'empty content',
      { attributes: { 'gen_ai.input.messages': '[]', 'input.value': '', 'output.value': '{}' } },
    ],
    ['roles alone', { attributes: { 'gen_ai.input.messages': '[{"role":"user","parts":[]}]' } }],
    [
      'events without content',
      {
        events: [event('gen_ai.user.message', { 'gen_ai.system': 'openai' })],
        logs: [log('gen_ai.choice', { index: 0, finish_reason: 'stop', message: { role: 'assistant' } })],
      },
    ],
  ])('is undefined where the span says nothing of it: %s', (_name, span) => {
    expect(conversationOf({ attributes: {}, events: [], ...span })).toBeUndefined()
  })
})
