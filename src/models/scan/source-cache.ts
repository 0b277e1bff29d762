import type { DecodeContext } from '../decode-context.ts'
import { decodeScope, decodeServiceAndResource } from '../decode-resource.ts'
import type { InstrumentationScope, Resource } from '../resource.ts'
import { LookupCache } from './lookup-cache.ts'
import type { RecordSlots } from './record-slots.ts'

/** What produced a record. Shared by all records that say the same in the same words, hence frozen. */
export interface Source {
  readonly service: string
  readonly resource: Resource
  readonly scope: InstrumentationScope
}

/** The first fields of every record's list of fields. */
export const SOURCE_FIELDS = ['service', 'resource', 'scope', 'schemaUrl'] as const
const FIELDS = SOURCE_FIELDS.map((_, field) => field)

/** Remembers the sources that records have named. */
export class SourceCache {
  readonly #sources = new LookupCache<Source>(FIELDS)

  /** Undefined where something of it is refused. */
  find(slots: RecordSlots, context: DecodeContext): Source | undefined {
    return this.#sources.find(slots, () => {
      const [service, resource, scope, schemaUrl] = FIELDS.map((field) => slots.parsed(field))
      const decoded = decodeServiceAndResource({ service, resource }, context)
      const source = { ...decoded, scope: decodeScope({ scope, schemaUrl }, context) }
      if (context.rejection !== undefined) return undefined
      Object.freeze(source.resource)
      Object.freeze(source.scope)
      return Object.freeze(source)
    })
  }
}
