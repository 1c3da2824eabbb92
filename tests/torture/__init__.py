"""The service under a sceptic: clients with a ledger of their own, while its processes are killed and stopped."""
