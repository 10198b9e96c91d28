"""The one way in which commands read their arguments and end."""

import pytest

from marrow.command import Command
from marrow.errors import MarrowError

DOC = """Count cells.

python -m count --number 3
"""


def command() -> Command:
    made = Command("count", DOC)
    made.add_argument("--number", type=int, required=True)
    return made


def test_help_shows_what_it_is_for_and_an_example(capsys):
    with pytest.raises(SystemExit) as end:
        command().run(lambda options: 0, ["--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert "Count cells." in shown and shown.rstrip().endswith("python -m count --number 3")


@pytest.mark.parametrize("arguments", [[], ["--number", "many"], ["--numbr", "3"]])
def test_arguments_that_it_cannot_take_end_in_one_line(capsys, arguments):
    with pytest.raises(SystemExit) as end:
        command().run(lambda options: 0, arguments)
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("count: ") and line.endswith("(see count --help)")


def test_the_exit_code_is_that_of_the_work(capsys):
    def work(options):
        if options.number == 7:
            raise MarrowError("Seven is too many: give less.")
        return options.number

    assert [command().run(work, ["--number", n]) for n in ("0", "3", "7")] == [0, 3, 2]
    assert capsys.readouterr().err == "count: Seven is too many: give less.\n"
    assert command().run(lambda options: None, ["--number", "1"]) == 0


def test_ctrl_c_ends_quietly(capsys):
    def interrupted(options):
        raise KeyboardInterrupt

    assert command().run(interrupted, ["--number", "1"]) == 130
    assert capsys.readouterr().err == ""


def test_a_subcommand_has_a_help_of_its_own(capsys):
    made = Command("count")
    made.add_subparsers(required=True).add_parser("cells", help="count them", doc=DOC)
    with pytest.raises(SystemExit):
        made.run(lambda options: 0, ["cells", "--help"])
    shown = capsys.readouterr().out
    assert shown.startswith("usage: count cells") and shown.rstrip().endswith("python -m count --number 3")
    with pytest.raises(SystemExit):
        made.run(lambda options: 0, ["cells", "--number", "3"])
    assert capsys.readouterr().err.startswith("count: ")
