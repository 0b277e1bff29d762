import { arrayOf, extended, flag, integer, type JsonSchema, mark, object, ref, text } from './json-schema.ts'
import { SPAN } from './record-schemas.ts'
import { USAGE_MEMBERS } from './value-schemas.ts'

const TRACE = object(
  {
    traceId: ref('TraceId'),
    startTimeUnixNano: ref('UnixNano'),
    durationNs: integer(),
    name: text('Of its root, or else of the span that starts first.'),
    service: text('As the name.'),
    services: arrayOf(text(), 'All of them.'),
    spanCount: integer(),
    errorCount: integer('Spans with the status error.'),
  },
  USAGE_MEMBERS,
)

const SESSION = object(
  {
    sessionId: text(),
    userIds: arrayOf(text()),
    services: arrayOf(text()),
    startTimeUnixNano: ref('UnixNano'),
    endTimeUnixNano: ref('UnixNano'),
    turnCount: integer('Traces.'),
    errorCount: integer('Spans with the status error.'),
  },
  USAGE_MEMBERS,
)

const { services: _, ...turnMembers } = TRACE.properties

const JUDGEMENT = object(
  { timeUnixNano: ref('UnixNano'), name: text() },
  {
    score: ref('Number'),
    label: text(),
    explanation: text(),
    evaluator: text(),
    errorType: text('Why there is no result.'),
  },
)

/** Traces, sessions and evaluations, as they are looked at. */
export const VIEW_SCHEMAS = {
  TraceSummary: TRACE,
  Trace: extended(
    TRACE,
    { spans: arrayOf(ref('TraceSpan'), 'As its tree is read: each span before those that it called.') },
    {
      evaluations: arrayOf(ref('Judgement'), 'Of the trace as a whole.'),
      spansAreCut: mark('There are more spans than are shown.'),
      messagesAreCut: mark('More was said in log records than is shown.'),
      evaluationsAreCut: mark('There are more evaluations than are shown.'),
    },
  ),
  TraceSpan: extended(
    SPAN,
    { depth: integer('In the tree: 0 is a root.') },
    {
      genAi: ref('ModelCall'),
      conversation: object({ input: arrayOf(ref('Message')), output: arrayOf(ref('Message')) }),
      evaluations: arrayOf(ref('Judgement')),
    },
  ),
  ModelCall: object(
    {},
    {
      operation: text(),
      provider: text(),
      model: text(),
      ...USAGE_MEMBERS,
      cachedTokens: integer('Of the input: read from a cache.'),
      cacheCreationTokens: integer('Of the input: written to a cache.'),
      reasoningTokens: integer('Of the output.'),
      timeToFirstTokenNs: integer(),
      costIsComputed: flag('By the list of prices; else it was sent.'),
      sessionId: text(),
      userId: text(),
      finishReason: text(),
      promptName: text(),
      promptVersion: text(),
    },
  ),
  Session: SESSION,
  SessionView: extended(SESSION, { turns: arrayOf(ref('Turn'), 'The oldest first.') }),
  Turn: {
    type: 'object',
    required: TRACE.required.filter((name) => name !== 'services'),
    properties: {
      ...turnMembers,
      input: ref('Message', 'The message of the user that it began with.'),
      output: ref('Message', 'The message that it ended with.'),
    },
  },
  Judgement: JUDGEMENT,
  Evaluation: extended(
    JUDGEMENT,
    {},
    {
      traceId: ref('TraceId'),
      spanId: ref('SpanId'),
      responseId: text('Of the answer that is judged.'),
      sessionId: text(),
      userId: text(),
      service: text('Of the call that is judged, as all that follows.'),
      operation: text(),
      provider: text(),
      model: text(),
      promptName: text(),
      promptVersion: text(),
    },
  ),
} satisfies Readonly<Record<string, JsonSchema>>
