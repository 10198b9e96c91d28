#!/usr/bin/env bash
# Builds the sets that the released models were trained and tested on, in out/release, and measures models and data set scripts.
# ONLY=accuracy|speed|scale|browser measures that part alone.
set -euo pipefail
case "${ONLY:-accuracy}" in
    accuracy | speed | scale | browser) ;;
    *) echo "ONLY=$ONLY is none of accuracy, speed, scale and browser: name one of them, or none for all" >&2; exit 2 ;;
esac
asked() { [ -z "${ONLY:-}" ] || [ "$ONLY" = "$1" ]; }
work=out/release
mkdir -p "$work"
if [ ! -d "$work/set" ] && { asked accuracy || asked speed; }; then
    $PY dataset_scripts/synthetic_cells.py --out "$work/drawn" --per-class 60 \
        --classes ART BLA EBO EOS LYT MMZ MON MYB NGB NGS PMO
    $PY dataset_scripts/bone_marrow_12.py --data-dir "$BENCHMARKS/marrow" --origin bone_marrow --laboratory MLL \
        --data-dir "$BENCHMARKS/blood" --origin blood --laboratory Barcelona \
        --data-dir "$work/drawn" --config imbalanced-12 --allow-short --out "$work/set"
    $PY dataset_scripts/bone_marrow_12.py --data-dir "$BENCHMARKS/marrow" --origin bone_marrow --laboratory MLL --classes NIF --per-class all --splits 50/25/25 \
        --out "$work/unknown"
fi
if asked speed; then
    $PY -m benchmarks speed --cells "$work/set"
    $PY -m benchmarks batch --cells "$work/set"
fi
if asked scale; then
    $PY -m benchmarks scale --data "$BENCHMARKS"
fi
if asked browser; then
    $PY -m benchmarks browser --data "$BENCHMARKS"
fi
if asked accuracy; then
    echo "accuracy: about 40 minutes on two cores, and as many again where the sets are still to be built"
    if [ ! -d "$work/fields" ]; then
        $PY dataset_scripts/smear_fields.py --data "$work/set" --fields "$BENCHMARKS/fields_bccd" --size 448 --out "$work/fields" \
            --train 1300 --validation 80 --test 80 --outlines hub/bone-marrow-yolov8-seg
    fi
    $PY -m training.measure classifier --model hub/bone-marrow-mobilenet --data "$work/set" --unknown "$work/unknown" --benchmarks "$BENCHMARKS"
    $PY -m training.measure segmenter --model hub/bone-marrow-yolov8-seg --data "$work/fields" --benchmarks "$BENCHMARKS"
    $PY -m dataset_scripts.benchmark near_duplicates --data "$BENCHMARKS"
    $PY -m dataset_scripts.benchmark masks --data "$BENCHMARKS"
    $PY -m dataset_scripts.benchmark large_input
fi
