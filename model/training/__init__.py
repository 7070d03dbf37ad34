"""How an MS-VAE is trained: the recipe, the objective, the runs, and the choices on held-out videos."""
