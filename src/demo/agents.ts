export interface DemoTool {
  readonly name: string
  readonly host: string
  readonly path: string
  readonly medianMs: number
  readonly arguments: Readonly<Record<string, string | number>>
  readonly result: string
}

export interface DemoAgent {
  readonly weight: number
  readonly name: string
  readonly id: string
  /** What it searches before it answers; undefined for an agent that does not. */
  readonly dataSource: string | undefined
  readonly instructions: string
  readonly tools: readonly [DemoTool, ...DemoTool[]]
  readonly questions: readonly [string, ...string[]]
  readonly answers: readonly [string, ...string[]]
}

export const AGENTS: readonly [DemoAgent, ...DemoAgent[]] = [
  {
    weight: 5,
    name: 'support-agent',
    id: 'agent_support_v3',
    dataSource: 'help-centre',
    instructions: 'You help customers of an online shop. Look things up before you answer.',
    tools: [
      {
        name: 'get_order',
        host: 'orders.internal',
        path: '/orders/4711',
        medianMs: 60,
        arguments: { order_id: '4711' },
        result: '{"status":"shipped","eta":"tomorrow"}',
      },
      {
        name: 'create_return',
        host: 'returns.internal',
        path: '/returns',
        medianMs: 140,
        arguments: { order_id: '4711', reason: 'too small' },
        result: '{"return_id":"R-1093"}',
      },
    ],
    questions: [
      'Where is my order?',
      'These shoes are too small, can I send them back?',
      'How long do refunds take?',
      'Can I still change the delivery address?',
    ],
    answers: [
      'Your order left our warehouse and should arrive tomorrow.',
      'I have prepared the return; the label is in your inbox.',
      'Refunds take three to five working days after we receive the parcel.',
    ],
  },
  {
    weight: 3,
    name: 'travel-agent',
    id: 'agent_travel_v1',
    dataSource: undefined,
    instructions: 'You plan trips. Prices come from the tools, never from memory.',
    tools: [
      {
        name: 'search_flights',
        host: 'flights.internal',
        path: '/search',
        medianMs: 700,
        arguments: { from: 'LIS', to: 'BER', adults: 2 },
        result: '[{"flight":"TP534","price":189}]',
      },
      {
        name: 'get_weather',
        host: 'weather.internal',
        path: '/forecast',
        medianMs: 110,
        arguments: { city: 'Berlin' },
        result: '{"high":21,"sky":"clear"}',
      },
    ],
    questions: [
      'Find me a flight from Lisbon to Berlin next Friday.',
      'What will the weather be like there?',
      'Is there something cheaper with one stop?',
    ],
    answers: [
      'There is a direct flight at 07:40 for 189 euros.',
      'Mild and clear, around 21 degrees; a light jacket will do.',
      'With a stop in Zurich it is 142 euros and takes two hours longer.',
    ],
  },
  {
    weight: 2,
    name: 'research-agent',
    id: 'agent_research_v2',
    dataSource: 'papers',
    instructions: 'You answer from the library and name your sources.',
    tools: [
      {
        name: 'web_search',
        host: 'search.internal',
        path: '/v2/search',
        medianMs: 900,
        arguments: { query: 'copy throughput postgresql', top: 5 },
        result: '[{"title":"Bulk loading, measured"}]',
      },
    ],
    questions: [
      'Summarise what is known about bulk loading into PostgreSQL.',
      'Which of these papers measures memory use?',
      'Compare the two approaches in a table.',
    ],
    answers: [
      'Four of the five sources agree that COPY is the fastest path; the fifth does not measure it.',
      'Only the second one does, on a machine with 16 GiB.',
      'Both keep memory constant; the first needs fewer round trips.',
    ],
  },
]
