"""The shipped graphs in forms that other runtimes, processors and large pictures ask for."""
