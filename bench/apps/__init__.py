"""Peers that we write ourselves."""
