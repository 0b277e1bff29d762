import type { Attributes } from '../attributes.ts'
import { stringifyJson } from '../json.ts'
import type { InstrumentationScope, Resource } from '../resource.ts'
import { textMember } from './json-members.ts'

/** The members of a record that say where it came from, which are its last. */
export function originMembers({
  resource,
  scope,
}: {
  readonly resource: Resource
  readonly scope: InstrumentationScope
}): string {
  const ofResource = textMember('schemaUrl', resource.schemaUrl)
  const ofScope =
    textMember('name', scope.name) +
    textMember('version', scope.version) +
    textMember('schemaUrl', scope.schemaUrl)
  return `,"resource":${withAttributes(ofResource, resource.attributes)},"scope":${withAttributes(ofScope, scope.attributes)}`
}

function withAttributes(members: string, attributes: Attributes): string {
  const first = members === '' ? '' : `${members.slice(1)},`
  return `{${first}"attributes":${stringifyJson(attributes)}}`
}
