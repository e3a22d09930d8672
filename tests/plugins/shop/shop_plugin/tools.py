"""What the shop's goods cost."""

from typing import Annotated

from msgspec import Meta

from services.tools.tool import Tool, ToolContext, ToolError, tool

PRICES = {"green tea": 4, "black tea": 3}


@tool("shop.price", effect="read")
async def price(context: ToolContext, *, goods: Annotated[str, Meta(description="Such as 'green tea'.")]) -> int:
    """What goods cost, in euros."""
    if goods not in PRICES:
        raise ToolError(f"there is no {goods!r}; there are {', '.join(PRICES)}", is_final=True)
    return PRICES[goods]


TOOLS: tuple[Tool, ...] = (price,)
