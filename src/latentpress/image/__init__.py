"""Stage 1 of 5: pictures. picture.py reads files and puts decoded pictures back together,
formats.py writes files.

color.py converts modes, metadata.py reads EXIF, XMP and orientation, alpha.py codes the opacity
plane, limits.py bounds sizes, panels.py lays pictures side by side.
"""
