import { element } from '../dom/element.ts'
import type { Message, MessagePart, TraceSpan } from '../records.ts'
import { longText } from './value-list.ts'

/** So many messages are shown of each side, the newest: what came before is mostly in the spans before. */
const MOST = 100
const ROLES = ['system', 'user', 'assistant', 'tool']

/** What was said to a model, and what it said. */
export function conversation({ input, output }: NonNullable<TraceSpan['conversation']>): HTMLElement {
  const left = Math.max(0, input.length - MOST)
  return element(
    'div',
    { class: 'conversation' },
    left > 0 ? element('p', { class: 'aside' }, `${left} messages before these are not shown`) : undefined,
    ...input.slice(-MOST).map((message) => messageCard(message, 'input')),
    ...output.slice(0, MOST).map((message) => messageCard(message, 'output')),
  )
}

function messageCard({ role, name, parts, finishReason }: Message, side: 'input' | 'output'): HTMLElement {
  const known = ROLES.includes(role) ? role : 'other'
  const head = element(
    'div',
    { class: 'message-head' },
    element('span', { class: 'role' }, name === undefined ? role : `${role} ${name}`),
    side === 'output'
      ? element('span', { class: 'aside' }, `answer${finishReason ? `, ${finishReason}` : ''}`)
      : undefined,
  )
  return element('article', { class: `message ${known}` }, head, ...parts.map(part))
}

function part({ type, content, name, arguments: given, response, kind, value }: MessagePart): HTMLElement {
  if (type === 'text') return longText(content)
  if (type === 'reasoning') return labelled('thinks', longText(content))
  if (type === 'tool_call') return labelled(`calls ${name ?? 'a tool'}`, longText(given))
  if (type === 'tool_call_response') return labelled('result', longText(response))
  return labelled(kind ?? type, longText(value))
}

function labelled(label: string, content: HTMLElement): HTMLElement {
  return element('div', { class: 'part' }, element('span', { class: 'part-label' }, label), content)
}
