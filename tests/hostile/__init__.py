"""Generated traffic against a real server: what OpenAPI promises is kept, whatever is sent."""
