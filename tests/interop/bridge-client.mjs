// A client of the TypeScript SDK that speaks to a bridge on standard input and output: `bridge-client.mjs COMMAND...`.
// Prints what came of it as a line of JSON; what the bridge says on standard error goes there.

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { CreateMessageRequestSchema, LoggingMessageNotificationSchema, ProgressNotificationSchema } from '@modelcontextprotocol/sdk/types.js';

const [command, ...args] = process.argv.slice(2);
const begun = performance.now();
const client = new Client({ name: 'test', version: '1' }, { capabilities: { sampling: {} } });
const logs = [];
client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => { logs.push(params.data); });
client.setRequestHandler(CreateMessageRequestSchema, async ({ params }) => ({
  model: 'none',
  role: 'assistant',
  content: { type: 'text', text: `nothing to ${params.messages[0].content.text}` },
}));
await client.connect(new StdioClientTransport({ command, args, env: process.env, stderr: 'inherit' }));
const tools = (await client.listTools()).tools.map((tool) => tool.name);
const first_ms = Math.round(performance.now() - begun);

// Not by `onprogress`: the SDK forgets it with the answer, before it has told the updates that came just before.
const progress = [];
client.setNotificationHandler(ProgressNotificationSchema, ({ params }) => { progress.push(params.progress); });
const call = async (name) => {
  try {
    const result = await client.callTool({ name, arguments: {}, _meta: { progressToken: name } }, undefined, { timeout: 20000 });
    return result.content[0].text;
  } catch (error) {
    return String(error);
  }
};
const talk = await call('talk');
const said = { talk, ask: await call('ask'), cut: await call('cut'), write: await call('write') };
await client.close();
console.log(JSON.stringify({ tools, said, logs, progress, first_ms }));
process.exit();
