"""Commands of `lantern`, one module each; api.cli adds them."""
