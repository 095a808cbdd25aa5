"""The built-in model: its networks, how it is trained in short runs, how it is exported."""
