"""Corrections survive a reload, a new server, a lost connection, a full disk and another tab, until forgotten."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.space.served import EXAMPLES, PATIENCE, Server, downloaded, look, read_json, serve, upload, visit

RESTORED = "Your corrections of"
KEPT = """async (drawer) => {
  const opening = indexedDB.open('marrow');
  await new Promise(resolve => { opening.onsuccess = resolve; });
  const asking = opening.result.transaction(drawer).objectStore(drawer).getAll();
  await new Promise(resolve => { asking.onsuccess = resolve; });
  opening.result.close();
  return asking.result;
}"""


def rename(page: Page, number: int, code: str) -> None:
    """Name a cell by hand, in the review."""
    look(page, "review")
    page.locator(f"#viewer .crops button[data-id='{number}']").click()
    page.locator(f"#viewer .bench [data-name={code}]").click()


def correct(page: Page, number: int = 2, code: str = "LYT") -> None:
    """Name a cell by hand, and see that it is done; ends in the report."""
    rename(page, number, code)
    expect(page.locator("#viewer .message")).to_contain_text("Cells now called")
    look(page, "report")


def labels(page: Page) -> dict[int, str]:
    """Return the names that a person gave, as the JSON on the screen has them."""
    look(page, "report")
    saved = read_json(downloaded(page, "json"))
    return {cell["id"]: cell["label"] for cell in saved["cells"] if cell["edited"]}


def kept(page: Page, count: int, drawer: str = "works") -> list[dict]:
    """Wait until so many are kept, and return them."""
    for _ in range(400):
        if len(found := page.evaluate(KEPT, drawer)) == count:
            return found
        page.wait_for_timeout(50)
    raise AssertionError(f"{len(found)} are kept, not {count}")


def test_corrections_come_back_with_the_same_picture_after_a_reload(page, smear_file, tmp_path):
    upload(page, smear_file)
    expect(page.locator("#viewer .cell").first).to_be_visible()
    correct(page)
    (record,) = kept(page, 1)
    assert "picture" not in record and kept(page, 0, "pictures") == []
    expect(page.locator("#viewer .kept")).to_contain_text("the picture is not")
    page.reload()
    visit(page, page.url)
    expect(page.locator(".kept-notice li")).to_contain_text("smear.png: 1 corrected")
    renamed = Path(shutil.copy(smear_file, tmp_path / "renamed.png"))  # its bytes count, not its name
    upload(page, renamed)
    expect(page.get_by_text(RESTORED)).to_be_visible()
    assert labels(page) == {2: "LYT"}
    page.locator("#viewer [data-act=undo]").click()
    assert labels(page) == {}


def test_another_picture_gets_no_corrections(page, smear, smear_file, tmp_path):
    upload(page, smear_file)
    correct(page)
    kept(page, 1)
    page.reload()
    visit(page, page.url)
    Image.fromarray(smear[:, ::-1]).save(tmp_path / "smear.png")
    upload(page, tmp_path / "smear.png")
    assert labels(page) == {}


@pytest.fixture
def restart(model_folders, tmp_path) -> Iterator[Callable[[], Server]]:
    """Start a server of one's own; called again, kill it and start another on the same port, with nothing kept."""
    servers: list[Server] = []
    with ExitStack() as running:

        def again() -> Server:
            port = {}
            if servers:
                os.kill(servers[-1].pid, signal.SIGKILL)
                port["PORT"] = servers[-1].url.rpartition(":")[2]
            folder = tmp_path / f"server{len(servers)}"
            folder.mkdir()
            serving = serve(folder, *map(str, model_folders), **port)
            running.callback(serving.close)
            servers.append(next(serving))
            return servers[-1]

        yield again


@pytest.mark.parametrize("reloads", [False, True])
def test_a_new_server_in_the_middle_costs_nothing(visitor, restart, smear_file, reloads):
    page = visitor(restart().url)
    upload(page, smear_file)
    correct(page)
    page.get_by_role("button", name="Add to a case").click()
    kept(page, 1)
    restart()
    if reloads:
        page.reload()
        visit(page, page.url)
        expect(page.locator(".kept-notice li")).to_contain_text("smear.png: 1 corrected")
    else:
        page.click("#viewer [data-format=yolo]")
        expect(page.locator("#viewer .message.wrong")).to_contain_text(
            "choose the same picture again", timeout=PATIENCE
        )
        correct(page, 3, "PLM")
        page.get_by_role("button", name="New image").click()
    choose_again(page, smear_file)
    expect(page.locator("#viewer .sum")).to_contain_text("4 of 500")
    assert labels(page) == ({2: "LYT"} if reloads else {2: "LYT", 3: "PLM"})
    for kind in ("yolo", "crops"):
        assert downloaded(page, kind).stat().st_size > 500
    page.locator("#viewer .sum").click()
    with page.expect_download() as download:
        page.click("#viewer [data-case=json]")
    assert read_json(download.value.path())["report"]["edited"] == (1 if reloads else 2)


