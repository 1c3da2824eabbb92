"""Where the service is entered: HTTP, processes, the command line."""
