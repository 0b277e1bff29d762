import { button, element } from './dom/element.ts'

const KEYS = [
  ['/', 'search'],
  ['Space', 'pause and resume'],
  ['j  k  ↓  ↑', 'next and previous'],
  ['Enter', 'open the record and its trace'],
  ['Esc', 'back'],
  ['End', 'to the newest'],
  ['e', 'in a trace: the next error'],
  ['1  2  3', 'logs, spans, metrics'],
  ['?', 'this'],
] as const

/** Says which keys there are. */
export function helpDialog(): HTMLDialogElement {
  const rows = KEYS.flatMap(([keys, what]) => [
    element('dt', {}, ...keys.split('  ').map((key) => element('kbd', {}, key))),
    element('dd', {}, what),
  ])
  const dialog = element(
    'dialog',
    { 'aria-label': 'Keys' },
    element('h2', {}, 'Keys'),
    element('dl', { class: 'keys' }, ...rows),
  )
  dialog.append(
    element('p', { class: 'aside' }, 'The address holds what you look at: copy it to share the view.'),
    element('p', { class: 'aside' }, 'All of this is in the API too: /openapi.json'),
    button('Close', () => dialog.close()),
  )
  return dialog
}
