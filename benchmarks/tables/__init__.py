"""Measurements that a table of the documents or a file of results/ holds."""
