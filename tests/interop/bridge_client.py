"""A client of the MCP Python SDK that speaks to a bridge on standard input and output: `bridge_client.py COMMAND...`.

Prints what came of it as a line of JSON; what the bridge says on standard error goes there."""

import asyncio
import json
import os
import sys
import time

from mcp import ClientSession, StdioServerParameters, types
from mcp.client.stdio import stdio_client


async def main():
    begun = time.monotonic()
    logs, progress = [], []

    async def log(params):
        logs.append(params.data)

    async def model(_, params):
        text = f"nothing to {params.messages[0].content.text}"
        return types.CreateMessageResult(
            model="none", role="assistant", content=types.TextContent(type="text", text=text)
        )

    async def on_progress(done, *_):
        progress.append(done)

    bridge = StdioServerParameters(command=sys.argv[1], args=sys.argv[2:], env=dict(os.environ))
    async with stdio_client(bridge) as streams, ClientSession(*streams, sampling_callback=model, logging_callback=log) as session:
        await session.initialize()
        tools = [tool.name for tool in (await session.list_tools()).tools]
        first_ms = round((time.monotonic() - begun) * 1000)
        said = {}
        for name in ("talk", "ask", "cut", "write"):
            result = await session.call_tool(name, {}, progress_callback=on_progress)
            said[name] = result.content[0].text
    print(json.dumps({"tools": tools, "said": said, "logs": logs, "progress": progress, "first_ms": first_ms}))


asyncio.run(main())
