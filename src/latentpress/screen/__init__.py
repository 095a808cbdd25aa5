"""The screen layer: what of a picture is coded by tools made for glyphs and grids.

mask.py     which cells of the picture the layer shows <-> bytes
av1.py      an AV1 still picture: checked before it is decoded, and framed as AVIF
pieces.py   one rectangle of pixels <-> bytes: a color, a lossless WebP, an AV1 picture
layer.py    the chunks of a file: decoded piece by piece, and pasted over strips of pixels
encoder.py  a picture and its mask -> the body of the chunk at a quality
"""
