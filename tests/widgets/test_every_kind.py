"""What every kind of figure hands to a page, and what more than one of them refuses."""

from __future__ import annotations

import base64
import re

import projcomp as pc
import pytest
from projcomp.widgets import bundle

from tests.widgets.kinds import KINDS, html_of, state_of

BACKGROUND, UP = pc.gaussian([0.0, 0.0], 1.0), pc.gaussian([0.0, 2.0], 0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_static_form_holds_state_and_picture(kind):
    figure = KINDS[kind](name="two", alt='A "quoted" <figure> & more.')
    html = html_of(figure)
    state = state_of(html)
    assert state == figure.state()
    assert list(state) == list(figure.STATE)
    assert (state["kind"], state["name"]) == (kind, "two")
    assert 'alt="A &quot;quoted&quot; &lt;figure> &amp; more."' in html
    assert 'class="pc-still"' in html
    picture = base64.b64decode(re.search(r'src="data:image/png;base64,([\w+/=]+)"', html)[1])
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 5000


@pytest.mark.parametrize("kind", KINDS)
def test_the_state_cannot_end_its_script_element(kind):
    assert html_of(KINDS[kind](alt="</script><b>")).count("</script>") == 1


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_in_words_what_it_shows(kind):
    assert repr(KINDS[kind](alt="A view.")) == f"{type(KINDS[kind]()).__name__}: A view."
    assert KINDS[kind]().summary


def test_the_page_knows_these_kinds():
    text = (bundle.FOLDER / bundle.ENTRY).read_text(encoding="utf-8")
    known = re.search(r"^const KINDS = \{(.*)\};$", text, re.M)[1]
    assert set(re.findall(r"(\w+):", known)) == set(KINDS)


@pytest.mark.parametrize(("make", "most"), [(pc.Explorer, 4), (pc.Sandbox, 4), (pc.Square, 2)])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"concepts": []}, "concepts must hold at least one"),
        ({"concepts": UP}, "concepts must be a sequence"),
        ({"concepts": [UP] * 5}, "concepts must be at most {most}, got 5"),
        ({"concepts": [pc.Empirical([[0.0, 0.0]])]}, r"concepts\[0\] must be a Gaussian mixture"),
        ({"background": pc.gaussian([0.0], 1.0)}, r"background must live on R\^2"),
        ({"show": ["glitter"]}, "show must be one of .*'glitter'"),
        ({"operator": "sum"}, "operator must be one of"),
        ({"box": [0, 0, -1, 1]}, r"box must be \(left, bottom, right, top\)"),
        ({"box": [0, 0, 1]}, "box must be"),
        ({"box": 3}, "box must be"),
    ],
)
def test_bad_input(make, most, change, words):
    with pytest.raises(ValueError, match=words.format(most=most)):
        make(**{"background": BACKGROUND, "concepts": [UP], **change})
