"""The soak: minutes of every kind of load and mishap on one server behind nginx, and what went wrong."""
