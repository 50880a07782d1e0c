"""For those who edit a package: drafting the next version, putting files in order."""
