/** What keys do. */
export interface KeyActions {
  readonly search: () => void
  readonly togglePause: () => void
  readonly move: (by: 1 | -1) => void
  readonly open: () => void
  readonly close: () => void
  readonly newest: () => void
  readonly nextError: () => void
  readonly showSignal: (index: number) => void
  readonly help: () => void
}

/** Listens to the keys of the whole page. Where somebody types, keys are letters. */
export function listenToKeys(actions: KeyActions): void {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
    const { target } = event
    if (!(target instanceof HTMLElement) || document.querySelector('dialog[open]') !== null) return
    if (target.matches('input, select, textarea')) {
      if (event.key === 'Escape') target.blur()
      return
    }
    const act = actionOf(event.key, actions, target)
    if (act === undefined) return
    event.preventDefault()
    act()
  })
}

function actionOf(key: string, actions: KeyActions, target: HTMLElement): (() => void) | undefined {
  // A button or a fold that has the focus answers to these itself.
  if (target.matches('button, summary, a') && (key === ' ' || key === 'Enter')) return undefined
  if (/^[123]$/.test(key)) return () => actions.showSignal(Number(key) - 1)
  // Where details have the focus the arrows scroll them.
  const isReading = target.closest('.details') !== null
  switch (key) {
    case '/':
      return actions.search
    case ' ':
      return actions.togglePause
    case 'j':
      return () => actions.move(1)
    case 'k':
      return () => actions.move(-1)
    case 'ArrowDown':
      return isReading ? undefined : () => actions.move(1)
    case 'ArrowUp':
      return isReading ? undefined : () => actions.move(-1)
    case 'Enter':
      return actions.open
    case 'Escape':
      return actions.close
    case 'End':
      return isReading ? undefined : actions.newest
    case 'e':
      return actions.nextError
    case '?':
      return actions.help
    default:
      return undefined
  }
}
