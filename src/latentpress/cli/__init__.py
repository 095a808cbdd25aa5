"""The command line, the only place that prints or exits: one file a command group; heavy imports
inside the commands.
"""
