"""The files of a release that describe it: for readers, for citing, for catalogues."""
