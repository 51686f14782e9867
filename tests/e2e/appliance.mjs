// A running appliance for tests: gateway/quickstart on free ports in a folder of its own, the real
// openai client over TLS, and the command line. Nothing here is a mock.
import {spawn, execFile} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, existsSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {once} from 'node:events';
import https from 'node:https';
import OpenAI from 'openai';
import * as undici from 'undici';

export const root = new URL('../..', import.meta.url).pathname;
export const bin = (name) => join(process.env.PORTCULLIS_BIN_DIR ?? join(root, 'build/release/bin'), name);
const run = promisify(execFile);

export class Appliance {
  static async start(options = {}) {
    const self = new Appliance();
    self.dir = options.dir ?? mkdtempSync(join(tmpdir(), 'portcullis-'));
    self.keep = Boolean(options.dir);
    self.options = options;
    await self.launch();
    return self;
  }

  async launch() {
    const args = ['--json', '--dir', this.dir, '--port', '0', '--admin-port', '0', ...(this.options.args ?? [])];
    this.process = spawn(join(root, 'gateway/quickstart'), args, {stdio: ['ignore', 'pipe', 'pipe'], env: {...process.env, ...this.options.env}});
    let out = '';
    let err = '';
    this.process.stderr.on('data', (data) => { err += data; });
    const line = await new Promise((resolve, reject) => {
      this.process.stdout.on('data', (data) => {
        out += data;
        if (out.includes('\n')) resolve(out.split('\n')[0]);
      });
      this.process.on('exit', (code) => reject(new Error(`quickstart ended with ${code}: ${err}`)));
    });
    const ready = JSON.parse(line);
    Object.assign(this, {api: ready.api, adminUrl: ready.admin, ca: ready.ca, key: ready.key, model: ready.model});
    this.caText = readFileSync(this.ca, 'utf8');
    this.agent = new undici.Agent({connect: {ca: this.caText}, connections: 128, pipelining: 0});
    this.socket = join(this.dir, 'run/admin.sock');
  }

  client(options = {}) {
    return new OpenAI({
      apiKey: options.key ?? this.key,
      baseURL: options.baseURL ?? `${this.api}/v1`,
      maxRetries: 0,
      fetch: (url, init) => undici.fetch(url, {...init, dispatcher: this.agent}),
    });
  }

  // A plain request; body is sent as it is.
  async request(method, path, {key = this.key, body, headers = {}} = {}) {
    const response = await undici.fetch(this.api + path, {
      method,
      body,
      dispatcher: this.agent,
      headers: {...(key ? {authorization: `Bearer ${key}`} : {}), ...(body !== undefined ? {'content-type': 'application/json'} : {}), ...headers},
    });
    const text = await response.text();
    let json;
    try { json = JSON.parse(text); } catch { json = undefined; }
    return {status: response.status, headers: response.headers, text, json};
  }

  chat(content, more = {}) {
    return {model: this.model, messages: [{role: 'user', content}], max_tokens: 64, temperature: 0, ...more};
  }

  // A call whose answer runs to its last token: the end-of-sentence token is ruled out.
  endless(max_tokens = 400) {
    const {added_tokens} = JSON.parse(readFileSync(join(root, 'inference/nano/model/tokenizer.json'), 'utf8'));
    const {id} = added_tokens.find(({content}) => content.includes('end▁of▁sentence'));
    return this.chat('Tell me everything about Portcullis.', {stream: true, max_tokens, temperature: 1, seed: 3, logit_bias: {[id]: -100}});
  }

  // With a client certificate, to the administrators' listener.
  admin(path, {certificate = true, headers = {}} = {}) {
    const url = new URL(this.adminUrl + path);
    return new Promise((resolve, reject) => {
      const request = https.request({
        host: url.hostname, port: url.port, path: url.pathname, ca: this.caText, headers,
        ...(certificate ? {cert: readFileSync(join(this.dir, 'tls/admin.pem')), key: readFileSync(join(this.dir, 'tls/admin.key'))} : {}),
      }, (response) => {
        let text = '';
        response.on('data', (data) => { text += data; });
        response.on('end', () => resolve({status: response.statusCode, text}));
      });
      request.on('error', reject);
      request.end();
    });
  }

  // The command line: {code, stdout, stderr}.
  async cli(...args) {
    try {
      const {stdout, stderr} = await run(bin('portcullis'), args, {maxBuffer: 64 << 20, cwd: this.dir});
      return {code: 0, stdout, stderr};
    } catch (error) {
      return {code: error.code, stdout: error.stdout, stderr: error.stderr};
    }
  }
  async remote(...args) { return this.cli('--json', ...args, '--socket', this.socket); }

  async issueKey(principal, ...more) {
    const {code, stdout, stderr} = await this.remote('key', 'issue', '--principal', principal, ...more);
    if (code !== 0) throw new Error(stderr);
    return JSON.parse(stdout);
  }
  async status() { return JSON.parse((await this.remote('status')).stdout); }

  // portcullis-verify on the log: {code, report}.
  async verify(...args) {
    try {
      const {stdout} = await run(bin('portcullis-verify'), [join(this.dir, 'audit'), '--json', ...args], {maxBuffer: 64 << 20});
      return {code: 0, report: JSON.parse(stdout)};
    } catch (error) {
      return {code: error.code, report: error.stdout ? JSON.parse(error.stdout) : undefined};
    }
  }

  // The record with this seq, opened with the auditor's key.
  async record(seq) {
    const {code, stdout, stderr} = await this.cli('--json', 'audit', 'show', String(seq), '--log', join(this.dir, 'audit'),
      '--keys', join(this.dir, 'keys/audit'), '--auditor-key', join(this.dir, 'keys/auditor'));
    if (code !== 0) throw new Error(`audit show ${seq}: ${stderr}`);
    return JSON.parse(stdout);
  }

  // The records from `seq` on, without content, leaving out what auditd writes for itself.
  async records(seq = 0) {
    const {stdout} = await this.cli('--json', 'audit', 'tail', '--log', join(this.dir, 'audit'), '-n', '1000000');
    return stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line))
      .filter((record) => record.seq >= seq && !['KEY', 'HEARTBEAT', 'BOOT', 'CLOCK', 'STOP', 'CONFIG', 'ABUSE', 'RECOVERY'].includes(record.kind));
  }
  async size() { return (await this.verify()).report.records; }

  pid(name) { return Number(readFileSync(join(this.dir, `run/${name}.pid`), 'utf8')); }
  kill(name, signal = 'SIGKILL') { process.kill(this.pid(name), signal); }

  async stop(signal = 'SIGTERM') {
    if (this.process.exitCode === null) {
      const ended = once(this.process, 'exit');
      this.process.kill(signal);
      await ended;
    }
    await this.agent?.destroy();
    return this.process.exitCode;
  }
  async close() {
    const code = await this.stop();
    if (!this.keep && existsSync(this.dir)) rmSync(this.dir, {recursive: true, force: true});
    return code;
  }
}

// Asks again until `check` gives something true; the only way of waiting in these tests.
export async function until(check, {seconds = 30, what = 'condition'} = {}) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
