import { element } from '../dom/element.ts'

/** Short values with their names, side by side. What is empty is left out. */
export function figures(
  values: readonly (readonly [name: string, value: string | undefined])[],
): HTMLElement {
  const shown = values.filter(([, value]) => value !== undefined && value !== '')
  return element(
    'dl',
    { class: 'figures' },
    ...shown.map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value))),
  )
}
