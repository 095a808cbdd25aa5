"""How a record's payload is coded, a module a method.

lossless.py    method 1: the numbers' bits
predictive.py  method 2: linear prediction (predictive_coding.py, predictors.py)
learned.py     method 3: the multistage prior of a Stable Diffusion space
"""
