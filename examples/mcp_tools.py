"""Tools of an MCP server. They are on the tape like all others: played, no process is started.

    python examples/mcp_tools.py

It plays a tape that was recorded from a stand-in (`stand_in.py` says how to record it anew; that takes
`pip install 'playhead[mcp]'`, for the server is real).
"""

import sys
from pathlib import Path

import playhead as ph

TAPE = Path(__file__).parent / "tapes" / "mcp_tools.jsonl"

shop = ph.mcp.stdio(sys.executable, str(Path(__file__).parent / "shop_server.py"), name="shop", prefix="shop_")
agent = ph.Agent("compat:http://127.0.0.1:8040/v1#shopkeeper", tools=[shop])


def main() -> None:
    result = agent.run_sync("Do you have tea? What are 250 g?", tape=TAPE, mode="auto")
    for call, done in zip(result.steps[0].response.tool_calls, result.steps[0].results, strict=True):
        print(f"{call.name}{call.arguments} -> {done.text}")
    print(result.text)


if __name__ == "__main__":
    main()
