import { objectMember, plainMember, textMember } from './json-text-sql.ts'
import type { ExportColumn } from './record-source.ts'

/** SQL of the resource and the scope of a record, in the shape of the wire contract. */
export const ORIGIN_MEMBERS: readonly string[] = [
  objectMember('resource', [
    textMember('schemaUrl', 'resource_schema_url'),
    plainMember('attributes', `coalesce(resource_attributes, '{}')`),
  ]),
  objectMember('scope', [
    textMember('name', 'scope_name'),
    textMember('version', 'scope_version'),
    textMember('schemaUrl', 'scope_schema_url'),
    plainMember('attributes', `coalesce(scope_attributes, '{}')`),
  ]),
]

/** The same as columns of Parquet. */
export const ORIGIN_COLUMNS: readonly ExportColumn[] = [
  { name: 'resource', type: 'json', sql: 'resource_attributes::text' },
  { name: 'resourceSchemaUrl', type: 'string', sql: 'resource_schema_url' },
  { name: 'scopeName', type: 'string', sql: 'scope_name' },
  { name: 'scopeVersion', type: 'string', sql: 'scope_version' },
  { name: 'scopeAttributes', type: 'json', sql: 'scope_attributes::text' },
  { name: 'scopeSchemaUrl', type: 'string', sql: 'scope_schema_url' },
]
