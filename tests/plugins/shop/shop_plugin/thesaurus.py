"""A tool of LangChain's."""

from langchain_core.tools import tool

from services.tools.langchain import from_langchain
from services.tools.tool import Tool


@tool
def synonyms(word: str) -> list[str]:
    """Other words for a word."""
    return {"tea": ["brew", "char"]}.get(word, [])


def tools() -> Tool:
    """Made when it is asked for."""
    return from_langchain(synonyms, name="words.synonyms", effect="none")
