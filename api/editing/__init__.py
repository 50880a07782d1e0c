"""For those who edit a package: drafting a version, putting files in order."""
