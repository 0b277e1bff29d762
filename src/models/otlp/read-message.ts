import type { AttributeValue } from '../attributes.ts'
import { MAX_BUCKETS } from '../decode-measurement.ts'
import { normalizeNumber, setOwn } from '../normalize-value.ts'
import type { Message, MessageField, ScalarField } from './otlp-messages.ts'
import { DELIMITED, type WireReader } from './wire-reader.ts'

/** A message as OTLP's JSON writes it, but for attributes: those are plain objects, in normal form. */
export type MessageObject = Record<string, unknown>

/** A longer list of numbers refuses its record (see `MAX_BUCKETS`): what is past it is not kept. */
const MAX_NUMBERS = MAX_BUCKETS + 1

/**
 * Reads the fields of a message up to its end, into an object that may have some already: protobuf merges messages of a field that may be there once. Of other
 * fields the last one counts. What is not well-formed is the reader's problem.
 */
export function readMessage(reader: WireReader, message: Message, object: MessageObject = {}): MessageObject {
  while (reader.isInside) {
    const tag = reader.uint32()
    const field = message[tag >>> 3]
    const wireType = tag & 7
    if (field === undefined) reader.skip(wireType)
    else if (field.message !== undefined) {
      if (wireType === DELIMITED) readMessageField(reader, field, object)
      else reader.skip(wireType)
    } else if (wireType === field.wireType) readScalarField(reader, field, object)
    else if (field.isRepeated && wireType === DELIMITED) readPacked(reader, field, object)
    else reader.skip(wireType)
  }
  return object
}

function readScalarField(reader: WireReader, field: ScalarField, object: MessageObject): void {
  if (field.isRepeated) addNumber(listOf(object, field.name), field.read(reader))
  else object[field.name] = field.read(reader)
}

/** Numbers without their tags. */
function readPacked(reader: WireReader, field: ScalarField, object: MessageObject): void {
  const list = listOf(object, field.name)
  const outer = reader.enter()
  while (reader.isInside) addNumber(list, field.read(reader))
  reader.leave(outer)
}

function addNumber(list: unknown[], value: unknown): void {
  if (list.length < MAX_NUMBERS) list.push(value)
}

function readMessageField(reader: WireReader, field: MessageField, object: MessageObject): void {
  const { name } = field
  const outer = reader.enter()
  if (field.isAttributes) {
    object[name] ??= {}
    readKeyValue(reader, object[name] as Record<string, AttributeValue>)
  } else {
    const before = field.isRepeated ? undefined : (object[name] as MessageObject | undefined)
    const value = readMessage(reader, field.message(), before)
    if (field.isRepeated) listOf(object, name).push(value)
    else object[name] = value
  }
  reader.leave(outer)
}

function listOf(object: MessageObject, name: string): unknown[] {
  const list = (object[name] as unknown[] | undefined) ?? []
  object[name] = list
  return list
}

/*
 * Attributes are most of what there is to read. So their messages are not read by the tables, but straight into what they mean. The tags are those
 * of KeyValue, AnyValue, ArrayValue and KeyValueList.
 */
const KEY = tagOf(1, DELIMITED)
const VALUE = tagOf(2, DELIMITED)
const STRING_VALUE = tagOf(1, DELIMITED)
const BOOL_VALUE = tagOf(2, 0)
const INT_VALUE = tagOf(3, 0)
const DOUBLE_VALUE = tagOf(4, 1)
const ARRAY_VALUE = tagOf(5, DELIMITED)
const KEY_VALUE_LIST = tagOf(6, DELIMITED)
const BYTES_VALUE = tagOf(7, DELIMITED)
const VALUES = tagOf(1, DELIMITED)

function tagOf(field: number, wireType: number): number {
  return (field << 3) | wireType
}

function readKeyValue(reader: WireReader, into: Record<string, AttributeValue>): void {
  let key = ''
  let value: AttributeValue = null
  while (reader.isInside) {
    const tag = reader.uint32()
    if (tag === KEY) key = reader.text()
    else if (tag === VALUE) value = readAnyValue(reader)
    else reader.skip(tag & 7)
  }
  setOwn(into, key, value)
}

function readAnyValue(reader: WireReader): AttributeValue {
  const outer = reader.enter()
  let value: AttributeValue = null
  while (reader.isInside) {
    const tag = reader.uint32()
    switch (tag) {
      case STRING_VALUE:
        value = reader.text()
        break
      case BOOL_VALUE:
        value = reader.bool()
        break
      case INT_VALUE:
        value = reader.int64()
        break
      case DOUBLE_VALUE:
        value = normalizeNumber(reader.double())
        break
      case ARRAY_VALUE:
        value = readArrayValue(reader)
        break
      case KEY_VALUE_LIST:
        value = readKeyValueList(reader)
        break
      case BYTES_VALUE:
        value = { bytesValue: reader.encodedBytes('base64') }
        break
      default:
        reader.skip(tag & 7)
    }
  }
  reader.leave(outer)
  return value
}

function readArrayValue(reader: WireReader): AttributeValue {
  const outer = reader.enter()
  const items: AttributeValue[] = []
  while (reader.isInside) {
    const tag = reader.uint32()
    if (tag === VALUES) items.push(readAnyValue(reader))
    else reader.skip(tag & 7)
  }
  reader.leave(outer)
  return items
}

function readKeyValueList(reader: WireReader): AttributeValue {
  const outer = reader.enter()
  const members: Record<string, AttributeValue> = {}
  while (reader.isInside) {
    const tag = reader.uint32()
    if (tag !== VALUES) {
      reader.skip(tag & 7)
      continue
    }
    const list = reader.enter()
    readKeyValue(reader, members)
    reader.leave(list)
  }
  reader.leave(outer)
  return members
}
