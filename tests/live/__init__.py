"""Real services, asked for a word in each way that roles ask: `make live`. Not a part of `make test`."""
