/** How it stands with the connection to the service. */
export interface TailState {
  readonly kind: 'connecting' | 'live' | 'reconnecting' | 'suspended' | 'ended' | 'refused'
  readonly detail?: string
}

const WORDS: Readonly<Record<TailState['kind'], string>> = {
  connecting: 'connecting',
  live: 'live',
  reconnecting: 'reconnecting',
  suspended: 'resting',
  ended: 'ended',
  refused: 'not possible',
}

/** The state in words. */
export function describeState({ kind, detail }: TailState): string {
  return detail === undefined ? WORDS[kind] : `${WORDS[kind]}: ${detail}`
}
