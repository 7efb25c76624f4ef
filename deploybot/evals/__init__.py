"""How well a model chooses: cases as threads, played against it, judged, summed up and compared."""
