"""The method: terms, losses, and the values that they read with gradients for just the parameters that each moves."""
