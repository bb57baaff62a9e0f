"""The widget of a notebook, without a browser: what a comm would carry is passed by hand."""

import subprocess
import sys

import numpy as np
import pytest

from varconvex import Session, segment
from varconvex.errors import InvalidParameterError, MissingExtraError, UnknownKeywordError
from varconvex.widget import annotate, part
from varconvex.widget.messages import frame, unframe


def test_a_missing_extra_is_named(two_blobs, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(MissingExtraError, match="pip install anywidget, or the extra widget"):
        annotate(two_blobs[0])


def test_importing_needs_no_extra():
    code = (
        "import sys; import varconvex.widget, varconvex.widget.exchange, varconvex.annotate;"
        "assert not {'anywidget', 'ipywidgets', 'IPython'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_script_is_one_module_without_addresses():
    script, style = part("canvas.js"), part("canvas.css")
    assert "export default { render }" in script
    for forbidden in ("innerHTML", "insertAdjacentHTML", "outerHTML", "document.write", "eval(", "new Function"):
        assert forbidden not in script
    addresses = script.replace("http://www.w3.org/2000/svg", "") + style
    assert "://" not in addresses
    assert "import " not in script.replace("import.meta", "")


@pytest.fixture
def widget(two_blobs, monkeypatch):
    pytest.importorskip("anywidget")
    made = annotate(two_blobs[0], labels={2: "<img src=x onerror=alert(1)>", 3: "other"})
    sent = []
    monkeypatch.setattr(made, "send", lambda content, buffers: sent.extend(unframe(b) for b in buffers))
    made.sent = sent
    yield made
    made.close()


def stroke(number, label, *points):
    header = {"view": "aaaa0001", "id": number, "label": label, "width": 4, "axis": 0, "index": 0}
    return frame("stroke", header, [np.array(points, "<f4").tobytes()])


def test_strokes_in_results_out(widget, two_blobs):
    assert widget.result is None
    view = {"view": "aaaa0001", "axis": 0, "index": 0, "mode": "labels", "fresh": True}
    for data in (frame("view", view), stroke(1, 1, (6, 6), (6, 110), (84, 110)), stroke(2, 2, (40, 30), (40, 50))):
        widget._handle_custom_msg({}, [memoryview(data)])
    assert widget.wait(30)
    expected = segment(two_blobs[0], widget.scribbles)
    np.testing.assert_array_equal(widget.result.labels, expected.labels)
    assert widget.labels == {1: "background", 2: "<img src=x onerror=alert(1)>", 3: "other"}
    assert {"image", "state", "seeds", "answer"} <= {header["kind"] for header, _ in widget.sent}
    widget._handle_custom_msg({}, [b"nonsense"])
    widget._handle_custom_msg({"any": "thing"}, None)
    assert widget.sent[-1][0]["kind"] == "said"


def test_strokes_from_python_are_shown_after_refresh(widget):
    view = {"view": "aaaa0001", "axis": 0, "index": 0, "mode": "labels", "fresh": True}
    widget._handle_custom_msg({}, [frame("view", view)])
    widget.session.add([(6, 6), (6, 110)], "background")
    widget.session.add([(40, 30), (40, 50)], "object")
    widget.refresh()
    assert widget.wait(30)
    assert [header["kind"] for header, _ in widget.sent].count("answer") >= 1


def test_a_session_is_gone_on_with(two_blobs):
    pytest.importorskip("anywidget")
    session = Session(two_blobs[0], shape="hull")
    session.add([(40, 30), (40, 50)], 4)
    widget = annotate(session)
    assert widget.session is session
    assert widget.labels == {1: "background", 2: "object", 4: "object 3"}
    widget.close()


def test_bad_arguments_are_named(two_blobs):
    pytest.importorskip("anywidget")
    with pytest.raises(UnknownKeywordError, match="shap"):
        annotate(two_blobs[0], shap="convex")
    with pytest.raises(InvalidParameterError, match="height"):
        annotate(two_blobs[0], height=3)
    with pytest.raises(InvalidParameterError, match="name"):
        annotate(two_blobs[0], labels={2: ""})
    with pytest.raises(InvalidParameterError, match="keywords"):
        annotate(Session(two_blobs[0]), shape="hull")
