"""Experiments so small that they take seconds."""

COMMON = """common:
  network: [dense_8, inferred]
  width: [16, inferred]
  latent_dim: [8, inferred]
  batch_norm: [false, code]
  batch_size: [64, code]
  learning_rate: [0.1, code]
  momentum: [0.9, paper]
  steps: [300, inferred]
  warmup_steps: [200, inferred]
  delta: [sphere, code]
  epsilon: [0.01, code]
  coefficients: {alpha: [0.06, code], beta: [0, code]}
"""
"""Values of runs."""

TINY = (
    """
description: for the tests
results: results/tiny
seeds: [0]
device: cpu
evaluation: {extractor: classifier, metrics: [swd, sharpness]}
samplings:
  prior: {n: 300, batch_size: 100}
"""
    + COMMON
    + """  snapshots: 2
datasets:
  digits:
    runs:
      vae: {warmup_steps: [0, code], coefficients: {c: [0.05, inferred]}}
      lpga: {coefficients: {gamma: [0.015, paper]}}
table1:
  columns: [{dataset: digits, title: Digits, paper: mnist}]
  rows: [{title: LPGA, model: lpga}, {title: VAE, model: vae}]
figures:
  figure2: {datasets: [digits], models: [lpga, vae]}
"""
)
"""An experiment of two models, a table and a figure."""
