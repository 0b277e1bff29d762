import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Attributes, AttributeValue } from '../../../../src/models/attributes.ts'
import { createDecodeContext } from '../../../../src/models/decode-context.ts'
import { decodeLogRecord } from '../../../../src/models/decode-log-record.ts'
import { decodeSpan } from '../../../../src/models/decode-span.ts'
import { evaluationsOfLog } from '../../../../src/models/evaluations/evaluations-of-log.ts'
import { evaluationsOfSpan } from '../../../../src/models/evaluations/evaluations-of-span.ts'
import { anyJson } from '../arbitrary-json.ts'
import { NOW, SPAN_ID, TRACE_ID } from '../decoding.ts'

const PARENT_ID = 'a'.repeat(16)
const LINKED = { traceId: 'b'.repeat(32), spanId: 'c'.repeat(16) }
const LIMITS = { earliest: 0n, latest: 2n ** 62n, maxRecordBytes: 1e6, maxDepth: 32 }

/** Evaluations of a span, without what they lack. */
function ofSpan(fields: object) {
  const span = {
    traceId: TRACE_ID,
    spanId: SPAN_ID,
    parentSpanId: PARENT_ID,
    name: 's',
    startTimeUnixNano: String(NOW),
    ...fields,
  }
  const { record } = decodeSpan(span, createDecodeContext(LIMITS))
  if (record === undefined) throw new Error('refused')
  return evaluationsOfSpan(record).map(defined)
}

function ofLog(fields: object) {
  const record = { timeUnixNano: String(NOW), traceId: TRACE_ID, spanId: SPAN_ID, ...fields }
  const { record: decoded } = decodeLogRecord(record, createDecodeContext(LIMITS))
  if (decoded === undefined) throw new Error('refused')
  return evaluationsOfLog(decoded).map(defined)
}

function defined(object: object): object {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))
}

const RESULT = {
  'gen_ai.evaluation.name': 'relevance',
  'gen_ai.evaluation.score.value': 0.8,
  'gen_ai.evaluation.score.label': 'pass',
  'gen_ai.evaluation.explanation': 'it answers the question',
}
const FOUND = { name: 'relevance', score: 0.8, label: 'pass', explanation: 'it answers the question' }
const HERE = { traceId: TRACE_ID, spanId: SPAN_ID }

describe('a log record tells an evaluation of its span', () => {
  test.each<[string, object]>([
    ["OpenTelemetry's event", { eventName: 'gen_ai.evaluation.result', attributes: RESULT }],
    [
      'its name among the attributes',
      { attributes: { 'event.name': 'gen_ai.evaluation.result', ...RESULT } },
    ],
    [
      'as Azure Monitor names it',
      { attributes: { 'microsoft.custom_event.name': 'gen_ai.evaluation.result', ...RESULT } },
    ],
    ['its result in the body', { eventName: 'gen_ai.evaluation.result', body: RESULT }],
    ['as OpenLIT writes it, JSON in the body', { body: JSON.stringify(RESULT) }],
    [
      'as Splunk writes them, a list',
      { eventName: 'gen_ai.evaluation.results', body: { 'gen_ai.evaluations': [RESULT] } },
    ],
  ])('%s', (_, fields) => {
    expect(ofLog(fields)).toEqual([{ ...FOUND, ...HERE }])
  })

  test('of an answer and a conversation, with who judged, where they are named', () => {
    const feedback = {
      'gen_ai.evaluation.name': 'user.feedback',
      'gen_ai.evaluation.score.value': 1,
      'gen_ai.response.id': 'resp_1',
      'gen_ai.conversation.id': 'c1',
      'microsoft.gen_ai.evaluation.actor.type': 'human',
    }
    const fields = { traceId: undefined, spanId: undefined, eventName: 'gen_ai.evaluation.result' }
    expect(ofLog({ ...fields, attributes: feedback })).toEqual([
      { name: 'user.feedback', score: 1, evaluator: 'human', responseId: 'resp_1', sessionId: 'c1' },
    ])
  })
})

test.each<[AttributeValue, object | undefined]>([
  [3, { score: 3 }],
  ['0.25', { score: 0.25 }],
  [true, { score: 1 }],
  [false, { score: 0 }],
  ['good', { label: 'good' }],
  [null, undefined],
  [['a'], undefined],
  ['NaN', { label: 'NaN' }],
])('the score %j', (score, found) => {
  const attributes = { 'gen_ai.evaluation.name': 'n', 'gen_ai.evaluation.score.value': score }
  const expected = found === undefined ? [] : [{ name: 'n', ...found, ...HERE }]
  expect(ofLog({ eventName: 'gen_ai.evaluation.result', attributes })).toEqual(expected)
})

test('an evaluation that failed is told with its error, and one without a name not at all', () => {
  const failed = { 'gen_ai.evaluation.name': 'n', 'error.type': 'timeout' }
  expect(ofLog({ eventName: 'gen_ai.evaluation.result', attributes: failed })).toEqual([
    { name: 'n', errorType: 'timeout', ...HERE },
  ])
  expect(
    ofLog({ eventName: 'gen_ai.evaluation.result', attributes: { 'gen_ai.evaluation.score.value': 1 } }),
  ).toEqual([])
  expect(ofLog({ eventName: 'gen_ai.choice', attributes: RESULT })).toEqual([])
})

