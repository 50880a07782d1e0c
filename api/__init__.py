"""Lantern: a data package validated, released, served and mirrored."""
