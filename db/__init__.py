"""Postgres: the tables, their migrations, connections to them, and a server of our own where there is none."""
