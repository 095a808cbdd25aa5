"""Scripts of trials that the notebook tells of: README.md says what belongs here."""
