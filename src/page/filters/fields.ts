import { LEVELS } from '../tail/level.ts'
import type { TailSignal } from '../view.ts'

/** An input of the filter. */
export interface Field {
  /** The word of the API; `attributes` is all words about attributes. */
  readonly word: string
  readonly label: string
  readonly placeholder?: string
  readonly hint?: string
  /** What it may be, where that is a closed list. */
  readonly choices?: readonly (readonly [value: string, label: string])[]
  /** Where in the API to read what it could be, and which member of what is listed there says it. */
  readonly suggestions?: readonly [path: string, member: string]
  /** Is not always on the page. */
  readonly isFurther?: true
}

const SERVICE: Field = {
  word: 'service',
  label: 'Service',
  placeholder: 'all',
  suggestions: ['api/v1/services', 'service'],
}
const TRACE: Field = {
  word: 'traceId',
  label: 'Trace id',
  placeholder: '32 hex digits',
  isFurther: true,
}
const ATTRIBUTES: Field = {
  word: 'attributes',
  label: 'Attributes',
  placeholder: 'http.route=/chat user="Ann B"',
  isFurther: true,
}
const ENVIRONMENT: Field = { word: 'environment', label: 'Environment', isFurther: true }
const SAMPLE: Field = {
  word: 'sample',
  label: 'Show',
  choices: [
    ['', 'all that match'],
    ['0.1', '10 % of them'],
    ['0.01', '1 % of them'],
  ],
  isFurther: true,
}

/** The inputs of each kind of record, in order. */
export const FIELDS: Readonly<Record<TailSignal, readonly Field[]>> = {
  logs: [
    SERVICE,
    {
      word: 'level',
      label: 'Level',
      choices: [
        ['', 'all'],
        ...LEVELS.map((level, at) => [level, at < 5 ? `${level} and above` : level] as const),
      ],
    },
    {
      word: 'q',
      label: 'Search',
      placeholder: 'timeout -retry "rate limit"',
      hint: 'Words, "a phrase", OR, -without, prefix*',
    },
    { word: 'name', label: 'Event name', isFurther: true },
    TRACE,
    ATTRIBUTES,
    ENVIRONMENT,
    SAMPLE,
  ],
  spans: [
    SERVICE,
    {
      word: 'status',
      label: 'Status',
      choices: ['', 'error', 'ok', 'unset'].map((each) => [each, each || 'all']),
    },
    { word: 'name', label: 'Name', placeholder: 'chat gpt-4o', suggestions: ['api/v1/operations', 'name'] },
    { word: 'model', label: 'Model', placeholder: 'gpt-4o', isFurther: true },
    { word: 'minDuration', label: 'At least', placeholder: '500ms', isFurther: true },
    TRACE,
    ATTRIBUTES,
    ENVIRONMENT,
    SAMPLE,
  ],
  metrics: [
    SERVICE,
    {
      word: 'name',
      label: 'Name',
      placeholder: 'gen_ai.client.token.usage',
      suggestions: ['api/v1/metrics', 'name'],
    },
    ATTRIBUTES,
    ENVIRONMENT,
    SAMPLE,
  ],
}

/** The words that mean something for a kind of record; those about attributes do for all. */
export const WORDS: Readonly<Record<TailSignal, ReadonlySet<string>>> = {
  logs: wordsOf('logs', 'spanId', 'from'),
  spans: wordsOf(
    'spans',
    'spanId',
    'from',
    'kind',
    'maxDuration',
    'provider',
    'operation',
    'prompt',
    'user',
    'session',
  ),
  metrics: wordsOf('metrics', 'from'),
}

function wordsOf(signal: TailSignal, ...others: readonly string[]): ReadonlySet<string> {
  return new Set([...FIELDS[signal].map(({ word }) => word), ...others])
}
