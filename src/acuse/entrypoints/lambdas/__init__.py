"""The functions of AWS Lambda. Each makes what it needs when it is first called, and keeps it for the next call."""
