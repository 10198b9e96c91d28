#!/usr/bin/env bash
# Measures the released models and the data set scripts, on the sets that they were trained and tested on, in out/release.
# ONLY=accuracy|speed|scale|browser measures that part alone.
set -euo pipefail
case "${ONLY:-accuracy}" in
    accuracy | speed | scale | browser) ;;
    *) echo "ONLY=$ONLY is none of accuracy, speed, scale and browser: name one of them, or none for all" >&2; exit 2 ;;
esac
asked() { [ -z "${ONLY:-}" ] || [ "$ONLY" = "$1" ]; }
work=out/release
if asked accuracy || asked speed; then
    benchmarks/sets.sh "$work"
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
    if [ ! -d "$work/held_out" ]; then  # fields of test cells, which are to get no warnings
        $PY dataset_scripts/smear_fields.py --data "$work/set" --plain --size 448 --train 1 --validation 1 --test 100 \
            --out "$work/held_out"
    fi
    $PY -m training.measure classifier --model hub/bone-marrow-mobilenet --data "$work/set" --unknown "$work/unknown" \
        --benchmarks "$BENCHMARKS" --fields "$work/held_out" --left-out benchmarks/left_out/* \
        --suspicious dataset_scripts/suspicious_labels.json
    if [ ! -d "$work/fields" ]; then  # as the segmenter was trained on
        $PY dataset_scripts/bone_marrow_12.py --config imbalanced-12 --allow-short --out "$work/segmenter_set" \
            --data-dir "$BENCHMARKS/marrow" --origin bone_marrow --laboratory MLL \
            --data-dir "$BENCHMARKS/blood" --origin blood --laboratory Barcelona \
            --data-dir "$work/drawn"
        $PY dataset_scripts/smear_fields.py --data "$work/segmenter_set" --fields "$BENCHMARKS/fields_bccd" --size 448 \
            --out "$work/fields" --train 1300 --validation 80 --test 80 --outlines hub/bone-marrow-yolov8-seg
    fi
    $PY -m training.measure segmenter --model hub/bone-marrow-yolov8-seg --data "$work/fields" --benchmarks "$BENCHMARKS"
    $PY -m dataset_scripts.benchmark near_duplicates --data "$BENCHMARKS"
    $PY -m dataset_scripts.benchmark masks --data "$BENCHMARKS"
    $PY -m dataset_scripts.benchmark large_input
fi
