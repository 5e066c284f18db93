"""Qdrant Edge, embedded: `client` is the Store protocol spoken over a local socket (`connections`, `wire`) to
`process`, which owns the `catalog` of `collection`s, each of `engine` files; a child indexes copies (`optimize`)."""
