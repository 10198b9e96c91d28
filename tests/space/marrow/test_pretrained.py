"""Loading, saving and pushing models, against a Hub on loopback that the real client talks to."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loopback_hub.server import HubServer
from marrow import MarrowError, Models
from marrow.classifier import Classifier
from marrow.segmenter import Segmenter

RUN = """
import json, sys
from marrow.errors import MarrowError
from marrow import Models
from marrow.segmenter import Segmenter
from marrow.classifier import Classifier
try:
    print(json.dumps(eval(sys.argv[1]), default=str))
except MarrowError as error:
    print(json.dumps(f"refused: {error}"))
"""


def run(environment: dict[str, str], expression: str) -> object:
    """Evaluate an expression in a client process: the Hub's client reads its settings at import."""
    command = [sys.executable, "-c", RUN, expression]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer(tokens={"hf_tester": "tester", "hf_other": "other"}) as server:
        yield server


@pytest.fixture
def release(model_folders: tuple[Path, Path], tmp_path: Path) -> Path:
    """A segmenter's folder as a release holds it, with things beside that are not the model's."""
    folder = tmp_path / "release"
    Segmenter.from_pretrained(str(model_folders[0])).save_pretrained(folder)
    for name in ("model.pt", "README.md", "metrics.json", "failures.png"):
        (folder / name).write_text(f"my {name}")
    (folder / "notes.txt").write_text("mine alone")
    (folder / ".git").mkdir()
    (folder / ".git" / "config.json").write_text("{}")
    return folder


OWN = ["README.md", "config.json", "failures.png", "metrics.json", "model.onnx", "model.pt"]


def test_a_saved_model_has_its_own_files_byte_for_byte(release: Path, tmp_path: Path) -> None:
    saved = tmp_path / "new" / "saved"
    written = Segmenter.from_pretrained(str(release)).save_pretrained(saved)
    assert sorted(path.name for path in saved.iterdir()) == OWN == [path.name for path in written]
    assert all((saved / name).read_bytes() == (release / name).read_bytes() for name in OWN)
    assert Segmenter.from_pretrained(str(saved)).config == Segmenter.from_pretrained(str(release)).config


def test_a_card_that_is_there_stays_and_saving_in_place_changes_nothing(release: Path, tmp_path: Path) -> None:
    model, saved = Segmenter.from_pretrained(str(release)), tmp_path / "saved"
    saved.mkdir()
    (saved / "README.md").write_text("the card here")
    model.save_pretrained(saved)
    assert (saved / "README.md").read_text() == "the card here" and (saved / "model.pt").is_file()
    assert model.save_pretrained(release) == []


def test_saving_where_it_cannot_be_is_one_sentence(release: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MarrowError, match="name another folder"):
        Segmenter.from_pretrained(str(release)).save_pretrained(tmp_path / "file")


def test_a_model_whose_folder_is_gone_says_so(release: Path, tmp_path: Path) -> None:
    model = Segmenter.from_pretrained(str(release))
    release.rename(tmp_path / "elsewhere")
    with pytest.raises(MarrowError, match="is gone: load the model again"):
        model.save_pretrained(tmp_path / "saved")


def test_both_models_are_saved_and_loaded_again(
    models: Models, model_folders: tuple[Path, Path], tmp_path: Path
) -> None:
    written = models.save_pretrained(tmp_path / "a", tmp_path / "b")
    assert {path.parent.name for path in written} == {"a", "b"}
    again = Models.from_pretrained(str(tmp_path / "a"), str(tmp_path / "b"))
    assert again.segmenter.config == models.segmenter.config and again.classifier.config == models.classifier.config


def test_pushed_and_pulled_back_it_is_the_same(hub: HubServer, release: Path, tmp_path: Path) -> None:
    push = (
        f"Segmenter.from_pretrained({str(release)!r}).push_to_hub('tester/cells', private=True, commit_message='Mine')"
    )
    writer = hub.environment(tmp_path / "writer")
    assert hub.url in run(writer, f"{push}.commit_url")
    repo = hub.repos["models", "tester/cells"]
    assert repo.private and repo.at("main").title == "Mine"
    assert sorted(set(repo.at("main").files) - {".gitattributes"}) == OWN
    assert all(hub.read("models", "tester/cells", name) == (release / name).read_bytes() for name in OWN)

    reader, cache = hub.environment(tmp_path / "reader", token=""), tmp_path / "cache"
    load = "Segmenter.from_pretrained('tester/cells', token={!r}, cache_dir={!r}, local_files_only={}){}"
    assert "no such model" in run(reader, load.format(False, str(cache), False, ".info"))
    saved = tmp_path / "saved"
    run(reader, load.format("hf_tester", str(cache), False, f".save_pretrained({str(saved)!r})"))
    for name in ("config.json", "model.onnx"):
        assert (saved / name).read_bytes() == (release / name).read_bytes()
    assert (cache / "models--tester--cells").is_dir()
    assert not (tmp_path / "reader" / "hub" / "models--tester--cells").exists()

    hub.requests.clear()
    offline = load.format(None, str(cache), True, ".info.revision")
    assert run(reader, offline) == repo.branches["main"]
    assert run(reader | {"HF_HUB_OFFLINE": "1"}, offline.replace("True", "False")) == repo.branches["main"]
    elsewhere = run(reader, load.format(None, str(tmp_path / "empty"), True, ""))
    assert elsewhere.startswith("refused: tester/cells is not in the cache") and "local_files_only" in elsewhere
    assert not hub.requests


