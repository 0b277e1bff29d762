import type { Attributes } from './attributes.ts'
import type { RecordBySignal } from './decode-record.ts'
import { environmentOf } from './environment.ts'
import { genAiColumns } from './gen-ai.ts'
import { searchedBodyText } from './log-body.ts'
import type { LogRecord } from './log-record.ts'
import { lowerCase } from './lower-case.ts'
import type { Resource } from './resource.ts'
import { type SearchedWords, searchedWords } from './searched-words.ts'
import type { SpanKind, StatusCode } from './span.ts'
import type { TelemetrySignal } from './telemetry-signal.ts'

/** What is asked of a call of a model. */
export interface CallFacts {
  /** As it answered, or else as it was asked for. */
  readonly model: string | undefined
  readonly provider: string | undefined
  readonly operation: string | undefined
  readonly prompt: string | undefined
  readonly user: string | undefined
  readonly session: string | undefined
}

/** What is known of a record without looking into it; of each signal some are undefined. */
interface PlainFacts {
  readonly timeUnixNano: bigint
  readonly name: string | undefined
  readonly traceId?: string | undefined
  readonly spanId?: string | undefined
  readonly severityNumber?: number
  readonly statusCode?: StatusCode
  readonly kindCode?: SpanKind
  readonly endTimeUnixNano?: bigint | undefined
  /** The record, where it is a log record. */
  readonly log?: LogRecord
}

/**
 * What a filter may ask of a record that is not stored yet: what the columns of its view would hold. Made once a record, and asked by every filter: what takes time to
 * find out is found when it is first asked for (until then its field is undefined), and kept.
 */
export class RecordFacts {
  readonly timeUnixNano: bigint
  readonly service: string
  readonly name: string | undefined
  readonly traceId: string | undefined
  readonly spanId: string | undefined
  /** 0 where it has none. */
  readonly severityNumber: number
  readonly statusCode: StatusCode | undefined
  readonly kindCode: SpanKind | undefined
  readonly attributes: Attributes
  readonly #resource: Resource
  readonly #endTimeUnixNano: bigint | undefined
  readonly #log: LogRecord | undefined
  #environment: string | null | undefined
  #durationNs: bigint | null | undefined
  #call: CallFacts | null | undefined
  #body: string | null | undefined
  #lowerBody: string | null | undefined
  #words: SearchedWords | null | undefined

  constructor(
    record: { readonly service: string; readonly attributes: Attributes; readonly resource: Resource },
    plain: PlainFacts,
  ) {
    this.timeUnixNano = plain.timeUnixNano
    this.service = record.service
    this.name = plain.name
    this.traceId = plain.traceId
    this.spanId = plain.spanId
    this.severityNumber = plain.severityNumber ?? 0
    this.statusCode = plain.statusCode
    this.kindCode = plain.kindCode
    this.attributes = record.attributes
    this.#resource = record.resource
    this.#endTimeUnixNano = plain.endTimeUnixNano
    this.#log = plain.log
  }

  get environment(): string | null {
    if (this.#environment === undefined) this.#environment = environmentOf(this.#resource.attributes) ?? null
    return this.#environment
  }

  /** Of a span that has ended. */
  get durationNs(): bigint | null {
    if (this.#durationNs === undefined)
      this.#durationNs =
        this.#endTimeUnixNano === undefined ? null : this.#endTimeUnixNano - this.timeUnixNano
    return this.#durationNs
  }

  /** Of a span with an attribute that tells of a model. */
  get call(): CallFacts | null {
    if (this.#call === undefined) this.#call = callOf(this.attributes)
    return this.#call
  }

  /** Of a log record, as it is stored with it. */
  get body(): string | null {
    if (this.#body === undefined)
      this.#body = (this.#log === undefined ? undefined : searchedBodyText(this.#log)) ?? null
    return this.#body
  }

  get lowerBody(): string | null {
    if (this.#lowerBody === undefined) this.#lowerBody = this.body === null ? null : lowerCase(this.body)
    return this.#lowerBody
  }

  /** The words of the body. */
  get words(): SearchedWords | null {
    if (this.#words === undefined) this.#words = this.body === null ? null : searchedWords(this.body)
    return this.#words
  }
}

/** What a filter may ask of a record of each signal. */
export const FACTS_OF: { readonly [S in TelemetrySignal]: (record: RecordBySignal[S]) => RecordFacts } = {
  traces: (span) =>
    new RecordFacts(span, {
      timeUnixNano: span.startTimeUnixNano,
      name: span.name,
      traceId: span.traceId,
      spanId: span.spanId,
      statusCode: span.status.code,
      kindCode: span.kind,
      endTimeUnixNano: span.endTimeUnixNano,
    }),
  metrics: (point) => new RecordFacts(point, { timeUnixNano: point.timeUnixNano, name: point.metric.name }),
  logs: (log) =>
    new RecordFacts(log, {
      timeUnixNano: log.timeUnixNano,
      name: log.eventName,
      traceId: log.traceId,
      spanId: log.spanId,
      severityNumber: log.severityNumber,
      log,
    }),
}

function callOf(attributes: Attributes): CallFacts | null {
  const columns = genAiColumns(attributes)
  if (columns === undefined) return null
  return {
    model: columns.responseModel ?? columns.requestModel,
    provider: columns.provider,
    operation: columns.operation,
    prompt: columns.promptName,
    user: columns.userId,
    session: columns.sessionId,
  }
}
