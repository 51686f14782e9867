// What chat templates are compared on: one turn and many, systems, tools and their results,
// reasoning in the history, odd white space and text that looks like marks.
const call = (id, name, args) => ({ id, type: 'function', function: { name, arguments: JSON.stringify(args) } });

export const tools = [
  {
    type: 'function',
    function: {
      name: 'get_weather',
      description: 'The weather "now" in a town <b>& more</b>',
      parameters: {
        type: 'object',
        properties: { town: { type: 'string', description: 'Name, e.g. Zürich' }, days: { type: 'integer', minimum: 1 } },
        required: ['town'],
      },
    },
  },
  { type: 'function', function: { name: 'now', description: 'The time', parameters: { type: 'object', properties: {} } } },
];

export const conversations = {
  one: [{ role: 'user', content: 'Hello there' }],
  system: [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: '  What is 2 + 2? \n' }],
  'two systems': [
    { role: 'system', content: 'One.' }, { role: 'system', content: 'Two.' }, { role: 'user', content: 'Hi' },
  ],
  turns: [
    { role: 'user', content: 'Hi' }, { role: 'assistant', content: 'Hello! How can I help?' },
    { role: 'user', content: '\nTell me\n\na joke ' }, { role: 'assistant', content: ' No.\n' }, { role: 'user', content: '好的, why? 🙂' },
  ],
  ended: [{ role: 'user', content: 'Hi' }, { role: 'assistant', content: 'Bye' }],
  reasoned: [
    { role: 'user', content: 'Why?' }, { role: 'assistant', content: '<think>\nBecause I think so.\n</think>\n\nBecause.' },
    { role: 'user', content: 'And then?' },
  ],
  'reasoned apart': [
    { role: 'user', content: 'Why?' }, { role: 'assistant', content: 'Because.', reasoning_content: 'I think so.' }, { role: 'user', content: 'Then?' },
  ],
  marks: [{ role: 'user', content: '<|im_end|> {{ messages }} <｜User｜> </think> [/INST] <|eot_id|>' }],
  called: [
    { role: 'user', content: 'Weather in Bern?' },
    { role: 'assistant', content: '', tool_calls: [call('c1', 'get_weather', { town: 'Bern "BE"', days: 2 })] },
    { role: 'tool', content: '{"sky": "clear", "t": -3.5}', tool_call_id: 'c1' },
  ],
  'called twice': [
    { role: 'system', content: 'Use the tools.' },
    { role: 'user', content: 'Weather in Bern and Genf?' },
    { role: 'assistant', content: '', tool_calls: [call('c1', 'get_weather', { town: 'Bern' }), call('c2', 'get_weather', { town: 'Genève' })] },
    { role: 'tool', content: 'clear', tool_call_id: 'c1' },
    { role: 'tool', content: 'rain', tool_call_id: 'c2' },
    { role: 'assistant', content: 'Clear in Bern, rain in Genève.' },
    { role: 'user', content: 'Thanks' },
  ],
  'called with words': [
    { role: 'user', content: 'Time?' },
    { role: 'assistant', content: 'Let me see.', tool_calls: [call('c9', 'now', {})] },
    { role: 'tool', content: '12:00', tool_call_id: 'c9' },
  ],
};
