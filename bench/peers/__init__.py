"""The same sceptic's run against two peers: DBOS and Huey, both over SQLite. See README.md."""
