"""Benchmarks for asv, and scripts; what they time with is augcore.benchmarks."""
