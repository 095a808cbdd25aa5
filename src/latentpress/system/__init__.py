"""What the operating system is asked for: whole files, temporary arrays, caches, environment
variables, malloc, spreadsheets.
"""
