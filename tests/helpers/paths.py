"""Where the checkout, its samples and the data beside it lie."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"
# kodak, science-fair
DATA = Path(os.environ.get("LATENTPRESS_DATA") or ROOT.parent / "shared" / "data")
CASES = DATA.parent / "cases"  # small files of kinds that codecs have lost something of
WEIGHTS = DATA.parent / "weights"  # the tiny autoencoders: taesd, taesdxl, taesd3, taef1
