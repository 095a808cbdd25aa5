"""One parameter of the codec moved, the rest fixed."""
