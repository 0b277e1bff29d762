import type { JsonSchema } from './json-schema.ts'

/** What is looked at of the schema that checks the query or the path of a route. */
interface CheckedSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>
}

/** The parameters of OpenAPI that a schema checks. */
export function parametersOf(place: 'path' | 'query', schema: unknown): readonly JsonSchema[] {
  const { properties = {}, patternProperties } = (schema ?? {}) as CheckedSchema
  const named = Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: place,
    ...(place === 'path' && { required: true }),
    description,
    schema: rest,
  }))
  return patternProperties === undefined ? named : [...named, anyOf(place, patternProperties)]
}

/**
 * Parameters whose names are known by their pattern alone: OpenAPI has them as the members of one object, which `form` and `explode` take apart. The name
 * of that one is never sent.
 */
function anyOf(place: string, patternProperties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  const [first] = Object.values(patternProperties)
  const { description, ...schema } = first ?? {}
  const patterns = Object.keys(patternProperties).map((pattern) => [pattern, schema])
  return {
    name: 'attributes',
    in: place,
    description,
    style: 'form',
    explode: true,
    schema: {
      type: 'object',
      additionalProperties: false,
      patternProperties: Object.fromEntries(patterns),
    },
  }
}
