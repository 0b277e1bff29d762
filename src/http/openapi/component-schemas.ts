import { OPERATION_SCHEMAS } from './operation-schemas.ts'
import { RECORD_SCHEMAS } from './record-schemas.ts'
import { STATISTIC_SCHEMAS } from './statistic-schemas.ts'
import { VALUE_SCHEMAS } from './value-schemas.ts'
import { VIEW_SCHEMAS } from './view-schemas.ts'

/**
 * What comes out of the service, as JSON Schema. It only describes: PostgreSQL makes the JSON, and nothing is checked, filtered or written by these schemas. Tests hold real answers against them.
 */
export const COMPONENT_SCHEMAS = {
  ...OPERATION_SCHEMAS,
  ...RECORD_SCHEMAS,
  ...VIEW_SCHEMAS,
  ...STATISTIC_SCHEMAS,
  ...VALUE_SCHEMAS,
}
export type ComponentName = keyof typeof COMPONENT_SCHEMAS
