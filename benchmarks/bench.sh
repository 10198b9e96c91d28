#!/usr/bin/env bash
# Builds the sets that the released models were trained and tested on, in out/release, and measures models and data set scripts.
set -euo pipefail
work=out/release
home=(--data-dir "$BENCHMARKS/marrow" --origin bone_marrow --laboratory MLL
    --data-dir "$BENCHMARKS/blood" --origin blood --laboratory Barcelona)
mkdir -p "$work"
if [ ! -d "$work/set" ]; then  # the segmenter's
    $PY dataset_scripts/synthetic_cells.py --out "$work/drawn" --per-class 60 \
        --classes ART BLA EBO EOS LYT MMZ MON MYB NGB NGS PMO
    $PY dataset_scripts/bone_marrow_12.py "${home[@]}" --data-dir "$work/drawn" \
        --config imbalanced-12 --allow-short --out "$work/set"
    $PY dataset_scripts/bone_marrow_12.py --data-dir "$BENCHMARKS/marrow" --origin bone_marrow --laboratory MLL --classes NIF --per-class all --splits 50/25/25 \
        --out "$work/unknown"
fi
if [ ! -d "$work/laboratories" ]; then  # the classifier's, of all laboratories that may train
    mkdir -p "$work/few" "$work/jtsc"
    for code in EBO MMZ MYB NGB; do cp -r "$BENCHMARKS/marrow_few/$code" "$work/few/"; done
    tail -n +2 "$BENCHMARKS/cells_jtsc/names.csv" | tr -d '\r' | while IFS=, read -r file codes; do
        mkdir -p "$work/jtsc/${codes%%|*}"  # of two classes that nobody told apart, the first
        cp "$BENCHMARKS/cells_jtsc/$file" "$work/jtsc/${codes%%|*}/"
    done
    [ -d "$work/bccd" ] || $PY dataset_scripts/cut_cells.py --fields "$BENCHMARKS/fields_bccd" --names "$BENCHMARKS/fields_bccd/names.csv" \
        --part train --origin blood --laboratory BCCD --out "$work/bccd"
    $PY dataset_scripts/bone_marrow_12.py "${home[@]}" --data-dir "$work/few" --origin bone_marrow --laboratory MLL \
        --data-dir "$BENCHMARKS/cells_lmu" --origin blood --laboratory LMU --data-dir "$work/jtsc" --origin blood --laboratory JTSC \
        --data-dir "$work/bccd" --data-dir "$work/drawn" --config imbalanced-12 --allow-short --out "$work/laboratories"
fi
if [ ! -d "$work/fields" ]; then
    $PY dataset_scripts/smear_fields.py --data "$work/set" --fields "$BENCHMARKS/fields_bccd" --size 448 --out "$work/fields" \
        --train 1300 --validation 80 --test 80 --outlines hub/bone-marrow-yolov8-seg
fi
if [ ! -d "$work/held_out" ]; then  # fields of cells that the classifier was not trained on
    $PY dataset_scripts/smear_fields.py --data "$work/laboratories" --out "$work/held_out" --train 1 --validation 1 --test 100 \
        --outlines hub/bone-marrow-yolov8-seg
fi
$PY -m training.measure classifier --model hub/bone-marrow-mobilenet --data "$work/laboratories" --unknown "$work/unknown" --benchmarks "$BENCHMARKS" \
    --fields "$work/held_out" --left-out benchmarks/left_out/*
$PY -m training.measure segmenter --model hub/bone-marrow-yolov8-seg --data "$work/fields" --benchmarks "$BENCHMARKS"
$PY -m dataset_scripts.benchmark near_duplicates --data "$BENCHMARKS"
$PY -m dataset_scripts.benchmark masks --data "$BENCHMARKS"
$PY -m dataset_scripts.benchmark large_input
