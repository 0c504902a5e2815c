"""Studies of fitted models: search over options, spread of a measurement, the latent space."""
