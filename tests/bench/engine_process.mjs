// What the benches of one engine share: the command line, the engine's process, requests over its socket.
import {spawn} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import http from 'node:http';

const root = new URL('../..', import.meta.url).pathname;
// Signals end the bench by its exit handlers, which end the engine.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

// `--name VALUE` and `--flag` before `--`; what follows it is for the engine.
export function commandLine() {
  const split = process.argv.indexOf('--');
  const own = process.argv.slice(2, split < 0 ? undefined : split);
  const text = (name, otherwise) => {
    const at = own.indexOf(`--${name}`);
    return at < 0 ? otherwise : own[at + 1];
  };
  const model = text('model');
  if (!model) throw new Error('--model names the model to serve: a folder or a GGUF file');
  return {
    model,
    number: (name, otherwise) => Number(text(name, otherwise)),
    flag: (name) => own.includes(`--${name}`),
    engine: text('engine', join(root, 'build/release/bin/portcullis-engine')),
    forEngine: split < 0 ? [] : process.argv.slice(split + 1),
  };
}

// Where an answer was whole, its promise is settled by then.
const closed = () => new Error('the engine closed the connection in the middle of an answer');

export class EngineProcess {
  // Ready when it resolves. VERBOSE=1 in the environment shows the engine's log.
  static async start({engine, model, forEngine}, options = []) {
    const self = new EngineProcess();
    self.dir = mkdtempSync(join(tmpdir(), 'portcullis-engine-'));
    self.socketPath = join(self.dir, 'engine.sock');
    self.child = spawn(engine, ['--model', model, '--name', 'bench', '--socket', self.socketPath, ...options, ...forEngine],
      {stdio: ['ignore', 'ignore', process.env.VERBOSE ? 'inherit' : 'ignore']});
    self.cleanUp = () => {
      self.child.kill('SIGKILL');
      rmSync(self.dir, {recursive: true, force: true});
    };
    process.once('exit', self.cleanUp);  // also after an exception that nobody caught
    self.exited = new Promise((resolve) => {
      self.child.once('exit', (code, signal) => resolve(code ?? signal));
      self.child.on('error', (error) => resolve(error.message));
    });
    self.gone = self.exited.then((why) => { throw new Error(`the engine ended (${why}); VERBOSE=1 shows more`); });
    self.gone.catch(() => {});
    try {
      for (let ready = false; !ready;) {
        await Promise.race([self.gone, new Promise((resolve) => setTimeout(resolve, 50))]);
        ready = await self.get('/readyz').then(({status}) => status === 200, () => false);
      }
    } catch (error) {
      await self.stop();
      throw error;
    }
    return self;
  }

  get pid() { return this.child.pid; }

  get(path) {
    return new Promise((resolve, reject) => {
      http.get({socketPath: this.socketPath, path, agent: false}, (response) => {
        let body = '';
        response.on('data', (part) => { body += part; });
        response.once('end', () => resolve({status: response.statusCode, body}));
        response.once('close', () => reject(closed()));
      }).once('error', reject);
    });
  }

  async status() { return JSON.parse((await this.get('/status')).body); }

  // A streamed completion with its usage; `onEvent(event, now)` sees each event with the time of its bytes.
  complete(call, onEvent, headers = {}) {
    const body = JSON.stringify({model: 'bench', stream: true, stream_options: {include_usage: true}, ...call});
    return new Promise((resolve, reject) => {
      const request = http.request({socketPath: this.socketPath, path: '/v1/completions', method: 'POST', agent: false,
        headers: {'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers}});
      request.once('error', reject);
      request.once('response', (response) => {
        if (response.statusCode !== 200) return reject(new Error(`the engine answered ${response.statusCode}`));
        let rest = '';
        response.setEncoding('utf8');
        response.on('data', (part) => {
          const now = performance.now();
          const lines = (rest + part).split('\n\n');
          rest = lines.pop();
          try {
            for (const line of lines.filter((one) => one.startsWith('data: {'))) {
              const event = JSON.parse(line.slice(6));
              if (event.error) throw new Error(event.error.message);
              onEvent(event, now);
            }
          } catch (error) {
            reject(error);
            request.destroy();
          }
        });
        response.once('end', resolve);
        response.once('close', () => reject(closed()));
      });
      request.end(body);
    });
  }

  async stop() {
    this.child.kill('SIGTERM');
    await this.exited;
    process.off('exit', this.cleanUp);
    rmSync(this.dir, {recursive: true, force: true});
  }
}
