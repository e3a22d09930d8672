"""What a router is for those who call it: an OpenAPI document, a reference page, a TypeScript type."""
