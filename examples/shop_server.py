"""A small MCP server, for `mcp_tools.py`: two tools of a shop, spoken to by stdin and stdout.

python examples/shop_server.py
"""

from mcp.server.mcpserver import MCPServer
from mcp.types import ToolAnnotations

server = MCPServer("shop")
BAGS = {"tea": 12, "coffee": 0}
EUROS_PER_KG = {"tea": 30.0, "coffee": 18.0}


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def stock(item: str) -> int:
    """How many bags of something there are."""
    return BAGS[item]


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def price(item: str, grams: int) -> float:
    """What something costs, in euros."""
    return EUROS_PER_KG[item] * grams / 1000


if __name__ == "__main__":
    server.run()
