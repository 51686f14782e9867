// A stand-in for the engine, so that a proxy's own cost can be seen: answers every chat with the same
// short stream at once. Usage: node stub_engine.mjs SOCKET
import http from 'node:http';
import {rmSync} from 'node:fs';

const socket = process.argv[2];
const chunk = (delta, finish = null) => `data: ${JSON.stringify({
  id: 'stub', object: 'chat.completion.chunk', created: 1, model: 'stub',
  choices: [{index: 0, delta, logprobs: null, finish_reason: finish}], usage: null})}\n\n`;
const stream = chunk({role: 'assistant', content: ''}) + chunk({content: 'The answer is '}) + chunk({content: '42.'}) +
  chunk({}, 'stop') + `data: ${JSON.stringify({id: 'stub', object: 'chat.completion.chunk', created: 1, model: 'stub', choices: [],
    usage: {prompt_tokens: 9, completion_tokens: 5, total_tokens: 14}})}\n\n` + 'data: [DONE]\n\n';
const models = JSON.stringify({object: 'list', data: [{id: 'stub', object: 'model', created: 1, owned_by: 'stub',
  portcullis: {sha256: '00'.repeat(32), context_length: 8192}}]});

rmSync(socket, {force: true});
http.createServer((request, response) => {
  if (request.method === 'GET') {
    response.writeHead(200, {'content-type': 'application/json'});
    response.end(models);
    return;
  }
  request.resume();
  request.on('end', () => {
    response.writeHead(200, {'content-type': 'text/event-stream'});
    response.end(stream);
  });
}).listen(socket);
