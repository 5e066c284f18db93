"""What is fast is measured here, as ratios against the plain way of doing it; RESULTS.md has the figures."""
