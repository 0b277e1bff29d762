/*
 * How long does a span of a protobuf export request take, until there is an object with all it says? The contenders take turns, the median of
 * their turns counts; the ratio is to the service's own reader. docs/decisions has what came out.
 */
import { createFileRegistry, fromBinary } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { readOtlpRequest } from '../../dist/models/otlp/read-request.js'
import { RecordDecoder } from '../../dist/writers/record-decoder.js'
import { requestOf, root, Traces } from '../otlp-request.mjs'

const SPANS = 512
const TURNS = 15
const REQUESTS_A_TURN = 20

const descriptor = root.toDescriptor('proto3')
const descriptorBytes = descriptor.constructor.encode(descriptor).finish()
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorBytes))
const TracesSchema = registry.getMessage('Traces')

const request = requestOf(SPANS)
const bytes = Buffer.from(Traces.encode(Traces.fromObject(request)).finish())
const json = Buffer.from(JSON.stringify(request))
const decoder = new RecordDecoder('traces')

const contenders = {
  'own reader, protobuf': () => readOtlpRequest(bytes, 'traces', 'protobuf'),
  'own reader, protobuf, then records': () => {
    const context = decoder.context(Date.now())
    return decoder.decodeAll(readOtlpRequest(bytes, 'traces', 'protobuf').records, context)
  },
  'JSON.parse, JSON (ids in base64)': () => readOtlpRequest(json, 'traces', 'json'),
  protobufjs: () => Traces.decode(bytes),
  'protobufjs, then plain objects': () => Traces.toObject(Traces.decode(bytes), { longs: String }),
  '@bufbuild/protobuf': () => fromBinary(TracesSchema, bytes),
}

const times = new Map(Object.keys(contenders).map((name) => [name, []]))
for (let turn = 0; turn <= TURNS; turn += 1) {
  for (const [name, run] of Object.entries(contenders)) {
    const from = performance.now()
    for (let each = 0; each < REQUESTS_A_TURN; each += 1) run()
    // The first turn warms up.
    if (turn > 0) times.get(name).push(performance.now() - from)
  }
}
const medians = [...times].map(([name, turns]) => [name, turns.sort((a, b) => a - b)[TURNS >> 1]])
const [[, own]] = medians
console.log(
  `${SPANS} spans of ${Math.round(bytes.length / SPANS)} bytes of protobuf, Node.js ${process.version}`,
)
for (const [name, median] of medians) {
  const micros = (median / REQUESTS_A_TURN / SPANS) * 1000
  console.log(`${name.padEnd(36)} ${(median / own).toFixed(2)} ${micros.toFixed(2)} us/span`)
}
