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
        'gen_ai.usage.cache_write.input_tokens': 100,
        'gen_ai.usage.reasoning.output_tokens': 64,
        'gen_ai.response.time_to_first_chunk': 0.25,
        'gen_ai.usage.cost': 0.0031,
        'gen_ai.conversation.id': 'c1',
        'user.id': 'u1',
        'gen_ai.response.finish_reasons': ['stop'],
        'error.type': 'timeout',
        'gen_ai.response.id': 'chatcmpl-1',
        'gen_ai.prompt.name': 'greeting',
        'gen_ai.prompt.version': 3,
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
      cacheCreationTokens: 100,
      reasoningTokens: 64,
      timeToFirstTokenSeconds: 0.25,
      cost: '0.0031',
      sessionId: 'c1',
      userId: 'u1',
      finishReason: 'stop',
      errorType: 'timeout',
      responseId: 'chatcmpl-1',
      promptName: 'greeting',
      promptVersion: '3',
    })
  })

  test('are undefined as a whole where no attribute feeds one', () => {
    expect(genAiColumns({})).toBeUndefined()
    expect(genAiColumns({ 'server.address': 'x', constructor: 'y' })).toBeUndefined()
    expect(genAiColumns({ 'gen_ai.usage.input_tokens': 'many' })).toBeUndefined()
  })

  test.each<[string, Attributes, object]>([
    [
      'OpenTelemetry, deprecated',
      {
        'gen_ai.system': 'az.ai.openai',
        'gen_ai.operation.name': 'chat',
        'gen_ai.usage.prompt_tokens': 1,
        'gen_ai.usage.completion_tokens': 2,
        'gen_ai.server.time_to_first_token': 0.5,
        'enduser.id': 'u',
      },
      {
        operation: 'chat',
        provider: 'azure.ai.openai',
        inputTokens: 1,
        outputTokens: 2,
        timeToFirstTokenSeconds: 0.5,
        userId: 'u',
      },
    ],
    [
      'OpenLLMetry',
      {
        'llm.request.type': 'completion',
        'llm.vendor': 'anthropic',
        'llm.request.model': 'claude-3-opus',
        'llm.response.model': 'claude-3-opus-20240229',
        'llm.usage.prompt_tokens': 10,
        'llm.usage.completion_tokens': 4,
        'llm.usage.total_tokens': 14,
        'gen_ai.usage.cache_read_input_tokens': 3,
        'gen_ai.usage.cache_creation_input_tokens': 2,
        'traceloop.association.properties.user_id': 'u',
        'traceloop.association.properties.session_id': 's',
        'traceloop.prompt.key': 'greeting',
        'traceloop.prompt.version': 2,
        'llm.response.finish_reason': 'stop',
      },
      {
        operation: 'text_completion',
        provider: 'anthropic',
        requestModel: 'claude-3-opus',
        responseModel: 'claude-3-opus-20240229',
        inputTokens: 10,
        outputTokens: 4,
        cachedTokens: 3,
        cacheCreationTokens: 2,
        userId: 'u',
        sessionId: 's',
        finishReason: 'stop',
        promptName: 'greeting',
        promptVersion: '2',
      },
    ],
    ['OpenLLMetry: a workflow', { 'traceloop.span.kind': 'workflow' }, { operation: 'invoke_workflow' }],
    [
      'OpenInference',
      {
        'openinference.span.kind': 'LLM',
        'llm.provider': 'openai',
        'llm.model_name': 'm',
        'llm.token_count.prompt': 12,
        'llm.token_count.completion': 7,
        'llm.token_count.prompt_details.cache_read': 5,
        'llm.token_count.prompt_details.cache_write': 1,
        'llm.token_count.completion_details.reasoning': 3,
        'llm.cost.total': 0.002,
        'session.id': 's',
        'user.id': 'u',
      },
      {
        operation: 'chat',
        provider: 'openai',
        requestModel: 'm',
        inputTokens: 12,
        outputTokens: 7,
        cachedTokens: 5,
        cacheCreationTokens: 1,
        reasoningTokens: 3,
        cost: '0.002',
        sessionId: 's',
        userId: 'u',
      },
    ],
    ['OpenInference: an agent', { 'openinference.span.kind': 'AGENT' }, { operation: 'invoke_agent' }],
    ['OpenInference: another kind', { 'openinference.span.kind': 'GUARDRAIL' }, { operation: 'guardrail' }],
    [
      'Vercel AI SDK',
      {
        'ai.operationId': 'ai.streamText.doStream',
        'ai.model.id': 'm',
        'ai.model.provider': 'openai.chat',
        'ai.usage.inputTokens': 9,
        'ai.usage.outputTokens': 6,
        'ai.usage.cachedInputTokens': 4,
        'ai.usage.reasoningTokens': 2,
        'ai.response.msToFirstChunk': 250,
        'ai.response.finishReason': 'stop',
        'ai.telemetry.metadata.userId': 'u',
      },
      {
        operation: 'chat',
        requestModel: 'm',
        provider: 'openai',
        inputTokens: 9,
        outputTokens: 6,
        cachedTokens: 4,
        reasoningTokens: 2,
        timeToFirstTokenSeconds: 0.25,
        finishReason: 'stop',
        userId: 'u',
      },
    ],
    [
      'Vercel AI SDK: the span around its calls',
      { 'ai.operationId': 'ai.generateText', 'ai.usage.promptTokens': 9 },
      { operation: 'invoke_agent', inputTokens: 9 },
    ],
    [
      'Langfuse, whose counts are apart',
      {
        'langfuse.observation.type': 'generation',
        'langfuse.observation.model.name': 'm',
        'langfuse.observation.usage_details': JSON.stringify({
          input: 100,
          input_cached_tokens: 40,
          cache_creation_input_tokens: 10,
          output: 20,
          output_reasoning_tokens: 5,
          total: 175,
        }),
        'langfuse.observation.cost_details': '{"input":0.001,"output":0.002,"total":0.003}',
        'langfuse.session.id': 's',
        'langfuse.user.id': 'u',
        'langfuse.observation.prompt.name': 'greeting',
        'langfuse.observation.prompt.version': 4,
      },
      {
        operation: 'chat',
        promptName: 'greeting',
        promptVersion: '4',
        requestModel: 'm',
        inputTokens: 150,
        outputTokens: 25,
        cachedTokens: 40,
        cacheCreationTokens: 10,
        reasoningTokens: 5,
        cost: '0.003',
        sessionId: 's',
        userId: 'u',
      },
    ],
    [
      'Vercel AI SDK, with a prompt of Langfuse',
      {
        'ai.telemetry.metadata.langfusePrompt': '{"name":"greeting","version":3,"isFallback":false}',
        'ai.response.id': 'resp_1',
      },
      { promptName: 'greeting', promptVersion: '3', responseId: 'resp_1' },
    ],
    [
      'Langfuse, in the words of OpenAI',
      {
        'langfuse.observation.usage_details':
          '{"prompt_tokens":100,"completion_tokens":20,"input_cached_tokens":40}',
      },
      { inputTokens: 100, outputTokens: 20, cachedTokens: 40 },
    ],
    [
      'Langfuse: a span that is none of a model',
      { 'langfuse.observation.type': 'span', 'user.id': 'u' },
      { userId: 'u' },
    ],
  ])('are read from the names of %s', (_name, attributes, expected) => {
    const found = Object.entries(genAiColumns(attributes) ?? {}).filter(([, value]) => value !== undefined)
    expect(Object.fromEntries(found)).toEqual(expected)
  })

  test('count what comes from a cache once, also where it is counted apart', () => {
    const usage = (input: number, cached: number, created: number) =>
      genAiColumns({
        'gen_ai.usage.input_tokens': input,
        'gen_ai.usage.cache_read.input_tokens': cached,
        'gen_ai.usage.cache_creation.input_tokens': created,
      })?.inputTokens
    expect(usage(100, 60, 40)).toBe(100)
    // A part cannot be more than the whole.
    expect(usage(10, 60, 40)).toBe(110)
    expect(
      genAiColumns({ 'gen_ai.usage.output_tokens': 3, 'gen_ai.usage.reasoning_tokens': 4 })?.outputTokens,
    ).toBe(7)
    const most = '9223372036854775807'
    const large = { 'gen_ai.usage.input_tokens': 1, 'gen_ai.usage.cache_read.input_tokens': most }
    expect(genAiColumns(large)?.inputTokens).toBe(1)
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
