"""The client packages, built and used as their users do."""
