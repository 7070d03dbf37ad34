"""An opened library and what is done with it: ingest, training's results, labels, maps, measurements."""
