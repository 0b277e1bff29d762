import type { Attributes } from './attributes.ts'
import { decodeAttributes } from './decode-attributes.ts'
import { type DecodeContext, refuse } from './decode-context.ts'
import {
  type Fields,
  fitsIndex,
  isPlainObject,
  isPresent,
  MAX_INDEXED_TEXT_BYTES,
  readContainer,
  readIndexedText,
  readText,
  typeOf,
} from './decode-fields.ts'
import { copyMembers, EMPTY_ATTRIBUTES } from './normalize-value.ts'
import type { InstrumentationScope, Resource } from './resource.ts'

/**
 * The service of a record that names none (OpenTelemetry's own default for `service.name`). It stands
 * for the absence of a name and is never written into the resource.
 */
export const UNKNOWN_SERVICE = 'unknown_service'

const EMPTY_RESOURCE: Resource = Object.freeze({ attributes: EMPTY_ATTRIBUTES, schemaUrl: undefined })
const EMPTY_SCOPE: InstrumentationScope = Object.freeze({
  name: undefined,
  version: undefined,
  attributes: EMPTY_ATTRIBUTES,
  schemaUrl: undefined,
})

/** Members of OTLP's Resource. An object with others is a plain object of attributes. */
const RESOURCE_FIELDS = new Set(['attributes', 'schemaUrl', 'droppedAttributesCount', 'entityRefs'])

/**
 * The service and the resource of a record. `service` is shorthand for the resource's `service.name`
 * and wins over it.
 */
export function decodeServiceAndResource(
  fields: Fields,
  context: DecodeContext,
): { readonly service: string; readonly resource: Resource } {
  const resource = decodeResource(fields.resource, context)
  const given = readIndexedText(fields.service, 'service', context)
  const named = resource.attributes['service.name']
  if (given === undefined || given === UNKNOWN_SERVICE)
    return { service: serviceName(named, context), resource }
  if (given === named) return { service: given, resource }
  const attributes = copyMembers(resource.attributes)
  attributes['service.name'] = given
  return { service: given, resource: { attributes, schemaUrl: resource.schemaUrl } }
}

/** The instrumentation scope of a record; a `schemaUrl` beside it is the scope's, as in OTLP. */
export function decodeScope(fields: Fields, context: DecodeContext): InstrumentationScope {
  const source = readContainer(fields.scope, 'scope', context)
  const schemaUrl = readText(fields.schemaUrl, 'schemaUrl', context)
  if (!isPresent(source)) return schemaUrl === undefined ? EMPTY_SCOPE : { ...EMPTY_SCOPE, schemaUrl }
  if (!isPlainObject(source)) {
    refuse(context, 'wrong_type', `scope must be an object, not ${typeOf(source)}`)
    return EMPTY_SCOPE
  }
  return {
    name: readText(source.name, 'scope.name', context),
    version: readText(source.version, 'scope.version', context),
    attributes: decodeAttributes(source.attributes, 'scope.attributes', context),
    schemaUrl: readText(source.schemaUrl, 'scope.schemaUrl', context) ?? schemaUrl,
  }
}

function decodeResource(value: unknown, context: DecodeContext): Resource {
  const source = readContainer(value, 'resource', context)
  if (!isPresent(source)) return EMPTY_RESOURCE
  if (!isStructured(source)) {
    return { attributes: decodeAttributes(source, 'resource', context), schemaUrl: undefined }
  }
  return {
    attributes: decodeAttributes(source.attributes, 'resource.attributes', context),
    schemaUrl: readText(source.schemaUrl, 'resource.schemaUrl', context),
  }
}

/** `{attributes, schemaUrl?}` rather than the attributes themselves. */
function isStructured(source: unknown): source is Fields {
  if (!isPlainObject(source) || typeof source.attributes !== 'object') return false
  return Object.keys(source).every((key) => RESOURCE_FIELDS.has(key))
}

function serviceName(named: Attributes[string] | undefined, context: DecodeContext): string {
  if (typeof named !== 'string' || named === '') return UNKNOWN_SERVICE
  if (!fitsIndex(named)) {
    refuse(context, 'too_large', `service.name must have at most ${MAX_INDEXED_TEXT_BYTES} bytes`)
  }
  return named
}
