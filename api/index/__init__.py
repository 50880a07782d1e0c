"""What is made from a release so that a server can ask it: written and read side by side."""
