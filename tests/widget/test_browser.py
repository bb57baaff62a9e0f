"""The canvas in a real browser, on the local page and in JupyterLab; skipped without Chromium and playwright."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest

from benchmarks import browser as driver
from varconvex import Session
from varconvex.scribbles import brush_stroke
from varconvex.widget.labels import first_labels
from varconvex.widget.page import Page

pytest.importorskip("playwright", reason="the canvas is tested in a browser with the extra `browser`")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="the canvas is tested in Chromium, which is not installed")


@pytest.fixture(scope="module")
def context():
    with driver.browser(CHROMIUM) as opened:
        yield opened


class Desk:
    """A page with a session, its tab, and a pen over it."""

    def __init__(self, context, session, labels=None):
        self.context, self.session = context, session
        self.page = Page(session)
        if labels:
            self.page.exchange.labels = first_labels(labels)
        self.tab, self.troubles = context.new_page(), []
        self.tab.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.tab.on("console", lambda said: self.troubles.append(said.text) if said.type == "error" else None)
        self.open()

    def open(self):
        self.tab.goto(self.page.address)
        driver.wait_for(self.tab, "Boolean(window.varconvex && window.varconvex.picture)")
        rows, columns = self.tab.evaluate("[varconvex.rows, varconvex.columns]")
        self.pen = driver.Pen(self.tab, rows, columns)

    def settle(self):
        driver.wait_for(self.tab, "varconvex.id === varconvex.seen && varconvex.pending.length === 0")
        self.pen.settle()

    def press(self, *keys):
        self.tab.locator(".vc-stage").focus()
        for key in keys:
            self.tab.keyboard.press(key)

    def draw(self, label, *line):
        self.pen.draw(label, list(line), wait=False)

    def close(self):
        self.tab.close()
        self.page.close()


@pytest.fixture
def desk(context, two_blobs):
    made = Desk(context, Session(two_blobs[0]))
    yield made
    made.close()
    assert not made.troubles


OBJECT, SIDES = [(40, 30), (40, 50)], [(6, 6), (6, 110), (84, 110)]


def colour_at(tab, row, column):
    """Red, green and blue of the lower layer where a pixel of the image is."""
    return tab.evaluate(
        """([row, column]) => {
        const v = varconvex, ratio = devicePixelRatio;
        const x = v.offset[0] + (column + .5) * v.scale, y = v.offset[1] + (row + .5) * v.scale;
        const [left, top] = [x * ratio, y * ratio].map(Math.round);
        return [...v.base.getContext("2d").getImageData(left, top, 1, 1).data].slice(0, 3);
        }""",
        [row, column],
    )


def test_a_stroke_covers_the_pixels_under_the_pen_and_the_answer_is_drawn(desk):
    desk.tab.evaluate("varconvex.setBrush(7); varconvex.opacity = 1")
    before = colour_at(desk.tab, 30, 40)
    desk.draw(1, *SIDES)
    desk.pen.draw(2, OBJECT)
    desk.settle()
    seeds = desk.session.scribbles
    for label, line in ((1, SIDES), (2, OBJECT)):
        inner, outer = (brush_stroke(np.array(line, float), seeds.shape, width) for width in (5, 9))
        assert (seeds[inner] == label).all()
        assert outer[seeds == label].all()
    after = colour_at(desk.tab, 30, 40)
    assert desk.session.result.labels[30, 40] == 2
    assert np.abs(np.subtract(after, before)).max() > 20  # its red is purer
    assert "gap" in desk.tab.locator(".vc-numbers").text_content()


def test_keys(desk):
    desk.press("1", "[", "[")
    assert desk.tab.evaluate("varconvex.label") == 1
    desk.pen.label = 1
    desk.draw(1, *SIDES)
    desk.press("2")
    desk.pen.label = 2
    desk.draw(2, *OBJECT)
    desk.settle()
    both = desk.session.scribbles
    desk.press("e", "]", "]", "]", "]", "]", "]")
    desk.draw(2, *OBJECT)
    desk.settle()
    assert set(np.unique(desk.session.scribbles)) == {0, 1}
    desk.press("Control+z")
    desk.settle()
    np.testing.assert_array_equal(desk.session.scribbles, both)
    desk.press("Control+z", "Control+z", "Control+Shift+z", "Control+y")
    desk.settle()
    np.testing.assert_array_equal(desk.session.scribbles, both)
    desk.press("o")
    assert desk.tab.evaluate("varconvex.mode") == "outline"
    desk.press("o")
    driver.wait_for(desk.tab, "Boolean(varconvex.answer && varconvex.answer.certainty)")
    desk.press("?", "h")
    assert desk.tab.locator(".vc-help").is_visible()


def test_zoomed_and_moved_a_stroke_is_where_it_was_drawn(desk):
    desk.press("+", "+", "+")
    box = desk.tab.locator(".vc-stage").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    desk.tab.mouse.move(x, y)
    desk.tab.keyboard.down("Space")
    desk.tab.mouse.down()
    desk.tab.mouse.move(x + 60, y + 40, steps=4)
    desk.tab.mouse.up()
    desk.tab.keyboard.up("Space")
    desk.tab.mouse.wheel(0, -60)
    row, column = desk.tab.evaluate(f"varconvex.pixel([{x - box['x']}, {y - box['y']}])")
    scale = desk.tab.evaluate("varconvex.scale / varconvex.fitScale()")
    assert scale > 1.9
    desk.tab.mouse.move(x, y)
    desk.tab.mouse.down()
    desk.tab.mouse.up()
    desk.settle()
    drawn = np.argwhere(desk.session.scribbles == 2)
    np.testing.assert_allclose(drawn.mean(axis=0), (row, column), atol=1)
    desk.press("0")
    assert desk.tab.evaluate("varconvex.scale === varconvex.fitScale()")


@pytest.mark.filterwarnings("ignore::varconvex.errors.ConvergenceWarning")
def test_warnings_of_the_answer_are_shown_as_text(context, two_blobs):
    desk = Desk(context, Session(two_blobs[0], max_iter=1, tol=1e-9))
    desk.draw(1, *SIDES)
    desk.pen.draw(2, OBJECT)
    desk.settle()
    said = desk.tab.locator(".vc-said.vc-warning")
    assert "max_iter" in said.text_content()
    assert said.locator("*").count() == 0
    desk.press("Control+z")
    desk.settle()
    assert desk.tab.locator(".vc-warning").count() == 0
    desk.close()


def test_names_of_labels_are_text(context, two_blobs):
    name = '<img src=x onerror="window.hacked=1"><b>'
    desk = Desk(context, Session(two_blobs[0]), labels={2: name})
    chip = desk.tab.locator('.vc-chip[data-label="2"]')
    assert chip.text_content() == name
    chip.dblclick()
    desk.tab.locator(".vc-rename").fill("<script>window.hacked=1</script>")
    desk.tab.locator(".vc-rename").press("Enter")
    desk.settle()
    assert desk.page.exchange.labels[1].name == "<script>window.hacked=1</script>"
    assert desk.tab.evaluate("window.hacked === undefined && !document.querySelector('.vc img, .vc b, .vc script')")
    desk.tab.get_by_label("another object").click()
    desk.settle()
    assert [label.id for label in desk.page.exchange.labels] == [1, 2, 3]
    desk.close()
    assert not desk.troubles


def test_the_shapes_that_objects_nearly_have_are_told_as_text(context, two_blobs):
    name = "<img src=x onerror=window.hacked=1>"
    desk = Desk(context, Session(two_blobs[0]), labels={2: name, 3: "other"})
    for label, line in ((1, SIDES), (2, OBJECT), (3, [(60, 90), (60, 100)])):
        desk.draw(label, *line)
    driver.wait_for(desk.tab, "varconvex.nearly.textContent !== ''")
    said = desk.tab.locator(".vc-nearly").text_content()
    assert said.startswith(f"nearly {name} ellipse, convex, symmetric; other ")
    assert desk.tab.evaluate("window.hacked === undefined && !document.querySelector('.vc img')")
    desk.draw(1, (6, 6), (8, 8))
    driver.wait_for(desk.tab, "varconvex.nearly.textContent === ''")
    desk.settle()
    desk.close()
    assert not desk.troubles


def test_a_page_that_is_loaded_again_has_everything(desk):
    desk.draw(1, *SIDES)
    desk.pen.draw(2, OBJECT)
    desk.settle()
    seeds, answer = (desk.tab.evaluate(f"Array.from(varconvex.{name}.values)") for name in ("seeds", "answer"))
    desk.tab.reload()
    driver.wait_for(desk.tab, "Boolean(window.varconvex && window.varconvex.answer && window.varconvex.seeds)")
    assert desk.tab.evaluate("Array.from(varconvex.seeds.values)") == seeds
    assert desk.tab.evaluate("Array.from(varconvex.answer.values)") == answer
    assert not desk.tab.locator(".vc-offer").is_visible()


def test_a_stroke_that_is_cut_off_counts(desk):
    """By the system, which takes the pointer away, and by closing the tab while the pen is down."""
    desk.tab.evaluate(
        """() => { const stage = document.querySelector(".vc-stage"), box = stage.getBoundingClientRect();
        const say = (type, x, y) => stage.dispatchEvent(new PointerEvent(type, { pointerId: 7, pointerType: "touch",
            clientX: box.left + x, clientY: box.top + y, buttons: 1, bubbles: true }));
        say("pointerdown", 300, 300); say("pointermove", 350, 300); say("pointercancel", 350, 300); }"""
    )
    desk.settle()
    first = np.count_nonzero(desk.session.scribbles)
    assert first
    desk.tab.mouse.move(*desk.pen.place(10, 20))
    desk.tab.mouse.down()
    desk.tab.mouse.move(*desk.pen.place(10, 60), steps=5)
    desk.tab.close(run_before_unload=True)
    for _ in range(100):
        if np.count_nonzero(desk.session.scribbles[8:13, 20:60]):
            break
        desk.page.exchange.wait(0.05)
        desk.context.pages[0].wait_for_timeout(50)
    assert desk.session.scribbles[10, 20:58].all()
    assert np.count_nonzero(desk.session.scribbles) > first


def test_fingers_draw_and_pinch(desk):
    touch = desk.context.new_cdp_session(desk.tab)

    def say(kind, *places):
        points = [{"x": x, "y": y, "id": k} for k, (x, y) in enumerate(places)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    a, b = desk.pen.place(40, 30), desk.pen.place(40, 50)
    say("touchStart", a)
    say("touchMove", b)
    say("touchEnd")
    desk.settle()
    assert (desk.session.scribbles[40, 31:50] == 2).all()
    version = desk.session.version
    say("touchStart", a, b)
    say("touchMove", (a[0] - 40, a[1]), (b[0] + 40, b[1]))
    say("touchEnd")
    assert desk.tab.evaluate("varconvex.scale / varconvex.fitScale()") > 1.3
    assert desk.session.version == version


def test_fifty_strokes_in_two_seconds(desk):
    desk.draw(1, *SIDES)
    for k in range(50):
        desk.draw(2, (36 + k // 10, 30 + 2 * (k % 10)))
    desk.settle()
    assert np.count_nonzero(desk.session.scribbles == 2) > 100
    answer = desk.tab.evaluate("Array.from(varconvex.answer.values)")
    np.testing.assert_array_equal(np.reshape(answer, (90, 120)), desk.session.result.labels)


def test_a_volume_is_shown_in_any_plane(context, rng):
    volume = rng.normal(size=(8, 40, 48))
    volume[2:6, 10:30, 12:36] += 6
    desk = Desk(context, Session(volume))
    driver.wait_for(desk.tab, "varconvex.index === 4 && Boolean(varconvex.seeds)")
    desk.draw(2, (20, 18), (20, 28))
    desk.settle()
    assert set(np.argwhere(desk.session.scribbles == 2)[:, 0]) == {4}
    desk.press("ArrowUp", "ArrowUp")
    desk.draw(1, (4, 4), (4, 40))
    desk.settle()
    assert set(np.argwhere(desk.session.scribbles == 1)[:, 0]) == {6}
    desk.tab.get_by_label("plane").select_option("1")
    driver.wait_for(desk.tab, "varconvex.axis === 1 && varconvex.rows === 8 && Boolean(varconvex.answer)")
    answer = desk.tab.evaluate("Array.from(varconvex.answer.values)")
    np.testing.assert_array_equal(np.reshape(answer, (8, 48)), desk.session.result.labels[:, 20])
    desk.close()
    assert not desk.troubles


def test_the_end_of_the_program_is_said_and_strokes_stay(context, two_blobs):
    desk = Desk(context, Session(two_blobs[0]))
    desk.draw(1, *SIDES)
    desk.settle()
    desk.page.close()
    driver.wait_for(desk.tab, "document.querySelector('.vc-said').textContent.startsWith('The program has ended')")
    desk.draw(2, *OBJECT)
    assert desk.tab.evaluate("varconvex.pending.length") == 1
    desk.tab.close()


@pytest.mark.slow
def test_in_jupyterlab_strokes_outlive_the_page_and_the_kernel(context):
    pytest.importorskip("jupyterlab", reason="the widget is tested in JupyterLab with the extra `browser`")
    with tempfile.TemporaryDirectory() as folder, driver.jupyterlab(Path(folder), shape=None) as address:
        tab = context.new_page()
        driver.run_notebook(tab, address)
        pen = driver.Pen(tab)
        pen.session(1)
        tab.keyboard.press("Control+s")  # the notebook's key, though the canvas has the focus
        tab.wait_for_timeout(1000)
        tab.reload()
        tab.locator(".vc-numbers", has_text="ms").first.wait_for(timeout=60_000)
        driver.Pen(tab).draw(2, [(180, 250), (200, 260)])
        tab.locator("[data-jp-item-name='restart']").first.click()
        tab.wait_for_timeout(500)
        tab.keyboard.press("Enter")
        tab.locator(".vc-said", has_text="run the cell again").wait_for(timeout=20_000)
        tab.wait_for_timeout(1000)
        driver.wait_for(tab, driver.IDLE)  # JupyterLab 4.6 loses the messages of cells that are run before
        tab.locator(".jp-Cell .cm-content").first.click()
        tab.keyboard.press("Shift+Enter")
        tab.get_by_role("button", name="Restore").click(timeout=60_000)
        tab.locator(".vc-numbers", has_text="ms").first.wait_for(timeout=60_000)
        tab.close()
