import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NamePattern } from '../../../src/models/name-pattern.ts'

test.each([
  ['gpt-4o', 'gpt-4o', true],
  ['gpt-4o', 'gpt-4o-mini', false],
  ['gpt-4o-20*', 'gpt-4o-2024-08-06', true],
  ['gpt-4o-20*', 'gpt-4o-mini', false],
  ['*anthropic.claude-3*-v1:*', 'us.anthropic.claude-3-haiku-v1:0', true],
  ['*anthropic.claude-3*-v1:*', 'anthropic.claude-3-haiku', false],
  ['a*a', 'a', false],
  ['*', '', true],
  ['a.c', 'abc', false],
])('the pattern %s and the name %s: %s', (pattern, name, matches) => {
  expect(new NamePattern(pattern).matches(name)).toBe(matches)
})

test('says what a regular expression of the same meaning says', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '-'), maxLength: 12 })
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '-', '*'), maxLength: 8 })
  fc.assert(
    fc.property(pattern, text, (glob, name) => {
      expect(new NamePattern(glob).matches(name)).toBe(
        new RegExp(`^${glob.replaceAll('*', '.*')}$`).test(name),
      )
    }),
    { numRuns: 2000 },
  )
})

test('takes no longer for a name made to be slow', () => {
  const startedMs = performance.now()
  expect(new NamePattern('*a*a*a*a*a*b').matches('a'.repeat(100_000))).toBe(false)
  expect(performance.now() - startedMs).toBeLessThan(1000)
})
