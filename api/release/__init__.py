"""Making a release: the folder that is built once from a data package and never changed."""
