// An MCP server of the TypeScript SDK whose tools do all that a bridge has to carry: `serve(request, response, message)`.

import { randomUUID } from 'node:crypto';

import { InMemoryEventStore } from '@modelcontextprotocol/sdk/examples/shared/inMemoryEventStore.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { CreateMessageResultSchema } from '@modelcontextprotocol/sdk/types.js';

const say = (text) => ({ content: [{ type: 'text', text }] });

function server() {
  const mcp = new McpServer({ name: 'bridged', version: '1' }, { capabilities: { logging: {} } });
  // Speaks on the way: a log message, and progress.
  mcp.registerTool('talk', { description: 'Talks' }, async ({ _meta, sendNotification }) => {
    await sendNotification({ method: 'notifications/message', params: { level: 'info', data: 'talking' } });
    for (const progress of [1, 2]) {
      await sendNotification({
        method: 'notifications/progress',
        params: { progressToken: _meta.progressToken, progress, total: 2 },
      });
    }
    return say('talked');
  });
  // Has the client's model say something.
  mcp.registerTool('ask', { description: 'Asks the model' }, async ({ sendRequest }) => {
    const messages = [{ role: 'user', content: { type: 'text', text: 'a question' } }];
    const answer = await sendRequest({ method: 'sampling/createMessage', params: { messages, maxTokens: 9 } }, CreateMessageResultSchema);
    return say(`the model says ${answer.content.text}`);
  });
  // Cuts the connection before it answers.
  mcp.registerTool('cut', { description: 'Cuts' }, async ({ closeSSEStream }) => {
    closeSSEStream();
    await new Promise((done) => { setTimeout(done, 50); });
    return say('and yet it answers');
  });
  mcp.registerTool('write', { description: 'Needs files:write' }, async () => say('written'));
  return mcp;
}

const transports = new Map();

export async function serve(request, response, message) {
  let transport = transports.get(request.headers['mcp-session-id']);
  if (!transport && message?.method === 'initialize') {
    transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: new InMemoryEventStore(),
      retryInterval: 20,
      onsessioninitialized: (id) => { transports.set(id, transport); },
    });
    await server().connect(transport);
  }
  if (!transport) return response.writeHead(404).end();
  return transport.handleRequest(request, response, message);
}
