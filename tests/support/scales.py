"""What the scales of the tests share: values of runs so small that they take seconds."""

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
