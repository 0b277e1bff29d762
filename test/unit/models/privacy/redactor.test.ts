import { describe, expect, test } from 'vitest'
import { parseRules } from '../../../../src/models/privacy/parse-rules.ts'
import { READY_RULES } from '../../../../src/models/privacy/ready-rules.ts'
import { Redactor } from '../../../../src/models/privacy/redactor.ts'

const rules = (file: unknown) => {
  const parsed = parseRules(file)
  if (parsed.problems !== undefined) throw new Error(parsed.problems.join('\n'))
  return parsed.rules
}
const own = { rules: [{ name: 'patient', keys: ['*.patient.*', 'ssn'], values: 'case-\\d+' }] }
const redactor = new Redactor([...rules(own), ...Object.values(READY_RULES)])

function redact(attributes: Parameters<Redactor['attributes']>[0]) {
  const tally = new Map<string, number>()
  return { kept: redactor.attributes(attributes, tally), tally: Object.fromEntries(tally) }
}

describe('in attributes', () => {
  test('values are hidden by what they say, wherever they are, and counted', () => {
    const { kept, tally } = redact({
      'user.mail': 'ada@example.com',
      list: ['see case-42', { deep: ['bob@example.com'] }],
      number: 4111111111111111,
      big: 4111111111111111n,
      fine: 'text',
    })
    expect(kept).toEqual({
      'user.mail': '[redacted:email]',
      list: ['see [redacted:patient]', { deep: ['[redacted:email]'] }],
      number: '[redacted:card]',
      big: '[redacted:card]',
      fine: 'text',
    })
    expect(tally).toEqual({ email: 2, patient: 1, card: 2 })
  })

  test('values are hidden by their name, whatever they are, at any depth', () => {
    const { kept } = redact({
      'http.request.header.Authorization': ['secret'],
      SSN: 123,
      'x.patient.name': { first: 'Ada' },
      nested: { db_password: 'p', 'gen_ai.usage.input_tokens': 7 },
      'gen_ai.usage.output_tokens': 8,
      'gen_ai.token.type': 'input',
    })
    expect(kept).toEqual({
      'http.request.header.Authorization': '[redacted:token]',
      SSN: '[redacted:patient]',
      'x.patient.name': '[redacted:patient]',
      nested: { db_password: '[redacted:key]', 'gen_ai.usage.input_tokens': 7 },
      'gen_ai.usage.output_tokens': 8,
      'gen_ai.token.type': 'input',
    })
  })

  test('names count in JSON within a text too, as the arguments of tools come', () => {
    const { kept } = redact({
      'gen_ai.tool.call.arguments': '{"user": "ada", "password": "p"}',
      untouched: '{"user":  "ada"}',
    })
    expect(kept).toEqual({
      'gen_ai.tool.call.arguments': '{"user":"ada","password":"[redacted:key]"}',
      untouched: '{"user":  "ada"}',
    })
  })

  test.each(['ada@example.com', 'ada\\u0040example.com'])(
    'of a name that is there twice in JSON no value comes through: %s',
    (address) => {
      const twice = `{"to": "${address}", "to": "nobody"}`
      expect(redact({ twice }).kept).toEqual({ twice: '{"to":"nobody"}' })
    },
  )

  test('what is no JSON any more, cut off or in another text, is looked at past its escapes', () => {
    const cut = '[{"content":"my key:\\nsk-proj-abcdefghijklmnop1234 and Bear'
    expect(redact({ cut }).kept).toEqual({ cut: '[{"content":"my key:\\n[redacted:key] and Bear' })
  })

  test('JSON stays JSON', () => {
    const code = JSON.stringify({ text: 'Look:\n@app.route("/") or ada@example.com' })
    expect(redact({ code }).kept).toEqual({
      code: JSON.stringify({ text: 'Look:\n@app.route("/") or [redacted:email]' }),
    })
  })

  test('names are the same in every way to write them', () => {
    const same = { accessToken: 'x', 'access-token': 'x', x_access_token: 'x', privateKey: 'x', apiKey: 'x' }
    expect(new Set(Object.values(redact(same).kept))).toEqual(new Set(['[redacted:token]', '[redacted:key]']))
  })

  test('what has nothing to hide is the very object that came', () => {
    const attributes = { a: 'text', b: [1, { c: null }], d: true }
    expect(redact(attributes)).toEqual({ kept: attributes, tally: {} })
    expect(redact(attributes).kept).toBe(attributes)
  })

  test('JSON in a text that is deeper than anything is hidden, not followed', () => {
    const { kept } = redact({ deep: `${'['.repeat(100_000)}${']'.repeat(100_000)}` })
    expect(JSON.stringify(kept)).toContain('[redacted:too_deep]')
  })

  test('__proto__ is a name like any other', () => {
    const attributes = JSON.parse('{"__proto__": "ada@example.com", "b": 1}') as Record<string, string>
    expect(JSON.stringify(redact(attributes).kept)).toBe('{"__proto__":"[redacted:email]","b":1}')
  })
})

test('a text that an expression gives up on is hidden as a whole', () => {
  const failing = new Redactor([
    {
      name: 'failing',
      keys: [],
      hide: () => {
        throw new RangeError('Maximum call stack size exceeded')
      },
    },
  ])
  expect(failing.text('text', new Map())).toBe('[redacted:failing]')
})

describe('rules of your own', () => {
  test('take time in proportion to the text, whatever they are', () => {
    const [rule] = rules({ rules: [{ name: 'slow', values: '(a+)+$' }] })
    const startedMs = performance.now()
    rule?.hide?.(`${'a'.repeat(200_000)}b`, '[x]')
    expect(performance.now() - startedMs).toBeLessThan(2000)
  })

  test('that are wrong are told, all of them, each with its place', () => {
    const { problems } = parseRules({
      rules: [
        { name: 'Not A Word', values: 'a' },
        { name: 'email', values: 'b' },
        { name: 'empty' },
        { name: 'pattern', values: '(' },
        { name: 'look-ahead', values: 'a(?=b)' },
        { name: 'all', values: 'a*' },
        { name: 'keys', keys: 'password', valeus: 'x' },
        'text',
      ],
    })
    expect(problems?.map((problem) => problem.split(' ')[0])).toEqual([
      'rules[0].name',
      'rules[2]',
      'rules[3].values',
      'rules[4].values',
      'rules[5].values',
      'rules[6].valeus',
      'rules[6].keys',
      'rules[7]',
      'rules[1].name',
    ])
  })

  test.each([undefined, null, [], 'text', { rules: {} }])('%j is no file of rules', (file) => {
    expect(parseRules(file).problems).not.toHaveLength(0)
  })
})
