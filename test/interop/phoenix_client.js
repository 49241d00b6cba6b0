// The npm package phoenix, as a browser would use it, against a server of ours. Writes what it got as
// one JSON object.
//
//   node phoenix_client.js ws://host:port/prefix/sync CODE [wait]
//
// With "wait" it then stays, with heartbeats only, until the server closes.
'use strict';

const { Socket } = require('phoenix');
const WebSocket = require('ws');

const [url, code, wait] = process.argv.slice(2);
const result = { opened: 0, errors: [] };

// What the package writes is for people.
console.error = () => {};

function done(status) {
  process.stdout.write(JSON.stringify(result) + '\n', () => process.exit(status));
}
setTimeout(() => { result.errors.push('time is up'); done(1); }, 60000);

const socket = new Socket(url, {
  transport: WebSocket,
  params: { code },
  vsn: '2.0.0',
  // A heartbeat that is not answered before the next is due makes it close.
  heartbeatIntervalMs: 2000,
  longPollFallbackMs: undefined,
});
socket.onOpen(() => { result.opened++; });
socket.onError((error) => { result.errors.push(String(error && error.message)); });

function joined(topic, payload) {
  return new Promise((resolve) => {
    const channel = socket.channel(topic, payload);
    channel.join(5000)
      .receive('ok', (response) => resolve({ channel, status: 'ok', response }))
      .receive('error', (response) => { channel.leave(1); resolve({ status: 'error', response }); })
      .receive('timeout', () => resolve({ status: 'timeout' }));
  });
}

let ref = 0;
function ask(channel, event, payload = {}) {
  const mine = String(++ref);
  return new Promise((resolve) => {
    const listeners = ['response:error', event.replace('request:', 'response:')].map((name) => [name,
      channel.on(name, (answer) => {
        if (answer.ref !== mine) return;
        listeners.forEach(([other, id]) => channel.off(other, id));
        resolve({ event: name, payload: answer });
      })]);
    channel.push(event, { ref: mine, ...payload });
  });
}

async function main() {
  socket.connect();
  result.wrong = await joined('transfer:WRONG');
  const { channel, ...join } = await joined(`transfer:${code}`,
    { receiver_info: { site_url: 'https://r.example', project_title: 'npm' } });
  result.join = join;
  result.capabilities = await ask(channel, 'request:capabilities');
  result.tables = await ask(channel, 'request:tables');
  result.schema = await ask(channel, 'request:schema', { table: 'users' });
  result.count = await ask(channel, 'request:count', { table: 'users' });
  result.missing = await ask(channel, 'request:count', { table: 'nix' });
  result.ids = [];
  for (let offset = 0, more = true; more;) {
    const { payload } = await ask(channel, 'request:records', { table: 'users', offset, limit: 400 });
    result.ids.push(...payload.records.map((row) => row.id));
    offset += payload.records.length;
    more = payload.has_more;
  }
  result.pipelined = (await Promise.all(['users', 'big', 'nix'].map(
    (table) => ask(channel, 'request:schema', { table })))).map(({ event }) => event);
  const big = await ask(channel, 'request:records', { table: 'big', limit: 1000 });
  result.big = big.payload.records.map((row) => row.v.length).reduce((a, b) => a + b, 0);
  if (wait === 'wait') {
    socket.onClose((event) => { result.closed = event.code; setTimeout(() => done(0), 500); });
    process.stdout.write('waiting\n');
    return;
  }
  socket.disconnect(() => done(0), 1000, 'bye');
}

main().catch((error) => { result.errors.push(String(error)); done(1); });
