"""What a process writes down: events, the ledger, manifests, logs. Never a secret."""
