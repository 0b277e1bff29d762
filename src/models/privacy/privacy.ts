import type { Attributes } from '../attributes.ts'
import { isMessageBody, isMessageEvent } from '../content-events.ts'
import { isContentKey } from '../content-keys.ts'
import type { DataPoint } from '../data-point.ts'
import { isPlainObject } from '../decode-fields.ts'
import { eventNameOf } from '../event-name.ts'
import type { LogRecord } from '../log-record.ts'
import type { InstrumentationScope, Resource } from '../resource.ts'
import type { Span } from '../span.ts'
import type { TelemetrySignal } from '../telemetry-signal.ts'
import { ContentPolicy } from './content-policy.ts'
import type { RedactionTally } from './redaction-tally.ts'
import { Redactor } from './redactor.ts'

/**
 * Decides what of a record may be kept: hides what the rules say, then applies the policy for prompts and completions. It goes over every text of a record but
 * its ids and the names of attributes.
 */
export class Privacy {
  readonly redactor: Redactor
  readonly content: ContentPolicy
  /** Whether dead letters keep what was refused as it came. */
  readonly sparesLetters: boolean

  constructor(redactor: Redactor, content: ContentPolicy, { sparesLetters = false } = {}) {
    this.redactor = redactor
    this.content = content
    this.sparesLetters = sparesLetters
  }

  /** Whether it leaves everything as it is. */
  get isIdle(): boolean {
    return this.redactor.isIdle && this.content.isIdle
  }

  /** What is kept of a record of a signal. */
  record(signal: TelemetrySignal, record: object, tally: RedactionTally): object {
    if (signal === 'traces') return this.#span(record as Span, tally)
    return signal === 'logs'
      ? this.#logRecord(record as LogRecord, tally)
      : this.#point(record as DataPoint, tally)
  }

  #span(span: Span, tally: RedactionTally): Span {
    const { redactor } = this
    return {
      ...span,
      ...this.#origin(span, tally),
      name: redactor.text(span.name, tally),
      traceState: redactor.text(span.traceState, tally),
      status: { code: span.status.code, message: redactor.text(span.status.message, tally) },
      attributes: this.#attributes(span.attributes, tally),
      events: span.events.map((event) => ({
        ...event,
        name: redactor.text(event.name, tally),
        attributes: this.#attributes(event.attributes, tally, isMessageEvent(event.name)),
      })),
      links: span.links.map((link) => ({
        ...link,
        traceState: redactor.text(link.traceState, tally),
        attributes: this.#attributes(link.attributes, tally),
      })),
    }
  }

  #logRecord(record: LogRecord, tally: RedactionTally): LogRecord {
    const { redactor } = this
    const isMessage = isMessageEvent(eventNameOf(record))
    const body = record.body === undefined ? undefined : redactor.value(record.body, tally)
    const keptBody = isPlainObject(body) ? this.content.attributes(body as Attributes) : body
    return {
      ...record,
      ...this.#origin(record, tally),
      severityText: redactor.text(record.severityText, tally),
      eventName: redactor.text(record.eventName, tally),
      body: isMessage && keptBody !== undefined ? this.content.apply(keptBody) : keptBody,
      attributes: this.#attributes(record.attributes, tally, isMessage),
    }
  }

  #point(point: DataPoint, tally: RedactionTally): DataPoint {
    const { redactor } = this
    const { metric } = point
    return {
      ...point,
      ...this.#origin(point, tally),
      metric: {
        ...metric,
        name: redactor.text(metric.name, tally),
        unit: redactor.text(metric.unit, tally),
        description: redactor.text(metric.description, tally),
      },
      attributes: this.#attributes(point.attributes, tally),
      exemplars: point.exemplars.map((exemplar) => ({
        ...exemplar,
        filteredAttributes: this.#attributes(exemplar.filteredAttributes, tally),
      })),
    }
  }

  #origin(
    { service, resource, scope }: { service: string; resource: Resource; scope: InstrumentationScope },
    tally: RedactionTally,
  ) {
    const { redactor } = this
    return {
      service: redactor.text(service, tally),
      resource: {
        schemaUrl: redactor.text(resource.schemaUrl, tally),
        attributes: this.#attributes(resource.attributes, tally),
      },
      scope: {
        name: redactor.text(scope.name, tally),
        version: redactor.text(scope.version, tally),
        schemaUrl: redactor.text(scope.schemaUrl, tally),
        attributes: this.#attributes(scope.attributes, tally),
      },
    }
  }

  #attributes(attributes: Attributes, tally: RedactionTally, isMessage = false): Attributes {
    const redacted = this.redactor.attributes(attributes, tally)
    const isBody = (key: string) => isContentKey(key) || isMessageBody(key)
    return isMessage ? this.content.attributes(redacted, isBody) : this.content.attributes(redacted)
  }
}

/** Leaves everything as it is. */
export const NO_PRIVACY = new Privacy(new Redactor([]), new ContentPolicy('keep', 0))