@pytest.mark.parametrize("reloads", [False, True])
def test_a_picture_that_is_kept_too_opens_again_by_itself(visitor, restart, smear_file, reloads):
    page = visitor(restart().url)
    upload(page, smear_file)
    correct(page)
    page.locator("#viewer [name=keep-pictures]").check()
    kept(page, 1, "pictures")
    restart()
    if reloads:
        page.reload()
        expect(page.get_by_text(RESTORED)).to_be_visible(timeout=PATIENCE)
        look(page, "report")
    assert downloaded(page, "yolo").stat().st_size > 500
    assert labels(page) == {2: "LYT"}


def choose_again(page: Page, path: Path) -> None:
    """Choose a picture while the viewer may hold an earlier one."""
    page.set_input_files("#image input[type=file]", path)
    expect(page.locator("#viewer .legend")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#viewer .cell").first).to_be_visible()


def test_without_a_server_edits_and_files_go_on(visitor, restart, smear_file):
    page = visitor(restart().url)
    upload(page, smear_file)
    page.context.set_offline(True)
    correct(page)
    assert labels(page) == {2: "LYT"}
    assert "LYT" in downloaded(page, "csv").read_text()
    page.click("#viewer [data-format=yolo]")
    expect(page.locator("#viewer .message.wrong")).to_contain_text("check the connection")
    kept(page, 1)
    page.context.set_offline(False)
    assert downloaded(page, "yolo").stat().st_size > 500


@pytest.mark.parametrize("keeps_picture", [False, True])
def test_what_the_server_has_forgotten_is_sent_again_or_asked_for(page, server, smear_file, keeps_picture):
    upload(page, smear_file)
    correct(page)
    if keeps_picture:
        page.locator("#viewer [name=keep-pictures]").check()
        kept(page, 1, "pictures")
    forget_on_server(server)
    if keeps_picture:
        assert downloaded(page, "yolo").stat().st_size > 500
    else:
        page.click("#viewer [data-format=yolo]")
        expect(page.locator("#viewer .message.wrong")).to_contain_text("choose the same picture again")
        page.get_by_role("button", name="New image").click()
        choose_again(page, smear_file)
    assert labels(page) == {2: "LYT"}
    assert downloaded(page, "yolo").stat().st_size > 500


def test_a_forgotten_picture_is_sent_once_for_all_who_ask(page, server, smear_file):
    upload(page, smear_file)
    correct(page)
    page.locator("#viewer [name=keep-pictures]").check()
    kept(page, 1, "pictures")
    sent = []

    def hold(route):
        sent.append(route.request.url)
        time.sleep(1)  # the browser goes on meanwhile, and asks for the crop too
        route.continue_()

    page.route("**/gradio_api/upload*", hold)
    forget_on_server(server)
    page.locator("#viewer .cell").first.click()
    assert downloaded(page, "yolo").stat().st_size > 500
    assert len(sent) == 1


def forget_on_server(server: Server) -> None:
    """Delete the file of the upload, as Gradio does after an hour."""
    for path in (server.log.parent / "gradio").rglob("smear.png"):
        path.unlink()


def test_a_full_disk_is_said_and_loses_nothing_on_the_page(page, server, smear_file):
    upload(page, smear_file)
    devtools = page.context.new_cdp_session(page)
    devtools.send("Storage.overrideQuotaForOrigin", {"origin": server.url, "quotaSize": 1})
    rename(page, 2, "LYT")
    expect(page.locator("#viewer .message.wrong")).to_contain_text("storage is full")
    expect(page.locator("#viewer .kept")).to_contain_text("storage is full")
    assert labels(page) == {2: "LYT"} and kept(page, 0) == []
    devtools.send("Storage.overrideQuotaForOrigin", {"origin": server.url})
    correct(page, 3, "PLM")
    expect(page.locator("#viewer .kept")).to_contain_text("the picture is not")
    assert len(kept(page, 1)[0]["analysis"]["cells"]) == 6


def test_a_browser_that_keeps_nothing_says_so(visitor, server, smear_file):
    page = visitor()
    page.add_init_script("Object.defineProperty(window, 'indexedDB', { value: undefined })")
    visit(page, server.url)
    upload(page, smear_file)
    rename(page, 2, "LYT")
    expect(page.locator("#viewer .message.wrong")).to_contain_text("keeps nothing for this page")
    expect(page.locator("#viewer .kept")).to_contain_text("keeps nothing for this page")
    assert labels(page) == {2: "LYT"}


@pytest.mark.parametrize("takes_other", [True, False])
def test_two_tabs_do_not_overwrite_each_other_without_a_word(page, server, smear_file, takes_other):
    asked: list[str] = []

    def answer(dialog) -> None:
        asked.append(dialog.message)
        dialog.accept() if takes_other else dialog.dismiss()

    upload(page, smear_file)
    other = visit(page.context.new_page(), server.url)
    upload(other, smear_file)
    correct(page, 2, "LYT")
    kept(page, 1)
    other.on("dialog", answer)
    rename(other, 3, "PLM")
    expect(other.locator("#viewer .message")).to_contain_text(RESTORED if takes_other else "Cells now called")
    other.wait_for_timeout(300)
    assert len(asked) == 1 and "Another tab has changed the corrections of smear.png" in asked[0]
    assert labels(other) == ({2: "LYT"} if takes_other else {3: "PLM"})
    if takes_other:
        other.locator("#viewer [data-act=undo]").click()
        assert labels(other) == {3: "PLM"}
    assert len(asked) == 1


def test_a_case_comes_back_and_is_forgotten(page, server, smear, smear_file, tmp_path):
    page.on("dialog", lambda dialog: dialog.accept())
    second = tmp_path / "second.png"
    Image.fromarray(smear).resize((480, 480)).save(second)
    upload(page, smear_file)
    look(page, "review")
    page.locator("#viewer [name=reviewer]").fill("Ana")
    correct(page)
    page.get_by_role("button", name="Add to a case").click()
    page.get_by_role("button", name="Next image").click()
    page.set_input_files("#image input[type=file]", second)
    page.get_by_role("button", name="Add this image").click(timeout=PATIENCE)
    page.locator("#viewer [data-view=case]").click()
    page.locator("#viewer [name=keep-pictures]").check()
    kept(page, 2, "pictures")
    page.reload()
    expect(page.locator("#viewer .work")).to_have_count(2, timeout=PATIENCE)
    expect(page.locator("#viewer .work.waits")).to_have_count(1)
    expect(page.locator("#viewer .sum")).to_contain_text("8 of 500")
    uploads = server.log.parent / "gradio"
    assert list(uploads.rglob("second.png"))
    look(page, "report")
    page.locator("#viewer [data-forget]").click()
    expect(page.locator("#image button").first).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#back")).to_be_hidden()
    expect(page.locator(".kept-notice")).to_have_count(0)
    assert kept(page, 0) == kept(page, 0, "pictures") == []
    assert "Ana" not in page.evaluate("JSON.stringify([localStorage, sessionStorage])")
    until = time.monotonic() + 20  # the server is asked last
    while list(uploads.rglob("second.png")) and time.monotonic() < until:
        page.wait_for_timeout(100)
    assert not list(uploads.rglob("second.png"))


def test_of_an_example_no_copy_stays_and_the_next_visitor_has_it_too(visitor, restart):
    server = restart()  # its own, on which nobody else has looked at the example
    page = visitor(server.url)

    def copies() -> set[str]:
        return {str(path) for path in (server.log.parent / "gradio").rglob("*") if path.is_file()}

    page.on("dialog", lambda dialog: dialog.accept())
    before = copies()
    page.locator("#examples button.gallery-item").last.click()
    expect(page.locator("#viewer .cell").first).to_be_attached(timeout=PATIENCE)
    correct(page)
    assert copies() > before  # the picture that is shown
    page.locator("#viewer [data-forget]").click()
    expect(page.locator("#image button").first).to_be_visible(timeout=PATIENCE)
    until = time.monotonic() + 20
    while copies() != before and time.monotonic() < until:
        page.wait_for_timeout(100)
    assert copies() == before
    next_page = visitor(server.url)
    shown = next_page.locator("#examples img").evaluate_all("all => all.map(image => image.naturalWidth)")
    assert len(shown) == len(EXAMPLES) and all(shown)
