"""The loop of the tools that count, and the reader of what they wrote."""

import json
import math
import sys
from pathlib import Path

import pytest
import torch
from projcomp._counted import Counted, counted

TOOLS = Path(__file__).resolve().parents[1] / "tools"
sys.path.insert(0, str(TOOLS))

import counting  # noqa: E402

TOOL = """
import torch
from counting import Job

def draw(item, generator):
    return [float(torch.rand((), generator=generator)), None if item == 2 else float(item)]

def jobs():
    whole = Job(("share", "item"), [1, 2, 5], draw, n=4, whole=True)
    return {"a/one": lambda: Job(("share", "item"), [1, 2, 5], draw, n=4), "b/two": lambda: whole}
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The command of a small tool, with some arguments: what its file holds then."""
    (tmp_path / "count_little.py").write_text(TOOL)
    monkeypatch.syspath_prepend(str(tmp_path))
    threads = torch.get_num_threads()

    def command(*arguments):
        import count_little

        file = tmp_path / "little.json"
        monkeypatch.setattr(sys, "argv", ["count_little", *arguments])
        counting.main("count_little", "Counts little.", count_little.jobs(), file)
        return json.loads(file.read_text())

    yield command
    sys.modules.pop("count_little", None)
    torch.set_num_threads(threads)


def test_what_is_there_is_not_done_again(run, tmp_path, capsys):
    first = run("--only", "b")
    assert list(first) == ["b/two"] and first["b/two"]["n"] == 4
    assert [row[1] for row in first["b/two"]["found"]] == [1.0, None, 5.0]
    changed = first | {"b/two": first["b/two"] | {"found": [[0.5, 1], [0.5, 2], [0.5, 3]]}}
    (tmp_path / "little.json").write_text(json.dumps(changed))
    both = run()
    assert both["b/two"]["found"][0] == [0.5, 1] and list(both) == ["b/two", "a/one"]
    assert run("--again", "--only", "b") == first
    assert "b/two: share" in capsys.readouterr().out


def test_how_many_processes_share_the_items_changes_nothing(run):
    assert run("--again") == run("--again", "--workers", "2")


def test_parts_and_items_have_randomness_of_their_own(run):
    found = run()
    draws = [row[0] for part in found.values() for row in part["found"]]
    assert len(set(draws)) == 6


def test_what_is_not_finite_is_refused():
    job = counting.Job(("share",), [1], lambda item, generator: [math.inf])
    with pytest.raises(ValueError, match="a/b, 1: not finite"):
        counting.trial("a/b", job, 1)


def test_shares_have_the_wider_of_two_intervals():
    """Few prompts that agree by chance, and few that differ more than samples do."""
    alike = Counted(("right",), (1, 2, 3), torch.full((3, 1), 1.0).double(), n=5)
    mean, low, high = alike.share("right")
    assert (mean, high) == (1.0, 1.0) and 0.75 < low < 0.85  # Wilson's of 15 of 15
    apart = Counted(("right",), (1, 2, 3), torch.tensor([[0.0], [1.0], [0.5]]).double(), n=1000)
    mean, low, high = apart.share("right")
    assert mean == 0.5 and (low, high) == (0.0, 1.0)
    some = Counted(("right",), (1, 2), torch.tensor([[math.nan], [0.25]]).double(), n=100)
    mean, low, high = some.share("right")
    assert mean == 0.25 and 0.17 < low < 0.18 and 0.34 < high < 0.35
    none = Counted(("right",), (1,), torch.full((1, 1), math.nan).double())
    assert all(map(math.isnan, none.share("right")))


def test_what_is_stored_is_read(tmp_path):
    part = {"columns": ["right", "cube"], "items": ["a ball"], "found": [[0.5, None]], "n": 8}
    (tmp_path / "good.json").write_text(json.dumps({"part": part}))
    read = counted(tmp_path / "good.json", "count_little.py")["part"]
    assert read.n == 8 and read.items == ("a ball",) and read.column("cube").isnan().all()
    with pytest.raises(ValueError, match=r"tools/count_little\.py has written"):
        counted(tmp_path / "none.json", "count_little.py")
