import protobuf from 'protobufjs'
import type { TelemetrySignal } from '../../src/models/telemetry-signal.ts'

/*
 * OTLP as another protobuf library encodes it: what the service reads is compared with what this wrote. The numbers are those of
 * opentelemetry-proto; that they are right is for the test with OpenTelemetry's own exporters to show.
 */
const OTLP = `
syntax = "proto3";
message AnyValue {
  oneof value {
    string stringValue = 1; bool boolValue = 2; int64 intValue = 3; double doubleValue = 4;
    ArrayValue arrayValue = 5; KeyValueList kvlistValue = 6; bytes bytesValue = 7;
  }
}
message ArrayValue { repeated AnyValue values = 1; }
message KeyValueList { repeated KeyValue values = 1; }
message KeyValue { string key = 1; AnyValue value = 2; }
message Resource { repeated KeyValue attributes = 1; uint32 droppedAttributesCount = 2; }
message Scope { string name = 1; string version = 2; repeated KeyValue attributes = 3; uint32 droppedAttributesCount = 4; }

message Status { string message = 2; int32 code = 3; }
message Event { fixed64 timeUnixNano = 1; string name = 2; repeated KeyValue attributes = 3; uint32 droppedAttributesCount = 4; }
message Link {
  bytes traceId = 1; bytes spanId = 2; string traceState = 3; repeated KeyValue attributes = 4;
  uint32 droppedAttributesCount = 5; fixed32 flags = 6;
}
message Span {
  bytes traceId = 1; bytes spanId = 2; string traceState = 3; bytes parentSpanId = 4; fixed32 flags = 16;
  string name = 5; int32 kind = 6; fixed64 startTimeUnixNano = 7; fixed64 endTimeUnixNano = 8;
  repeated KeyValue attributes = 9; uint32 droppedAttributesCount = 10; repeated Event events = 11;
  uint32 droppedEventsCount = 12; repeated Link links = 13; uint32 droppedLinksCount = 14; Status status = 15;
}
message ScopeSpans { Scope scope = 1; repeated Span spans = 2; string schemaUrl = 3; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scopeSpans = 2; string schemaUrl = 3; }
message Traces { repeated ResourceSpans resourceSpans = 1; }

message LogRecord {
  fixed64 timeUnixNano = 1; fixed64 observedTimeUnixNano = 11; int32 severityNumber = 2; string severityText = 3;
  AnyValue body = 5; repeated KeyValue attributes = 6; uint32 droppedAttributesCount = 7; fixed32 flags = 8;
  bytes traceId = 9; bytes spanId = 10; string eventName = 12;
}
message ScopeLogs { Scope scope = 1; repeated LogRecord logRecords = 2; string schemaUrl = 3; }
message ResourceLogs { Resource resource = 1; repeated ScopeLogs scopeLogs = 2; string schemaUrl = 3; }
message Logs { repeated ResourceLogs resourceLogs = 1; }

message Exemplar {
  repeated KeyValue filteredAttributes = 7; fixed64 timeUnixNano = 2;
  oneof value { double asDouble = 3; sfixed64 asInt = 6; } bytes spanId = 4; bytes traceId = 5;
}
message NumberPoint {
  repeated KeyValue attributes = 7; fixed64 startTimeUnixNano = 2; fixed64 timeUnixNano = 3;
  oneof value { double asDouble = 4; sfixed64 asInt = 6; } repeated Exemplar exemplars = 5; uint32 flags = 8;
}
message HistogramPoint {
  repeated KeyValue attributes = 9; fixed64 startTimeUnixNano = 2; fixed64 timeUnixNano = 3; fixed64 count = 4;
  optional double sum = 5; repeated fixed64 bucketCounts = 6; repeated double explicitBounds = 7;
  repeated Exemplar exemplars = 8; uint32 flags = 10; optional double min = 11; optional double max = 12;
}
message Buckets { sint32 offset = 1; repeated uint64 bucketCounts = 2; }
message ExponentialPoint {
  repeated KeyValue attributes = 1; fixed64 startTimeUnixNano = 2; fixed64 timeUnixNano = 3; fixed64 count = 4;
  optional double sum = 5; sint32 scale = 6; fixed64 zeroCount = 7; Buckets positive = 8; Buckets negative = 9;
  uint32 flags = 10; repeated Exemplar exemplars = 11; optional double min = 12; optional double max = 13; double zeroThreshold = 14;
}
message QuantileValue { double quantile = 1; double value = 2; }
message SummaryPoint {
  repeated KeyValue attributes = 7; fixed64 startTimeUnixNano = 2; fixed64 timeUnixNano = 3; fixed64 count = 4;
  double sum = 5; repeated QuantileValue quantileValues = 6; uint32 flags = 8;
}
message Gauge { repeated NumberPoint dataPoints = 1; }
message Sum { repeated NumberPoint dataPoints = 1; int32 aggregationTemporality = 2; bool isMonotonic = 3; }
message Histogram { repeated HistogramPoint dataPoints = 1; int32 aggregationTemporality = 2; }
message ExponentialHistogram { repeated ExponentialPoint dataPoints = 1; int32 aggregationTemporality = 2; }
message Summary { repeated SummaryPoint dataPoints = 1; }
message Metric {
  string name = 1; string description = 2; string unit = 3;
  oneof data {
    Gauge gauge = 5; Sum sum = 7; Histogram histogram = 9; ExponentialHistogram exponentialHistogram = 10; Summary summary = 11;
  }
}
message ScopeMetrics { Scope scope = 1; repeated Metric metrics = 2; string schemaUrl = 3; }
message ResourceMetrics { Resource resource = 1; repeated ScopeMetrics scopeMetrics = 2; string schemaUrl = 3; }
message Metrics { repeated ResourceMetrics resourceMetrics = 1; }
`
const root = protobuf.parse(OTLP, { keepCase: true }).root
const TYPES: Readonly<Record<TelemetrySignal, string>> = {
  traces: 'Traces',
  metrics: 'Metrics',
  logs: 'Logs',
}

/** The protobuf bytes of an export request that is given as OTLP's JSON writes it. */
export function encodeOtlp(signal: TelemetrySignal, request: object): Buffer {
  const type = root.lookupType(TYPES[signal])
  return Buffer.from(type.encode(type.fromObject(idsAsBytes(request) as object)).finish())
}

/** OTLP's JSON has ids in hex, where protobuf's own JSON would have base64. */
function idsAsBytes(value: unknown, key?: string): unknown {
  if (typeof value === 'string' && /^(?:trace|span|parentSpan)Id$/.test(key ?? ''))
    return Buffer.from(value, 'hex').toString('base64')
  if (Array.isArray(value)) return value.map((item) => idsAsBytes(item))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, idsAsBytes(member, name)]))
}
