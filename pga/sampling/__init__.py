"""What a trained run makes: samples, interpolations, reconstructions."""
