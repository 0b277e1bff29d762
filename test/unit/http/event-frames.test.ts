import { expect, test } from 'vitest'
import { EventFrames } from '../../../src/http/encoders/event-frames.ts'
import type { TailEvent } from '../../../src/tail/tail-event.ts'

const record = (id: string, json: string): TailEvent => ({ kind: 'record', id, json: Buffer.from(json) })

test('a record bears its id, and other events say what they are', () => {
  const frames = new EventFrames().of([record('1-0-0', '{"name":"é"}'), { kind: 'dropped', count: 3 }])
  expect(frames.toString()).toBe('id: 1-0-0\ndata: {"name":"é"}\n\nevent: dropped\ndata: {"count":3}\n\n')
})

test('those who are given the same list are given the same bytes, made once', () => {
  const frames = new EventFrames()
  const [some, others] = [[record('1-0-0', '{}')], [record('2-0-0', '{}')]]
  const bytes = frames.of(some)
  expect(frames.of(some)).toBe(bytes)
  expect(frames.of(others).toString()).toBe('id: 2-0-0\ndata: {}\n\n')
  expect(frames.of(some).equals(bytes)).toBe(true)
})
