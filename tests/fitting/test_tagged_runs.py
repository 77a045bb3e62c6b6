"""A tagger in the service: runs of jets beside the jets that it kept from training, in the store and on pages."""

from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from tests.jets import NAMES, jets

from lynkeus.core import SettingsError, Source, SourceError, Verdict
from lynkeus.core.progress import silent
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.tagged_runs import LOG_ODDS, monitor_of, runs_of_jets
from lynkeus.fitting.verdicts import RunVerdicts
from lynkeus.monitor.folders.runs import WatchedRuns
from lynkeus.monitor.folders.watch import watch_folder
from lynkeus.monitor.store import Store
from lynkeus.sources import InMemory
from lynkeus.transforms.jets.vary import fewer_tracks
from lynkeus.web.app import create_app


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    fitted = fit(InMemory(jets(4000, 1), 256), FitSettings("jet_mass"))
    folder = tmp_path_factory.mktemp("tagger") / "MASS"
    fitted.save(folder)
    return Fitted.load(folder)


def opened(path: Path) -> Source:
    """The jets that the name of a file says: NUMBER_HOW; files of any other name cannot be read."""
    number, _, how = path.stem.partition("_")
    if how == "broken":
        raise SourceError(f"{path}: is not complete")
    batch = jets(3 if how == "few" else 200, 50 + int(number))
    if how == "worse":
        batch = batch.with_values(fewer_tracks(batch.packed, NAMES, np.random.default_rng(0), 0.7))
    return InMemory(batch, 64)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("1_good", "2_good", "3_worse", "4_few", "5_broken"):
        (tmp_path / f"{name}.root").touch()
    return tmp_path


def test_runs_are_watched_and_shown_beside_the_held_out_jets(tagger: Fitted, folder: Path) -> None:
    verdicts = RunVerdicts(monitor_of(tagger, "MASS"))
    with_store = f"sqlite:///{folder / 'watch.db'}"
    store = Store(with_store)
    watched = WatchedRuns(verdicts, "", store, lambda: runs_of_jets(tagger, str(folder), opened))
    done = watch_folder(watched, follow=False)
    assert (done.judged, done.flagged, done.unjudged) == (5, 1, 2)
    assert any(line.startswith(("3_worse: BAD", "3_worse: WARN")) for line in done.messages)
    assert any("5_broken.root: is not complete" in line for line in done.messages)
    assert watch_folder(watched, follow=False).judged == 0  # once is enough
    store.close()
    client = TestClient(create_app(with_store), base_url="http://localhost")
    page = client.get("/")
    assert page.status_code == 200
    assert "MASS" in page.text
    assert "3_worse" in client.get("/runs?model=MASS").text
    assert "log odds of top" in client.get("/runs/3_worse?model=MASS").text


def test_good_runs_of_any_size_are_seldom_flagged(tagger: Fitted) -> None:
    verdicts = RunVerdicts(monitor_of(tagger))
    p_values = []
    for number, size in enumerate([25, 60, 200] * 10):
        (run,) = runs_of_jets(tagger, __file__, lambda _, n=number, s=size: InMemory(jets(s, 500 + n)))
        p_values.append(next(verdicts.of([run], silent)).p_value)
    assert np.mean(np.array(p_values) < 0.1) < 0.35
    assert min(p_values) > 1e-4


def test_what_is_kept_is_kept_with_the_model_and_no_more(tagger: Fitted) -> None:
    kept = tagger.reference[LOG_ODDS]
    assert kept.shape[1] == 2
    assert 700 < len(kept) < 900  # one jet in five was held out
    (run,) = runs_of_jets(tagger, __file__, lambda _: InMemory(jets(900, 9)))
    assert len(next(run.pieces())["log odds of qcd"]) == len(kept) // 4


def test_a_tagger_without_held_out_jets_and_folders_without_runs_are_refused(tagger: Fitted, tmp_path: Path) -> None:
    none = Fitted(tagger.name, tagger.scorer, tagger.view, tagger.calibrations, {}, dict(tagger.lineage))
    with pytest.raises(SettingsError, match="the scores of no held-out jets"):
        monitor_of(none)
    with pytest.raises(SourceError, match="no run there"):
        runs_of_jets(tagger, str(tmp_path), opened)
    for ending in ("root", "parquet"):
        (tmp_path / f"1_good.{ending}").touch()
    with pytest.raises(SourceError, match="is there twice"):
        runs_of_jets(tagger, str(tmp_path), opened)
    (tmp_path / "1_good.root").unlink()
    (run,) = runs_of_jets(tagger, str(tmp_path), opened)
    assert next(RunVerdicts(monitor_of(tagger)).of([run], silent)).verdict in (Verdict.GOOD, Verdict.WARN)
