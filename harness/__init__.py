"""PerturbFM harness: frozen splits, complete metric panels and honest controls for perturbation prediction."""

__version__ = "0.1.0"
