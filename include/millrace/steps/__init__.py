"""What one task does: read through adapters, decide in the domain, write. One file a step."""
