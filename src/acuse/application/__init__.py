"""What the service does, over the ports: take in, hand out, run, end."""
