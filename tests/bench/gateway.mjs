// The gateway beside nginx, on the same work in the same run: TLS 1.3 in front of the same stub engine.
// nginx only passes bytes on; the gateway also identifies, limits, scans, decides, writes two durable
// records and filters the answer. Rounds are interleaved, the medians are compared. What the log adds to a
// request is the time that the gateway waited for its two appends in those rounds, by its own metrics.
// Usage: node tests/bench/gateway.mjs [--seconds 5] [--rounds 3] [--connections 16]
import {execFile, execFileSync, spawn} from 'node:child_process';
import {promisify} from 'node:util';
import http from 'node:http';
import {mkdtempSync, mkdirSync, writeFileSync, rmSync, existsSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import net from 'node:net';

const run = promisify(execFile);
const root = new URL('../..', import.meta.url).pathname;
const bin = (name) => join(process.env.PORTCULLIS_BIN_DIR ?? join(root, 'build/release/bin'), name);
const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const seconds = option('seconds', 5);
const rounds = option('rounds', 3);
const connections = option('connections', 16);
const dir = mkdtempSync(join(tmpdir(), 'portcullis-bench-'));
const at = (...parts) => join(dir, ...parts);
const children = [];
const start = (command, args, out) => {
  const child = spawn(command, args, {cwd: dir, stdio: ['ignore', out ? 'pipe' : 'ignore', process.env.VERBOSE ? 'inherit' : 'ignore']});
  children.push(child);
  return child;
};
const freePort = () => new Promise((resolve) => {
  const server = net.createServer().listen(0, '127.0.0.1', () => {
    const {port} = server.address();
    server.close(() => resolve(port));
  });
});
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

function milliseconds(text) {
  const value = parseFloat(text);
  return text.endsWith('us') ? value / 1000 : text.endsWith('ms') ? value : value * 1000;
}

// Sums of the gateway's own clocks, in seconds, and how often each ran.
async function metrics() {
  const text = await new Promise((resolve, reject) => {
    http.get({socketPath: at('run/admin.sock'), path: '/admin/v1/metrics', headers: {host: 'localhost'}}, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (part) => { body += part; }).on('end', () => resolve(body));
    }).on('error', reject);
  });
  const value = (name) => Number(text.match(new RegExp(`^${name} (\\S+)$`, 'm'))?.[1] ?? NaN);
  return Object.fromEntries(['request', 'audit'].flatMap((name) =>
    ['sum', 'count'].map((what) => [`${name}_${what}`, value(`portcullis_${name}_seconds_${what}`)])));
}

