import { REJECTION_REASONS } from '../../models/rejection.ts'
import { TELEMETRY_SIGNALS } from '../../models/telemetry-signal.ts'
import { arrayOf, flag, integer, type JsonSchema, object, oneOf, ref, text } from './json-schema.ts'

/** What is said of the service itself, of requests that fail, of records that are refused, and of export requests. */
export const OPERATION_SCHEMAS = {
  Problem: {
    ...object(
      {
        type: { const: 'about:blank' },
        status: integer(),
        title: text(),
        detail: text('What is wrong, and what would be right.'),
      },
      { parameter: text('The parameter at fault.') },
    ),
    description: 'RFC 9457.',
  },
  Health: object({ status: { const: 'ok' } }),
  Readiness: object({ ready: flag('Whether the service does its work.'), problems: arrayOf(text()) }),
  DeadLetter: object(
    {
      id: { type: 'string', format: 'uuid' },
      deadLetteredAt: { type: 'string', format: 'date-time' },
      signal: oneOf(TELEMETRY_SIGNALS),
      stream: text(),
      entryId: text('Of its entry of the stream.'),
      recordIndex: integer('In its entry; -1 where that was refused as a whole.'),
      reason: oneOf(REJECTION_REASONS),
      detail: text('What would have been right.'),
      payloadForm: oneOf(
        ['record', 'json', 'entry'],
        'The refused record, the json field of the entry, or all its fields.',
      ),
      payloadBytes: integer(),
      payloadKept: flag('Whether the payload is still there.'),
    },
    {
      sqlState: text('What PostgreSQL said.'),
      replayedAt: { type: 'string', format: 'date-time' },
      replayedRows: integer(),
      replayOf: { type: 'string', format: 'uuid', description: 'The letter whose replay this is of.' },
      purgedAt: { type: 'string', format: 'date-time' },
      payload: { type: 'string', contentEncoding: 'base64', description: 'With payload=true.' },
    },
  ),
  ExportResponse: object(
    {},
    {
      partialSuccess: object(
        { errorMessage: text() },
        {
          rejectedSpans: text('How many.'),
          rejectedDataPoints: text('How many.'),
          rejectedLogRecords: text('How many.'),
        },
      ),
    },
  ),
  RpcStatus: { ...object({ code: integer(), message: text() }), description: 'google.rpc.Status' },
  OpenApi: { type: 'object', description: 'This document.', additionalProperties: true },
} satisfies Readonly<Record<string, JsonSchema>>

/** When to come again. */
export const RETRY_AFTER = { 'Retry-After': { description: 'Seconds.', schema: integer() } }

/** What every route that reads PostgreSQL may answer instead. */
export const PROBLEM_RESPONSES = {
  BadRequest: problem('A parameter is unknown, or is not what it may be.'),
  NotFound: problem('There is nothing of this name or id.'),
  Failed: problem('The request could not be answered; the service has logged the cause.'),
  Unavailable: {
    ...problem('PostgreSQL or Redis is away, or all connections to it are busy.'),
    headers: RETRY_AFTER,
  },
  TookTooLong: problem('PostgreSQL took longer than it may: ask for a shorter time range, or for less.'),
}

function problem(description: string) {
  return { description, content: { 'application/problem+json': { schema: ref('Problem') } } }
}
