"""The same batch on a real Dask cluster."""

import pytest

from varconvex.batch import run
from varconvex.errors import BackendUnavailableError
from varconvex.io import read_image


@pytest.mark.slow
def test_a_cluster_gives_the_same_results(draw, tmp_path):
    distributed = pytest.importorskip("distributed")
    folder = tmp_path / "photos"
    for k in range(8):
        draw(folder, f"{k}", seed=k)
    (folder / "3.png").write_bytes(b"no image")
    run(folder, tmp_path / "here")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        summary = run(folder, tmp_path / "there", dask=cluster.scheduler_address)
        assert (summary.done, list(summary.failures)) == (7, ["3.png"])
        assert run(folder, tmp_path / "there", dask=cluster.scheduler_address).reused == 7
    for path in (tmp_path / "here").glob("*.png"):
        assert (read_image(path) == read_image(tmp_path / "there" / path.name)).all()


def test_a_cluster_that_does_not_answer_is_named(photos, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("varconvex.batch.on_dask.TIMEOUT", 0.2)
    for address in ("tcp://127.0.0.1:9", "nowhere", "ftp://x:1"):
        with pytest.raises(BackendUnavailableError, match="address of a Dask scheduler that answers"):
            run(photos[0], tmp_path / "out", dask=address)
