"""No test of data sets leaves this machine or sees the user's files."""

import pytest


@pytest.fixture(autouse=True)
def apart(request, monkeypatch, tmp_path):
    monkeypatch.setenv("no_proxy", "*")
    if request.path.name != "test_real_images.py":
        monkeypatch.setenv("OTBENCH_DATA", str(tmp_path / "data-root"))
        monkeypatch.delenv("OTBENCH_UNVERIFIED", raising=False)
