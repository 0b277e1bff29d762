import { describe, expect, test } from 'vitest'
import type { Attributes } from '../../../src/models/attributes.ts'
import { genAiColumns } from '../../../src/models/gen-ai.ts'

describe('the gen_ai columns', () => {
  test('are read from the current OpenTelemetry names', () => {
    expect(
      genAiColumns({
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'openai',
        'gen_ai.request.model': 'gpt-4o',
        'gen_ai.response.model': 'gpt-4o-2024-08-06',
        'gen_ai.usage.input_tokens': 812,
        'gen_ai.usage.output_tokens': 113,
        'gen_ai.usage.cache_read.input_tokens': 512,
        'gen_ai.usage.reasoning.output_tokens': 64,
        'gen_ai.response.time_to_first_chunk': 0.25,
        'gen_ai.usage.cost': 0.0031,
        'gen_ai.conversation.id': 'c1',
        'user.id': 'u1',
        'gen_ai.response.finish_reasons': ['stop'],
        'error.type': 'timeout',
        'server.address': 'api.openai.com',
      }),
    ).toStrictEqual({
      operation: 'chat',
      provider: 'openai',
      requestModel: 'gpt-4o',
      responseModel: 'gpt-4o-2024-08-06',
      inputTokens: 812,
      outputTokens: 113,
      cachedTokens: 512,
      reasoningTokens: 64,
      timeToFirstTokenSeconds: 0.25,
      cost: '0.0031',
      sessionId: 'c1',
      userId: 'u1',
      finishReason: 'stop',
      errorType: 'timeout',
    })
  })

  test('are undefined as a whole where no attribute feeds one', () => {
    expect(genAiColumns({})).toBeUndefined()
    expect(genAiColumns({ 'server.address': 'x', constructor: 'y' })).toBeUndefined()
    expect(genAiColumns({ 'gen_ai.usage.input_tokens': 'many' })).toBeUndefined()
  })

  test.each<[string, Attributes, object]>([
    [
      'deprecated OpenTelemetry',
      { 'gen_ai.system': 'openai', 'gen_ai.usage.prompt_tokens': 1, 'gen_ai.usage.completion_tokens': 2 },
      { provider: 'openai', inputTokens: 1, outputTokens: 2 },
    ],
    [
      'OpenLLMetry',
      {
        'llm.request.type': 'chat',
        'llm.vendor': 'anthropic',
        'llm.usage.prompt_tokens': 1,
        'gen_ai.usage.cache_read_input_tokens': 3,
        'traceloop.association.properties.user_id': 'u',
        'traceloop.association.properties.session_id': 's',
      },
      {
        operation: 'chat',
        provider: 'anthropic',
        inputTokens: 1,
        cachedTokens: 3,
        userId: 'u',
        sessionId: 's',
      },
    ],
    [
      'OpenInference',
      {
        'llm.model_name': 'm',
        'llm.token_count.prompt': 1,
        'llm.token_count.completion': 2,
        'session.id': 's',
      },
      { requestModel: 'm', inputTokens: 1, outputTokens: 2, sessionId: 's' },
    ],
    [
      'Vercel AI SDK',
      {
        'ai.model.id': 'm',
        'ai.model.provider': 'p',
        'ai.usage.promptTokens': 1,
        'ai.response.finishReason': 'stop',
      },
      { requestModel: 'm', provider: 'p', inputTokens: 1, finishReason: 'stop' },
    ],
  ])('are read from the names of %s', (_name, attributes, expected) => {
    expect(genAiColumns(attributes)).toMatchObject(expected)
  })

  test('prefer the better name in whichever order they come', () => {
    const pairs = Object.entries({
      'llm.usage.prompt_tokens': 3,
      'gen_ai.usage.input_tokens': 1,
      'gen_ai.usage.prompt_tokens': 2,
    })
    for (const order of [pairs, pairs.toReversed(), [pairs[1], pairs[0], pairs[2]]] as [string, number][][]) {
      expect(genAiColumns(Object.fromEntries(order))?.inputTokens).toBe(1)
    }
    expect(genAiColumns(Object.fromEntries([pairs[0], pairs[2]] as [string, number][]))?.inputTokens).toBe(2)
    expect(genAiColumns(Object.fromEntries([pairs[2], pairs[0]] as [string, number][]))?.inputTokens).toBe(2)
  })

  test('fall back to the next name where the better one holds nothing usable', () => {
    const attributes = { 'gen_ai.usage.input_tokens': -1, 'gen_ai.usage.prompt_tokens': 5 }
    expect(genAiColumns(attributes)?.inputTokens).toBe(5)
  })

  test.each([
    [0, 0],
    ['812', 812],
    [9007199254740993n, 9007199254740993n],
    ['9223372036854775807', 9223372036854775807n],
    ['9223372036854775808', undefined],
    [-1, undefined],
    ['-1', undefined],
    [1.5, undefined],
    ['1.5', undefined],
    [true, undefined],
    [null, undefined],
    [[1], undefined],
  ])('read %o tokens as %o', (tokens, expected) => {
    expect(genAiColumns({ 'gen_ai.usage.output_tokens': tokens })?.outputTokens).toBe(expected)
  })

  test.each([
    [0.0031, '0.0031'],
    ['0.10', '0.1'],
    [3, '3'],
    [0, '0'],
    ['00012.50', '12.5'],
    [1e-7, '0.0000001'],
    ['1.25e-3', '0.00125'],
    ['1.5E2', '150'],
    ['+2.', '2'],
    ['.5', '0.5'],
    [12345678901234567890n, '12345678901234567890'],
    ['0.123456789012345678901234567890', '0.12345678901234567890123456789'],
    [-0.01, undefined],
    ['free', undefined],
    ['', undefined],
    ['.', undefined],
    ['NaN', undefined],
    ['1e99', undefined],
    [1e-300, undefined],
    [true, undefined],
  ])('read a cost of %o as the exact decimal %s', (cost, expected) => {
    expect(genAiColumns({ 'gen_ai.usage.cost': cost })?.cost).toBe(expected)
  })

  test.each([
    [0.25, 0.25],
    ['0.25', 0.25],
    ['NaN', undefined],
    ['Infinity', undefined],
    [-1, undefined],
    ['soon', undefined],
  ])('read %o seconds to the first token as %o', (seconds, expected) => {
    expect(genAiColumns({ 'gen_ai.response.time_to_first_chunk': seconds })?.timeToFirstTokenSeconds).toBe(
      expected,
    )
  })

  test.each([
    [['stop'], 'stop'],
    [['stop', 'stop', 'length'], 'stop,length'],
    ['stop', 'stop'],
    ['["tool_calls"]', 'tool_calls'],
    ['[not json', '[not json'],
    [[], undefined],
    [[null], undefined],
  ])('read the finish reasons %o as %s', (reasons, expected) => {
    expect(genAiColumns({ 'gen_ai.response.finish_reasons': reasons })?.finishReason).toBe(expected)
  })

  test.each([
    ['u1', 'u1'],
    [42, '42'],
    ['', undefined],
    [true, undefined],
    ['x'.repeat(1024), 'x'.repeat(1024)],
    ['x'.repeat(1025), undefined],
    ['€'.repeat(342), undefined],
  ])('read the user %o as %s', (user, expected) => {
    expect(genAiColumns({ 'user.id': user })?.userId).toBe(expected)
  })
})