describe('a span tells evaluations', () => {
  const annotation = (prefix: string, more: Attributes = {}) => ({
    [`${prefix}.name`]: 'helpful',
    [`${prefix}.score`]: 0.5,
    [`${prefix}.annotator_kind`]: 'LLM',
    ...more,
  })
  const helpful = { name: 'helpful', score: 0.5, evaluator: 'llm' }

  test('of itself by its events', () => {
    const events = [{ timeUnixNano: String(NOW), name: 'gen_ai.evaluation.result', attributes: RESULT }]
    expect(ofSpan({ events })).toEqual([{ ...FOUND, ...HERE }])
  })

  test('of what is around it, if it is named as the event, or of the answer it names', () => {
    expect(ofSpan({ name: 'gen_ai.evaluation.result', attributes: RESULT })).toEqual([
      { ...FOUND, traceId: TRACE_ID, spanId: PARENT_ID },
    ])
    const attributes = { ...RESULT, 'gen_ai.response.id': 'resp_1' }
    expect(ofSpan({ name: 'gen_ai.evaluation.result', attributes })).toEqual([
      { ...FOUND, traceId: TRACE_ID, responseId: 'resp_1' },
    ])
  })

  test('of itself by annotations of OpenInference, of its trace and of its session', () => {
    const attributes = {
      ...annotation('annotations.0.annotation'),
      ...annotation('evaluations.1.evaluation', { 'evaluations.1.evaluation.label': 'yes' }),
      ...annotation('trace.annotations.0.annotation'),
      ...annotation('session.annotations.0.annotation'),
      'session.id': 's1',
    }
    expect(ofSpan({ attributes })).toEqual([
      { ...helpful, ...HERE },
      { ...helpful, label: 'yes', ...HERE },
      { ...helpful, traceId: TRACE_ID },
      { ...helpful, sessionId: 's1' },
    ])
  })

  test('of the span that it is linked to, never of its parent', () => {
    expect(ofSpan({ attributes: annotation('annotations.0.annotation'), links: [LINKED] })).toEqual([
      { ...helpful, ...LINKED },
    ])
  })

  test('of itself where it is a call that has a link for another reason, and once what it tells twice', () => {
    const attributes = { ...annotation('annotations.0.annotation'), 'gen_ai.operation.name': 'chat' }
    expect(ofSpan({ attributes, links: [LINKED] })).toEqual([{ ...helpful, ...HERE }])
    const event = {
      timeUnixNano: String(NOW),
      name: 'gen_ai.evaluation.result',
      attributes: { 'gen_ai.evaluation.name': 'helpful', 'gen_ai.evaluation.score.value': 0.5 },
    }
    const carrier = { ...annotation('evaluations.0.evaluation'), 'openinference.span.kind': 'EVALUATOR' }
    expect(ofSpan({ attributes: carrier, events: [event], links: [LINKED] })).toEqual([
      { ...helpful, ...LINKED },
    ])
  })

  test('at most a hundred', () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`s${index}`, index]))
    expect(ofSpan({ attributes: { 'braintrust.scores': JSON.stringify(many) } })).toHaveLength(100)
  })

  test('by the scores of Braintrust, of the span around a scorer', () => {
    expect(ofSpan({ attributes: { 'braintrust.scores': '{"accuracy":0.9,"style":1}' } })).toEqual([
      { name: 'accuracy', score: 0.9, ...HERE },
      { name: 'style', score: 1, ...HERE },
    ])
    const scorer = { 'braintrust.scores.accuracy': 0.9, 'braintrust.span_attributes': '{"type":"score"}' }
    expect(ofSpan({ attributes: scorer })).toEqual([
      { name: 'accuracy', score: 0.9, traceId: TRACE_ID, spanId: PARENT_ID },
    ])
  })

  test('not by what only resembles them', () => {
    const attributes = {
      'document.score': 0.98,
      'annotations.0.evaluation.score': 1,
      'annotations.x.annotation.score': 1,
      'gen_ai.evaluation.name': 'n',
    }
    expect(ofSpan({ attributes })).toEqual([])
  })
})

test('nothing that is sent makes it fail', () => {
  const keys = fc.constantFrom(
    ...Object.keys(RESULT),
    'braintrust.scores',
    'braintrust.scores.x',
    'annotations.0.annotation.name',
    'annotations.0.annotation.score',
    'session.annotations.0.annotation.label',
    'braintrust.span_attributes',
    'event.name',
  )
  const attributes = fc.dictionary(
    keys,
    fc.oneof(anyJson, fc.constant('gen_ai.evaluation.results'), fc.json()),
  )
  fc.assert(
    fc.property(attributes, anyJson, (some, body) => {
      ofSpan({ name: 'gen_ai.evaluation.result', attributes: some })
      ofLog({
        eventName: 'gen_ai.evaluation.results',
        body: { 'gen_ai.evaluations': body },
        attributes: some,
      })
    }),
    { numRuns: 300 },
  )
})
