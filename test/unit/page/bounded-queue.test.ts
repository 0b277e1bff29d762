import { expect, test } from 'vitest'
import { BoundedQueue } from '../../../src/page/tail/bounded-queue.ts'

test('what waits to be shown is the newest of what came, and how much was let go is known', () => {
  const queue = new BoundedQueue(3, 1000)
  for (let at = 0; at < 20; at += 1) queue.push({ text: String(at) })
  queue.push({ note: 'gap' })
  expect(queue.takeAll()).toEqual({ items: [{ text: '18' }, { text: '19' }, { note: 'gap' }], left: 18 })
  expect(queue.takeAll()).toEqual({ items: [], left: 0 })
})

test('large records are bounded by what they hold', () => {
  const queue = new BoundedQueue(100, 10)
  for (const text of ['aaaa', 'bbbb', 'cccc']) queue.push({ text })
  expect(queue.takeAll()).toEqual({ items: [{ text: 'bbbb' }, { text: 'cccc' }], left: 1 })
})
