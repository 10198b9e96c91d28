"""The line: first come, first served; who waits is told where they stand, who comes too late is asked to come again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Thread

import pytest
from playwright.sync_api import expect

from screen.actions import Actions
from screen.analysis_queue import PULSE, AnalysisQueue, Place, Visitor
from screen.limits import Limits
from screen.page import build, i18n
from screen.uploads import RefusedError
from screen.viewer import STATIC, serve_modules
from tests.space.served import PATIENCE, cells, upload


def test_who_waits_moves_up_and_is_let_through_in_order():
    line = AnalysisQueue(Limits(at_once=1))
    told: list[tuple[str, int, float]] = []
    through: list[str] = []

    def wait(name: str) -> None:
        with line.slot(lambda before, seconds: told.append((name, before, seconds))):
            through.append(name)
            _until(lambda: len(told) == 3)

    with line.slot():
        time.sleep(0.2)
    with line.slot():
        threads = []
        for name in "ab":
            threads.append(Thread(target=wait, args=name))
            threads[-1].start()
            _until(lambda: len(told) == len(threads))
    for thread in threads:
        thread.join(10)
    assert through == ["a", "b"]
    assert [(name, before) for name, before, _ in told] == [("a", 1), ("b", 2), ("b", 1)]
    assert told[0][2] == pytest.approx(0.2, abs=0.1), "as long as the last one took"
    assert told[1][2] == pytest.approx(2 * told[0][2])


def test_nobody_waits_for_a_free_slot():
    line = AnalysisQueue(Limits(at_once=2))
    start = time.monotonic()
    for _ in range(20):
        with line.slot(), line.slot():
            pass
    assert time.monotonic() - start < PULSE, "less than one look around, for forty slots"


def test_a_few_run_at_once_and_a_long_line_is_refused():
    line = AnalysisQueue(Limits(at_once=2, waiting=0))
    with line.slot(), line.slot():
        with pytest.raises(RefusedError) as refused, line.slot():
            pass
        assert refused.value.reason == "busy"
    with line.slot():
        pass


def test_one_who_fails_leaves_the_line():
    line = AnalysisQueue(Limits(at_once=1, waiting=0))
    with pytest.raises(ZeroDivisionError), line.slot():
        raise ZeroDivisionError
    with line.slot():
        pass


@pytest.fixture
def busy(models, tmp_path, monkeypatch) -> Iterator[tuple[str, AnalysisQueue]]:
    """The address of an app in this process, and its line."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    actions = Actions(models, tmp_path / "flags")
    blocks = build(actions)
    options = {"server_name": "127.0.0.1", "prevent_thread_lock": True, "quiet": True, "i18n": i18n}
    options["css_paths"] = STATIC / "page.css"
    _, url, _ = blocks.launch(**options, app_kwargs={"routes": [serve_modules()]})
    yield url, actions.queue
    blocks.close()


def test_a_visitor_is_told_in_their_language(visitor, busy, smear_file):
    url, line = busy
    with ExitStack() as others:
        for _ in range(Limits().at_once):
            others.enter_context(line.slot())
        page = visitor(url, locale="fr-FR")
        page.set_input_files("#image input[type=file]", smear_file)
        waiting = page.locator("#image .progress-level-inner")
        expect(waiting).to_contain_text("1 avant vous", timeout=PATIENCE)
        others.close()
        expect(cells(page)).to_have_count(4, timeout=PATIENCE)


def test_a_visitor_who_cancels_can_choose_anew(visitor, busy, smear_file):
    url, line = busy
    page = visitor(url, locale="fr-FR")
    cancel = page.get_by_role("button", name="Annuler", exact=True)
    expect(cancel).to_be_hidden()
    with ExitStack() as others:
        for _ in range(Limits().at_once):
            others.enter_context(line.slot())
        page.set_input_files("#image input[type=file]", smear_file)
        cancel.click(timeout=PATIENCE)
        _until(lambda: len(line._waiting) == Limits().at_once)
        expect(page.locator("#image img")).to_have_count(0, timeout=PATIENCE)
        expect(cancel).to_be_hidden()
    expect(page.get_by_text("abandonnée")).to_have_count(0)
    upload(page, smear_file)
    expect(cells(page)).to_have_count(4, timeout=PATIENCE)


def test_a_visitor_before_a_full_line_is_asked_to_come_again(visitor, busy, smear_file):
    url, line = busy
    me = [Place(Visitor(), is_through=True) for _ in range(Limits().at_once + Limits().waiting)]
    page = visitor(url, locale="fr-FR")
    line._waiting.extend(me)  # as if they waited
    page.set_input_files("#image input[type=file]", smear_file)
    expect(page.get_by_text("Trop de personnes attendent")).to_be_visible(timeout=PATIENCE)
    line._waiting.clear()
    upload(page, smear_file)
    expect(cells(page)).to_have_count(4)


@pytest.mark.parametrize("reason", ["tell", "gone", "left"])
def test_no_place_is_lost_by_one_who_waits(reason):
    """The callback raises, nobody waits for the answer, or the page is closed."""
    line = AnalysisQueue(Limits(at_once=1, waiting=1))
    told: list[int] = []
    done: list[BaseException] = []
    visitor = Visitor("1.2.3.4", "page", lambda: reason == "gone" and bool(told))

    def tell(before: int, seconds: float) -> None:
        told.append(before)
        if reason == "tell":
            raise ZeroDivisionError

    def wait() -> None:
        try:
            with line.slot(tell, visitor):
                raise AssertionError("it was let through")
        except (ZeroDivisionError, RefusedError) as error:
            done.append(error)

    with line.slot():
        thread = Thread(target=wait)
        thread.start()
        _until(lambda: told)
        if reason == "left":
            line.leave("page")
        thread.join(10)
        assert isinstance(done[0], ZeroDivisionError if reason == "tell" else RefusedError)
        assert len(line._waiting) == 1
    with line.slot():
        pass


def test_one_who_leaves_while_worked_on_is_found_between_two_steps():
    line = AnalysisQueue()
    with line.slot(visitor=Visitor(session="page")) as check:
        check()
        line.leave("other")
        check()
        line.leave("page")
        with pytest.raises(RefusedError, match="left"):
            check()


def test_one_visitor_has_a_share_of_the_places():
    line = AnalysisQueue(Limits(at_once=3, per_visitor=2))
    with line.slot(visitor=Visitor("1.1.1.1")), line.slot(visitor=Visitor("1.1.1.1")):
        with pytest.raises(RefusedError) as refused, line.slot(visitor=Visitor("1.1.1.1")):
            pass
        assert (refused.value.reason, refused.value.values) == ("busy_yourself", {"requests": 2})
        with line.slot(visitor=Visitor("2.2.2.2")):
            pass


def test_heavy_work_runs_alone():
    line = AnalysisQueue(Limits(at_once=2))
    running: list[bool] = []
    seen: list[list[bool]] = []

    def work(is_heavy: bool) -> None:
        with line.slot(is_heavy=is_heavy):
            running.append(is_heavy)
            seen.append([*running])
            time.sleep(0.05)
            running.remove(is_heavy)

    threads = [Thread(target=work, args=(number % 2 == 0,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(seen) == 8 and all(one == [True] or True not in one for one in seen)


def _until(done) -> None:
    for _ in range(200):
        if done():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")
