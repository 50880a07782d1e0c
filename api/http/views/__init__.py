"""The addresses, one module for each family."""