def test_a_card_on_the_hub_is_never_overwritten(hub: HubServer, release: Path, tmp_path: Path) -> None:
    writer, push = hub.environment(tmp_path / "writer"), f"Segmenter.from_pretrained({str(release)!r}).push_to_hub"
    run(writer, f"{push}('tester/cells').oid")
    (release / "README.md").write_text("another card")
    (release / "metrics.json").write_text("{}")
    run(writer, f"{push}('tester/cells').oid")
    assert hub.read("models", "tester/cells", "README.md") == b"my README.md"
    assert hub.read("models", "tester/cells", "metrics.json") == b"{}"


def test_branches_and_pull_requests_leave_main_alone(hub: HubServer, release: Path, tmp_path: Path) -> None:
    writer, push = hub.environment(tmp_path / "writer"), f"Segmenter.from_pretrained({str(release)!r}).push_to_hub"
    run(writer, f"{push}('tester/cells').oid")
    main = hub.repos["models", "tester/cells"].branches["main"]
    (release / "metrics.json").write_text("[1]")
    run(writer, f"{push}('tester/cells', revision='trial').oid")
    assert hub.read("models", "tester/cells", "metrics.json", "trial") == b"[1]"
    (release / "metrics.json").write_text("[2]")
    assert run(writer, f"{push}('tester/cells', create_pr=True).pr_url").startswith(hub.url)
    assert hub.repos["models", "tester/cells"].branches["main"] == main
    assert hub.read("models", "tester/cells", "metrics.json") == b"my metrics.json"


def test_both_models_are_pushed_and_pulled_at_a_branch(
    hub: HubServer, model_folders: tuple[Path, Path], tmp_path: Path
) -> None:
    writer = hub.environment(tmp_path / "writer")
    load = "Models.from_pretrained({!r}, {!r}{})"
    local = load.format(*map(str, model_folders), "")
    commits = run(writer, f"[c.oid for c in {local}.push_to_hub('tester/a', 'tester/b', revision='v1', private=True)]")
    heads = [hub.repos["models", name].branches["v1"] for name in ("tester/a", "tester/b")]
    assert commits == heads
    reader = hub.environment(tmp_path / "reader", token="")
    revisions = "[(lambda m: (m.segmenter.info.revision, m.classifier.info.revision))({})]"
    whole = load.format(
        "tester/a", "tester/b", f", revision='v1', token='hf_tester', cache_dir={str(tmp_path / 'c')!r}"
    )
    each = load.format("tester/a@v1", "tester/b@v1", f", local_files_only=True, cache_dir={str(tmp_path / 'c')!r}")
    assert run(reader, revisions.format(whole)) == [heads] == run(reader, revisions.format(each))


def test_what_the_hub_refuses_is_one_sentence(hub: HubServer, release: Path, tmp_path: Path) -> None:
    push = f"Segmenter.from_pretrained({str(release)!r}).push_to_hub"
    writer, other = hub.environment(tmp_path / "writer"), hub.environment(tmp_path / "other", token="hf_other")
    run(writer, f"{push}('tester/cells').oid")
    assert "may not write to tester/cells" in run(other, f"{push}('tester/cells').oid")
    assert "does not accept the token" in run(writer, f"{push}('tester/cells', token='hf_wrong').oid")
    load = "Segmenter.from_pretrained('tester/cells', token='hf_wrong')"
    assert "does not accept the token" in run(writer, load)
    assert "neither a folder nor a Hub id" in run(writer, f"{push}('tester/a..b').oid")
    assert "HF_HUB_OFFLINE is set" in run(writer | {"HF_HUB_OFFLINE": "1"}, f"{push}('tester/cells').oid")
    hub.close()
    assert "does not answer; push again" in run(writer, f"{push}('tester/cells').oid")


def test_revision_and_the_others_are_keywords(model_folders: tuple[Path, Path]) -> None:
    for model, folder in zip((Segmenter, Classifier), model_folders, strict=True):
        with pytest.raises(TypeError):
            model.from_pretrained(str(folder), "main")
