"""The ops plane: what an operator and the machines that watch look at."""
