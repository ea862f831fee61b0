"""The project directory: its manifest, digests, durable writes and the runner that makes artifacts."""
