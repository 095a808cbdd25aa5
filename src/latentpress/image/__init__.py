"""Stage 1 of 5: pictures. picture.py reads files and puts decoded pictures back together,
formats.py writes files.

plugins.py registers HEIC and JPEG XL, declared.py finds the color space and the depth that a file
tells (boxes.py and jxl.py read containers, cicp.py and colorimetry.py hold the numbers),
profiles.py makes and checks ICC profiles, hdr.py brings PQ and HLG to SDR.

color.py converts modes, alpha.py codes the opacity plane, limits.py bounds sizes, panels.py lays
pictures side by side.

strip.py finds the metadata that are taken over: metadata.py reads them and the orientation, exif.py
and xmp.py make them true, text.py and pixel_density.py read texts and dots an inch, companions.py
finds what stands beside a picture and is lost. metadata_chunks.py codes them: known_profiles.py
holds the profiles that are one number, deflated.py deflates.
"""
