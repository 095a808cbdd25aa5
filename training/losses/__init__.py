"""The parts of a loss: pure functions of a picture and its reconstruction."""
