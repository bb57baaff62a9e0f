"""How soon strokes are answered: whole calls beside cv2.grabCut, one more stroke, previews, interruptions, time limits.

    python -m benchmarks.interactive --data DIR [--parts calls strokes convex waits limits tools] [--threads 2]

DIR is a folder of samples, or of such folders, as for `benchmarks.quality`. On photographs spread evenly over it a
`Session` gets the strokes of the sample, then ten more where its answer is wrong; each answer is compared with that of
a fresh call. With convex the truth is the object's hull. The rest is measured on the photograph of `problems`, tools
beside each other on that of the demonstration (`latencies`).
Contenders take turns within one run, threads are pinned, everything is compiled before. Prints tables and, at the end,
the lines that it is held to. Ratios travel between machines; seconds do not.
"""

import argparse
import json
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ._environment import describe, pin

# What reads the number of threads when it is loaded (NumPy, Numba and all that need them) is imported after `pin`.

_PARTS = ("calls", "strokes", "convex", "waits", "limits", "tools")
_LIMITS = (0.0, 0.05, 0.1, 0.2, 0.5, 1.0)
_KEYWORDS: tuple[dict[str, Any], ...] = (
    {},
    {"shape": "convex"},
    {"unify": "joint"},
    {"shape": "hull"},
    {"shape": "polygon"},
    {"shape": "convex", "unify": "sequential"},
)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark."""
    options = _options(argv)
    pin(options.threads)
    from varconvex.errors import FileFormatError, VarconvexWarning

    record: dict[str, Any] = {"environment": describe()}
    print(f"{record['environment']['processor']}, {record['environment']['threads']} threads")
    parts = {
        "calls": lambda: [calls(side, options.rounds) for side in options.sizes],
        "strokes": lambda: list(strokes(options, None)),
        "convex": lambda: list(strokes(options, "convex")),
        "waits": lambda: [waits(side, options.strokes) for side in options.sizes],
        "limits": lambda: [limits(side, keywords) for side in options.sizes for keywords in _KEYWORDS],
        "tools": lambda: _latencies(options.strokes),
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VarconvexWarning)
            for name in (name for name in _PARTS if name in options.parts):
                record[name] = parts[name]()
                if options.json:  # after each part, lest an interrupt costs all of them
                    options.json.write_text(json.dumps(record, indent=1) + "\n")
    except FileFormatError as error:
        print(f"benchmarks.interactive: error: {error}", file=sys.stderr)
        return 2
    from .verdict import interactive_lines

    print("\nwhat answers to strokes are held to")
    print("\n".join(str(line) for line in interactive_lines(record)))
    return 0


def _latencies(count: int) -> dict[str, Any]:
    from .latencies import latencies

    return latencies(count)


def calls(side: int, rounds: int) -> dict[str, Any]:
    """Whole calls and cv2.grabCut in turns; ratios of seconds round by round, and where the time goes."""
    import numpy as np

    from varconvex import segment

    from .calls import calls as contenders_of
    from .problems import segmentation
    from .timing import interleave

    case = segmentation(side)
    labels = case.strokes.astype(int)
    known = contenders_of(case)
    contenders = {
        "segment": known["segment"],
        "convex": lambda: segment(case.image, labels, shape="convex"),
        "cv2.grabCut": known["cv2.grabCut"],
    }
    for call in contenders.values():
        call()
    timed = interleave(contenders, rounds, label=f"{side}²")
    theirs = np.array(timed["cv2.grabCut"].seconds)
    ratios = {name: float(np.median(theirs / one.seconds)) for name, one in timed.items()}
    stages = dict(timed["segment"].answer.seconds)
    print(
        f"\n{side}²: cv2.grabCut takes " + ", ".join(f"{r:.1f} x {n}" for n, r in ratios.items() if n != "cv2.grabCut")
    )
    print("   " + ", ".join(f"{stage} {1000 * seconds:.0f} ms" for stage, seconds in stages.items()))
    return {
        "side": side,
        "ratios": ratios,
        "stages": stages,
        "timed": {name: one.summary() for name, one in timed.items()},
    }


def strokes(options: argparse.Namespace, shape: str | None) -> Iterator[dict[str, Any]]:
    """One row a photograph: seconds of the first call and of each further stroke, beside a fresh call's answer."""
    import numpy as np

    from varconvex.datasets.folders import list_folder
    from varconvex.errors import ScribbleConflictError

    from .quality import collections

    entries = [entry for folder, name in collections(options.data) for entry in list_folder(folder, name)]
    print(f"\none more stroke, {'no shape' if shape is None else shape}: seconds beside the first call's")
    print(f"{'':<26}{'first':>8}{'median':>8}{'most':>8}{'preview':>9}{'fresh':>8}{'differ':>10}{'energy':>10}")
    taken = 0
    for i in np.argsort(np.arange(len(entries)) * 0.6180339887 % 1):  # evenly, however many there are
        if taken == options.limit:
            return
        try:
            row = _photograph(entries[i].read(), shape, options.strokes)
        except ScribbleConflictError:  # no convex set can hold the strokes of this sample
            continue
        taken += 1
        further = [answer["seconds"] / row["first"] for answer in row["answers"]]
        print(
            f"{row['name'][:25]:<26}{row['first']:>7.3f}s{np.median(further):>8.2f}{max(further):>8.2f}"
            f"{np.median([a['preview'] for a in row['answers']]):>8.3f}s"
            f"{np.median([a['fresh'] for a in row['answers']]) / row['first']:>8.2f}"
            f"{max(a['differ'] for a in row['answers']):>10.2%}{max(a['energy'] for a in row['answers']):>10.1e}"
        )
        yield row


