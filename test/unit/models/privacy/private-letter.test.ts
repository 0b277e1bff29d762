import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { DeadLetter, PayloadForm } from '../../../../src/models/dead-letter.ts'
import { encodeResp } from '../../../../src/models/encode-resp.ts'
import { looseRecordJson } from '../../../../src/models/loose-record.ts'
import { ContentPolicy } from '../../../../src/models/privacy/content-policy.ts'
import { NO_PRIVACY, Privacy } from '../../../../src/models/privacy/privacy.ts'
import { privateLetter } from '../../../../src/models/privacy/private-letter.ts'
import { READY_RULES } from '../../../../src/models/privacy/ready-rules.ts'
import { Redactor } from '../../../../src/models/privacy/redactor.ts'
import { anyJson } from '../arbitrary-json.ts'

const RULES = new Redactor(Object.values(READY_RULES))
const STRICT = new Privacy(RULES, new ContentPolicy('drop', 0))
const SECRET = 'ada@example.com'

function letterOf(payloadForm: PayloadForm, payload: Uint8Array, detail = 'refused'): DeadLetter {
  return { recordIndex: 0, reason: 'bad_id', detail, sqlState: undefined, payloadForm, payload }
}

const asRecord = (record: unknown) => letterOf('record', Buffer.from(JSON.stringify(record)))
const asEntry = (...fields: string[]) =>
  letterOf('entry', encodeResp(fields.map((field) => Buffer.from(field))))

function kept(letter: DeadLetter, privacy = STRICT): string {
  return Buffer.from(privateLetter(letter, privacy, new Map()).payload).toString()
}

describe('of a refused record', () => {
  test('what would be hidden in a stored one is hidden', () => {
    const record = {
      traceId: 'wrong',
      name: `mail ${SECRET}`,
      attributes: { password: 'p', 'gen_ai.prompt': 'hello', ok: 1 },
      resource: { attributes: [{ key: 'db.password', value: { stringValue: 'p' } }] },
    }
    expect(JSON.parse(kept(asRecord(record)))).toEqual({
      traceId: 'wrong',
      name: 'mail [redacted:email]',
      attributes: { password: '[redacted:key]', ok: 1 },
      resource: { attributes: [{ key: 'db.password', value: '[redacted:key]' }] },
    })
  })

  test('the message of a log record stays, unless it is one of a conversation', () => {
    const usual = { timeUnixNano: 'wrong', message: 'started', attributes: { content: 'x' } }
    expect(JSON.parse(kept(asRecord(usual)))).toEqual(usual)
    const said = { timeUnixNano: 'wrong', eventName: 'gen_ai.user.message', body: { content: 'hello' } }
    expect(JSON.parse(kept(asRecord(said)))).toEqual({ timeUnixNano: 'wrong', eventName: said.eventName })
    expect(kept(asEntry('eventName', 'gen_ai.choice', 'body', '{"message":"hi"}', 'x', 'y'))).not.toContain(
      'hi',
    )
  })

  test('the fields of an entry are looked at, and JSON in them', () => {
    const letter = asEntry(
      'level',
      'info',
      'api_key',
      '{"a":1}',
      'attributes',
      '{"password":"p","n":1}',
      'to',
      SECRET,
    )
    const expected = ['level', 'info', 'api_key', '[redacted:key]']
    const rest = ['attributes', '{"password":"[redacted:key]","n":1}', 'to', '[redacted:email]']
    expect(kept(letter)).toBe(
      encodeResp([...expected, ...rest].map((field) => Buffer.from(field))).toString(),
    )
  })

  test('the detail, which may repeat a value, is looked at', () => {
    const letter = letterOf('json', Buffer.from('{}'), `"${SECRET}" is no id`)
    expect(privateLetter(letter, STRICT, new Map()).detail).toBe('"[redacted:email]" is no id')
  })

  test.each<[string, DeadLetter]>([
    ['broken JSON', letterOf('json', Buffer.from(`{"to":"${SECRET}"`))],
    ['broken JSON beside other fields', asEntry('json', `{"to":"${SECRET}"`, 'a', 'b')],
    ['protobuf', letterOf('entry', encodeResp([Buffer.from('otlp'), Buffer.from(`\n\x0f${SECRET}`)]))],
    ['what is no RESP', letterOf('entry', Buffer.from(SECRET))],
  ])('%s is not kept, and the letter says so', (_, letter) => {
    const { payload, detail } = privateLetter(letter, STRICT, new Map())
    expect(payload).toHaveLength(0)
    expect(detail).toMatch(/cannot be read, so not redacted, and is not kept/)
  })
})

test('without rules, and where letters are spared, every byte stays', () => {
  const spared = new Privacy(RULES, new ContentPolicy('drop', 0), { sparesLetters: true })
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      for (const privacy of [NO_PRIVACY, spared]) {
        const letter = letterOf('json', bytes)
        expect(privateLetter(letter, privacy, new Map())).toBe(letter)
      }
    }),
  )
})

test('where nothing is to be hidden every byte of JSON stays', () => {
  const letter = letterOf('json', Buffer.from('{ "a" : [1.50, "text"], "n": 12345678901234567890 }'))
  expect(privateLetter(letter, STRICT, new Map()).payload).toEqual(letter.payload)
})

test.each([SECRET, 'ada\\u0040example.com'])(
  'of a name that is there twice no value comes through: %s',
  (address) => {
    const letter = letterOf('json', Buffer.from(`{"to": "${address}", "to": "nobody"}`))
    expect(kept(letter)).toBe('{"to":"nobody"}')
  },
)

test('nothing makes it fail, and no address comes through', () => {
  const withSecret = anyJson.map((value) => looseRecordJson({ value, [`k${SECRET}`]: 1, to: [SECRET] }))
  fc.assert(
    fc.property(
      fc.oneof(withSecret, fc.string()),
      fc.constantFrom<PayloadForm>('record', 'json', 'entry'),
      (text, form) => {
        const json =
          form === 'entry' ? encodeResp([Buffer.from('attributes'), Buffer.from(text)]) : Buffer.from(text)
        expect(kept(letterOf(form, json))).not.toContain(`"${SECRET}"`)
      },
    ),
    { numRuns: 300 },
  )
})
