import { objectMember, plainMember, textMember } from './json-text-sql.ts'

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