def _photograph(sample: Any, shape: str | None, count: int) -> dict[str, Any]:
    """The answers of one session, beside those of fresh calls."""
    import numpy as np

    from varconvex import Session, segment
    from varconvex.geometry.certify import fill_hull

    from ._strokes import correction

    truth = sample.truth if shape is None else fill_hull(sample.truth)
    first = []
    for _ in range(3):
        session = Session(sample.image, shape)
        for label in (1, 2):
            session.add(sample.scribbles == label, label)
        begin = time.perf_counter()
        segment(sample.image, sample.scribbles, shape=shape)
        first.append(time.perf_counter() - begin)
    answers, result = [], session.result
    assert result is not None
    for _ in range(count):
        session.add(*correction(result.mask, truth, sample.scored, session.scribbles))
        begin = time.perf_counter()
        session.preview()
        between = time.perf_counter()
        result = session.result
        end = time.perf_counter()
        fresh = segment(sample.image, session.scribbles, shape=shape)
        assert result is not None
        answers.append(
            {
                "preview": between - begin,
                "seconds": end - begin,  # the preview may have been the result already
                "likelihood": result.seconds.get("likelihood", 0.0) + result.seconds.get("learn", 0.0),
                "fresh": time.perf_counter() - end,
                "differ": float((result.labels != fresh.labels).mean()),
                "energy": _excess(result, fresh, sample.image),
            }
        )
    return {"name": sample.name, "pixels": result.labels.size, "first": float(np.median(first[1:])), "answers": answers}


def _excess(result: Any, fresh: Any, image: Any) -> float:
    """Energy of the labels by the costs of a fresh call, above that of the fresh call's own, as a share of its size."""
    import numpy as np

    from varconvex.inputs import prepare
    from varconvex.predictors.appearance.base import GivenCosts
    from varconvex.predictors.energy import EnergyPredictor, default_alpha

    scene = prepare(image, fresh.seeds.astype(int))
    predictor = EnergyPredictor(GivenCosts(fresh.costs), default_alpha(scene))
    costs = fresh.costs - fresh.costs[0]  # one label's cost is a constant of the energy

    def energy(labels: Any) -> float:
        index = np.searchsorted(fresh.label_ids, labels)
        data = np.take_along_axis(costs, index[None], axis=0).sum(dtype=np.float64)
        return float(data) + predictor.boundary(scene, index)

    expected = energy(fresh.labels)
    return (energy(result.labels) - expected) / max(abs(expected), 1e-9)


