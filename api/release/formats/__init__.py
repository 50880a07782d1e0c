"""The typed files of a release: each module writes one format from the release's CSV files."""
