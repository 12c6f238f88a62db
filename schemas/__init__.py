"""What router, flows and producers agree on: config, events, completions, manifests, reports, the ledger."""