async function load(url, script) {
  const {stdout} = await run('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '-s', script, url]);
  const number = (pattern) => stdout.match(pattern)?.[1];
  const bad = Number(number(/Non-2xx or 3xx responses: (\d+)/) ?? 0);
  if (bad > 0) throw new Error(`${bad} refusals from ${url}`);
  return {rps: Number(number(/Requests\/sec:\s+([\d.]+)/)), p50: milliseconds(number(/^\s+50%\s+(\S+)/m)), p99: milliseconds(number(/^\s+99%\s+(\S+)/m))};
}

try {
  for (const folder of ['run', 'state', 'tls', 'keys', 'nginx']) mkdirSync(at(folder), {mode: 0o700});
  const cli = (...args) => execFileSync(bin('portcullis'), args, {cwd: dir, stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8'});
  cli('certs', 'init', '--dir', 'ca', '--name', 'Bench');
  cli('certs', 'issue', 'server', 'localhost', '--dir', 'ca', '--dns', 'localhost', '--ip', '127.0.0.1', '--out', 'tls/server');
  cli('audit', 'keygen', '--out', 'keys/auditor');
  cli('audit', 'init', '--log', 'audit', '--keys', 'keys/audit', '--origin', 'bench/audit', '--auditor-pub', 'keys/auditor.pub');
  const [proxyPort, nginxPort] = [await freePort(), await freePort()];
  const many = 1000000;
  writeFileSync(at('gateway.toml'), `
admin_socket = "run/admin.sock"
audit_socket = "run/audit.sock"
state = "state/state.db"
pepper = "keys/pepper"
policy = "${join(root, 'policy/sets/default')}"
log_level = "warning"
exempt_loopback = true
[api]
port = ${proxyPort}
certificate = "tls/server.pem"
key = "tls/server.key"
[limits]
requests_per_minute_key = ${many}
requests_per_minute_tenant = ${many}
requests_per_minute_address = ${many}
tokens_per_minute_key = 100000000000
streams_per_key = 1000
running = 256
[[site]]
id = "builtin"
socket = "run/engine.sock"
`);
  writeFileSync(at('nginx.conf'), `
daemon off; ${process.getuid() === 0 ? 'user root;' : ''} master_process on; worker_processes auto; error_log stderr crit; pid ${at('nginx/pid')};
events { worker_connections 4096; }
http {
  access_log off; client_body_temp_path ${at('nginx')}; proxy_temp_path ${at('nginx')}; fastcgi_temp_path ${at('nginx')};
  uwsgi_temp_path ${at('nginx')}; scgi_temp_path ${at('nginx')};
  upstream engine { server unix:${at('run/engine.sock')}; }
  server {
    listen 127.0.0.1:${nginxPort} ssl; ssl_protocols TLSv1.3;
    ssl_certificate ${at('tls/server.pem')}; ssl_certificate_key ${at('tls/server.key')};
    location / { proxy_pass http://engine; proxy_http_version 1.1; proxy_buffering off; }
  }
}`);
  start('node', [join(root, 'tests/bench/stub_engine.mjs'), at('run/engine.sock')]);
  start(bin('portcullis-auditd'), ['--log', 'audit', '--keys', 'keys/audit', '--socket', 'run/audit.sock']);
  start('nginx', ['-c', at('nginx.conf'), '-p', dir]);
  const gateway = start(bin('portcullis-gateway'), ['--config', 'gateway.toml'], true);
  await new Promise((resolve, reject) => { gateway.stdout.once('data', resolve); gateway.once('exit', () => reject(new Error('the gateway did not start; VERBOSE=1 shows why'))); });
  let key;
  for (let i = 0; i < 300 && !key; ++i) {
    try { key = JSON.parse(cli('--json', 'key', 'issue', '--principal', 'bench', '--socket', 'run/admin.sock')).key; } catch { await new Promise((r) => setTimeout(r, 100)); }
    if (existsSync(at('run/engine.sock')) === false) key = undefined;
  }
  if (!key) throw new Error('no key');
  const script = at('load.lua');
  writeFileSync(script, `
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer ${key}"
wrk.body = '{"model":"stub","messages":[{"role":"user","content":"What is the answer to everything? Please be brief and do not explain."}],"stream":true}'
`);

  const targets = {nginx: `https://127.0.0.1:${nginxPort}/v1/chat/completions`, gateway: `https://127.0.0.1:${proxyPort}/v1/chat/completions`};
  const results = {nginx: [], gateway: []};
  for (const name of Object.keys(targets)) await load(targets[name], script);  // warm
  const before = await metrics();
  for (let round = 0; round < rounds; ++round) {
    for (const name of Object.keys(targets)) results[name].push(await load(targets[name], script));
  }
  const after = await metrics();
  const during = (name) => after[name] - before[name];
  const audit = {appends_per_request: +(during('audit_count') / during('request_count')).toFixed(2),
    request_mean_ms: +(during('request_sum') / during('request_count') * 1000).toFixed(3),
    waited_for_appends_mean_ms: +(during('audit_sum') / during('request_count') * 1000).toFixed(3)};
  const summary = Object.fromEntries(Object.entries(results).map(([name, list]) => [name,
    {rps: median(list.map((r) => r.rps)), p50_ms: median(list.map((r) => r.p50)), p99_ms: median(list.map((r) => r.p99))}]));
  console.log(JSON.stringify({bench: 'gateway beside nginx, streamed chat, stub engine', connections, seconds, rounds, ...summary, audit,
    ratio_rps: +(summary.gateway.rps / summary.nginx.rps).toFixed(3), added_p50_ms: +(summary.gateway.p50_ms - summary.nginx.p50_ms).toFixed(3)}, null, 2));
} finally {
  await Promise.all(children.reverse().map((child) => new Promise((resolve) => {
    if (child.exitCode !== null) return resolve();
    child.once('exit', resolve);
    child.kill('SIGTERM');
  })));
  rmSync(dir, {recursive: true, force: true});
}
