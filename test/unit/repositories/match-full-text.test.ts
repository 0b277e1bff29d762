import { describe, expect, test } from 'vitest'
import { searchedWords } from '../../../src/models/searched-words.ts'
import { parseFullText } from '../../../src/repositories/full-text.ts'
import { fullTextMatcher } from '../../../src/repositories/match-full-text.ts'

function isFound(body: string, q: string): boolean {
  return fullTextMatcher(parseFullText(q))(searchedWords(body))
}

describe('a search of words that are not stored', () => {
  const body = 'Connection refused by upstream, upstream is down; Café closed after 30s'

  test.each([
    'connection',
    'REFUSED connection',
    '"refused by upstream"',
    '"upstream is"',
    'conn*',
    'peer OR down',
    'peer down OR connection -peer',
    '-peer',
    '-"by down"',
    'CAFÉ',
    '30s',
    'upstream,',
  ])('finds by %s', (q) => {
    expect(isFound(body, q)).toBe(true)
  })

  test.each([
    'conn',
    'connection peer',
    '"refused upstream"',
    '"upstream upstream is by"',
    'peer*',
    '-upstream',
    'connection -"is down"',
    '-down OR -refused',
    'cafe',
    '30',
  ])('does not find by %s', (q) => {
    expect(isFound(body, q)).toBe(false)
  })

  test.each([
    ['gpt-4o answered', 'gpt-4o'],
    ['gpt-4o answered', '"gpt-4o answered"'],
    ['gpt-4o answered', 'gpt-4*'],
    ['of ana@example.com', 'ana@example.com'],
    ['GET https://app.example.com/login', 'app.example.com/login'],
    ['took -1.5 s', '-"2.5" "1.5"'],
  ])('finds in %s what stands there: %s', (text, q) => {
    expect(isFound(text, q)).toBe(true)
  })

  test('is of the beginning of a long text, by characters', () => {
    expect(isFound(`${'x '.repeat(49_999)}in behind`, 'in')).toBe(true)
    expect(isFound(`${'x '.repeat(49_999)}in behind`, 'behind')).toBe(false)
    expect(isFound(`${'😀 '.repeat(49_999)}in behind`, 'in')).toBe(true)
    expect(isFound(`${'😀 '.repeat(49_999)}in behind`, 'behind')).toBe(false)
  })

  test('by a word that is too long to be stored finds nothing, and asks for nothing beside others', () => {
    const long = 'w'.repeat(2047)
    expect(isFound(`${long} down`, long)).toBe(false)
    expect(isFound('down', `-${long}`)).toBe(false)
    expect(isFound('down', `${long} down`)).toBe(true)
    expect(isFound(`${long.slice(1)} down`, long.slice(1))).toBe(true)
  })

  test('has a word called as a member of every object', () => {
    expect(isFound('the constructor', '__proto__')).toBe(false)
    expect(isFound('the constructor', 'constructor')).toBe(true)
  })
})
