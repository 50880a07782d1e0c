"""Releases on disk: their manifests, the list of them, files written so that a crash loses nothing."""
