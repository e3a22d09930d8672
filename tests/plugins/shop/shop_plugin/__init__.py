"""What a shop adds to a server: a tool, one of LangChain's, a provider of models, and a performer of code."""
