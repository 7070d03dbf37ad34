"""Train an MS-VAE: the recipe, the objective, the runs, and the choices made on held-out videos."""
