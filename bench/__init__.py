"""Our own figures and those of peers, each in one run with its baseline."""
