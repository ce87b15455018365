// An MCP client of the TypeScript SDK: `mcp-client.mjs v1|v1-refresh|v2|dpop SERVER REDIRECT_URI [CLIENT_METADATA_URL]`.
//
// Reads names of tools, one a line, and calls them. Pages to open leave as {"authorize": URL}; the URL that the
// browser came back to is read as the next line. Results leave as {"result": text} or {"error": text}.

import { createInterface } from 'node:readline';

const [kind, server, redirectUrl, clientMetadataUrl] = process.argv.slice(2);
const v1 = kind.startsWith('v1');
const sdk = v1
  ? {
      ...(await import('@modelcontextprotocol/sdk/client/index.js')),
      ...(await import('@modelcontextprotocol/sdk/client/streamableHttp.js')),
      ...(await import('@modelcontextprotocol/sdk/client/auth.js')),
    }
  : await import('@modelcontextprotocol/client');

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (value) => console.log(JSON.stringify(value));
const saved = {};
const session = kind === 'dpop' ? await sdk.DpopSession.create() : undefined;
const provider = {
  redirectUrl,
  ...(clientMetadataUrl ? { clientMetadataUrl } : {}),
  clientMetadata: {
    client_name: 'A client of the TypeScript SDK',
    redirect_uris: [redirectUrl],
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    // The first generation refreshes where it should step up, and gives up (typescript-sdk#2255).
    grant_types: kind === 'v1' ? ['authorization_code'] : ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    ...(session ? { dpop_bound_access_tokens: true } : {}),
  },
  clientInformation: () => saved.client,
  saveClientInformation: (client) => { saved.client = client; },
  tokens: () => saved.tokens,
  saveTokens: (tokens) => { saved.tokens = tokens; },
  saveCodeVerifier: (verifier) => { saved.verifier = verifier; },
  codeVerifier: () => saved.verifier,
  redirectToAuthorization: (url) => { saved.page = url.href; },
  ...(session ? { dpop: () => session } : {}),
};

const isUnauthorized = (error) => {
  for (let cause = error; cause; cause = cause.cause) if (cause instanceof sdk.UnauthorizedError) return true;
  return saved.page !== undefined;
};

let client;
let transport;
async function connect() {
  client = new sdk.Client({ name: 'test', version: '1' });
  transport = new sdk.StreamableHTTPClientTransport(new URL(server), { authProvider: provider });
  await client.connect(transport);
}

// Does something, and what the user has to do for it.
async function withUser(action) {
  for (let round = 0; ; round += 1) {
    try {
      return await action();
    } catch (error) {
      if (round === 4 || !isUnauthorized(error)) throw error;
      say({ authorize: saved.page });
      saved.page = undefined;
      const back = new URL((await lines.next()).value).searchParams;
      await transport.finishAuth(v1 ? back.get('code') : back);
    }
  }
}

let connected = false;
for (;;) {
  const { value: tool, done } = await lines.next();
  if (done) break;
  try {
    if (!connected) await withUser(connect);
    connected = true;
    if (tool === 'tools/list') {
      const { tools } = await withUser(() => client.listTools());
      say({ result: `${tools.length} tools` });
      continue;
    }
    const result = await withUser(() => client.callTool({ name: tool, arguments: {} }));
    say({ result: result.content[0].text });
  } catch (error) {
    say({ error: `${error.stack}\n${error.cause ?? ''}` });
  }
}
process.exit();
