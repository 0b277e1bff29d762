import { expect, test } from 'vitest'
import { acceptedFormat } from '../../../src/http/accepted-format.ts'
import { RECORD_FORMATS } from '../../../src/http/routes/query-parameters.ts'

test.each([
  [undefined, 'json'],
  ['', 'json'],
  ['*/*', 'json'],
  ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'json'],
  ['application/x-ndjson', 'ndjson'],
  ['application/x-ndjson, */*', 'ndjson'],
  ['*/*, Text/CSV', 'csv'],
  ['text/*', 'csv'],
  ['application/*', 'json'],
  ['application/json, text/csv;q=0.5', 'json'],
  ['application/json;q=0.5, text/csv; header=present ;q=0.8', 'csv'],
  ['text/csv, application/x-ndjson', 'csv'],
  ['application/x-ndjson, text/csv', 'ndjson'],
  ['application/x-ndjson;q=0, */*', 'json'],
  ['application/json;q=0, application/x-ndjson;q=0.1', 'ndjson'],
  ['application/vnd.apache.parquet', 'parquet'],
  ['image/png', 'json'],
  [';q=x,,/;q=2', 'json'],
])('Accept: %s is answered with %s', (accept, format) => {
  expect(acceptedFormat(accept, RECORD_FORMATS)).toBe(format)
})
