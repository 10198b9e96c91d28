#!/usr/bin/env bash
# Builds in the folder $1 the sets that the released models were trained and tested on, from the real images in $BENCHMARKS, with $PY.
# What stands there already is left as it is.
set -euo pipefail
work=$1
mkdir -p "$work"
scripts=dataset_scripts
if [ ! -d "$work/set" ]; then
    rm -rf "$work"/{drawn,bccd_train,bccd_validation}
    $PY $scripts/synthetic_cells.py --out "$work/drawn" --per-class 60 --classes ART BLA EBO EOS LYT MMZ MON MYB NGB NGS PMO
    for part in train validation; do  # the test part stays out of every training
        $PY $scripts/cut_cells.py --fields "$BENCHMARKS/fields_bccd" --names "$BENCHMARKS/fields_bccd/names.csv" --part $part \
            --origin blood --laboratory BCCD --out "$work/bccd_$part"
    done
    # of classes that nobody told apart, A|B, the first counts
    sed -E "1s/.*/path,label/; 1!s#^([^,]*),([A-Z]+).*#$(realpath "$BENCHMARKS")/cells_jtsc/\1,\2#" \
        "$BENCHMARKS/cells_jtsc/names.csv" > "$work/jtsc.csv"
    $PY $scripts/bone_marrow_12.py --config imbalanced-12 --allow-short --out "$work/set" \
        --data-dir "$BENCHMARKS/marrow" --origin bone_marrow --laboratory MLL \
        --data-dir "$BENCHMARKS/blood" --origin blood --laboratory Barcelona \
        --data-dir "$BENCHMARKS/cells_lmu" --origin blood --laboratory LMU \
        --data-dir "$work/jtsc.csv" --origin blood --laboratory JTSC \
        --data-dir "$work/bccd_train" --origin blood --laboratory BCCD \
        --data-dir "$work/bccd_validation" --origin blood --laboratory BCCD \
        --data-dir "$work/drawn"
fi
if [ ! -d "$work/unknown" ]; then
    $PY $scripts/bone_marrow_12.py --data-dir "$BENCHMARKS/marrow" --origin bone_marrow --laboratory MLL \
        --classes NIF --per-class all --splits 50/25/25 --out "$work/unknown"
fi
