"""What every other part speaks of: descriptors, field types, numbers, findings, names of files."""
