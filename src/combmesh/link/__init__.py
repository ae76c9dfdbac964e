"""Fibre to Charlie, and Charlie."""
