import { SPAN_KINDS, STATUS_CODES } from '../models/decode-span-status.ts'
import type { FilterColumns } from './filter.ts'

/** Characters of a word of a query. */
export const MAX_WORD_LENGTH = 1024

/** What a word means and what it may be, in terms of JSON Schema: HTTP checks by it, and the command line tells it. */
export interface FilterWordSchema {
  readonly type: 'string'
  readonly description: string
  readonly maxLength?: number
  readonly pattern?: string
  readonly enum?: readonly string[]
}

/** Text that PostgreSQL can compare with: it has no NUL. */
function text(description: string): FilterWordSchema {
  return { type: 'string', description, maxLength: MAX_WORD_LENGTH, pattern: '^[^\\u0000]*$' }
}

function short(description: string): FilterWordSchema {
  return { type: 'string', description, maxLength: 64 }
}

function digits(count: number, description: string): FilterWordSchema {
  return { type: 'string', description, pattern: `^[0-9a-fA-F]{${count}}$` }
}

/** The words of a filter, the same everywhere: in HTTP queries, on the command line, in the library, in a tail. */
export const FILTER_WORDS = {
  from: short(
    'Not before then: RFC 3339, a date (its midnight, UTC), unix time, or relative like -15m (s, m, h, d, w).',
  ),
  to: short('Before then.'),
  service: text('Name of the service.'),
  environment: text('Deployment environment.'),
  name: text('Name of the span, the event, the metric or the evaluation.'),
  traceId: digits(32, 'Trace id, 32 hex digits.'),
  spanId: digits(16, 'Span id, 16 hex digits.'),
  level: short('Log records at least as severe: trace, debug, info, warn, error, fatal.'),
  status: { type: 'string', description: 'Status of the span.', enum: [...STATUS_CODES.keys()] },
  kind: { type: 'string', description: 'Kind of the span.', enum: [...SPAN_KINDS.keys()] },
  minDuration: short('At least so long: 250ms, 1.5s, 2m; units ns, us, ms, s, m, h, d.'),
  maxDuration: short('At most so long.'),
  model: text('Language model, as it answered or else as it was asked for.'),
  provider: text('Provider of the model.'),
  operation: text('Operation: chat, embeddings, execute_tool, …'),
  prompt: text('Name of the prompt template.'),
  user: text('Id of the user.'),
  session: text('Id of the session or conversation.'),
  label: text('Label of the evaluation.'),
  q: text('Full text of the body: words, "a phrase", OR, -without, prefix*.'),
  contains: text(
    'Characters anywhere in the body, upper or lower case. Reads all of the time range: needs from.',
  ),
} as const satisfies Readonly<Record<string, FilterWordSchema>>
export type FilterWord = keyof typeof FILTER_WORDS

/** The words that mean something where the columns are these, in the order of {@link FILTER_WORDS}; attributes not among them. */
export function filterWordsOf(columns: FilterColumns): readonly FilterWord[] {
  const { texts, traceId, spanId, severityNumber, statusCode, kindCode, durationNs, body } = columns
  const known: Readonly<Record<FilterWord, unknown>> = {
    from: true,
    to: true,
    service: texts.service,
    environment: texts.environment,
    name: texts.name,
    traceId,
    spanId,
    level: severityNumber,
    status: statusCode,
    kind: kindCode,
    minDuration: durationNs,
    maxDuration: durationNs,
    model: texts.model,
    provider: texts.provider,
    operation: texts.operation,
    prompt: texts.prompt,
    user: texts.user,
    session: texts.session,
    label: texts.label,
    q: body,
    contains: body,
  }
  return (Object.keys(FILTER_WORDS) as FilterWord[]).filter((word) => known[word] !== undefined)
}
