"""Tests of the scripts in dev/."""
