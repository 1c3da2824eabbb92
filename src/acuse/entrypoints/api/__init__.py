"""The public plane: `POST /v1/requests`, and nothing else."""
