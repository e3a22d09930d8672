"""One module per noun. A procedure's signature is its contract; it translates and hands on to a service."""
