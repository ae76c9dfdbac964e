"""Pump and ring to comb lines."""
