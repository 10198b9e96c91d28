"""What a card says only once it is published: whose repo it is, which models it is pinned to, what a data set holds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import datasets
import pyarrow.dataset
import pyarrow.parquet as parquet
from huggingface_hub import DatasetCard, SpaceCard

from training.release.repos import DATASET

RUNTIME_FILES = "config.json,model.onnx"
USUAL_ROWS = 36_000
"""Rows of the set that the data set card describes."""
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def pin_space(readme: str, namespace: str, commits: dict[str, str]) -> str:
    """Name models and data set in a Space's front matter, and pin the models that it preloads and runs.

    Args:
        readme: text of the Space's ``README.md``.
        namespace: user or organisation on the Hub.
        commits: commit by model repo, ``NAMESPACE/name``.

    Returns:
        The text with ``models``, ``datasets`` and ``preload_from_hub`` set; :func:`marrow.hub.pinned_models` reads
        the last of these.
    """
    card = SpaceCard(readme)
    card.data["models"] = list(commits)
    card.data["datasets"] = [f"{namespace}/{DATASET.repo}"]
    card.data["preload_from_hub"] = [f"{repo} {RUNTIME_FILES} {commit}" for repo, commit in commits.items()]
    return str(card)


def describe_copy(readme: str, files: dict[str, Path]) -> str:
    """Say in a data set card what this copy holds, where it is not the set that the card describes.

    Args:
        readme: the card, with a first heading.
        files: the files of the repo; the rows are counted in ``data/SPLIT-*.parquet``.

    Returns:
        The card, with a note below its heading and its ``size_categories`` set, unless it holds the usual rows.
    """
    parts = {name: path for name, path in files.items() if name.startswith("data/") and name.endswith(".parquet")}
    splits: Counter[str] = Counter()
    for name, path in parts.items():
        splits[name.removeprefix("data/").split("-")[0]] += parquet.read_metadata(path).num_rows
    labels, sources = (_count(list(parts.values()), column) for column in ("label", "source"))
    rows = splits.total()
    if rows == USUAL_ROWS:
        return readme
    told = [f"{rows:,} images ({_listed(splits)})"]
    told += [f"of the classes {_listed(labels)}"] if labels else []
    told += [f"from the sources {_listed(sources)}"] if sources else []
    note = f"> **This copy is not the set described below, only made like it:** it holds {', '.join(told)}."
    card = DatasetCard(readme)
    card.data["size_categories"] = [next((size for bound, size in SIZES if rows < bound), "n>1M")]
    text = str(card)
    before, heading, rest = text.partition("\n# ")
    title, _, rest = rest.partition("\n")
    return f"{before}{heading}{title}\n\n{note}\n{rest}" if heading else f"{text}\n{note}\n"


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counts.items())


def _count(files: list[Path], column: str) -> Counter[str]:
    """Count the values of a column, by their names where it is one of classes; none where there is no such column."""
    rows = pyarrow.dataset.dataset(files)
    if column not in rows.schema.names:
        return Counter()
    kind = datasets.Features.from_arrow_schema(rows.schema)[column]
    values = rows.to_table(columns=[column]).column(column).to_pylist()
    names = kind.int2str(values) if isinstance(kind, datasets.ClassLabel) else map(str, values)
    return Counter(dict(sorted(Counter(names).items())))
