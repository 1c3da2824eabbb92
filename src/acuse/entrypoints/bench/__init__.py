"""What this machine can do: a whole service of its own is started, loaded, and looked at when all has ended."""
