"""Where bytes may go: rules for hosts, the resolver that enforces them, and redirects."""
