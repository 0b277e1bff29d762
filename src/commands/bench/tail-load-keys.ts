/** Attributes of the spans of a tail's load: which of its service it is, and when it was added, in unix milliseconds. */
export const NUMBER_KEY = 'bench.n'
export const SENT_KEY = 'bench.sent'
