"""What files of a run say of themselves."""

from __future__ import annotations

import json

import numpy as np

from otbench.runs.on_disk import read_latent_info


def test_a_latent_study_says_what_it_was_made_with(tmp_path):
    path = tmp_path / "digits.npz"
    info = {"asked": {"steps": 4}, "cells": 797}  # the cells of a map, not those of samples
    np.savez(path, codes=np.zeros((3, 2)), info=np.array(json.dumps(info)))
    assert read_latent_info(path) == info
    path.write_bytes(path.read_bytes()[:100])
    assert read_latent_info(path) == {} == read_latent_info(tmp_path / "none.npz")
