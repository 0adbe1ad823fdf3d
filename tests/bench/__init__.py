"""The bench: what the engine costs and how fast it is, against other clients of the same server in the same run."""
