import type { AttributeValue } from '../attributes.ts'
import type { Exemplar } from '../data-point.ts'
import { stringifyJson } from '../json.ts'

/** The exemplars of a data point as JSON. */
export function exemplarsJson(exemplars: readonly Exemplar[]): string {
  return exemplars.length === 0 ? '[]' : stringifyJson(exemplars.map(exemplarJson))
}

function exemplarJson(exemplar: Exemplar): AttributeValue {
  return {
    ...(exemplar.timeUnixNano !== undefined && { timeUnixNano: String(exemplar.timeUnixNano) }),
    ...(exemplar.value !== undefined && { value: exemplar.value }),
    ...(exemplar.traceId !== undefined && { traceId: exemplar.traceId }),
    ...(exemplar.spanId !== undefined && { spanId: exemplar.spanId }),
    filteredAttributes: exemplar.filteredAttributes,
  }
}
