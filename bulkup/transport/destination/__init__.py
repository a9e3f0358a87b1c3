"""Where bytes may go: host rules, the resolver that enforces them, and redirects."""
