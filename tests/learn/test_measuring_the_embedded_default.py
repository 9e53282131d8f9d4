"""What scripts/measure_embedded.py writes around its figures."""

import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import torch

SCRIPT = Path(__file__).parents[2] / "scripts" / "measure_embedded.py"


def test_what_measures_the_embedded_default_writes_schema_version_and_origin(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("measure_embedded", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    task = SimpleNamespace(start=range(8), test_labels=range(400))
    monkeypatch.setattr(script, "Photographs", lambda: task)
    monkeypatch.setattr(script, "accuracy_figures", lambda task: {})
    monkeypatch.setattr(script, "federation", lambda *_, **__: {})
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    target = tmp_path / "embedded-default.json"
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), "--out", str(target)])
    script.main()
    written = json.loads(target.read_text())
    assert written["schema_version"] == 1
    assert {"measured", "commit", "seed", "machine"} <= written.keys()
