import { describe, expect, test } from 'vitest'
import { isContentKey } from '../../../src/models/content-keys.ts'
import { splitContent } from '../../../src/models/gen-ai-content.ts'

describe('content', () => {
  test.each([
    'gen_ai.input.messages',
    'gen_ai.output.messages',
    'gen_ai.system_instructions',
    'gen_ai.prompt',
    'gen_ai.prompt.0.content',
    'gen_ai.completion',
    'gen_ai.completion.12.role',
    'gen_ai.content.prompt',
    'gen_ai.content.completion',
    'gen_ai.event.content',
    'gen_ai.tool.call.arguments',
    'gen_ai.tool.call.result',
    'llm.input_messages.0.message.content',
    'llm.output_messages',
    'llm.prompts.0',
    'llm.completions',
    'llm.choices.0.completion.text',
    'llm.function_call',
    'llm.prompt_template.variables',
    'embedding.text',
    'embedding.embeddings.0.embedding.vector',
    'input.value',
    'output.value',
    'traceloop.entity.input',
    'traceloop.entity.output',
    'ai.prompt',
    'ai.prompt.messages',
    'ai.response.text',
    'ai.response.reasoning',
    'ai.response.files',
    'ai.toolCall.args',
    'ai.values',
    'ai.embedding',
    'langfuse.observation.input',
    'langfuse.observation.output',
    'langfuse.trace.input',
    'gen_ai.retrieval.query.text',
    'retrieval.documents.0.document.content',
    'reranker.query',
  ])('is what %s holds', (key) => {
    expect(isContentKey(key)).toBe(true)
  })

  test.each([
    'gen_ai.prompt.name',
    'gen_ai.prompts',
    'gen_ai.usage.prompt_tokens',
    'gen_ai.usage.completion_tokens',
    'gen_ai.tool.definitions',
    'gen_ai.tool.call.id',
    'gen_ai.input.messages.count',
    'llm.prompt_template.template',
    'input.mime_type',
    'my.input.value',
    'ai.response.model',
    'ai.response.finishReason',
    'ai.prompt.tools',
    'ai.prompt.toolChoice',
    'ai.toolCall.name',
    'llm.tools.0.tool.json_schema',
    'embedding.model_name',
    'langfuse.observation.metadata',
    'gen_ai.content',
    'ai.promptTokens',
    '',
  ])('is not what %s holds', (key) => {
    expect(isContentKey(key)).toBe(false)
  })

  test('is taken out of the attributes, and none of both is lost', () => {
    const attributes = JSON.parse(
      '{"a":1,"gen_ai.prompt.0.content":"hi","input.value":"x","__proto__":2,"b":null}',
    )
    const split = splitContent(attributes)
    expect(JSON.stringify(split.attributes)).toBe('{"a":1,"__proto__":2,"b":null}')
    expect(split.content).toEqual({ 'gen_ai.prompt.0.content': 'hi', 'input.value': 'x' })
  })

  test('leaves attributes without any the object they were', () => {
    const attributes = { a: 1 }
    expect(splitContent(attributes)).toStrictEqual({ attributes, content: undefined })
    expect(splitContent(attributes).attributes).toBe(attributes)
  })
})
