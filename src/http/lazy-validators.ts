import AjvCompiler, { type ValidatorFactory } from '@fastify/ajv-compiler'
import type { FastifySchemaCompiler } from 'fastify'

/** As fastify has it; the types of the compiler that it uses say otherwise. */
type BuildValidator = (...args: unknown[]) => FastifySchemaCompiler<unknown>

type Validate = ReturnType<FastifySchemaCompiler<unknown>>

const buildAjv = AjvCompiler() as unknown as BuildValidator

const buildLazily: BuildValidator = (...args) => {
  const compile = buildAjv(...args)
  return (route) => {
    let compiled: Validate | undefined
    const validate: Validate = (data) => {
      compiled ??= compile(route)
      const answer = compiled(data)
      validate.errors = compiled.errors ?? null
      return answer
    }
    return validate
  }
}

/** For fastify: compiles what checks the parameters of a route when the first request for it comes. At start, all of them would take half a second. */
export const lazyValidators = buildLazily as unknown as ValidatorFactory