def waits(side: int, count: int) -> dict[str, Any]:
    """Seconds until a preview is there, and until a solve that is cancelled has ended, at times spread over it."""
    import numpy as np

    from varconvex import Session

    from .problems import segmentation

    case, rng = segmentation(side), np.random.default_rng(0)
    row: dict[str, Any] = {"side": side}
    for shape in (None, "convex"):
        session = Session(case.image, shape)
        for label in (1, 2):
            session.add(case.strokes == label, label)
        begin = time.perf_counter()
        session.preview()
        previews, begin = [time.perf_counter() - begin], time.perf_counter()
        full = 0.0 if session.result is None else time.perf_counter() - begin
        stopped = []
        for k in range(count):
            session.add([(3, 3 + k)], 1)
            begin = time.perf_counter()
            session.preview()
            previews.append(time.perf_counter() - begin)
            stopped.append(_until_stopped(session, full * float(rng.uniform(0, 0.9))))
        row[shape or "no shape"] = {"full": full, "previews": previews, "stopped": stopped}
        print(
            f"\n{side}², {shape or 'no shape'}: result {full:.2f} s, preview {np.median(previews):.3f} s (first "
            f"{previews[0]:.3f}), cancelled {1000 * np.median(stopped):.0f} ms (most {1000 * max(stopped):.0f})"
        )
    row["recorded"] = _recorded(case.image)
    print(f"{side}²: 50 strokes one by one, or at once: {row['recorded']:.2%} of the pixels differ")
    return row


def _until_stopped(session: Any, after: float) -> float:
    """Seconds from `cancel`, called `after` so many seconds, to the end of the solve."""
    ended = []

    def solve() -> None:
        ended.append((session.result, time.perf_counter()))

    thread = threading.Thread(target=solve)
    thread.start()
    time.sleep(after)
    begin = time.perf_counter()
    session.cancel()
    thread.join()
    return max(ended[0][1] - begin, 0.0)


def _recorded(image: Any) -> float:
    """Share of pixels that differ between 50 strokes that came while it was solved, and the same given at once."""
    import numpy as np

    from varconvex import Session, segment

    session, rng = Session(image), np.random.default_rng(1)
    for k in range(50):
        session.add(rng.uniform(0, image.shape[:2], (3, 2)), 1 + k % 2)
        session.preview(lambda result, version: None)
        time.sleep(0.02)
    assert session.result is not None
    return float((session.result.labels != segment(image, session.scribbles).labels).mean())


def limits(side: int, keywords: dict[str, Any]) -> dict[str, Any]:
    """Seconds of whole calls beyond their time limit."""
    from varconvex import segment

    from .problems import segmentation

    case = segmentation(side)
    labels = case.strokes.astype(int)
    for limit in (None, 0.01):  # compiled
        segment(case.image, labels, time_limit=limit, **keywords)
    over = {}
    for limit in _LIMITS:
        begin = time.perf_counter()
        segment(case.image, labels, time_limit=limit, **keywords)
        over[limit] = time.perf_counter() - begin - limit
    name = ", ".join(f"{k}={v!r}" for k, v in keywords.items()) or "defaults"
    print(f"{side}², {name}: beyond time_limit " + ", ".join(f"{k:g}: {max(v, 0):.2f} s" for k, v in over.items()))
    return {"side": side, "keywords": name, "over": over}


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.interactive", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--data", type=Path, metavar="DIR", help="a folder of samples, or of such folders; for strokes and convex")
    add("--parts", nargs="+", choices=_PARTS, default=_PARTS, metavar="PART", help=f"of {', '.join(_PARTS)}")
    add("--sizes", type=int, nargs="+", default=[512, 1024], metavar="N", help="sides of the image of `problems`")
    add("--rounds", type=int, default=5, metavar="N", help="times that each contender has its turn (default: 5)")
    add("--limit", type=int, default=15, metavar="N", help="photographs (default: 15)")
    add("--strokes", type=int, default=10, metavar="N", help="further strokes on each (default: 10)")
    add("--threads", type=int, metavar="N", help="default: NUMBA_NUM_THREADS, or all processors")
    add("--json", type=Path, metavar="FILE", help="also write the figures")
    options = parser.parse_args(argv)
    if options.data is None and {"strokes", "convex"} & set(options.parts):
        parser.error("strokes and convex need --data DIR; got none. Name a folder, or other --parts.")
    return options


if __name__ == "__main__":
    raise SystemExit(main())
