// Load for a token endpoint: reads {"url", "seconds", "form", "chains"} as JSON, and sends the form over 32 connections at
// once; a chain is a refresh token, each of which is followed by its successor. Prints how many requests were answered, how
// long the slowest hundredth took at least, and the chains' newest tokens.

import http from 'node:http';

let input = '';
for await (const chunk of process.stdin) input += chunk;
const { url, seconds, form, chains } = JSON.parse(input);
const agent = new http.Agent({ keepAlive: true, maxSockets: 32 });
const times = [];

function send(body) {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) };
    const request = http.request(url, { method: 'POST', agent, headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk) => { text += chunk; });
      answer.on('end', () => (answer.statusCode === 200 ? resolve(JSON.parse(text)) : reject(new Error(text))));
    });
    request.on('error', reject);
    request.end(body);
  });
}

const until = performance.now() + seconds * 1000;
const base = new URLSearchParams(form);
const newest = await Promise.all(Array.from({ length: 32 }, async (_, index) => {
  let token = chains?.[index];
  while (performance.now() < until) {
    if (token) base.set('refresh_token', token);
    const begun = performance.now();
    const answer = await send(base.toString());
    times.push(performance.now() - begun);
    if (token && answer.refresh_token === token) throw new Error('no rotation');
    if (!answer.access_token.includes('.')) throw new Error('no JWT');
    token &&= answer.refresh_token;
  }
  return token;
}));
times.sort((one, other) => one - other);
console.log(JSON.stringify({ requests: times.length, p99_ms: times[Math.floor(times.length * 0.99)], chains: newest }));
process.exit();
