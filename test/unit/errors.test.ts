import { describe, expect, test } from 'vitest'
import {
  classifyWriteFailure,
  codeOf,
  isRetryable,
  messageOf,
  ObservatoryError,
  sqlStateOf,
  type WriteFailure,
} from '../../src/errors.ts'

function withCode(code: string, properties: object = {}): Error {
  return Object.assign(new Error(`failed with ${code}`), { code, ...properties })
}

describe('what a failed write means', () => {
  test.each<[string, string, WriteFailure]>([
    ['08006', 'connection_failure', 'transient'],
    ['0A000', 'feature_not_supported', 'unready'],
    ['22001', 'string_data_right_truncation', 'data'],
    ['22003', 'numeric_value_out_of_range', 'data'],
    ['22021', 'character_not_in_repertoire', 'data'],
    ['22P02', 'invalid_text_representation', 'data'],
    ['22P03', 'invalid_binary_representation', 'schema'],
    ['22P04', 'bad_copy_file_format', 'schema'],
    ['22P05', 'untranslatable_character', 'data'],
    ['23502', 'not_null_violation', 'data'],
    ['23505', 'unique_violation', 'data'],
    ['25006', 'read_only_sql_transaction', 'transient'],
    ['25P03', 'idle_in_transaction_session_timeout', 'transient'],
    ['28000', 'invalid_authorization_specification', 'unready'],
    ['28P01', 'invalid_password', 'unready'],
    ['3D000', 'invalid_catalog_name', 'unready'],
    ['40001', 'serialization_failure', 'transient'],
    ['40P01', 'deadlock_detected', 'transient'],
    ['42501', 'insufficient_privilege', 'schema'],
    ['42703', 'undefined_column', 'schema'],
    ['42P01', 'undefined_table', 'schema'],
    ['53100', 'disk_full', 'transient'],
    ['53200', 'out_of_memory', 'transient'],
    ['53300', 'too_many_connections', 'transient'],
    ['54000', 'program_limit_exceeded', 'data'],
    ['55000', 'object_not_in_prerequisite_state', 'unready'],
    ['55P03', 'lock_not_available', 'transient'],
    ['57014', 'query_canceled', 'transient'],
    ['57P01', 'admin_shutdown', 'transient'],
    ['57P03', 'cannot_connect_now', 'transient'],
    ['58030', 'io_error', 'transient'],
    ['XX000', 'internal_error', 'transient'],
    ['XX001', 'data_corrupted', 'unready'],
    ['XX002', 'index_corrupted', 'unready'],
  ])('SQLSTATE %s (%s) is %s', (state, _name, failure) => {
    expect(classifyWriteFailure(withCode(state))).toBe(failure)
    expect(isRetryable(withCode(state))).toBe(failure !== 'data' && failure !== 'schema')
  })

  test('a check violation without a constraint is a missing partition, with one it is data', () => {
    expect(classifyWriteFailure(withCode('23514'))).toBe('partition')
    expect(classifyWriteFailure(withCode('23514', { constraint: 'spans_check' }))).toBe('data')
    expect(isRetryable(withCode('23514'))).toBe(true)
  })

  test.each(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EPIPE', 'ENOTFOUND'])(
    '%s comes from the network and passes',
    (code) => {
      expect(sqlStateOf(withCode(code))).toBeUndefined()
      expect(classifyWriteFailure(withCode(code))).toBe('transient')
    },
  )

  test('an error without any code, as a lost connection of pg, passes', () => {
    expect(classifyWriteFailure(new Error('Connection terminated unexpectedly'))).toBe('transient')
    expect(classifyWriteFailure(undefined)).toBe('transient')
  })

  test.each([new TypeError('x'), new RangeError('x'), new ReferenceError('x')])(
    'a defect of our own (%s) stops ingest instead of being retried for ever',
    (error) => {
      expect(classifyWriteFailure(error)).toBe('schema')
      expect(isRetryable(error)).toBe(false)
    },
  )

  test('of our own errors only an unreachable server is worth another try', () => {
    expect(isRetryable(new ObservatoryError('ERR_SERVER_UNREACHABLE', 'away'))).toBe(true)
    expect(isRetryable(new ObservatoryError('ERR_SERVER_UNSUITABLE', 'old'))).toBe(false)
    expect(isRetryable(new ObservatoryError('ERR_CONFIG_INVALID', 'wrong'))).toBe(false)
  })
})

describe('what an error says', () => {
  test('an error carries its code and its cause', () => {
    const cause = new Error('why')
    const error = new ObservatoryError('ERR_USAGE', 'what', { cause })
    expect(error).toMatchObject({ name: 'ObservatoryError', code: 'ERR_USAGE', message: 'what', cause })
  })

  test('a host that resolved to several addresses, none of which answered, is described by all of them', () => {
    const errors = [withCode('ECONNREFUSED'), withCode('ETIMEDOUT')]
    const error = new AggregateError(errors)
    expect(messageOf(error)).toBe('failed with ECONNREFUSED; failed with ETIMEDOUT')
    expect(codeOf(error)).toBe('ECONNREFUSED')
  })

  test('whatever was thrown has a message', () => {
    expect([messageOf('text'), messageOf(undefined), messageOf(new Error('x'))]).toEqual([
      'text',
      'undefined',
      'x',
    ])
    expect([codeOf(null), codeOf('text'), codeOf({ code: 42 })]).toEqual([undefined, undefined, undefined])
  })
})
