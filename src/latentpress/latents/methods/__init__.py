"""How a record's payload is coded: lossless.py (method 1), predictive.py (method 2), learned.py
(method 3).
"""
