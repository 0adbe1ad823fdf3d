"""The bench: cost and speed of the engine, compared with other clients of the same server in the same run."""
