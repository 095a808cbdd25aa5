"""The benchmark: data sets, rival codecs, resumable runs of real files, and what follows from them.

datasets.py         the pictures of a run; download.py, checksums.py: the public sets, verified
codec_protocol.py   what a codec is asked for
image_codecs.py     JPEG, WebP, AVIF, ... through Pillow; latentpress_codec.py: latentpress's own
external.py         any program as a codec; precomputed.py: pictures that were decoded elsewhere
cli_arguments.py    from the words of a command to codecs and their qualities
run.py              every codec on every picture; work.py: what runs in other processes
results_folder.py   a run's folder while it is made; rows.py: the same read back
rate_distortion.py  means, bytes at equal quality; bd_rate.py: Bjontegaard's measure
study_preset.py     the study this project grew from, as a run
"""
