import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { AttributeValue } from '../../../../src/models/attributes.ts'
import { CONTENT_POLICIES, ContentPolicy } from '../../../../src/models/privacy/content-policy.ts'
import { anyJson } from '../arbitrary-json.ts'

describe('of a prompt', () => {
  test('keep keeps everything', () => {
    expect(new ContentPolicy('keep', 1).apply('a long text')).toBe('a long text')
  })

  test('drop keeps nothing', () => {
    expect(new ContentPolicy('drop', 1).apply('a long text')).toBeUndefined()
    const attributes = { 'gen_ai.prompt': 'hello', 'gen_ai.prompt.name': 'greeting', other: 1 }
    expect(new ContentPolicy('drop', 1).attributes(attributes)).toEqual({
      'gen_ai.prompt.name': 'greeting',
      other: 1,
    })
  })

  test('hash keeps what tells it from others', () => {
    const policy = new ContentPolicy('hash', 1)
    expect(policy.apply('hello')).toBe(
      'sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
    )
    expect(policy.apply([{ role: 'user' }])).toBe(policy.apply('[{"role":"user"}]'))
  })

  test('truncate keeps the beginning of every text, and says how long it was', () => {
    const policy = new ContentPolicy('truncate', 5)
    expect(policy.apply('hello')).toBe('hello')
    expect(policy.apply('hello world')).toBe('hello… [11 characters]')
    expect(policy.apply('abcd\u{1F600}f')).toBe('abcd… [7 characters]')
    expect(policy.apply(['short', 'a longer one', 42])).toEqual(['short', 'a lon… [12 characters]', 42])
  })

  test('truncate leaves messages that can be read', () => {
    const messages = [{ role: 'user', parts: [{ type: 'text', content: 'tell me everything' }] }]
    const cut = new ContentPolicy('truncate', 7).apply(JSON.stringify(messages))
    expect(JSON.parse(String(cut))[0].parts[0].content).toBe('tell me… [18 characters]')
  })
})

test.each(CONTENT_POLICIES)('%s changes nothing the second time', (name) => {
  const policy = new ContentPolicy(name, 5)
  fc.assert(
    fc.property(fc.oneof(fc.string({ maxLength: 60 }), fc.json(), anyJson), (value) => {
      const once = policy.apply(value as AttributeValue)
      if (once !== undefined) expect(policy.apply(once)).toEqual(once)
    }),
    { numRuns: 500 },
  )
})
